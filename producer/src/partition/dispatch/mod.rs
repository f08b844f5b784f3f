//! How tasks and letters leave: which tasks share a message, and the sending of each until it is confirmed.

pub(crate) mod bundles;
pub(crate) mod capacity;
pub(crate) mod durations;
pub(crate) mod letters;
pub(crate) mod outbox;
pub(crate) mod progress;
pub(crate) mod published;

use std::sync::Arc;

use millrace_domain::Timestamp;
use millrace_domain::run::Run;
use millrace_domain::task::{Task, TaskResult};

use super::memory::owned::InFlight;
use crate::context::Context;
use capacity::Capacity;
use durations::Durations;
use outbox::Outbox;
use progress::Progress;

/// The dispatcher: it sends tasks to the broker, and learns from those that came back.
pub(crate) struct Dispatcher {
    /// The publisher.
    pub(crate) outbox: Outbox,
    durations: Durations,
    /// How far each queue has been worked off.
    pub(crate) progress: Progress,
}

impl Dispatcher {
    /// A dispatcher that knows nothing yet.
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self { outbox: Outbox::new(context), durations: Durations::default(), progress: Progress::new() }
    }

    /// Learns from the result of a run's step, before the run is advanced by it.
    pub(crate) fn note_result(&mut self, run: &Run, result: &TaskResult, now: Timestamp) {
        progress::note(&mut self.progress, run, result.id().unit, now);
        self.durations.note(run, result.step, result.ended_at.since(result.started_at));
    }

    /// Publishes tasks that were dispatched `at` an instant; `in_flight` is what is under way without them.
    pub(crate) fn publish(
        &mut self,
        tasks: Vec<Task>,
        capacity: &Capacity,
        in_flight: &InFlight,
        at: Timestamp,
    ) {
        let packed = bundles::pack(tasks, &self.durations, capacity, in_flight);
        self.outbox.publish(packed, at);
    }
}
