//! `token`: shows the token of a producer.

use serde_json::json;

use crate::args::{Common, Servers, TokenCommand};
use crate::error::CliError;
use crate::{output, token};

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
