//! The history of a run in words that name the cause.

use super::entry::Entry;
use super::merge::{Happened, What};
use crate::lock::in_words;
use crate::run::{Deed, Ended, Event, RetryOf, Run, RunState, StepState, Trigger};
use crate::task::TaskResult;
use crate::{Outcome, Unit};

/// One line of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The kind of it, in one word.
    pub kind: &'static str,
    /// The unit that it happened to.
    pub unit: Option<Unit>,
    /// The attempt that it is about.
    pub attempt: Option<u32>,
    /// What happened, and why.
    pub text: String,
}

impl Happened {
    /// The advance in words: the event, then what followed from it.
    pub fn told(&self, run: &Run) -> Vec<Told> {
        let mut told = vec![self.event_told(run)];
        // What somebody did to a unit says how it ended.
        let acted_on = self.entry().and_then(|entry| match &entry.event {
            Event::Act(act) => Some(act.unit),
            _ => None,
        });
        let followed = self.followed.iter().filter(|(unit, end)| Some(*unit) != acted_on || end.by.is_none());
        told.extend(followed.map(|(unit, end)| end_told(run, *unit, end)));
        if self.ends_run {
            let state = run.head.state;
            let text = with_reason(format!("the run {}", words_of(state)), run.head.reason.as_deref());
            told.push(Told { kind: "run_ended", unit: None, attempt: None, text });
            told.extend(run.head.continuations.iter().map(|known| {
                let what = format!("the run was retried at {}, as run {}", known.at, known.run);
                let text = by_and_why(what, &known.by, &known.why);
                Told { kind: "retried", unit: None, attempt: None, text }
            }));
        }
        told
    }

    fn event_told(&self, run: &Run) -> Told {
        let (kind, text) = match &self.what {
            What::Created => ("created", created(run)),
            What::Event(entry) | What::End(entry) => {
                return self.told_of(run, entry);
            }
            What::Unknown => ("unknown", "something happened that only a newer version knows".to_owned()),
            What::NotNoted(to) if *to == self.n => ("not_noted", "what happened was not noted".to_owned()),
            What::NotNoted(to) => (
                "not_noted",
                format!("what happened was not noted, in {} changes up to {to}", to - self.n + 1),
            ),
        };
        Told { kind, unit: None, attempt: None, text }
    }

    fn told_of(&self, run: &Run, entry: &Entry) -> Told {
        let (event, attempts) = (&entry.event, entry.attempts);
        let name = event.unit().map(|unit| name_of(run, unit)).unwrap_or_default();
        let is_over = matches!(self.what, What::End(_))
            || self.followed.iter().any(|(unit, _)| event.unit() == Some(*unit));
        let then = match (is_over, entry.asks) {
            (true, _) => String::new(),
            (false, true) => "; somebody is asked what is to become of it".to_owned(),
            (false, false) => "; another attempt follows".to_owned(),
        };
        let after = with_reason(then, entry.why.as_deref());
        let (kind, attempt, text) = match event {
            Event::StartDue if has_read_for_outputs(run, entry) => {
                ("start_due", None, "what the outputs of the run use was read".to_owned())
            }
            Event::StartDue if entry.n > 2 || run.head.start_at.is_none() => {
                ("start_due", None, "further steps start that became ready at once".to_owned())
            }
            Event::StartDue => ("start_due", None, "the start of the run is due".to_owned()),
            Event::Result(result) => {
                ("result", Some(result.attempt), format!("{}{after}", result_told(&name, result)))
            }
            Event::ChildEnded(result) => {
                ("child_ended", Some(result.attempt), format!("{}{after}", child_told(run, &name, result)))
            }
            Event::Granted { locks, .. } => {
                ("granted", None, format!("{} was granted {}", name, in_words(locks)))
            }
            Event::LockRefused { reason, .. } => {
                ("lock_refused", None, with_reason(format!("{name} cannot have its locks"), Some(reason)))
            }
            Event::LockTaken { locks, by, why, .. } => {
                let by = if by.is_empty() { String::new() } else { format!(" by {by}") };
                let text = format!("{}, which {name} held, was released{by}", in_words(locks));
                ("lock_taken", None, with_reason(text, why.as_deref()))
            }
            Event::SlotGranted { .. } => ("slot_granted", None, "the run has its turn".to_owned()),
            Event::SlotRefused { outcome, reason } => (
                "slot_refused",
                None,
                with_reason(format!("the run is not to start, and ends as {outcome}"), Some(reason)),
            ),
            Event::Displaced { reason, .. } => {
                ("displaced", None, with_reason("the run is to end".to_owned(), Some(reason)))
            }
            Event::SlotTaken { slots, by, why } => {
                let by = if by.is_empty() { String::new() } else { format!(" by {by}") };
                let text = format!("{}, which the run had, was released{by}", slots.in_words());
                ("slot_taken", None, with_reason(text, why.as_deref()))
            }
            Event::RetryDue { .. } if attempts > 0 => {
                ("retry_due", Some(attempts + 1), format!("the retry of {name} is due"))
            }
            Event::RetryDue { unit } if self.ended_attempt(*unit).is_some() => (
                "time_due",
                self.ended_attempt(*unit),
                format!("nobody has said in time what is to become of {name}"),
            ),
            Event::RetryDue { unit } if self.was_asked(run, *unit) => {
                ("time_due", None, format!("the time to answer {name} is over"))
            }
            Event::RetryDue { .. } => ("time_due", None, format!("the time of {name} has come")),
            Event::Lost { attempt, reason, .. } => {
                let lost = with_reason(format!("attempt {attempt} of {name} was lost"), Some(reason));
                ("lost", Some(*attempt), format!("{lost}{after}"))
            }
            Event::Revoked { attempt, unclaimed: true, .. } if !is_over => (
                "revoked",
                Some(*attempt),
                format!(
                    "attempt {attempt} of {name} was taken back before anybody had begun it; another takes its place"
                ),
            ),
            Event::Revoked { attempt, .. } => {
                ("revoked", Some(*attempt), format!("attempt {attempt} of {name} was taken back"))
            }
            Event::Act(act) => {
                let more = if act.deed == Deed::Approve && !is_over { "; others have to, too" } else { "" };
                ("act", Some(act.attempt).filter(|attempt| *attempt > 0), format!("{name} was {act}{more}"))
            }
            Event::RunAct(act) => (act.deed.as_str(), None, format!("the run was {act}")),
            // Whoever said who it was has said what was done, too.
            Event::Cancel { reason } if reason.starts_with("cancelled") => ("cancel", None, reason.clone()),
            Event::Cancel { reason } => ("cancel", None, with_reason("cancelled".to_owned(), Some(reason))),
            Event::TimedOut => ("timed_out", None, "the run has taken too long, and is stopped".to_owned()),
            Event::CancelCheckDue => (
                "cancel_check",
                None,
                "the clock was set back: the grace of its workers begins anew".to_owned(),
            ),
            Event::Poisoned { reason } => {
                ("poisoned", None, with_reason("the run cannot go on".to_owned(), Some(reason)))
            }
        };
        Told { kind, unit: event.unit(), attempt, text }
    }

    /// Whether a unit had asked people, and ended by this.
    fn was_asked(&self, run: &Run, unit: Unit) -> bool {
        let asks = run.workflow.step(unit.step).is_some_and(|step| step.question.is_some());
        asks && self.followed.iter().any(|(ended, end)| *ended == unit && end.started_at.is_some())
    }

    /// The attempt of a unit that had one, and ended by this.
    fn ended_attempt(&self, unit: Unit) -> Option<u32> {
        let (_, end) = self.followed.iter().find(|(ended, _)| *ended == unit)?;
        Some(end.attempts.attempt).filter(|attempt| *attempt > 0)
    }
}

/// Whether the start timer went off for the outputs of the run: after the end of all steps, and before the hooks of the run
/// had their turn.
fn has_read_for_outputs(run: &Run, entry: &Entry) -> bool {
    let steps = run.steps.iter().zip(&run.workflow.steps).filter(|(_, step)| !step.is_run_hook());
    let mut ends = steps.map(|(state, _)| match state {
        StepState::Ended(end) => end.advance,
        _ => u64::MAX,
    });
    run.workflow.outputs.is_some()
        && ends.all(|end| end < entry.n)
        && run.head.hooks_since.is_none_or(|since| entry.at <= since)
}

fn created(run: &Run) -> String {
    if let Some(RetryOf { run, by, why, .. }) = run.head.retry_of.as_deref() {
        return by_and_why(format!("created as a retry of run {run}"), by, why);
    }
    let mut text = match run.spec.trigger {
        Trigger::Schedule => format!("created: its schedule fired, for {}", run.spec.scheduled_at),
        Trigger::Api => "created through the API or by a command".to_owned(),
        Trigger::Message => "created by a message on the queue `submit`".to_owned(),
        Trigger::Workflow => match run.head.parent.as_deref() {
            Some(parent) => format!("created as {parent}"),
            None => "created as a step of another run".to_owned(),
        },
    };
    // One that was stopped before it was there has never waited for its start.
    let never_was = run.head.parent.is_some() && run.head.started_at.is_none() && run.head.stopping.is_some();
    if let Some(start) = run.head.start_at.filter(|_| !never_was) {
        text.push_str(&format!("; it starts at {start}"));
    }
    text
}

fn result_told(name: &str, result: &TaskResult) -> String {
    let worker = if result.worker.is_empty() { String::new() } else { format!(" on {}", result.worker) };
    let how = match result.outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::TimedOut => "timed out",
        Outcome::Cancelled => "was cancelled",
        Outcome::Lost => "was given up",
        Outcome::Skipped => "was said to be skipped",
    };
    with_reason(format!("attempt {} of {name} {how}{worker}", result.attempt), result.reason.as_deref())
}

fn child_told(run: &Run, name: &str, result: &TaskResult) -> String {
    let is_awaited = run.workflow.step(result.step).is_none_or(|step| !step.with.is_false("wait"));
    let told = match result.outcome {
        Outcome::Succeeded if is_awaited => "succeeded",
        Outcome::Succeeded => "was started",
        Outcome::Failed | Outcome::Lost => "failed",
        Outcome::TimedOut => "timed out",
        Outcome::Cancelled => "was cancelled",
        Outcome::Skipped => "was skipped",
    };
    with_reason(format!("the run of attempt {} of {name} {told}", result.attempt), result.reason.as_deref())
}

fn end_told(run: &Run, unit: Unit, end: &Ended) -> Told {
    let kind = if unit.item.is_some() { "item_ended" } else { "step_ended" };
    if let Some(of) = end.carried {
        let text = format!("{} had succeeded in run {of}, and is carried over", name_of(run, unit));
        return Told { kind: "carried_over", unit: Some(unit), attempt: None, text };
    }
    let how = words_of(end.outcome.into());
    let without = if end.attempts.attempt == 0 && end.outcome == Outcome::Failed && end.items.is_none() {
        " without an attempt"
    } else {
        ""
    };
    let text = with_reason(format!("{} {how}{without}", name_of(run, unit)), end.reason.as_deref());
    let attempt = Some(end.attempts.attempt).filter(|attempt| *attempt > 0);
    Told { kind, unit: Some(unit), attempt, text }
}

/// How something ended, as the end of a sentence.
fn words_of(state: RunState) -> &'static str {
    match state {
        RunState::Succeeded => "succeeded",
        RunState::Failed => "failed",
        RunState::TimedOut => "timed out",
        RunState::Cancelled => "was cancelled",
        RunState::Skipped => "was skipped",
        RunState::Waiting => "waits",
        RunState::Running => "runs",
    }
}

fn name_of(run: &Run, unit: Unit) -> String {
    let step = run.workflow.step(unit.step);
    let name = step.map_or_else(|| format!("step {}", unit.step.0), |step| step.name.to_string());
    match unit.item {
        None => name,
        Some(item) => format!("item {item} of {name}"),
    }
}

fn by_and_why(text: String, by: &str, why: &str) -> String {
    let text = if by.is_empty() { text } else { format!("{text} by {by}") };
    with_reason(text, Some(why))
}

fn with_reason(text: String, reason: Option<&str>) -> String {
    match reason.filter(|reason| !reason.is_empty()) {
        Some(reason) => format!("{text}: {reason}"),
        None => text,
    }
}
