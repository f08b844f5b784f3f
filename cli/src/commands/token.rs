//! The token of a producer: made at its first start when none is set, kept in its data directory.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use millrace_runtime::config::Settings;
use uuid::Uuid;

use crate::args::{Common, Servers, TokenCommand};
use crate::error::CliError;
use crate::output;

/// The file within the data directory.
const FILE: &str = "token";

/// `token show`.
pub(crate) fn run(common: &Common, command: &TokenCommand) -> Result<(), CliError> {
    let TokenCommand::Show { data } = command;
    let settings = common.settings(&Servers::default())?;
    let kept = data.as_deref().and_then(read);
    match settings.token.or(kept) {
        Some(token) => {
            output::line(&token);
            Ok(())
        }
        None => Err(CliError::NotFound(
            "no token here: MILLRACE_TOKEN is not set, and no producer keeps one in MILLRACE_DATA (a producer on \
             loopback needs none)"
                .to_owned(),
        )),
    }
}

/// The token to show: as set, or the one that a producer in the same container keeps.
pub(crate) fn find(settings: &Settings) -> Option<String> {
    settings.token.clone().or_else(|| read(&PathBuf::from(std::env::var_os("MILLRACE_DATA")?)))
}

fn read(data: &Path) -> Option<String> {
    let text = std::fs::read_to_string(data.join(FILE)).ok()?;
    Some(text.trim().to_owned()).filter(|token| !token.is_empty())
}

/// The token kept in `data`, made now if there is none.
pub(crate) fn keep(data: &Path) -> Result<String, CliError> {
    if let Some(token) = read(data) {
        return Ok(token);
    }
    let failed =
        |e: std::io::Error| CliError::Failed(format!("the token cannot be kept in {}: {e}", data.display()));
    std::fs::create_dir_all(data).map_err(failed)?;
    let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(data.join(FILE))
        .map_err(failed)?;
    writeln!(file, "{token}").map_err(failed)?;
    Ok(token)
}
