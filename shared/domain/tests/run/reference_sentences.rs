//! The reference interpreter against sentences and examples of `docs/definitions.md`, worked out by hand.

use std::collections::BTreeMap;

use millrace_domain::Outcome;

use crate::reference::{
    Attempt, Condition, Dependency, End, Judged, Needs, Rule, Said, Status, Step, Task, Wait, Work, Workflow,
    decided, interpret, outcome_of_run,
};

const SUCCEEDS: Attempt = Attempt { outcome: Outcome::Succeeded, output: None };
const FAILS: Attempt = Attempt { outcome: Outcome::Failed, output: None };
const TIMES_OUT: Attempt = Attempt { outcome: Outcome::TimedOut, output: None };
const IS_CANCELLED: Attempt = Attempt { outcome: Outcome::Cancelled, output: None };
const IS_LOST: Attempt = Attempt { outcome: Outcome::Lost, output: None };

fn gives(v: i64) -> Attempt {
    Attempt { output: Some(v), ..SUCCEEDS }
}

fn step(rule: Rule, depends_on: &[(usize, Status)]) -> Step {
    Step {
        hook: None,
        depends_on: depends_on
            .iter()
            .map(|(step, wants)| Dependency { step: *step, wants: *wants })
            .collect(),
        trigger_rule: rule,
        condition: None,
        continue_on_error: false,
        not_before: None,
        work: Work::Task(Task::default()),
    }
}

fn first() -> Step {
    step(Rule::AllSuccess, &[])
}

/// A step that waits for the success of others, by the default rule.
fn after(steps: &[usize]) -> Step {
    let all: Vec<_> = steps.iter().map(|step| (*step, Status::Success)).collect();
    step(Rule::AllSuccess, &all)
}

fn with_if(condition: Condition, step: Step) -> Step {
    Step { condition: Some(condition), ..step }
}

fn ends(steps: &[(Step, &[Attempt])]) -> Vec<End> {
    let workflow =
        Workflow { steps: steps.iter().map(|(step, _)| step.clone()).collect(), ..Workflow::default() };
    let attempts: Vec<Vec<Attempt>> = steps.iter().map(|(_, attempts)| attempts.to_vec()).collect();
    interpret(&workflow, &attempts, &BTreeMap::new(), &Said::default(), None)
}

/// How each step ended, in words.
fn words(steps: &[(Step, &[Attempt])]) -> Vec<String> {
    let word = |end: &End| match (end.outcome, end.after_failure) {
        (Outcome::Skipped, true) => "skipped after a failure".to_owned(),
        (outcome, _) => outcome.to_string(),
    };
    ends(steps).iter().map(word).collect()
}

/// How the last of three steps ends by `rule`, when the first two do `attempts` and it wants their success.
fn joined(rule: Rule, attempts: [Attempt; 2]) -> String {
    let join = step(rule, &[(0, Status::Success), (1, Status::Success)]);
    words(&[(first(), &attempts[..1]), (first(), &attempts[1..]), (join, &[SUCCEEDS])])[2].clone()
}

/// How a step ends that wants `status` of one that does `attempt`.
fn wanting(status: Status, attempt: Attempt) -> String {
    words(&[(first(), &[attempt]), (step(Rule::AllSuccess, &[(0, status)]), &[SUCCEEDS])])[1].clone()
}

#[test]
fn a_choice_is_a_step_for_each_branch_and_a_join_of_which_none_failed() {
    // The border of the example is at 1000 rows, here it is at five.
    let run = |size, large: Attempt| {
        words(&[
            (first(), &[size]),
            (with_if(Condition::BelowFive(0), after(&[0])), &[SUCCEEDS]),
            (with_if(Condition::AtLeastFive(0), after(&[0])), &[large]),
            (step(Rule::NoneFailed, &[(1, Status::Success), (2, Status::Success)]), &[SUCCEEDS]),
        ])
    };
    let after_failure = "skipped after a failure";
    assert_eq!(run(gives(3), FAILS), ["succeeded", "succeeded", "skipped", "succeeded"]);
    assert_eq!(run(gives(7), SUCCEEDS), ["succeeded", "skipped", "succeeded", "succeeded"]);
    assert_eq!(run(gives(7), FAILS), ["succeeded", "skipped", "failed", after_failure]);
    assert_eq!(run(FAILS, SUCCEEDS), ["failed", after_failure, after_failure, after_failure]);
}

#[test]
fn a_dependency_is_met_when_its_step_ended_as_wanted() {
    for (attempt, outcome) in [(FAILS, "failed"), (TIMES_OUT, "timed_out"), (IS_CANCELLED, "cancelled")] {
        assert_eq!(wanting(Status::Success, attempt), "skipped after a failure", "{outcome}");
        assert_eq!(wanting(Status::Failed, attempt), "succeeded", "{outcome}");
        assert_eq!(wanting(Status::Skipped, attempt), "skipped after a failure", "{outcome}");
        assert_eq!(wanting(Status::Finished, attempt), "succeeded", "{outcome}");
    }
    assert_eq!(wanting(Status::Success, SUCCEEDS), "succeeded");
    assert_eq!(wanting(Status::Failed, SUCCEEDS), "skipped");
    assert_eq!(wanting(Status::Skipped, SUCCEEDS), "skipped");
    assert_eq!(wanting(Status::Finished, SUCCEEDS), "succeeded");
}

#[test]
fn a_failure_is_seen_through_any_number_of_skipped_steps() {
    let chain = |first_attempt: &[Attempt]| {
        words(&[
            (first(), first_attempt),
            (after(&[0]), &[SUCCEEDS]),
            (after(&[1]), &[SUCCEEDS]),
            (step(Rule::OneFailed, &[(2, Status::Success)]), &[SUCCEEDS]),
        ])
    };
    let skipped = "skipped after a failure";
    assert_eq!(chain(&[FAILS]), ["failed", skipped, skipped, "succeeded"]);
    assert_eq!(chain(&[SUCCEEDS]), ["succeeded", "succeeded", "succeeded", "skipped"]);
}

#[test]
fn an_if_that_is_false_is_no_failure_whatever_the_dependencies_are() {
    let cleanup =
        |condition| with_if(Condition::Boolean(condition), step(Rule::OneFailed, &[(0, Status::Success)]));
    let skipped = words(&[(first(), &[FAILS]), (cleanup(false), &[SUCCEEDS]), (after(&[1]), &[SUCCEEDS])]);
    assert_eq!(skipped, ["failed", "skipped", "skipped"]);
    let ran = words(&[(first(), &[FAILS]), (cleanup(true), &[SUCCEEDS]), (after(&[1]), &[SUCCEEDS])]);
    assert_eq!(ran, ["failed", "succeeded", "succeeded"]);
}

#[test]
fn an_if_that_is_no_boolean_fails_its_step_unless_the_rule_does_not_hold() {
    for condition in [Condition::Number, Condition::Incomparable, Condition::AtLeastFive(0)] {
        let of = |attempt| {
            ends(&[(first(), &[attempt]), (with_if(condition, after(&[0])), &[SUCCEEDS])])[1].clone()
        };
        let failed = End::of(Outcome::Failed, 0, None);
        assert_eq!(of(SUCCEEDS), failed);
        assert_eq!(of(FAILS), End { outcome: Outcome::Skipped, after_failure: true, ..failed });
    }
}

#[test]
fn an_output_of_a_step_that_may_not_have_run_is_asked_for_with_is_defined_or_a_default() {
    let of = |condition, attempt| {
        let asking = with_if(condition, step(Rule::AllFinished, &[(0, Status::Success)]));
        words(&[(first(), &[attempt]), (asking, &[SUCCEEDS])])[1].clone()
    };
    assert_eq!(of(Condition::IsDefined(0), FAILS), "skipped");
    assert_eq!(of(Condition::IsDefined(0), gives(0)), "succeeded");
    assert_eq!(of(Condition::AtLeastFiveOrAbsent(0), FAILS), "skipped");
    assert_eq!(of(Condition::AtLeastFiveOrAbsent(0), gives(5)), "succeeded");
    assert_eq!(of(Condition::AtLeastFive(0), gives(4)), "skipped");
    assert_eq!(of(Condition::AtLeastFive(0), FAILS), "failed");
}

#[test]
fn each_rule_starts_its_step_as_its_line_of_the_table_says() {
    let outcomes = |rule| {
        [[SUCCEEDS, SUCCEEDS], [SUCCEEDS, FAILS], [FAILS, FAILS]].map(|attempts| joined(rule, attempts))
    };
    let after_failure = "skipped after a failure";
    assert_eq!(outcomes(Rule::AllSuccess), ["succeeded", after_failure, after_failure]);
    assert_eq!(outcomes(Rule::AllFinished), ["succeeded"; 3]);
    assert_eq!(outcomes(Rule::OneSuccess), ["succeeded", "succeeded", after_failure]);
    assert_eq!(outcomes(Rule::OneFailed), ["skipped", "succeeded", "succeeded"]);
    assert_eq!(outcomes(Rule::NoneFailed), ["succeeded", after_failure, after_failure]);
    assert_eq!(outcomes(Rule::AllFailed), ["skipped", after_failure, "succeeded"]);
    assert_eq!(outcomes(Rule::NoneSkipped), ["succeeded"; 3]);
}

#[test]
fn only_one_success_and_one_failed_do_not_wait_for_the_others() {
    for rule in [Rule::AllSuccess, Rule::AllFinished, Rule::NoneFailed, Rule::AllFailed, Rule::NoneSkipped] {
        for judged in [Judged::Met, Judged::Failed, Judged::PassedOver] {
            assert_eq!(decided(rule, &[Some(judged), None]), None, "{rule:?}");
        }
    }
    assert_eq!(decided(Rule::OneSuccess, &[None, Some(Judged::Met)]), Some(true));
    assert_eq!(decided(Rule::OneSuccess, &[None, Some(Judged::Failed)]), None);
    assert_eq!(decided(Rule::OneFailed, &[None, Some(Judged::Failed)]), Some(true));
    assert_eq!(decided(Rule::OneFailed, &[Some(Judged::Met), Some(Judged::PassedOver)]), Some(false));
    assert_eq!(decided(Rule::AllSuccess, &[]), Some(true));
}

#[test]
fn none_skipped_does_not_start_when_a_dependency_is_passed_over() {
    let unwanted = step(Rule::NoneSkipped, &[(0, Status::Failed)]);
    assert_eq!(words(&[(first(), &[SUCCEEDS]), (unwanted, &[SUCCEEDS])])[1], "skipped");
    let off = with_if(Condition::Boolean(false), first());
    let both = step(Rule::NoneSkipped, &[(0, Status::Success), (1, Status::Success)]);
    let of = words(&[(off, &[SUCCEEDS]), (first(), &[FAILS]), (both, &[SUCCEEDS])]);
    assert_eq!(of, ["skipped", "failed", "skipped after a failure"]);
}

#[test]
fn a_step_with_continue_on_error_that_failed_counts_as_one_that_succeeded() {
    let lenient = || Step { continue_on_error: true, ..first() };
    let on_failure = step(Rule::AllSuccess, &[(0, Status::Failed)]);
    let steps = [(lenient(), &[FAILS][..]), (after(&[0]), &[SUCCEEDS]), (on_failure, &[SUCCEEDS])];
    assert_eq!(words(&steps), ["failed", "succeeded", "skipped"]);
    let workflow =
        Workflow { steps: steps.iter().map(|(step, _)| step.clone()).collect(), ..Workflow::default() };
    assert_eq!(outcome_of_run(&workflow, &ends(&steps), &[0, 1, 2]), Outcome::Succeeded);
}

#[test]
fn a_run_ends_with_the_outcome_of_the_first_step_that_failed() {
    let steps = [(first(), &[FAILS][..]), (first(), &[TIMES_OUT]), (after(&[0]), &[SUCCEEDS])];
    let workflow =
        Workflow { steps: steps.iter().map(|(step, _)| step.clone()).collect(), ..Workflow::default() };
    let run = |in_order: &[usize]| outcome_of_run(&workflow, &ends(&steps), in_order);
    assert_eq!(run(&[0, 2, 1]), Outcome::Failed);
    assert_eq!(run(&[1, 0, 2]), Outcome::TimedOut);
    assert_eq!(run(&[]), Outcome::Succeeded);
}

#[test]
fn retries_and_losses_have_limits_of_their_own() {
    let of = |at_most_once, attempts: &[Attempt]| {
        let retried = vec![Outcome::Failed];
        let work = Work::Task(Task { retries: 2, retried, at_most_once, ..Task::default() });
        let end = &ends(&[(Step { work, ..first() }, attempts)])[0];
        (end.outcome, end.attempts)
    };
    assert_eq!(of(false, &[FAILS]), (Outcome::Failed, 3));
    assert_eq!(of(false, &[FAILS, SUCCEEDS]), (Outcome::Succeeded, 2));
    assert_eq!(of(false, &[FAILS, TIMES_OUT]), (Outcome::TimedOut, 2));
    assert_eq!(of(false, &[IS_LOST]), (Outcome::Failed, 4));
    assert_eq!(of(false, &[IS_LOST, FAILS, IS_LOST, FAILS, IS_LOST, FAILS]), (Outcome::Failed, 6));
    assert_eq!(of(true, &[FAILS, IS_LOST]), (Outcome::Failed, 2));
    assert_eq!(of(true, &[FAILS, FAILS, gives(1)]), (Outcome::Succeeded, 3));
}

#[test]
fn a_wait_succeeds_unless_it_cannot_tell_how_long_it_is() {
    let of = |wait| {
        let end = &ends(&[(Step { work: Work::Wait(wait), ..first() }, &[FAILS])])[0];
        (end.outcome, end.attempts)
    };
    for wait in [Wait::For(60), Wait::Until(-60), Wait::Until(60), Wait::UntilTime(0)] {
        assert_eq!(of(wait), (Outcome::Succeeded, 0));
    }
    assert_eq!(of(Wait::Unclear), (Outcome::Failed, 0));
}

#[test]
fn a_step_whose_environment_cannot_be_rendered_fails_and_is_not_started() {
    let needing = |attempt| {
        let work = Work::Task(Task { needs: Some(Needs { step: 0, is_key: true }), ..Task::default() });
        ends(&[(first(), &[attempt]), (Step { work, ..after(&[0]) }, &[SUCCEEDS])])[1].clone()
    };
    assert_eq!((needing(gives(1)).outcome, needing(gives(1)).attempts), (Outcome::Succeeded, 1));
    assert_eq!((needing(SUCCEEDS).outcome, needing(SUCCEEDS).attempts), (Outcome::Failed, 0));
}
