//! Why a step is not running yet: what keeps it, in the order in which it goes away. It is worked out when somebody asks,
//! so that a run pays nothing for it. What only the store and the fleet know of an attempt, such as whether it is queued
//! and who could run it, is added by whoever asks them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::advance::{HELD, READING};
use super::dispatch::known_values;
use super::slot::at_a_time;
use super::{ApprovalWanted, Attempts, Fan, InputWanted, Paused, Run, RunState, Slot, StepState};
use crate::lock::{LockName, Want, in_words};
use crate::rule::{Judgement, Readiness, Status, Tally};
use crate::{Hook, StepIndex, Timestamp, TriggerRule, Unit, WorkflowId};

/// A blocker of a step: one thing that keeps it from running.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Blocker {
    /// The run is paused, and nothing of it begins.
    Paused(Paused),
    /// The run starts later.
    Start {
        /// When the run starts.
        at: Timestamp,
    },
    /// The run waits for a slot of its workflow.
    Slot {
        /// The slots of which it wants one.
        slots: LockName,
        /// Since when it waits.
        since: Timestamp,
        /// How many runs may be under way at a time.
        limit: u32,
    },
    /// A step that is waited for has not ended.
    Dependency {
        /// The name of that step.
        step: String,
        /// The status that is wanted of it.
        wants: &'static str,
        /// How it stands: `waiting` (it has not begun), `begun`.
        state: &'static str,
    },
    /// The rule does not hold yet, or will not hold any more.
    Rule {
        /// The rule.
        rule: &'static str,
        /// The dependencies that are not judged yet.
        open: u32,
        /// The dependencies that are met.
        met: u32,
        /// The dependencies that are failed.
        failed: u32,
        /// The dependencies that are passed over.
        passed_over: u32,
        /// Whether the step will be skipped whatever comes, once all that it waits for has ended.
        never: bool,
    },
    /// All steps that are no hooks of the run have to end.
    Hook {
        /// When the hook starts: `on_success`, `on_failure`, `on_finish`.
        when: &'static str,
        /// The number of steps that have not ended.
        open: u32,
    },
    /// A condition has to be true, once the rule holds.
    Condition {
        /// The condition as it was written.
        expression: String,
        /// What is known by now of the names that it uses.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        values: BTreeMap<String, Value>,
    },
    /// A time has to come before the first attempt, or a wait has to end.
    Time {
        /// When the time has come.
        until: Timestamp,
        /// What is waited for.
        what: String,
    },
    /// The last attempt was not enough, and the next one is not due yet.
    Retry {
        /// The number of the last attempt.
        attempt: u32,
        /// When the next one is due.
        until: Timestamp,
        /// Why the last one was not enough.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The last attempt was not enough, there is no retry left, and somebody is asked what is to become of the step.
    Asking {
        /// The number of the last attempt.
        attempt: u32,
        /// When the step fails, if nobody answers.
        until: Timestamp,
        /// Why the last attempt was not enough.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The step waits for the approval of people.
    Approval(ApprovalWanted),
    /// The step waits for values that somebody supplies.
    Input(InputWanted),
    /// The step has fanned out, and some of its items have not ended.
    Items {
        /// The number of all items.
        total: u32,
        /// The number of those that have ended.
        ended: u32,
        /// The number of those that are with the fleet, wait for their next attempt, or ask.
        open: u32,
        /// The number of those that ask people.
        asking: u32,
        /// The number of those that wait for locks.
        blocked: u32,
        /// Whether those that are left are given up, since too many others failed.
        given_up: bool,
    },
    /// The step waits for locks.
    Locks {
        /// What it wants of them.
        wants: Box<[Want]>,
        /// Since when it waits.
        since: Timestamp,
    },
    /// The step is a run of another workflow, which has not ended.
    Child {
        /// The number of the attempt that it is.
        attempt: u32,
        /// The workflow that it runs.
        workflow: WorkflowId,
        /// Whether the step waits for its end, and not only for its start.
        waits: bool,
    },
    /// An attempt is with the fleet: it is queued, or runs.
    Fleet {
        /// The number of the attempt.
        attempt: u32,
    },
}

/// What a step waits for that became ready beside too many others.
const HELD_OVER: &str = "the many steps that became ready with it are being started";

/// What a hook of a run waits for whose outputs use what is not in memory.
const OF_RUN: &str = "what the outputs of the run use is being read";

/// The most characters that are shown of a value.
const MOST_SHOWN: usize = 100;

/// The most dependencies that are named.
const MOST_NAMED: usize = 20;

impl Run {
    /// The blockers of a unit `now`, the first to go away first; none when it has ended, or does not exist.
    pub fn blockers(&self, unit: Unit, now: Timestamp) -> Vec<Blocker> {
        let mut blockers = self.own_blockers(unit, now);
        let begins = matches!(
            self.state_of(unit),
            Some(StepState::Waiting | StepState::Backoff { .. } | StepState::Fanned(_))
        );
        if let (true, Some(paused)) = (begins, &self.head.paused) {
            blockers.insert(0, Blocker::Paused((**paused).clone()));
        }
        blockers
    }

    fn own_blockers(&self, unit: Unit, now: Timestamp) -> Vec<Blocker> {
        match self.state_of(unit) {
            Some(StepState::Waiting) => self.blockers_of_waiting(unit.step, now),
            Some(StepState::Fanned(fan)) => vec![Blocker::Items {
                total: fan.fanned.counts.total,
                ended: fan.fanned.counts.ended(),
                open: u32::try_from(fan.open.len()).unwrap_or(u32::MAX),
                asking: count(fan, |item| matches!(item, StepState::Asking { .. })),
                blocked: count(fan, |item| matches!(item, StepState::Locking { .. })),
                given_up: fan.fanned.stopping_since.is_some(),
            }],
            // Nothing else keeps it.
            Some(StepState::Backoff { reason: Some(reason), .. }) if reason == HELD => Vec::new(),
            Some(StepState::Backoff { attempts, until, reason }) => vec![match attempts.attempt {
                0 => Blocker::Time { until: *until, what: reason.clone().unwrap_or_default() },
                attempt => Blocker::Retry { attempt, until: *until, reason: reason.clone() },
            }],
            Some(StepState::Asking { asks, end, until }) => {
                let approval = self.approval_wanted(unit, asks, *until).map(Blocker::Approval);
                let wanted = approval.or_else(|| self.input_wanted(unit, asks, *until).map(Blocker::Input));
                let (attempt, reason) = (end.attempts.attempt, end.reason.clone());
                vec![wanted.unwrap_or(Blocker::Asking { attempt, until: *until, reason })]
            }
            Some(StepState::Locking { since, wants, .. }) => {
                vec![Blocker::Locks { wants: wants.clone(), since: *since }]
            }
            Some(StepState::Child { attempts, workflow, waits }) => {
                vec![Blocker::Child { attempt: attempts.attempt, workflow: workflow.clone(), waits: *waits }]
            }
            Some(StepState::Dispatched(attempts)) => vec![Blocker::Fleet { attempt: attempts.attempt }],
            Some(StepState::Ended(_)) | None => Vec::new(),
        }
    }

    fn blockers_of_waiting(&self, step: StepIndex, now: Timestamp) -> Vec<Blocker> {
        let mut blockers = Vec::new();
        if self.is_held(step) && self.head.state == RunState::Running {
            return blockers;
        }
        if self.is_woken(step) {
            let what = if self.is_held_over(step) { HELD_OVER } else { READING };
            return vec![Blocker::Time { until: now, what: what.to_owned() }];
        }
        if self.is_held_back(step) && self.owes_outputs() {
            return vec![Blocker::Time { until: now, what: OF_RUN.to_owned() }];
        }
        match (self.awaited_slot(), self.head.start_at) {
            (Some(slot), _) => blockers.push(self.slot_blocker(slot)),
            (None, Some(at)) if self.head.state == RunState::Waiting => blockers.push(Blocker::Start { at }),
            _ => {}
        }
        if let (true, Some(Hook::Run(when))) = (self.is_held_back(step), self.workflow.steps[step.at()].hook)
        {
            blockers.push(Blocker::Hook { when: when.as_str(), open: self.open_steps() });
        }
        let open = self.workflow.graph.dependency_edges(step);
        let open = open.filter(|(on, _)| self.ending(*on).is_none());
        blockers.extend(open.take(MOST_NAMED).map(|(on, wants)| Blocker::Dependency {
            step: self.workflow.steps[on.at()].name.to_string(),
            wants: wants.as_str(),
            state: match &self.steps[on.at()] {
                StepState::Waiting => "waiting",
                StepState::Backoff { attempts, .. } | StepState::Locking { attempts, .. }
                    if is_new(attempts) =>
                {
                    "waiting"
                }
                StepState::Backoff { .. }
                | StepState::Asking { .. }
                | StepState::Locking { .. }
                | StepState::Child { .. }
                | StepState::Dispatched(_)
                | StepState::Fanned(_)
                | StepState::Ended(_) => "begun",
            },
        }));
        let definition = &self.workflow.steps[step.at()];
        let tally = self.tally(step);
        let never = self.never_starts(step);
        if never || (definition.rule != TriggerRule::default() && tally != Tally::default()) {
            let Tally { open, met, failed, passed_over } = tally;
            let rule = definition.rule.as_str();
            blockers.push(Blocker::Rule { rule, open, met, failed, passed_over, never });
        }
        if let Some(condition) = definition.condition.as_ref().filter(|_| !never) {
            let values = known_values(self, condition.uses());
            blockers.push(Blocker::Condition { expression: condition.source().to_owned(), values });
        }
        if let Some(time) = definition.not_before.filter(|_| !never)
            && let Some(until) = time.on_day_of(self.spec.scheduled_at, &self.workflow.timezone)
            && until > now
        {
            blockers.push(Blocker::Time { until, what: format!("not before {time}") });
        }
        blockers
    }

    fn slot_blocker(&self, slot: &Slot) -> Blocker {
        let limit = self.workflow.concurrency.as_ref().map_or(1, |concurrency| concurrency.limit);
        Blocker::Slot { slots: slot.name.clone(), since: slot.since, limit }
    }

    /// Whether the rule of a step that waits can not hold any more, however its open dependencies end.
    fn never_starts(&self, step: StepIndex) -> bool {
        let tally = self.tally(step);
        let rule = self.workflow.steps[step.at()].rule;
        [Judgement::Met, Judgement::Failed, Judgement::PassedOver].into_iter().all(|judgement| {
            let mut all = tally;
            (0..tally.open).for_each(|_| all.count(judgement));
            rule.readiness(all) == Readiness::Never
        })
    }
}

/// The number of open items of a step that stand so.
fn count(fan: &Fan, is_one: impl Fn(&StepState) -> bool) -> u32 {
    fan.open.values().filter(|item| is_one(item)).count() as u32
}

/// Whether a step is only held, and nothing of it has begun. The number of the advance that holds it says nothing.
fn is_new(attempts: &Attempts) -> bool {
    attempts.attempt == 0 && attempts.dispatched_at == Timestamp::default()
}

impl Blocker {
    /// The blocker in words.
    pub fn words(&self) -> String {
        match self {
            Self::Paused(paused) => format!("its run is {paused} (millrace runs resume)"),
            Self::Start { at } => format!("the run starts at {at}"),
            Self::Slot { slots, since, limit } => {
                format!("the run waits for its turn since {since}: {}", at_a_time(slots, *limit))
            }
            Self::Dependency { step, wants, state } => {
                let stands = if *state == "waiting" { "has not started" } else { "has not ended" };
                match *wants {
                    wants if wants == Status::Success.as_str() => format!("step {step} {stands}"),
                    wants => format!("step {step} {stands}; it is to be {wants}"),
                }
            }
            Self::Rule { rule, open, never: true, .. } => {
                format!(
                    "{rule} does not hold any more: it is skipped as soon as all that it waits for has ended ({open} more)"
                )
            }
            Self::Rule { rule, open, met, failed, passed_over, never: false } => {
                format!(
                    "{rule}: {met} met, {failed} failed, {passed_over} passed over, {open} not judged yet"
                )
            }
            Self::Hook { when, open } => {
                format!("it is a hook of {when}, and has its turn when all steps have ended ({open} more)")
            }
            Self::Condition { expression, values } => {
                let value = |(name, value): (&String, &Value)| {
                    let text: String = value.to_string().chars().take(MOST_SHOWN).collect();
                    format!("{name} is {text}")
                };
                let values: Vec<String> = values.iter().map(value).collect();
                let values =
                    if values.is_empty() { String::new() } else { format!(" ({})", values.join(", ")) };
                format!("then this must be true: {expression}{values}")
            }
            Self::Time { until, what } => format!("{what}; until {until}"),
            Self::Retry { attempt, until, reason } => {
                let why = reason.as_deref().unwrap_or("it did not succeed");
                format!("attempt {attempt}: {why}; the next is due at {until}")
            }
            Self::Asking { attempt, until, reason } => {
                let why = reason.as_deref().unwrap_or("it did not succeed");
                format!(
                    "attempt {attempt}: {why}; there is no retry left, and it fails at {until} if nobody says what is to become of it (millrace runs retry, skip, mark)"
                )
            }
            Self::Approval(wanted) => wanted.words(),
            Self::Input(wanted) => wanted.words(),
            Self::Items { total, ended, open, given_up: true, .. } => {
                format!("{ended} of {total} items have ended; too many failed, and {open} are being stopped")
            }
            Self::Items { total, ended, open, asking, blocked, given_up: false } => {
                let blocked = match blocked {
                    0 => String::new(),
                    blocked => format!(", {blocked} of which wait for locks"),
                };
                let asking = match asking {
                    0 => String::new(),
                    1 => ", 1 of which asks somebody".to_owned(),
                    asking => format!(", {asking} of which ask somebody"),
                };
                format!("{ended} of {total} items have ended, {open} are under way{blocked}{asking}")
            }
            Self::Locks { wants, since } => {
                format!("waits for {} since {since}", in_words(wants.iter().map(|want| &want.lock)))
            }
            Self::Child { workflow, waits: true, .. } => {
                format!("its run of workflow {workflow} has not ended")
            }
            Self::Child { workflow, waits: false, .. } => {
                format!("its run of workflow {workflow} is being started")
            }
            Self::Fleet { attempt } => format!("attempt {attempt} is with the fleet"),
        }
    }
}
