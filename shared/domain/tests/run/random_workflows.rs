//! The engine held against the [`reference`](crate::reference): random workflows under random outcomes, in a random
//! order, with losses, repetitions, late results and cancels.

use std::collections::HashMap;

use millrace_domain::Outcome;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use crate::random_cases::{Case, case};
use crate::random_driver::drive;
use crate::reference::{End, Fan, Hook, Items, Params, Step, Tolerance, Work, holds, judge_all, nth};

/// How many cases are tried: some hundreds, or as many as `MILLRACE_CASES` says.
fn cases() -> u32 {
    std::env::var("MILLRACE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(500)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_random_workflow_comes_to_what_the_reference_says(case in case()) {
        drive(&case, &mut |_| {});
    }
}

/// Random workflows would prove little if they never came to what they are about.
#[test]
fn random_workflows_come_to_every_rule_every_judgement_and_every_end() {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..1_500 {
        let case = case().new_tree(&mut runner).unwrap().current();
        let mut see = |what: &str| *seen.entry(what.to_owned()).or_default() += 1;
        let ends = drive(&case, &mut see);
        for (n, (step, end)) in case.workflow.steps.iter().zip(&ends).enumerate() {
            let judged = judge_all(&case.workflow, step, &ends);
            for (on, judged) in step.depends_on.iter().zip(&judged) {
                see(&format!("{:?} {judged:?}", on.wants));
            }
            see(&format!("{:?} {}", step.trigger_rule, holds(step.trigger_rule, &judged)));
            see(kind(step, end));
            see_new(&case, n, &ends, &mut see);
            see_children(&case, n, end, &mut see);
        }
    }
    let judgements = ["Met", "Failed", "PassedOver"];
    let mut wanted: Vec<String> = judgements
        .iter()
        .flat_map(|j| ["Success", "Failed", "Skipped"].map(|s| format!("{s} {j}")))
        .collect();
    let rules = ["AllSuccess", "OneSuccess", "OneFailed", "NoneFailed", "AllFailed", "NoneSkipped"];
    wanted.extend(rules.iter().flat_map(|rule| [format!("{rule} true"), format!("{rule} false")]));
    let kinds = ["skipped", "skipped after a failure", "skipped by if", "failed before an attempt", "waited"];
    wanted.extend(kinds.map(str::to_owned));
    wanted.extend(["Finished Met", "tried four times", "forgiven"].map(str::to_owned));
    wanted.extend(["Ran Met", "Ran Failed", "Ran PassedOver"].map(str::to_owned));
    for of in ["a step", "the workflow"] {
        for when in ["Success", "Failure", "Finish"] {
            wanted.extend([format!("{when} of {of} ran"), format!("{when} of {of} skipped")]);
        }
    }
    wanted.extend(NEW.map(str::to_owned));
    for what in wanted {
        assert!(seen.get(&what).is_some_and(|count| *count >= 5), "{what}: {seen:?}");
    }
}

/// What is seen of slots, locks, items, repetitions, hooks and questions.
const NEW: [&str; 121] = [
    "a run was paused",
    "a run was resumed",
    "a run got its slot",
    "a run with a key had a slot",
    "a run in another asked for a slot",
    "a slot was granted twice",
    "a run was refused a slot that it has",
    "a run that wants no slot was told of one",
    "a slot was asked for again",
    "a slot was asked for when the start was due",
    "a key could not be told",
    "a run was skipped for want of a slot",
    "a run failed for want of a slot",
    "a run was cancelled for want of a slot",
    "a run was cancelled that waits for its slot",
    "a run with a slot timed out",
    "a run was replaced before its grant came",
    "a run was replaced",
    "a run was replaced that is stopped",
    "a run was replaced whose hooks run",
    "a run that waits for its slot asked anew",
    "the slot of a run was taken away",
    "a run without its slot was told of one",
    "a run was told of a slot before its start",
    "steps of a run with a slot began by and by",
    "somebody approved",
    "somebody approved, and others have to",
    "several people have approved",
    "somebody rejected",
    "somebody gave values",
    "somebody could not answer so",
    "somebody answered what is not asked",
    "a question was unclear",
    "an approval timed out",
    "an approval was given by default",
    "an input timed out",
    "an input was given by default",
    "a step got its locks",
    "an item got its locks",
    "a run had locks",
    "a hook had locks",
    "locks could not be asked for",
    "locks were asked for again",
    "locks were asked for in a run of another",
    "locks were refused",
    "locks were taken away",
    "a grant came twice",
    "a grant came late",
    "an attempt went on with the locks of one that was lost",
    "somebody ended what waited for locks",
    "a run succeeded",
    "a run failed",
    "a run timed out",
    "a run was cancelled",
    "a run was skipped",
    "a run was started anew",
    "a run was not waited for",
    "a run was asked for again",
    "a run was told again to stop",
    "a run was stopped",
    "a run succeeded that was to stop",
    "a run could not be asked for",
    "a run was nested too deep",
    "a run did not give what is declared",
    "a run was repeated",
    "a run failed after a question",
    "a run was given all that a step gave",
    "a run read what items gave",
    "an item was a run",
    "an item was a run that was skipped",
    "a hook was a run",
    "a run told of its end that was not under way",
    "a worker told of a run",
    "a run told of a task",
    "somebody could not act on a run",
    "somebody had a run started anew",
    "a parent was told",
    "somebody had it tried again",
    "somebody did not wait for the retry",
    "somebody skipped a step before its time",
    "somebody marked a step before its time",
    "somebody skipped a step",
    "somebody marked a step as succeeded",
    "somebody marked a step as failed",
    "somebody skipped an item",
    "somebody marked an item",
    "the run handed something on",
    "what the run hands on could not be made",
    "outputs of the run were read",
    "steps began by and by",
    "hooks began by and by",
    "the steps were cancelled",
    "the hooks were cancelled",
    "steps and hooks were cancelled",
    "the run timed out",
    "items were given up",
    "an item was stopped at an attempt",
    "an item never began",
    "a list was empty",
    "a list was the output of a step",
    "a list was given by items",
    "a list was not there",
    "items were tolerated by a number",
    "items were tolerated by a share",
    "too many items failed by a number",
    "too many items failed by a share",
    "a join read what items gave",
    "a join read what failed items gave",
    "a hook read what items gave",
    "what items gave was not there",
    "an item could not be rendered",
    "an item was tried again",
    "an item was repeated",
    "an item failed after a question",
    "a step failed after a question",
    "a step was repeated until it was so",
    "a step was repeated too often",
    "an until was unclear",
    "a hook that repeats",
    "a hook that fans out",
    "a hook that depends on a hook",
];

fn see_new(case: &Case, n: usize, ends: &[End], see: &mut impl FnMut(&str)) {
    let (step, end) = (&case.workflow.steps[n], &ends[n]);
    let ran = if end.outcome == Outcome::Skipped { "skipped" } else { "ran" };
    let is_hook = |n: usize| case.workflow.steps[n].hook.is_some();
    match step.hook {
        Some(Hook::OfStep(when, _)) => see(&format!("{when:?} of a step {ran}")),
        Some(Hook::OfWorkflow(when)) => see(&format!("{when:?} of the workflow {ran}")),
        None => {}
    }
    let Work::Task(task) = &step.work else { return };
    let has_run = ran == "ran" && end.outcome != Outcome::Cancelled;
    if step.is_hook_of_workflow() && step.depends_on.iter().any(|on| is_hook(on.step)) && has_run {
        see("a hook that depends on a hook");
    }
    if let Some(needs) = task.needs.filter(|needs| has_run && !needs.is_key) {
        match &ends[needs.step].items {
            None => see("what items gave was not there"),
            Some(_) if step.is_hook_of_workflow() => see("a hook read what items gave"),
            Some(_) if ends[needs.step].outcome != Outcome::Succeeded => {
                see("a join read what failed items gave");
            }
            Some(_) => see("a join read what items gave"),
        }
    }
    let has_failed = end.outcome == Outcome::Failed;
    if task.locks.is_some_and(|locks| !locks.can_be()) && has_failed && end.attempts == 0 {
        see("locks could not be asked for");
    }
    if task.locks.is_some() && step.hook.is_some() && end.attempts > 0 {
        see("a hook had locks");
    }
    if let Some(fan) = &task.fan {
        see_items(step, fan, end, see);
    } else if task.repeat.is_some() && end.attempts > 0 {
        let last = task.judged(nth(&case.attempts[n], end.attempts - 1));
        match (end.outcome, last.outcome) {
            _ if step.hook.is_some() => see("a hook that repeats"),
            (Outcome::Succeeded, _) if end.attempts > 1 => see("a step was repeated until it was so"),
            (Outcome::Failed, Outcome::Succeeded) if last.output.is_none() => see("an until was unclear"),
            (Outcome::Failed, Outcome::Succeeded) => see("a step was repeated too often"),
            _ => {}
        }
    } else if task.asks && has_failed && end.attempts > 0 {
        see("a step failed after a question");
    }
}

/// What is seen of a step that is a run of another workflow, beside what became of each of these.
fn see_children(case: &Case, n: usize, end: &End, see: &mut impl FnMut(&str)) {
    let Some(task) = case.workflow.steps[n].task() else { return };
    let Some(child) = task.child else { return };
    let items = end.items.iter().flatten().flatten();
    if items.clone().any(|item| item.outcome == Outcome::Skipped) {
        see("an item was a run that was skipped");
    }
    let ends = items.chain(Some(end).filter(|_| task.fan.is_none()));
    for end in ends {
        match end.outcome {
            Outcome::Failed if end.attempts == 0 && child.is_too_deep => see("a run was nested too deep"),
            Outcome::Failed if end.attempts == 0 => see("a run could not be asked for"),
            Outcome::Failed | Outcome::TimedOut if task.asks => see("a run failed after a question"),
            Outcome::Succeeded if task.repeat.is_some() && end.attempts > 1 => see("a run was repeated"),
            _ => {}
        }
        if end.attempts > 0 && child.params == Params::Outputs {
            see("a run was given all that a step gave");
        }
        if end.attempts > 0 && task.needs.is_some_and(|needs| !needs.is_key) && child.params == Params::Map {
            see("a run read what items gave");
        }
        let last = end.attempts.checked_sub(1).map(|made| nth(&case.attempts[n], made));
        if task.fan.is_none() && last.is_some_and(|last| last.outcome != task.judged(last).outcome) {
            see("a run did not give what is declared");
        }
    }
}

fn see_items(step: &Step, fan: &Fan, end: &End, see: &mut impl FnMut(&str)) {
    let Some(items) = &end.items else {
        if end.outcome == Outcome::Failed {
            see("a list was not there");
        }
        return;
    };
    let Work::Task(task) = &step.work else { return };
    match fan.items {
        _ if items.is_empty() => see("a list was empty"),
        Items::Literal(_) => {}
        Items::Output(_) => see("a list was the output of a step"),
        Items::GivenBy(_) => see("a list was given by items"),
    }
    if step.hook.is_some() && !items.is_empty() {
        see("a hook that fans out");
    }
    let by = match fan.tolerate {
        Tolerance::Number(_) => "a number",
        Tolerance::Share(_) => "a share",
    };
    let some_failed = items.iter().flatten().any(|item| item.outcome != Outcome::Succeeded);
    match end.outcome {
        Outcome::Succeeded if some_failed => see(&format!("items were tolerated by {by}")),
        Outcome::Failed => see(&format!("too many items failed by {by}")),
        _ => {}
    }
    for item in items {
        match item {
            None => see("an item never began"),
            Some(item) if item.outcome == Outcome::Failed && item.attempts == 0 => {
                see("an item could not be rendered");
            }
            Some(item) if item.outcome == Outcome::Cancelled => see("an item was stopped at an attempt"),
            Some(item) if item.outcome != Outcome::Succeeded && task.asks => {
                see("an item failed after a question");
            }
            Some(item) if item.attempts > 1 && task.repeat.is_some() => see("an item was repeated"),
            Some(item) if item.attempts > 1 => see("an item was tried again"),
            Some(_) => {}
        }
    }
}

fn kind(step: &Step, end: &End) -> &'static str {
    match (&step.work, end.outcome) {
        (_, Outcome::Skipped) if end.after_failure => "skipped after a failure",
        (_, Outcome::Skipped) if step.depends_on.is_empty() => "skipped by if",
        (_, Outcome::Skipped) => "skipped",
        (Work::Wait(_), _) => "waited",
        (Work::Ask(_), _) => "asked",
        (_, Outcome::Failed) if end.attempts == 0 => "failed before an attempt",
        (_, Outcome::Failed) if step.continue_on_error => "forgiven",
        _ if end.attempts >= 4 => "tried four times",
        _ => "tried",
    }
}
