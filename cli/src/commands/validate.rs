//! `validate`: all problems of all files at once, without any server.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use millrace_domain::PoolName;
use millrace_domain::definition::{self, Parsed, Problem, Workflow};
use serde_json::{Value, json};

use crate::commands::graph::{self, Format};
use crate::error::CliError;
use crate::options::{Common, Output};
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct FilesArgs {
    /// Workflow files, YAML or JSON
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    #[command(flatten)]
    files: FilesArgs,
    /// Draw the DAG of each workflow
    #[arg(long)]
    graph: bool,
    /// The form of the drawing
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text, requires = "graph")]
    format: Format,
}

/// Checks files, and prints the problems of each, or draws what is in them.
pub(crate) fn run(common: &Common, args: &ValidateArgs) -> Result<(), CliError> {
    let files = &args.files.files;
    if args.graph {
        let parsed = files.iter().map(|file| load(file)).collect::<Result<Vec<_>, _>>()?;
        let workflows: Vec<&Workflow> = parsed.iter().flatten().map(|one| &one.workflow).collect();
        return graph::show(common, &workflows, args.format);
    }
    let mut failed = 0;
    let mut rows = Vec::new();
    for file in files {
        let name = file.display().to_string();
        match parse(file) {
            Ok(parsed) => {
                let names: Vec<String> = parsed.iter().map(|one| one.workflow.id.to_string()).collect();
                if common.output == Output::Table {
                    output::line(&format!("{name}: ok ({})", names.join(", ")));
                }
                let warnings: Vec<&Problem> = parsed.iter().flat_map(|one| &one.warnings).collect();
                if common.output == Output::Table {
                    warn_of(&warnings);
                }
                let mut row = json!({"file": name, "ok": true, "workflows": names, "problems": []});
                if !warnings.is_empty() {
                    row["warnings"] = json!(warnings);
                }
                rows.push(row);
            }
            Err(problems) => {
                failed += problems.1;
                if common.output == Output::Table {
                    output::note(&problems.0);
                }
                rows.push(json!({"file": name, "ok": false, "workflows": [], "problems": problems.2}));
            }
        }
    }
    if common.output != Output::Table {
        output::list(common.output, &rows, &[]);
    }
    match failed {
        0 => Ok(()),
        1 => Err(CliError::Failed("1 problem".to_owned())),
        count => Err(CliError::Failed(format!("{count} problems"))),
    }
}

/// Prints what is allowed, and hardly meant.
fn warn_of(warnings: &[&Problem]) {
    warnings.iter().for_each(|warning| output::note(&format!("warning: {warning}")));
}

/// Parses a file, and returns its workflows, or its problems: as a text, how many, and as JSON.
fn parse(file: &Path) -> Result<Vec<Parsed>, (String, usize, Value)> {
    let bytes = std::fs::read(file).map_err(|e| {
        let text = format!("{}: {e}", file.display());
        (text.clone(), 1, json!([{"code": "unreadable-file", "message": text}]))
    })?;
    definition::parse_bytes(&bytes, &file.display().to_string()).map_err(|problems| {
        let json = serde_json::to_value(&problems).unwrap_or_default();
        (problems.to_string(), problems.0.len(), json)
    })
}

/// Parses a file, with all its problems as the error, and warns of what is hardly meant.
pub(crate) fn load(file: &Path) -> Result<Vec<Parsed>, CliError> {
    let parsed = parse(file).map_err(|(text, count, _)| {
        let s = if count == 1 { "" } else { "s" };
        CliError::Failed(format!("{count} problem{s}\n{text}"))
    })?;
    warn_of(&parsed.iter().flat_map(|one| &one.warnings).collect::<Vec<_>>());
    Ok(parsed)
}

/// The pools in which the steps of workflows run.
pub(crate) fn pools<'p>(parsed: impl IntoIterator<Item = &'p Parsed>) -> BTreeSet<PoolName> {
    let steps = parsed.into_iter().flat_map(|one| &one.workflow.steps);
    // Neighbours are mostly of one pool, and a definition may have 100,000 of them.
    let mut pools = BTreeSet::new();
    steps.for_each(|step| {
        if !pools.contains(&step.pool) {
            pools.insert(step.pool.clone());
        }
    });
    pools
}

/// The directory of a file: where its shell steps start on an embedded server. A fleet's workers have folders of
/// their own, and its producers leave this out of account.
pub(crate) fn base_dir(file: &Path) -> Option<String> {
    let parent = file.canonicalize().ok()?.parent()?.to_path_buf();
    Some(parent.to_string_lossy().into_owned())
}
