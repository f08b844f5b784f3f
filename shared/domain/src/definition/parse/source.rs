//! The entry: a file's text in, its workflows out, or all that is wrong with it.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::checker::Checker;
use super::super::document::{self, Content, Document};
use super::super::problem::Position;
use super::super::{Problem, Problems, Workflow};
use super::foreign::{self, Foreign};
use super::workflow::read_workflow;
use super::{byte_order_mark, surrogates};

/// The longest file, in bytes.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// The name of a stored definition in problems.
const STORED: &str = "stored definition";

/// A workflow and the document that it was read from.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The workflow: what the document means.
    pub workflow: Workflow,
    /// The source: this document alone, which parses to the same workflow.
    pub source: Arc<str>,
    /// What is allowed in it, and hardly meant; at most 100.
    pub warnings: Vec<Problem>,
}

/// Reads the workflows of a file, in order. YAML or JSON, one workflow per document. `file` is how problems name
/// it.
///
/// # Errors
/// Everything that is wrong, in the order of the file. When text is not YAML, what comes after is not looked at.
pub fn parse(source: &str, file: &str) -> Result<Vec<Parsed>, Problems> {
    read(source, file, Checker::default())
}

/// Reads the one workflow of a stored definition: a document that was accepted once, perhaps by an older program. What
/// has been refused since is not refused in it.
///
/// # Errors
/// As [`parse`], for what no program would have stored.
pub fn parse_stored(source: &str) -> Result<Workflow, Problems> {
    let mut checker = Checker::default();
    checker.was_accepted = true;
    let mut parsed = read(source, STORED, checker)?;
    match parsed.pop() {
        Some(one) if parsed.is_empty() => Ok(one.workflow),
        _ => {
            let mut checker = Checker::default();
            checker.problem(Position::START, "several-workflows", "expected one workflow", None);
            Err(checker.into_problems(STORED))
        }
    }
}

fn read(source: &str, file: &str, mut checker: Checker) -> Result<Vec<Parsed>, Problems> {
    if source.len() > MAX_FILE_BYTES {
        checker.problem(Position::START, "file-too-large", too_large(source.len()), None);
        return Err(checker.into_problems(file));
    }
    let source = &*byte_order_mark::stripped(source);
    let source = &*surrogates::joined(source);
    let documents = document::read(source, &mut checker);
    let foreign = recognised(source, &documents, &checker);
    if !foreign.is_empty() {
        return Err(told(foreign, file));
    }
    if documents.is_empty() && checker.is_clean() {
        let hint = Some("write `name:` and `steps:`; each step has a `name` and a `run`".to_owned());
        checker.problem(
            Position::START,
            "empty-file",
            "no workflow here: expected a document with a name and steps",
            hint,
        );
    }
    let mut parsed = Vec::with_capacity(documents.len());
    let mut lines: HashMap<_, u32> = HashMap::new();
    for mut document in documents {
        let at = document.root.at;
        if let Some(foreign) = foreign::of_document(&document.root) {
            foreign.report(&mut checker);
            continue;
        }
        let Some(workflow) = read_workflow(&mut document.root, &mut checker) else { continue };
        if let Some(line) = lines.insert(workflow.id.clone(), at.line) {
            let message = format!("workflow `{}` is defined twice: it is in line {line} too", workflow.id);
            checker.problem(at, "duplicate-workflow", message, None);
        }
        let warnings = checker.take_warnings(file);
        parsed.push(Parsed { workflow, source: document.source.into(), warnings });
    }
    if checker.is_clean() { Ok(parsed) } else { Err(checker.into_problems(file)) }
}

/// Recognises a file of which nothing is Millrace's: nothing else is to be said about it then.
fn recognised(source: &str, documents: &[Document<'_>], checker: &Checker) -> Vec<Foreign> {
    let known: Vec<Foreign> =
        documents.iter().filter_map(|document| foreign::of_document(&document.root)).collect();
    let text = || match documents {
        [] if !checker.is_clean() => foreign::of_text(source),
        [one] if !matches!(one.root.content, Content::Map(_)) => foreign::of_text(source),
        _ => None,
    };
    if known.is_empty() {
        text().into_iter().collect()
    } else if known.len() == documents.len() {
        known
    } else {
        Vec::new()
    }
}

fn told(foreign: Vec<Foreign>, file: &str) -> Problems {
    let mut checker = Checker::default();
    foreign.into_iter().for_each(|foreign| foreign.report(&mut checker));
    checker.into_problems(file)
}

/// Reads the workflows of a file as [`parse`] does, from bytes that may not be text.
///
/// # Errors
/// As [`parse`]; bytes that are no UTF-8 are a problem in the line where they stand.
pub fn parse_bytes(bytes: &[u8], file: &str) -> Result<Vec<Parsed>, Problems> {
    let mut checker = Checker::default();
    // Before anything else, so that a huge file costs nothing.
    if bytes.len() > MAX_FILE_BYTES {
        checker.problem(Position::START, "file-too-large", too_large(bytes.len()), None);
        return Err(checker.into_problems(file));
    }
    if let Some(encoding) = byte_order_mark::foreign_encoding(bytes) {
        let message = format!("the file is {encoding} text: expected UTF-8");
        checker.problem(Position::START, "invalid-utf8", message, Some("save the file as UTF-8".to_owned()));
        return Err(checker.into_problems(file));
    }
    match std::str::from_utf8(bytes) {
        Ok(source) => parse(source, file),
        Err(error) => {
            let before = &bytes[..error.valid_up_to()];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
            let from = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            let at = Position { line: from(line), column: from(column) };
            let message = format!("byte {} is not UTF-8", error.valid_up_to());
            checker.problem(at, "invalid-utf8", message, Some("save the file as UTF-8".to_owned()));
            Err(checker.into_problems(file))
        }
    }
}

fn too_large(bytes: usize) -> String {
    format!("the file is {bytes} bytes long: expected at most {MAX_FILE_BYTES}")
}
