//! `config`: prints the commented default configuration.

use millrace_runtime::config::DEFAULT_FILE;

use crate::error::CliError;
use crate::output;

/// Prints the file as it would be written to `millrace.toml`.
pub(crate) fn run() -> Result<(), CliError> {
    output::line(DEFAULT_FILE.trim_end());
    Ok(())
}
