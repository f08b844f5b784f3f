//! Plans: what a run would come to, told before anything has run.

use millrace_domain::definition::{self, Params, Workflow};
use millrace_domain::run::{Fate, Plan, plan};
use millrace_domain::{StepIndex, TriggerRule};
use proptest::prelude::*;
use serde_json::json;

use crate::fleet::CREATED;
use crate::random_cases::case;
use crate::random_yaml::params;

fn workflow(source: &str) -> Workflow {
    definition::parse(source, "w.yaml")
        .unwrap_or_else(|problems| panic!("{problems}"))
        .pop()
        .unwrap()
        .workflow
}

fn planned(workflow: &Workflow) -> Plan {
    plan(workflow, Params::from([("n".to_owned(), json!(3))]), CREATED)
}

fn waves(workflow: &Workflow) -> Vec<String> {
    let names = |wave: &Vec<_>| {
        wave.iter().map(|step| workflow.step(*step).unwrap().name.as_str()).collect::<Vec<_>>().join(" ")
    };
    planned(workflow).waves.iter().map(names).collect()
}

/// A run begins thousands of steps by and by. A plan is no run.
#[test]
fn what_becomes_ready_at_once_is_one_wave_however_much_it_is() {
    let middle = |n| format!("  - {{name: m{n}, depends_on: [a], run: x}}\n");
    let source =
        format!("name: w\nsteps:\n  - {{name: a, run: x}}\n{}", (0..3_000).map(middle).collect::<String>());
    let workflow = workflow(&source);
    let plan = planned(&workflow);
    assert_eq!(plan.waves.iter().map(Vec::len).collect::<Vec<_>>(), [1, 3_000]);
    assert!(plan.steps[1..].iter().all(|step| matches!(step.fate, Fate::Starts { wave: 1 })));
}

/// What becomes of each step: its wave, or why it does not start.
fn fates(source: &str) -> Vec<String> {
    let told = |fate| match fate {
        Fate::Starts { wave } => wave.to_string(),
        Fate::Skipped { reason, at_once: true } => format!("skipped: {reason}"),
        Fate::Skipped { reason, at_once: false } => format!("skipped, if all goes well: {reason}"),
        Fate::Fails { reason } => format!("fails: {reason}"),
    };
    planned(&workflow(source)).steps.into_iter().map(|step| told(step.fate)).collect()
}

#[test]
fn steps_that_start_together_are_one_wave() {
    let diamond = workflow(
        "
name: w
steps:
  - {name: d, run: x, depends_on: [b, c]}
  - {name: a, run: x}
  - {name: b, run: x, depends_on: [a]}
  - {name: c, run: x, depends_on: [a]}
  - {name: alone, run: x}
",
    );
    assert_eq!(waves(&diamond), ["a alone", "b c", "d"]);
}

#[test]
fn a_condition_that_is_false_skips_its_step_and_what_follows_from_that() {
    let told = fates(
        "
name: w
params: [{name: n, type: int}]
steps:
  - {name: a, if: params.n > 5, run: x}
  - {name: b, depends_on: [a], run: x}
  - {name: c, depends_on: [{step: a, status: skipped}], run: x}
  - {name: d, depends_on: [b, c], trigger_rule: none_failed, run: x}
  - {name: e, depends_on: [c], if: params.n > 4, run: x}
",
    );
    let expected = [
        "skipped: its condition is false: params.n > 5",
        "skipped: step a did not succeed",
        "0",
        "1",
        "skipped, if all goes well: its condition is false: params.n > 4",
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_needs_outputs_is_taken_for_true_and_shown_as_it_was_written() {
    let workflow = workflow(
        "
name: w
params: [{name: n, type: int}]
env: {ALL: \"${{ params.n }} of ${{ run.id }}\"}
steps:
  - {name: a, run: x}
  - name: b
    depends_on: [a]
    if: outputs.a.rows > 0
    env: {ROWS: \"${{ outputs.a.rows }}/${{ params.n }}\", N: \"${{ params.n + 1 }}\"}
    uses: http
    with: {url: \"https://x/${{ params.n }}\", body: {rows: \"${{ outputs.a.rows }}\", n: \"${{ params.n }}\"}}
  - {name: c, depends_on: [b], uses: wait, with: {until: \"${{ outputs.a.at }}\"}}
  - {name: d, depends_on: [c], run: x}
",
    );
    assert_eq!(waves(&workflow), ["a", "b", "c", "d"]);
    let b = &planned(&workflow).steps[1];
    assert_eq!(b.condition, None);
    let body = json!({"rows": "${{ outputs.a.rows }}", "n": 3});
    assert_eq!(b.with, Ok(json!({"url": "https://x/3", "body": body})));
    let env: Vec<String> =
        b.env.iter().map(|(name, value)| format!("{name}={}", value.as_ref().unwrap())).collect();
    assert_eq!(env, ["ALL=3 of ${{ run.id }}", "N=4", "ROWS=${{ outputs.a.rows }}/3"]);
}

#[test]
fn times_are_told_as_instants_and_hold_nothing_up() {
    let workflow = workflow(
        "
name: w
timezone: Asia/Shanghai
steps:
  - {name: late, not_before: \"23:30\", run: x}
  - {name: early, not_before: \"00:30\", run: x}
  - {name: pause, uses: wait, with: {for: 90s}}
  - {name: past, uses: wait, with: {until: \"2020-01-01T00:00:00Z\"}}
  - {name: later, uses: wait, not_before: \"23:30\", with: {for: 90s}}
  - {name: all, depends_on: [late, early, pause, past, later], run: x}
",
    );
    assert_eq!(waves(&workflow), ["late early pause past later", "all"]);
    let steps = planned(&workflow).steps;
    assert_eq!(CREATED.to_string(), "2026-03-01T23:30:00.000Z");
    assert_eq!(steps[0].not_before.unwrap().to_string(), "2026-03-02T15:30:00.000Z");
    assert_eq!(steps[1].not_before.unwrap().to_string(), "2026-03-01T16:30:00.000Z");
    assert_eq!(steps[2].waits_until.unwrap().to_string(), "2026-03-01T23:31:30.000Z");
    assert_eq!((steps[3].waits_until, steps[4].waits_until), (None, None));
}

#[test]
fn steps_for_failures_are_skipped_when_all_goes_well_and_one_that_cannot_be_rendered_fails() {
    let told = fates(
        "
name: w
params: [{name: n, type: int}]
steps:
  - {name: a, run: x}
  - {name: repair, depends_on: [{step: a, status: failed}], run: x}
  - {name: broken, env: {A: \"${{ params.n // 0 }}\"}, run: x}
  - {name: tell, depends_on: [broken], trigger_rule: one_failed, run: x}
",
    );
    assert_eq!((told[0].as_str(), told[3].as_str()), ("0", "0"));
    assert_eq!(told[1], "skipped, if all goes well: step a did not fail");
    assert!(told[2].starts_with("fails: `env.A` cannot be rendered: "), "{}", told[2]);
}

#[test]
fn a_chain_of_fifty_thousand_steps_is_planned_in_one_walk() {
    let mut source = "name: w\nsteps:\n  - {name: s0, run: x}\n".to_owned();
    for n in 1..50_000 {
        source.push_str(&format!("  - {{name: s{n}, run: x, depends_on: [s{}]}}\n", n - 1));
    }
    assert_eq!(planned(&workflow(&source)).waves.len(), 50_000);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_step_of_a_random_workflow_is_in_one_wave_after_those_it_waits_for_or_does_not_start(case in case()) {
        let workflow = workflow(&case.yaml());
        let params: Params = params().as_object().unwrap().clone().into_iter().collect();
        let Plan { waves, steps, .. } = plan(&workflow, params, CREATED);
        prop_assert!(waves.iter().all(|wave| !wave.is_empty()));
        let wave_of = |step: StepIndex| {
            let mut found = (0..waves.len()).filter(|wave| waves[*wave].contains(&step));
            (found.next(), found.next())
        };
        for (at, planned) in steps.iter().enumerate() {
            let step = StepIndex::from(at);
            let (wave, again) = wave_of(step);
            prop_assert_eq!(again, None);
            match planned.fate {
                Fate::Starts { wave: planned } => prop_assert_eq!(wave, Some(planned)),
                Fate::Skipped { .. } => prop_assert_eq!(wave, None),
                // A step may fail when it has waited for its time.
                Fate::Fails { .. } => {}
            }
            if matches!(workflow.steps[at].rule, TriggerRule::OneSuccess | TriggerRule::OneFailed) {
                continue;
            }
            for on in workflow.graph.dependencies(step) {
                let (before, _) = wave_of(*on);
                // A wait whose time has passed ends as soon as it starts.
                let is_over = workflow.steps[on.at()].uses == "wait" && before == wave;
                prop_assert!(wave.is_none() || before < wave || is_over, "{} before {}", on.0, at);
            }
        }
    }
}
