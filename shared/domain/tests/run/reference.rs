//! What a workflow comes to, worked out as the documentation says it: step after step, each after those that it waits
//! for, with nothing of events, timers, or the order in which things happen. It shares no line with the engine, so
//! that each can be held against the other. What is quoted is from `docs/definitions.md`.

use millrace_domain::Outcome;

/// A workflow. Each step depends only on steps before it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Workflow {
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) depends_on: Vec<Dependency>,
    pub(crate) trigger_rule: Rule,
    pub(crate) condition: Option<Condition>,
    pub(crate) continue_on_error: bool,
    /// A time of day, in minutes since midnight. It changes when the step starts, and nothing else.
    pub(crate) not_before: Option<u16>,
    pub(crate) work: Work,
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
}

#[derive(Debug, Clone)]
pub(crate) enum Work {
    Task(Task),
    Wait(Wait),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Task {
    /// The `limit` of its `retry`.
    pub(crate) retries: u32,
    /// The `outcomes` of its `retry`.
    pub(crate) retried: Vec<Outcome>,
    pub(crate) at_most_once: bool,
    /// The step whose output `v` stands in its `env`.
    pub(crate) needs: Option<usize>,
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

/// What an attempt does when it is made: succeed, and maybe hand a number on; or fail, time out, be cancelled or lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) outcome: Outcome,
    pub(crate) output: Option<i64>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) outcome: Outcome,
    /// Whether it was skipped after a failure.
    pub(crate) after_failure: bool,
    /// The number of attempts that were given to a worker.
    pub(crate) attempts: u32,
    pub(crate) output: Option<i64>,
}

/// What a dependency has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Judged {
    Met,
    Failed,
    PassedOver,
}

/// The end of each step, when the attempts of each do what `attempts` has for it: its first what is first there, its
/// second what is second, and all after the last what the last does.
pub(crate) fn interpret(workflow: &Workflow, attempts: &[Vec<Attempt>]) -> Vec<End> {
    let mut ends: Vec<End> = Vec::new();
    for (step, attempts) in workflow.steps.iter().zip(attempts) {
        let end = end_of(step, &judge_all(workflow, step, &ends), &ends, attempts);
        ends.push(end);
    }
    ends
}

/// "It succeeds when no step failed, but for those with `continue_on_error`; otherwise it ends with the outcome of the
/// first step that failed." The steps are given in the order in which they ended.
pub(crate) fn outcome_of_run(workflow: &Workflow, ends: &[End], in_order: &[usize]) -> Outcome {
    in_order
        .iter()
        .filter(|n| !workflow.steps[**n].continue_on_error)
        .map(|n| ends[*n].outcome)
        .find(|outcome| is_failure(*outcome))
        .unwrap_or(Outcome::Succeeded)
}

/// "failed: it ended `failed`, `timed_out` or `cancelled`".
fn is_failure(outcome: Outcome) -> bool {
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

fn end_of(step: &Step, judged: &[Judged], ends: &[End], attempts: &[Attempt]) -> End {
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
        Work::Task(task) => tried(task, ends, attempts),
    }
}

fn skipped(after_failure: bool) -> End {
    End { outcome: Outcome::Skipped, after_failure, attempts: 0, output: None }
}

fn failed_without_an_attempt() -> End {
    End { outcome: Outcome::Failed, after_failure: false, attempts: 0, output: None }
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
    End { outcome, after_failure: false, attempts: 0, output: None }
}

fn tried(task: &Task, ends: &[End], attempts: &[Attempt]) -> End {
    // "A step whose expression cannot be rendered when it is due fails with the reason, and is not started."
    if task.needs.is_some_and(|step| ends[step].output.is_none()) {
        return failed_without_an_attempt();
    }
    // "An attempt that was **lost** with its worker is repeated at once and has a limit of its own: three; none with
    // `at_most_once`."
    let losses_repeated = if task.at_most_once { 0 } else { 3 };
    let (mut made, mut retries, mut losses) = (0, 0, 0);
    loop {
        let attempt = nth(attempts, made);
        made += 1;
        // "`limit` counts the retries after the first attempt"; "`outcomes` says which ends are retried".
        if task.retried.contains(&attempt.outcome) && retries < task.retries {
            retries += 1;
        } else if attempt.outcome == Outcome::Lost && losses < losses_repeated {
            losses += 1;
        } else {
            // No step is ever lost: one whose last attempt was has failed.
            let lost = attempt.outcome == Outcome::Lost;
            let outcome = if lost { Outcome::Failed } else { attempt.outcome };
            return End { outcome, after_failure: false, attempts: made, output: attempt.output };
        }
    }
}

/// What the attempt after `made` others does.
pub(crate) fn nth(attempts: &[Attempt], made: u32) -> Attempt {
    let last = attempts.len() - 1;
    attempts[last.min(made as usize)]
}
