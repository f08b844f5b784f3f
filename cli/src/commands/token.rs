//! `token`: shows the token of a producer.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use crate::error::CliError;
use crate::options::{Common, Servers};
use crate::{output, token};

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Print it
    Show {
        /// Where the producer keeps it
        #[arg(long, env = "MILLRACE_DATA", value_name = "DIR")]
        data: Option<PathBuf>,
    },
}

/// Shows the token as it is set, or as a producer keeps it.
pub(crate) fn run(common: &Common, command: &TokenCommand) -> Result<(), CliError> {
    let TokenCommand::Show { data } = command;
    let settings = common.settings(&Servers::default())?;
    let kept = data.as_deref().and_then(token::read);
    match settings.token.or(kept) {
        Some(token) => {
            output::one(common.output, &json!({ "token": token }), &token);
            Ok(())
        }
        None => Err(CliError::NotFound(
            "no token here: MILLRACE_TOKEN is not set, and no producer keeps one in MILLRACE_DATA (a producer on \
             loopback needs none)"
                .to_owned(),
        )),
    }
}
