//! `schema`: prints the JSON Schema of workflow files, by which editors complete and check them.

use millrace_domain::definition;

use crate::error::CliError;
use crate::output;

/// Prints the schema.
pub(crate) fn run() -> Result<(), CliError> {
    output::line(&format!("{:#}", definition::json_schema()));
    Ok(())
}
