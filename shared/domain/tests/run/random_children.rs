//! What is seen of steps and items of a random workflow that are runs of other workflows, and of the workflow itself where
//! it is a step of another: each is asked for as it should be, asked again, told to stop, and tells its parent once.

use millrace_domain::run::{Ancestor, ChildStart, Event, Parent, RunTimer, StepState};
use millrace_domain::task::TaskResult;
use millrace_domain::{Outcome, RunId, StepIndex, TaskId, Unit, WorkflowId, WorkflowName};
use serde_json::{Value, json};

use crate::fleet::CREATED;
use crate::random_cases::Above;
use crate::random_driver::Driver;
use crate::reference::Attempt;
use crate::reference_children::params_of;

/// A child that is under way, how it stands, and how often it was asked for again, and asked to stop.
pub(crate) struct Asked {
    attempt: TaskId,
    stands: Option<StepState>,
    again: u32,
    to_stop: u32,
    is_to_stop: bool,
}

/// The step that a run is where it is in so many others, the outermost first.
pub(crate) fn parent(above: Above) -> Parent {
    let id = |n: usize| RunId::of_key(&WorkflowId::adhoc(), &format!("above {n}"), 64);
    let workflow = |n: usize| WorkflowId::from(format!("above_{n}").parse::<WorkflowName>().unwrap());
    let unit = Unit { step: StepIndex(3), item: Some(5) };
    let unit_of = |n: usize| if n + 1 == above.runs { unit } else { StepIndex(n as u32).into() };
    let ancestors = (0..above.runs)
        .map(|n| Ancestor {
            run: id(n),
            workflow: workflow(n),
            unit: Some(unit_of(n)),
            waits: n + 1 < above.runs || above.waits,
        })
        .collect();
    let attempt = TaskId { run: id(above.runs - 1), unit, attempt: 2 };
    Parent { attempt, name: "call".parse().unwrap(), waits: above.waits, ancestors }
}

impl Driver<'_> {
    /// The end of a child, as itself or whoever was asked for it tells it. One that is stopped may obey.
    pub(crate) fn end_of_child(&self, unit: Unit, does: Attempt, obeys: bool) -> Event {
        let parent = &self.fleet.children[&unit].parent;
        let step = &self.case.workflow.steps[self.number(unit.step)];
        let does = if obeys { Attempt { outcome: Outcome::Cancelled, output: None } } else { does };
        let Value::Object(outputs) = step.outputs(does.output) else { unreachable!("outputs are a map") };
        let (started_at, ended_at) = (self.fleet.now, self.fleet.now);
        Event::ChildEnded(TaskResult { outputs, started_at, ended_at, ..parent.told(does.outcome) })
    }

    /// What the children that are under way were asked by now.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        let count =
            |of: &std::collections::BTreeMap<TaskId, u32>, attempt| of.get(&attempt).copied().unwrap_or(0);
        let asked = |(unit, start): (&Unit, &ChildStart)| {
            let attempt = start.parent.attempt;
            Asked {
                attempt,
                stands: self.fleet.run.state_of(*unit).cloned(),
                again: count(&self.fleet.asked_again, attempt),
                to_stop: count(&self.fleet.asked_to_stop, attempt),
                is_to_stop: self.fleet.run.head.is_stopping()
                    || (unit.item.is_some() && self.given_up.contains(&self.number(unit.step))),
            }
        };
        self.fleet.children.iter().map(asked).collect()
    }

    /// Notes what is wrong with what children were asked when a timer fired, which were asked so much before.
    pub(crate) fn note_asked(&mut self, timer: RunTimer, before: &[Asked]) {
        let after = self.asked();
        for was in before {
            let unit = was.attempt.unit;
            let Some(is) = after.iter().find(|is| is.attempt == was.attempt) else {
                self.wrong.push(format!("{} {unit} was a run, and is none by {timer:?}", self.fleet.now));
                continue;
            };
            let is_own = timer == RunTimer::Retry(unit);
            let is_told = timer == RunTimer::CancelCheck && was.is_to_stop;
            // What fires may stop it, and then it is told so at once.
            let may_stop = timer == RunTimer::Timeout || !was.is_to_stop;
            let is_stopped_now = may_stop && is.to_stop == was.to_stop + 1;
            let is_right = is.stands == was.stands
                && is.again == was.again + u32::from(is_own)
                && (is.to_stop == was.to_stop + u32::from(is_told) || is_stopped_now);
            if !is_right {
                self.wrong
                    .push(format!("{} {unit} was not asked as it should be by {timer:?}", self.fleet.now));
            }
            self.saw.extend(is_own.then_some("a run was asked for again"));
            self.saw.extend(is_told.then_some("a run was told again to stop"));
        }
    }

    /// Notes the children that have ended and are asked after.
    pub(crate) fn note_asked_after(&mut self) {
        let fleet = &self.fleet;
        let has_ended = |unit: &Unit| matches!(fleet.run.state_of(*unit), None | Some(StepState::Ended(_)));
        let units = fleet.starts.iter().map(|start| start.parent.attempt.unit).filter(has_ended);
        let asked_after = units.filter(|unit| fleet.timers.contains_key(&RunTimer::Retry(*unit)));
        let wrong = asked_after.map(|unit| format!("{} {unit} has ended, and is asked after", fleet.now));
        self.wrong.extend(wrong.collect::<Vec<_>>());
    }

    /// What is wrong with how a child was asked for: its workflow, its params, what it is in.
    pub(crate) fn wrong_start(&self, start: &ChildStart) -> Option<String> {
        let unit = start.parent.attempt.unit;
        let (n, workflow) = (self.number(unit.step), &self.case.workflow);
        let task = workflow.steps[n].task()?;
        let child = task.child.as_ref()?;
        let mut ancestors = self.case.parent.map(|above| parent(above).ancestors).unwrap_or_default();
        let own = &self.fleet.run;
        ancestors.push(Ancestor {
            run: own.id,
            workflow: own.workflow.id.clone(),
            unit: Some(unit),
            waits: child.waits,
        });
        let params = params_of(workflow, task, unit.item, &self.reference);
        let is_right = start.workflow.to_string() == child.called()
            && Some(json!(start.params)) == params
            && start.parent.waits == child.waits
            && start.parent.name.as_str() == format!("s{n}")
            && start.parent.attempt.run == own.id
            && start.parent.ancestors == ancestors
            && start.scheduled_at == self.case.fire()
            && start.priority == own.spec.priority
            && start.traceparent == own.spec.traceparent;
        (!is_right).then(|| format!("{unit} was asked for as {start:?}, and its params are {params:?}"))
    }

    /// What is wrong with what the parent of the run was told of its end.
    pub(crate) fn wrong_told(&self, outcome: Outcome) -> Option<String> {
        let parent = self.case.parent.filter(|above| above.waits).map(parent);
        let (told, head) = (&self.fleet.told_parent, &self.fleet.run.head);
        let is_right = match (&parent, &told[..]) {
            (None, []) => true,
            (Some(parent), [told]) => {
                let reason = told.reason.as_deref().unwrap_or_default();
                let names_it = reason.contains("workflow w ")
                    && head.reason.as_ref().is_none_or(|why| reason.contains(why.as_str()));
                told.id() == parent.attempt
                    && told.outcome == outcome
                    && told.outputs == head.outputs.clone().unwrap_or_default()
                    && if outcome == Outcome::Succeeded { told.reason.is_none() } else { names_it }
                    && told.started_at >= CREATED
                    && Some(told.ended_at) == head.ended_at
            }
            _ => false,
        };
        (!is_right).then(|| format!("of {outcome}, {parent:?} was told {told:?}"))
    }

    /// Notes what became of children, as they end.
    pub(crate) fn see_end_of_child(&mut self, unit: Unit, outcome: Outcome, is_stopped: bool) {
        let n = self.number(unit.step);
        let step = &self.case.workflow.steps[n];
        let mut saw = |what| self.saw.push(what);
        saw(match outcome {
            _ if is_stopped && outcome == Outcome::Succeeded => "a run succeeded that was to stop",
            _ if is_stopped => "a run was stopped",
            Outcome::Succeeded => "a run succeeded",
            Outcome::Failed => "a run failed",
            Outcome::TimedOut => "a run timed out",
            Outcome::Skipped => "a run was skipped",
            _ => "a run was cancelled",
        });
        if unit.item.is_some() {
            saw("an item was a run");
        }
        if step.hook.is_some() {
            saw("a hook was a run");
        }
        if step.child().is_some_and(|child| !child.waits) {
            saw("a run was not waited for");
        }
        if self.fleet.children[&unit].parent.attempt.attempt > 1 {
            saw("a run was started anew");
        }
    }
}
