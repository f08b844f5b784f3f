//! The engine held against the [`reference`](crate::reference): random workflows under random outcomes, in a random
//! order, with losses, repetitions, late results and cancels.

use std::collections::HashMap;

use millrace_domain::Outcome;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use crate::random_cases::case;
use crate::random_driver::drive;
use crate::reference::{End, Step, Work, holds, interpret, judge_all};

/// How many cases are tried: some hundreds, or as many as `MILLRACE_CASES` says.
fn cases() -> u32 {
    std::env::var("MILLRACE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(500)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_random_workflow_comes_to_what_the_reference_says(case in case()) {
        drive(&case);
    }
}

/// Random workflows would prove little if they never came to what they are about.
#[test]
fn random_workflows_come_to_every_rule_every_judgement_and_every_end() {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..300 {
        let case = case().new_tree(&mut runner).unwrap().current();
        let ends = interpret(&case.workflow, &case.attempts);
        for (step, end) in case.workflow.steps.iter().zip(&ends) {
            let judged = judge_all(&case.workflow, step, &ends);
            let mut see = |what: String| *seen.entry(what).or_default() += 1;
            for (on, judged) in step.depends_on.iter().zip(&judged) {
                see(format!("{:?} {judged:?}", on.wants));
            }
            see(format!("{:?} {}", step.trigger_rule, holds(step.trigger_rule, &judged)));
            see(kind(step, end).to_owned());
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
    for what in wanted {
        assert!(seen.get(&what).is_some_and(|count| *count >= 5), "{what}: {seen:?}");
    }
}

fn kind(step: &Step, end: &End) -> &'static str {
    match (&step.work, end.outcome) {
        (_, Outcome::Skipped) if end.after_failure => "skipped after a failure",
        (_, Outcome::Skipped) if step.depends_on.is_empty() => "skipped by if",
        (_, Outcome::Skipped) => "skipped",
        (Work::Wait(_), _) => "waited",
        (_, Outcome::Failed) if end.attempts == 0 => "failed before an attempt",
        (_, Outcome::Failed) if step.continue_on_error => "forgiven",
        _ if end.attempts >= 4 => "tried four times",
        _ => "tried",
    }
}
