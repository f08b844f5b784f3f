//! Fires of schedules: what names one, and what is counted of it once its commit holds.

use std::time::Duration;

use millrace_domain::{RunId, Timestamp, TriggerId, WorkflowId};

use super::lateness::Missed;

/// A fire of a schedule: the workflow, which of its schedules, and the instant that is due.
pub(crate) type Fire = (WorkflowId, TriggerId, Timestamp);

/// A fire that was judged. It is counted once its commit holds; otherwise it comes again.
pub(crate) struct Fired {
    /// The fire.
    pub(crate) fire: Fire,
    /// How late its run is.
    pub(crate) late: Duration,
    /// The run that was started, if one could be; absent when none was to be.
    pub(crate) started: Option<Option<RunId>>,
    /// The instants that were missed before it.
    pub(crate) missed: Option<Missed>,
}

impl Fired {
    /// Counts the fire, whose commit holds but for the `duplicates`: runs that were there already.
    pub(crate) fn count(&self, duplicates: &[RunId]) {
        let count = |result| metrics::counter!("millrace_fires_total", "result" => result);
        if let Some(missed) = self.missed {
            count("missed").increment(missed.count);
        }
        match self.started {
            None => {}
            Some(None) => count("failed").increment(1),
            // It has fired before: the clock was ahead then.
            Some(Some(run)) if duplicates.contains(&run) => {}
            Some(Some(_)) => {
                metrics::histogram!("millrace_schedule_lag_seconds").record(self.late.as_secs_f64());
                count("fired").increment(1);
            }
        }
    }
}
