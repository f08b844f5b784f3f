//! `run --dry-run`: the plan of a run, without running anything and without a server.

use millrace_domain::definition::{self, Params, Workflow};
use millrace_domain::expression::Fire;
use millrace_domain::{Timestamp, run};

use crate::error::CliError;
use crate::options::Common;
use crate::output;
use crate::render;

/// Prints the plan of a run with the params that were given.
pub(crate) fn show(common: &Common, workflow: &Workflow, given: &Params) -> Result<(), CliError> {
    let now = Timestamp::from_millis(jiff::Timestamp::now().as_millisecond());
    let fire = Fire { time: now, zone: &workflow.timezone };
    // What is wrong is told as a producer would tell it.
    let params = definition::check_params(&workflow.params, given, fire)
        .map_err(|problems| CliError::Usage(problems.join("; ")))?;
    let plan = run::plan(workflow, params.clone(), now);
    let shown = render::Planned { workflow, params: &params, plan: &plan, now };
    output::one(common.output, &shown.to_json(), &shown.to_text());
    Ok(())
}
