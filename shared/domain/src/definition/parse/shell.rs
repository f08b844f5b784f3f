//! `run:` and `shell:`: a script, and the program that it is given to.

use serde_json::{Map, Value};

use super::super::checker::Checker;
use super::super::document::Node;
use super::super::problem::Position;
use super::action::{Action, missing};
use super::fields::Schema;
use crate::expression::{Template, Templated, Use};

/// The name of the executor that runs a step's `run`.
pub const SHELL: &str = "shell";

/// The longest script, in bytes: it travels to the shell as one argument.
pub(in crate::definition) const MAX_SCRIPT_BYTES: usize = 128 * 1024 - 1;

pub(in crate::definition) const MAX_SHELL_WORDS: usize = 32;

pub(in crate::definition) const SHELL_INPUT: Schema =
    Schema { what: "`with` of shell", known: &["run", "shell"], later: &[], synonyms: &[] };

/// Reads a script, and the program that it is given to.
pub(super) fn read_shell(
    run: Option<&Node>,
    shell: Option<&Node>,
    at: Position,
    checker: &mut Checker,
) -> Option<Action> {
    let argv = shell.map(|node| read_argv(node, checker));
    let Some(run) = run else { return missing(at, SHELL, "run", checker) };
    let script = checker.text(run, "run")?;
    if let Err(problem) = check_script(script) {
        checker.problem(run.at, problem.code, problem.message, problem.hint);
        return None;
    }
    let mut with = Map::new();
    with.insert("run".to_owned(), Value::String(script.to_owned()));
    if let Some(argv) = argv {
        with.insert("shell".to_owned(), Value::Array(argv?));
    }
    Some(Action::new(SHELL, Templated::literal(Value::Object(with)), None))
}

fn read_argv(node: &Node, checker: &mut Checker) -> Option<Vec<Value>> {
    let hint = node.plain().map(|word| format!("write [{word}, -e, -c]"));
    let words = checker.list(node, "shell", "words, to which the script is added", hint)?;
    if words.is_empty() || words.len() > MAX_SHELL_WORDS {
        let message = format!("`shell` has {} words: expected 1 to {MAX_SHELL_WORDS}", words.len());
        checker.problem(node.at, "out-of-range", message, None);
        return None;
    }
    let mut argv = Vec::with_capacity(words.len());
    for word in words {
        let text = checker.text(word, "shell")?;
        if text.is_empty() || text.contains('\0') || text.contains("${{") {
            let message = "`shell` must be of plain words: none is empty, has a NUL byte or an expression";
            checker.problem(word.at, "bad-value", message, None);
            return None;
        }
        argv.push(Value::String(text.to_owned()));
    }
    Some(argv)
}

/// The reason why a script cannot be run.
pub(crate) struct ScriptProblem {
    /// The code, which is stable.
    pub(crate) code: &'static str,
    /// The message: what was expected.
    pub(crate) message: String,
    /// The hint: what to write instead.
    pub(crate) hint: Option<String>,
}

/// Checks a script. It is never templated, so that no value can become code: an expression in it is a mistake.
pub(crate) fn check_script(script: &str) -> Result<(), ScriptProblem> {
    let problem = |code, message: String, hint| Err(ScriptProblem { code, message, hint });
    if script.trim().is_empty() {
        return problem("bad-value", "`run` is empty: expected a shell command".to_owned(), None);
    }
    if script.len() > MAX_SCRIPT_BYTES {
        let message = format!("`run` is {} bytes long: expected at most {MAX_SCRIPT_BYTES}", script.len());
        return problem("out-of-range", message, Some("put the script into a file".to_owned()));
    }
    if script.contains('\0') {
        return problem("bad-value", "`run` has a NUL byte, which no command can hold".to_owned(), None);
    }
    let Some(at) = script.find("${{") else { return Ok(()) };
    let inside = &script[at + 3..];
    let inside = inside.split_once("}}").map_or(inside, |(inside, _)| inside).trim();
    let shown: String = inside.chars().take(60).collect();
    let message = format!("`run` is never templated: `${{{{ {shown} }}}}` would stay as it is");
    let single = Template::parse(&format!("${{{{ {inside} }}}}")).ok();
    let param = single.as_ref().and_then(|template| match template.uses().next() {
        Some(Use::Param(name)) if *inside == format!("params.{name}") => Some(name.as_str()),
        _ => None,
    });
    let hint = match param {
        Some(name) => format!("params are environment variables: write \"${name}\""),
        None => format!("write env: {{NAME: \"${{{{ {shown} }}}}\"}} and use \"$NAME\""),
    };
    problem("expression-in-run", message, Some(hint))
}
