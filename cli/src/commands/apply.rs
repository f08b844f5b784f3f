//! `apply`: stores workflow files.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::client::Client;
use crate::commands::validate::{self, FilesArgs};
use crate::error::CliError;
use crate::options::Common;
use crate::output;

/// Stores files, all of them or, when one has a problem, none.
pub(crate) async fn run(common: &Common, args: FilesArgs) -> Result<(), CliError> {
    let client = Client::of(common)?;
    for file in &args.files {
        validate::load(file)?;
    }
    let applied = store(&client, &args.files).await?;
    output::list(common.output, &applied, &[("NAME", "name"), ("VERSION", "version"), ("CHANGE", "change")]);
    Ok(())
}

/// Stores files that were found valid, and returns what became of each workflow.
pub(crate) async fn store(client: &Client, files: &[PathBuf]) -> Result<Vec<Value>, CliError> {
    let mut applied = Vec::new();
    for file in files {
        applied.extend(apply_one(client, file).await?);
    }
    Ok(applied)
}

async fn apply_one(client: &Client, file: &Path) -> Result<Vec<Value>, CliError> {
    let definition = std::fs::read_to_string(file)?;
    let base_dir = validate::base_dir(file);
    let body = json!({"definition": definition, "file": file.display().to_string(), "base_dir": base_dir});
    let mut answer = client.post("/api/v1/workflows", &body).await?;
    let mut rows = match answer["workflows"].take() {
        Value::Array(rows) => rows,
        _ => Vec::new(),
    };
    for row in &mut rows {
        let change = if row["unchanged"] == true { "unchanged" } else { "stored" };
        row["change"] = change.into();
    }
    Ok(rows)
}
