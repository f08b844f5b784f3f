//! What a workflow comes to, worked out as the documentation says it: step after step, each after those that it waits
//! for, with nothing of events, timers, or the order in which things happen. It shares no line with the engine, so
//! that each can be held against the other. What is quoted is from `docs/definitions.md`.

use std::collections::BTreeMap;

use millrace_domain::Outcome;

use crate::reference_asks::asked;
pub(crate) use crate::reference_asks::{Answer, Ask};
pub(crate) use crate::reference_children::{Child, Name, Params};
use crate::reference_items::done;
pub(crate) use crate::reference_items::{
    Fan, Items, Needs, Repeat, Said, Task, Tolerance, Until, given_by, items, nth, of_item,
};
pub(crate) use crate::reference_locks::Locks;
pub(crate) use crate::reference_outputs::{RunOutput, handed_on};
use crate::reference_slots::Concurrency;

/// A workflow. Each step depends only on steps before it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Workflow {
    pub(crate) steps: Vec<Step>,
    /// What a run of it hands on.
    pub(crate) outputs: Vec<RunOutput>,
    /// How many runs of it may be under way at a time.
    pub(crate) concurrency: Option<Concurrency>,
}

#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// What it is the hook of. "A hook of a **step** is a step that depends on it", so that the step is in `depends_on`.
    pub(crate) hook: Option<Hook>,
    pub(crate) depends_on: Vec<Dependency>,
    pub(crate) trigger_rule: Rule,
    pub(crate) condition: Option<Condition>,
    pub(crate) continue_on_error: bool,
    /// A time of day, in minutes since midnight. It changes when the step starts, and nothing else.
    pub(crate) not_before: Option<u16>,
    pub(crate) work: Work,
}

impl Step {
    /// How it fans out, if it does.
    pub(crate) fn fan(&self) -> Option<&Fan> {
        self.task().and_then(|task| task.fan.as_ref())
    }

    pub(crate) fn is_hook_of_workflow(&self) -> bool {
        matches!(self.hook, Some(Hook::OfWorkflow(_)))
    }
}

/// What a step is the hook of. Those of the workflow come after all other steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    OfStep(When, usize),
    OfWorkflow(When),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum When {
    Success,
    Failure,
    Finish,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Dependency {
    pub(crate) step: usize,
    pub(crate) wants: Status,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Status {
    Success,
    Failed,
    Skipped,
    Finished,
    /// "has ended and was not skipped", as `on_finish` of a step wants it.
    Ran,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Rule {
    AllSuccess,
    AllFinished,
    OneSuccess,
    OneFailed,
    NoneFailed,
    AllFailed,
    NoneSkipped,
}

/// An `if`. The number that a step may hand on is its output `v`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Condition {
    /// A param that is this boolean.
    Boolean(bool),
    /// A param that is a number.
    Number,
    /// A text compared with a number.
    Incomparable,
    /// `outputs.<step>.v is defined`.
    IsDefined(usize),
    /// `outputs.<step>.v|default(0) >= 5`.
    AtLeastFiveOrAbsent(usize),
    /// `outputs.<step>.v >= 5`.
    AtLeastFive(usize),
    /// `outputs.<step>.v < 5`.
    BelowFive(usize),
    /// `outputs.<step> | length >= 2`, of a step that fans out.
    HasTwoItems(usize),
}

#[derive(Debug, Clone)]
pub(crate) enum Work {
    /// A task, or a run of another workflow.
    Task(Task),
    Wait(Wait),
    Ask(Ask),
}

/// What a step with `uses: wait` waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// So many seconds.
    For(u32),
    /// An instant, so many seconds after the creation of the run.
    Until(i32),
    /// A time of day, in minutes since midnight.
    UntilTime(u16),
    /// An expression that gives no duration.
    Unclear,
}

/// What an attempt does when it is made: succeed, and maybe hand a number on; or fail, time out, be cancelled or lost. A run
/// may be skipped too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) outcome: Outcome,
    pub(crate) output: Option<i64>,
}

/// How a step ended, or an item of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) outcome: Outcome,
    /// Whether it was skipped after a failure.
    pub(crate) after_failure: bool,
    /// The number of attempts that were given to a worker, or became a run.
    pub(crate) attempts: u32,
    pub(crate) output: Option<i64>,
    /// The ends of the items of a step that had a list, in its order; `None` for those that never began.
    pub(crate) items: Option<Vec<Option<End>>>,
}

/// What a dependency has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Judged {
    Met,
    Failed,
    PassedOver,
}

/// The end of each step, when the attempts of each do what `attempts` has for it: its first what is first there, its
/// second what is second, and all after the last what the last does. Those that somebody stopped have `stopped` as they
/// are, and so has a step that somebody has ended; what people said besides is in `said`. The hooks of the workflow have an end once all other steps have, which came to `outcome`.
pub(crate) fn interpret(
    workflow: &Workflow,
    attempts: &[Vec<Attempt>],
    stopped: &BTreeMap<usize, End>,
    said: &Said,
    outcome: Option<Outcome>,
) -> Vec<End> {
    let mut ends: Vec<End> = Vec::new();
    for (n, (step, attempts)) in workflow.steps.iter().zip(attempts).enumerate() {
        let has_turn = match (step.hook, outcome) {
            (Some(Hook::OfWorkflow(_)), None) => break,
            (Some(Hook::OfWorkflow(when)), Some(outcome)) => has_turn(when, outcome),
            (Some(Hook::OfStep(..)) | None, _) => true,
        };
        let end = match stopped.get(&n) {
            Some(end) => end.clone(),
            // "The others are skipped."
            None if !has_turn => skipped(false),
            None => end_of((n, step), &judge_all(workflow, step, &ends), &ends, attempts, said),
        };
        ends.push(end);
    }
    ends
}

/// "`on_success` when the run succeeds, `on_failure` when it fails or times out, `on_finish` always."
pub(crate) fn has_turn(when: When, outcome: Outcome) -> bool {
    match when {
        When::Success => outcome == Outcome::Succeeded,
        When::Failure => matches!(outcome, Outcome::Failed | Outcome::TimedOut),
        When::Finish => true,
    }
}

/// What the hook of a step wants of it: "`on_success` with the status `success`, `on_failure` with `failed`; `on_finish`
/// starts when the step has ended and was not skipped".
pub(crate) fn wanted_by_hook(when: When) -> Status {
    match when {
        When::Success => Status::Success,
        When::Failure => Status::Failed,
        When::Finish => Status::Ran,
    }
}

/// "It succeeds when no step failed, but for those with `continue_on_error`; otherwise it ends with the outcome of the
/// first step that failed." The steps are given in the order in which they ended, hooks of the workflow last: "a hook that
/// fails lets a run fail that would have succeeded". Before these have their turn, the outputs of a run that would succeed
/// are made, and "one that cannot be rendered lets the run fail".
pub(crate) fn outcome_of_run(workflow: &Workflow, ends: &[End], in_order: &[usize]) -> Outcome {
    let first_failure = |of_hooks: bool| {
        in_order
            .iter()
            .map(|n| (&workflow.steps[*n], ends[*n].outcome))
            .filter(|(step, _)| step.is_hook_of_workflow() == of_hooks && !step.continue_on_error)
            .map(|(_, outcome)| outcome)
            .find(|outcome| is_failure(*outcome))
    };
    first_failure(false)
        .or_else(|| handed_on(workflow, ends).is_none().then_some(Outcome::Failed))
        .or_else(|| first_failure(true))
        .unwrap_or(Outcome::Succeeded)
}

/// "failed: it ended `failed`, `timed_out` or `cancelled`".
pub(crate) fn is_failure(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Failed | Outcome::TimedOut | Outcome::Cancelled)
}

/// What the dependencies of `step` have come to, once all of them have ended.
pub(crate) fn judge_all(workflow: &Workflow, step: &Step, ends: &[End]) -> Vec<Judged> {
    let judged = |on: &Dependency| judge(on.wants, &workflow.steps[on.step], &ends[on.step]);
    step.depends_on.iter().map(judged).collect()
}

/// "It is **met** when the step ended as wanted. It is **failed** when it is not met and the step failed, or was skipped
/// *after a failure*. Otherwise it is **passed over**."
pub(crate) fn judge(wants: Status, step: &Step, end: &End) -> Judged {
    // "A step with `continue_on_error` that failed counts as one that succeeded."
    let counts_as_success = is_failure(end.outcome) && step.continue_on_error;
    let succeeded = end.outcome == Outcome::Succeeded || counts_as_success;
    let failed = is_failure(end.outcome) && !counts_as_success;
    let skipped = end.outcome == Outcome::Skipped;
    let met = match wants {
        Status::Success => succeeded,
        Status::Failed => failed,
        Status::Skipped => skipped,
        Status::Finished => true,
        Status::Ran => !skipped,
    };
    if met {
        Judged::Met
    } else if failed || (skipped && end.after_failure) {
        Judged::Failed
    } else {
        Judged::PassedOver
    }
}

/// The table of `trigger_rule`. Those that do not wait for the others start earlier, and come to the same.
pub(crate) fn holds(rule: Rule, judged: &[Judged]) -> bool {
    let all = |is: Judged| judged.iter().all(|one| *one == is);
    let one = |is: Judged| judged.contains(&is);
    match rule {
        Rule::AllSuccess => all(Judged::Met),
        Rule::AllFinished => true,
        Rule::OneSuccess => one(Judged::Met),
        Rule::OneFailed => one(Judged::Failed),
        Rule::NoneFailed => !one(Judged::Failed),
        Rule::AllFailed => all(Judged::Failed),
        Rule::NoneSkipped => !one(Judged::PassedOver),
    }
}

/// Whether a step has started (`true`) or was skipped (`false`) by now, when only some of its dependencies are judged;
/// `None` while it waits for more of them.
pub(crate) fn decided(rule: Rule, judged: &[Option<Judged>]) -> Option<bool> {
    match rule {
        // "one is met; it does not wait for the others"
        Rule::OneSuccess if judged.contains(&Some(Judged::Met)) => Some(true),
        // "one is failed; it does not wait for the others"
        Rule::OneFailed if judged.contains(&Some(Judged::Failed)) => Some(true),
        // "When all are judged and the rule does not hold, the step is `skipped`".
        _ => judged.iter().copied().collect::<Option<Vec<_>>>().map(|judged| holds(rule, &judged)),
    }
}

fn end_of(
    (n, step): (usize, &Step),
    judged: &[Judged],
    ends: &[End],
    attempts: &[Attempt],
    said: &Said,
) -> End {
    // "When all are judged and the rule does not hold, the step is `skipped`", and "*after a failure* when one of its
    // dependencies is failed".
    if !holds(step.trigger_rule, judged) {
        return skipped(judged.contains(&Judged::Failed));
    }
    // "Once the rule holds, `if` is evaluated, once, before the first attempt."
    match step.condition.map(|condition| evaluate(condition, ends)) {
        None | Some(Some(true)) => {}
        // "When it is `false`, the step is skipped, and not after a failure, whatever its dependencies are."
        Some(Some(false)) => return skipped(false),
        // "When it cannot be evaluated, or is neither `true` nor `false`, the step fails."
        Some(None) => return failed_without_an_attempt(),
    }
    match &step.work {
        Work::Wait(wait) => waited(*wait),
        Work::Ask(ask) => asked(*ask, said.answers.get(&n).map(Vec::as_slice).unwrap_or_default()),
        Work::Task(task) => done((n, task), ends, attempts, said),
    }
}

impl End {
    /// The end of what had no list of items.
    pub(crate) fn of(outcome: Outcome, attempts: u32, output: Option<i64>) -> Self {
        Self { outcome, after_failure: false, attempts, output, items: None }
    }
}

fn skipped(after_failure: bool) -> End {
    End { after_failure, ..End::of(Outcome::Skipped, 0, None) }
}

pub(crate) fn failed_without_an_attempt() -> End {
    End::of(Outcome::Failed, 0, None)
}

/// The value of an `if`; `None` when it cannot be evaluated, or is no boolean.
fn evaluate(condition: Condition, ends: &[End]) -> Option<bool> {
    match condition {
        Condition::Boolean(value) => Some(value),
        Condition::Number => None,
        // "A name without a value is an error that lists what there is. So is comparing text with a number".
        Condition::Incomparable => None,
        // "An output of a step that may not have run is asked for with `outputs.a.x is defined` or
        // `outputs.a.x|default(0)`."
        Condition::IsDefined(step) => Some(ends[step].output.is_some()),
        Condition::AtLeastFiveOrAbsent(step) => Some(ends[step].output.unwrap_or(0) >= 5),
        Condition::AtLeastFive(step) => ends[step].output.map(|v| v >= 5),
        Condition::BelowFive(step) => ends[step].output.map(|v| v < 5),
        Condition::HasTwoItems(step) => Some(ends[step].items.as_ref().is_some_and(|items| items.len() >= 2)),
    }
}

/// "`uses: wait` lets time pass, and holds no worker meanwhile", so that no attempt is made. "Either may be an
/// expression; one that gives something else when the step is due fails it."
fn waited(wait: Wait) -> End {
    let outcome = match wait {
        // "An instant that has passed lets it succeed at once."
        Wait::For(_) | Wait::Until(_) | Wait::UntilTime(_) => Outcome::Succeeded,
        Wait::Unclear => Outcome::Failed,
    };
    End::of(outcome, 0, None)
}
