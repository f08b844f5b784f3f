//! What a run would do, told before anything has run. It is played through by the state machine itself: every step that starts
//! succeeds at once, and what needs the run or the outputs of its steps is taken for true, or left out. So a step is
//! skipped, or fails, in a plan for the reasons and with the consequences that it would have in a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    Act, Advanced, Deed, Event, Head, Holds, Run, Source, Spec, StepState, Trigger, advance, create,
};
use crate::child::WORKFLOW;
use crate::definition::{RateUse, Step, Wants, Workflow};
use crate::expression::{Fire, Scope, Template, Use};
use crate::lock::LockName;
use crate::params::Params;
use crate::people::{APPROVAL, INPUT};
use crate::task::TaskResult;
use crate::wait::WAIT;
use crate::{Outcome, PartitionId, RunId, StepIndex, Timestamp, Unit};

/// The plan of a run: what it comes to when every step that starts succeeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What tells the run apart from others, where only so many may be under way at a time.
    pub key: Option<Result<String, String>>,
    /// The waves: the steps that start together, once those of the wave before have succeeded. A wait whose time has passed
    /// ends at once, and what waits for it alone is in the same wave.
    pub waves: Vec<Vec<StepIndex>>,
    /// What is planned for each step, by its place in the definition.
    pub steps: Vec<PlannedStep>,
}

/// What is planned for one step.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedStep {
    /// What becomes of the step.
    pub fate: Fate,
    /// Whether the condition holds; `None` when there is none, or it needs the run.
    pub condition: Option<Result<bool, String>>,
    /// The instant before which the step does not start.
    pub not_before: Option<Timestamp>,
    /// The instant at which a wait that starts with the run ends.
    pub waits_until: Option<Timestamp>,
    /// The number of items over which it fans out; `None` when it does not, or the list needs the run.
    pub items: Option<Result<usize, String>>,
    /// The input of the executor. An expression that needs the run is as it was written.
    pub with: Result<Value, String>,
    /// The environment that the definition sets, without the params: `env` of the workflow, then of the step.
    pub env: BTreeMap<String, Result<String, String>>,
    /// The names of the locks that it holds.
    pub locks: Vec<Result<String, String>>,
    /// What it takes of a rate.
    pub rate: Option<PlannedRate>,
}

/// What a step takes of a rate.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedRate {
    /// How much there is, and in which period: `100 per 1m`.
    pub limit: String,
    /// The name, where it has one.
    pub name: Option<String>,
    /// The key.
    pub key: Option<Result<String, String>>,
    /// How much each attempt takes, where that is not 1.
    pub cost: Option<Result<String, String>>,
}

/// What becomes of a step in a plan.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// The step starts in this wave, counted from 0.
    Starts {
        /// The place of the wave.
        wave: usize,
    },
    /// The step is skipped.
    Skipped {
        /// Why it is skipped.
        reason: String,
        /// Whether that is certain before anything has run, and does not depend on how other steps end.
        at_once: bool,
    },
    /// The step fails without an attempt.
    Fails {
        /// Why it fails.
        reason: String,
    },
}

/// The plan of a run of `workflow` that would be created `now`. `params` are checked and complete.
pub fn plan(workflow: &Workflow, params: Params, now: Timestamp) -> Plan {
    let spec = Arc::new(Spec {
        v: Spec::VERSION,
        source: Source::Inline(String::new()),
        params,
        scheduled_at: now,
        priority: workflow.priority,
        trigger: Trigger::Api,
        traceparent: None,
        base_dir: None,
    });
    let head = Head::new(workflow.id.clone(), None, now);
    let id = RunId::new(Uuid::nil(), PartitionId(0));
    let (run, first) = create(id, Arc::new(assumed(workflow)), Arc::clone(&spec), head, now);
    let at_once: Vec<bool> = run.steps.iter().map(|state| matches!(state, StepState::Ended(_))).collect();
    let waits_until: Vec<Option<Timestamp>> = run.steps.iter().zip(&workflow.steps).map(first_wait).collect();
    let (run, waves) = played_through(run, first, now);
    let mut wave_of = vec![None; workflow.steps.len()];
    for (wave, steps) in waves.iter().enumerate() {
        steps.iter().for_each(|step| wave_of[step.at()] = Some(wave));
    }
    let scope = Scope::of_defaults(&spec.params, Fire { time: now, zone: &workflow.timezone });
    let planned = |(at, step): (usize, &Step)| PlannedStep {
        fate: fate(&run.steps[at], wave_of[at], at_once[at]),
        condition: step
            .condition
            .as_ref()
            .filter(|condition| !needs_run(condition.uses()))
            .map(|condition| condition.evaluate(&scope).map_err(|error| error.to_string())),
        not_before: step.not_before.and_then(|time| time.on_day_of(now, &workflow.timezone)),
        waits_until: waits_until[at],
        items: step
            .fan
            .as_ref()
            .filter(|fan| !needs_run(fan.uses()))
            .map(|fan| fan.items(&scope).map(|items| items.len())),
        with: step.with.render_ahead(&scope).map_err(|error| error.to_string()),
        env: workflow
            .env
            .iter()
            .chain(&step.env)
            .map(|(name, value)| (name.clone(), text(value, &scope)))
            .collect(),
        locks: step.locks.iter().map(|lock| text(&lock.name, &scope)).collect(),
        rate: step.rate.as_deref().map(|rate| PlannedRate {
            limit: rate.in_words(),
            name: rate.name.as_deref().map(str::to_owned),
            key: rate.key.as_ref().map(|key| text(key, &scope)),
            cost: rate.cost.as_ref().map(|cost| text(cost, &scope)),
        }),
    };
    let key = workflow.concurrency.as_ref().and_then(|concurrency| concurrency.key.as_ref());
    let key = key.map(|key| {
        let key = text(key, &scope)?;
        LockName::of_slots(&workflow.id, Some(&key)).map_err(|error| error.to_string()).map(|_| key)
    });
    Plan { key, steps: workflow.steps.iter().enumerate().map(planned).collect(), waves }
}

/// The workflow without what needs a run: conditions that do hold, and such input is not looked at.
fn assumed(workflow: &Workflow) -> Workflow {
    let mut assumed = workflow.clone();
    // What a run begins by and by is one wave.
    assumed.max_actions = usize::MAX;
    // Nothing hands anything on, and no other run is under way.
    (assumed.outputs, assumed.concurrency) = (None, None);
    assumed.env.retain(|(_, value)| !needs_run(value.uses()));
    for step in &mut assumed.steps {
        // All items, and all repetitions, are one attempt here, which gives nothing.
        (step.fan, step.repeat, step.outputs) = (None, None, Box::default());
        if let Some(question) = &mut step.question {
            question.wants = Wants::Approval { of: question.of(), by_default: true };
        }
        step.env.retain(|(_, value)| !needs_run(value.uses()));
        step.locks = step.locks.iter().filter(|lock| !needs_run(lock.name.uses())).cloned().collect();
        let is_of_run = |rate: &mut Box<RateUse>| rate.templates().any(|template| needs_run(template.uses()));
        step.rate.take_if(is_of_run);
        step.condition.take_if(|condition| needs_run(condition.uses()));
        if needs_run(step.with.uses()) {
            let input = match step.uses {
                WAIT => json!({"for": "1ms"}),
                WORKFLOW => json!({"name": "any"}),
                APPROVAL | INPUT => json!({}),
                _ => Value::Null,
            };
            step.with = crate::expression::Templated::literal(input);
        }
    }
    assumed
}

fn needs_run<'u>(uses: impl IntoIterator<Item = &'u Use>) -> bool {
    uses.into_iter().any(Use::comes_with_run)
}

/// Plays a run through to its end, wave by wave. O(steps + edges).
fn played_through(mut run: Run, first: Advanced, now: Timestamp) -> (Run, Vec<Vec<StepIndex>>) {
    let mut waves = Vec::new();
    let mut changed = first.units;
    let mut is_in_wave = vec![false; run.steps.len()];
    loop {
        let mut wave = Vec::new();
        for step in std::mem::take(&mut changed).into_iter().map(|unit| unit.step) {
            if has_started(&run.steps[step.at()]) && !std::mem::replace(&mut is_in_wave[step.at()], true) {
                wave.push(step);
            }
        }
        if wave.is_empty() {
            return (run, waves);
        }
        wave.sort_unstable();
        wave.iter().for_each(|step| succeed(&mut run, *step, now, &mut changed));
        waves.push(wave);
    }
}

/// Whether a step has started, or is held only by the time.
fn has_started(state: &StepState) -> bool {
    match state {
        StepState::Dispatched(_)
        | StepState::Child { .. }
        | StepState::Backoff { .. }
        | StepState::Asking { .. }
        | StepState::Locking { .. } => true,
        StepState::Ended(end) => end.outcome == Outcome::Succeeded,
        // Nothing fans out in a plan.
        StepState::Waiting | StepState::Fanned(_) => false,
    }
}

/// Has a step that has started succeed, and notes what changes by that.
fn succeed(run: &mut Run, step: StepIndex, now: Timestamp, changed: &mut Vec<Unit>) {
    // A step that waits for a time is dispatched, or ends, when that has come. A wait may first wait for its beginning.
    while let StepState::Backoff { until, .. } = run.steps[step.at()] {
        let Ok(due) = advance(run, Event::RetryDue { unit: step.into() }, until.max(now)) else { return };
        changed.extend(due.units);
    }
    // What it wants of locks and of a rate is there when it is alone.
    while let (StepState::Locking { .. }, Some(hold)) =
        (&run.steps[step.at()], run.holds_of(step.into()).and_then(Holds::awaited))
    {
        let (attempt, locks) = (hold.attempt, Vec::new());
        let granted = Event::Granted { unit: step.into(), attempt, locks, token: 1 };
        let Ok(advanced) = advance(run, granted, now) else { break };
        changed.extend(advanced.units);
    }
    // Whoever is asked says yes, or that what was asked for is there.
    if let StepState::Asking { .. } = &run.steps[step.at()] {
        let (unit, deed) = (step.into(), Deed::Succeed { outputs: Map::new() });
        let act =
            Act { id: step.0.to_string(), unit, attempt: 0, deed, by: String::new(), why: String::new() };
        changed.extend(advance(run, Event::Act(Box::new(act)), now).unwrap_or_default().units);
        return;
    }
    let (attempt, is_child) = match &run.steps[step.at()] {
        StepState::Dispatched(attempts) => (attempts.attempt, false),
        StepState::Child { attempts, .. } => (attempts.attempt, true),
        _ => return,
    };
    let result = TaskResult {
        run: run.id,
        step,
        item: None,
        attempt,
        outcome: Outcome::Succeeded,
        started_at: now,
        ended_at: now,
        code: None,
        reason: None,
        outputs: Map::new(),
        retry_after_ms: None,
        is_typed: false,
        worker: String::new(),
    };
    let event = if is_child { Event::ChildEnded(result) } else { Event::Result(result) };
    changed.extend(advance(run, event, now).unwrap_or_default().units);
}

fn first_wait((state, step): (&StepState, &Step)) -> Option<Timestamp> {
    match state {
        // One that is held before it begins has no beginning yet.
        StepState::Backoff { attempts, until, .. } if attempts.dispatched_at != Timestamp::default() => {
            Some(*until).filter(|_| step.uses == WAIT && !needs_run(step.with.uses()))
        }
        _ => None,
    }
}

fn fate(state: &StepState, wave: Option<usize>, at_once: bool) -> Fate {
    let (outcome, reason) = match state {
        StepState::Ended(end) => (end.outcome, end.reason.clone().unwrap_or_default()),
        // Nothing is left to wait for when all have succeeded.
        StepState::Waiting
        | StepState::Dispatched(_)
        | StepState::Backoff { .. }
        | StepState::Asking { .. }
        | StepState::Locking { .. }
        | StepState::Child { .. }
        | StepState::Fanned(_) => (Outcome::Skipped, "nothing starts it".to_owned()),
    };
    match (outcome, wave) {
        (Outcome::Succeeded, Some(wave)) => Fate::Starts { wave },
        (Outcome::Skipped, _) => Fate::Skipped { reason, at_once },
        _ => Fate::Fails { reason },
    }
}

fn text(template: &Template, scope: &Scope<'_>) -> Result<String, String> {
    let value = template.render_ahead(scope).map_err(|error| error.to_string())?;
    Ok(crate::environment::text_of(&value))
}
