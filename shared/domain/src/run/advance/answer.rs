//! What people answer to a unit that asks: who may, with what, and what it comes to; also when nobody has in time.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::ending::ended;
use super::step::end_unit;
use crate::definition::{Question, Wants, complete_fields};
use crate::people::{APPROVAL, INPUT, MAX_VALUE_BYTES, list};
use crate::quantity::format_duration;
use crate::run::act::{Act, Deed};
use crate::run::asks::approval_outputs;
use crate::run::large::{MAX_OUTPUT_BYTES, bytes_of, too_large};
use crate::run::{Action, Advanced, Asks, Ended, Refusal, Run, RunTimer, StepState, Vote};
use crate::{Outcome, Timestamp, Unit};

/// Applies an answer that the unit of an act allows.
pub(super) fn answer(run: &mut Run, act: Act, now: Timestamp, out: &mut Advanced) {
    let unit = act.unit;
    let Some(StepState::Asking { asks, end, until }) = run.state_of(unit).cloned() else { return };
    let workflow = Arc::clone(&run.workflow);
    let Some(question) = workflow.steps[unit.step.at()].question.as_deref() else { return };
    let told = act.to_string();
    let (outcome, outputs, reason) = match (act.deed, asks) {
        (Deed::Approve, Asks::Approval(mut approval)) => {
            approval.votes.push(Vote { by: act.by.trim().to_owned(), why: act.why.clone(), at: now });
            if approval.votes.len() < question.of() as usize {
                let end = Ended { advance: run.this_advance(), ..*end };
                run.set_state(
                    unit,
                    StepState::Asking { asks: Asks::Approval(approval), end: Box::new(end), until },
                );
                out.units.push(unit);
                return;
            }
            let by = approval.by();
            let told = match (by.len(), act.why.as_str()) {
                (0 | 1, _) => told,
                (_, "") => format!("approved by {}", list(&by)),
                (_, why) => format!("approved by {}: {why}", list(&by)),
            };
            (Outcome::Succeeded, approval_outputs(true, &by, &act.why), told)
        }
        (Deed::Reject, _) => {
            let by: Vec<String> =
                Some(act.by.trim().to_owned()).filter(|by| !by.is_empty()).into_iter().collect();
            (Outcome::Failed, approval_outputs(false, &by, &act.why), told)
        }
        (Deed::Supply { values }, _) => {
            // They were found to be complete when the act was let in.
            let values = complete_fields(question.fields(), &values).unwrap_or_default();
            (Outcome::Succeeded, values, told)
        }
        _ => return,
    };
    out.actions.push(Action::Clear(RunTimer::Retry(unit)));
    let ended = ended(run, outcome, end.attempts, now, Some(reason));
    let end = Ended { started_at: end.started_at, outputs, by: Some(act.by), ..ended };
    end_unit(run, unit, end, now, out);
}

/// Ends a unit that nobody has answered in time.
pub(super) fn nobody_answered(run: &mut Run, unit: Unit, now: Timestamp, out: &mut Advanced) {
    let Some(StepState::Asking { asks, end, .. }) = run.state_of(unit).cloned() else { return };
    let question = run.workflow.steps[unit.step.at()].question.as_deref();
    let within = question.map(|question| format_duration(question.timeout)).unwrap_or_default();
    let by_default = if end.outcome == Outcome::Succeeded { ", and it is approved by default" } else { "" };
    let reason = match &asks {
        Asks::AfterFailure => {
            let why = end.reason.as_deref().unwrap_or(end.outcome.as_str());
            format!("{why}; nobody said in time what is to become of it")
        }
        Asks::Approval(approval) if approval.votes.is_empty() => {
            format!("nobody approved within {within}{by_default}")
        }
        Asks::Approval(approval) => {
            let (got, of) = (approval.votes.len(), question.map_or(1, Question::of));
            format!("only {got} of {of} approved within {within}{by_default}")
        }
        Asks::Input(_) if end.outcome == Outcome::Succeeded => {
            format!("nobody gave values within {within}, and the default counts")
        }
        Asks::Input(_) => format!("nobody gave values within {within}"),
    };
    let (reason, applied_at) = (Some(reason), Some(now));
    let ended_at = if asks == Asks::AfterFailure { end.ended_at } else { now };
    let end = Ended { reason, advance: run.this_advance(), ended_at, applied_at, ..*end };
    end_unit(run, unit, end, now, out);
}

impl Run {
    /// Whether the step of an act is one that asks for such an answer.
    ///
    /// # Errors
    /// When it asks for something else, or for nothing.
    pub(super) fn asks_for(&self, act: &Act) -> Result<(), Refusal> {
        let refuse = |why: String| Err(Refusal::Act { unit: act.unit, why });
        let Some(step) = self.workflow.step(act.unit.step) else { return Ok(()) };
        match (&act.deed, step.uses) {
            (Deed::Supply { .. }, INPUT) | (Deed::Approve | Deed::Reject, APPROVAL) => Ok(()),
            (Deed::Supply { .. }, APPROVAL) => {
                refuse("it asks for approval, and not for values (millrace runs approve, reject)".to_owned())
            }
            (Deed::Approve | Deed::Reject, INPUT) => {
                refuse("it asks for values, and not for approval (millrace runs supply)".to_owned())
            }
            (Deed::Supply { .. }, uses) => refuse(format!("it is no input: it uses {uses}")),
            (Deed::Approve | Deed::Reject, uses) => refuse(format!("it is no approval: it uses {uses}")),
            (Deed::Retry | Deed::Skip | Deed::Succeed { .. } | Deed::Fail, _) => Ok(()),
        }
    }

    /// Whether somebody may answer so.
    ///
    /// # Errors
    /// When they may not, or have answered already, or when the answer is not what is asked for.
    pub(super) fn allows_answer(&self, act: &Act) -> Result<(), Refusal> {
        let refuse = |why: String| Err(Refusal::Act { unit: act.unit, why });
        let question = self.workflow.step(act.unit.step).and_then(|step| step.question.as_deref());
        let (Some(StepState::Asking { asks, .. }), Some(question)) = (self.state_of(act.unit), question)
        else {
            return refuse("its turn has not come".to_owned());
        };
        let (by, of) = (act.by.trim(), question.of());
        let who = asks.asked().map(|asked| asked.who.as_slice()).unwrap_or_default();
        if !who.is_empty() && !who.iter().any(|name| name == by) {
            return refuse(match by {
                "" => format!("say who you are (by): {} may", list(who)),
                by => format!("{by} may not: {} may", list(who)),
            });
        }
        match (&act.deed, asks) {
            (Deed::Approve, Asks::Approval(approval)) => {
                let got = approval.votes.len();
                if by.is_empty() && of > 1 {
                    return refuse(format!("say who you are (by): {of} different people have to approve"));
                }
                if approval.votes.iter().any(|vote| vote.by == by) {
                    return refuse(format!("{by} has approved already; {got} of {of}"));
                }
                let all: Vec<String> = approval.by().into_iter().chain([by.to_owned()]).collect();
                self.allows_size(act, &approval_outputs(true, &all, &act.why))
            }
            (Deed::Supply { values }, _) => match complete_fields(question.fields(), values) {
                Err(errors) => refuse(errors.join("; ")),
                Ok(values) => self.allows_size(act, &values),
            },
            _ => Ok(()),
        }
    }

    /// What a unit gives that somebody says has succeeded: these outputs, completed as an answer would have.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn marked_outputs(
        &self,
        act: &Act,
        given: &Map<String, Value>,
    ) -> Result<Map<String, Value>, String> {
        let step = self.workflow.step(act.unit.step);
        let question = step.and_then(|step| step.question.as_deref());
        let Some(question) = question.filter(|_| !self.is_fan(act)) else { return Ok(given.clone()) };
        match &question.wants {
            Wants::Input { fields, .. } => complete_fields(fields, given).map_err(|errors| errors.join("; ")),
            Wants::Approval { .. } => {
                let mut outputs = approval_outputs(true, &named(act), &act.why);
                for (key, value) in given {
                    let is_right = match (key.as_str(), value) {
                        ("approved", value) => *value == Value::Bool(true),
                        ("by", Value::Array(by)) => by.iter().all(Value::is_string),
                        ("by", _) => false,
                        ("comment", value) => value.is_string(),
                        _ => true,
                    };
                    if !is_right {
                        return Err(format!(
                            "an approval gives approved (true), by (a list of names) and comment (a text), and not {key}: {value}"
                        ));
                    }
                    outputs.insert(key.clone(), value.clone());
                }
                Ok(outputs)
            }
        }
    }

    /// Whether an act is on a step with items as a whole.
    fn is_fan(&self, act: &Act) -> bool {
        act.unit.item.is_none() && self.workflow.step(act.unit.step).is_some_and(|step| step.fan.is_some())
    }

    /// What an approval gives of which somebody says that it has failed.
    pub(super) fn not_approved(&self, act: &Act) -> Option<Map<String, Value>> {
        let question = self.workflow.step(act.unit.step)?.question.as_deref()?;
        let is_approval = matches!(question.wants, Wants::Approval { .. }) && !self.is_fan(act);
        is_approval.then(|| approval_outputs(false, &named(act), &act.why))
    }

    /// Whether a unit may give these values, beside what other items of its step have given.
    fn allows_size(&self, act: &Act, values: &Map<String, Value>) -> Result<(), Refusal> {
        let refuse = |why: String| Err(Refusal::Act { unit: act.unit, why });
        let (bytes, of_others) = (bytes_of(values), self.bytes_of_items(act.unit));
        if bytes > MAX_VALUE_BYTES {
            return refuse(too_large(bytes, MAX_VALUE_BYTES));
        }
        match of_others + bytes {
            0..=MAX_OUTPUT_BYTES => Ok(()),
            all => refuse(format!("with these, {}", too_large(all, MAX_OUTPUT_BYTES))),
        }
    }
}

/// Whoever acts, where that is said.
fn named(act: &Act) -> Vec<String> {
    Some(act.by.clone()).filter(|by| !by.is_empty()).into_iter().collect()
}
