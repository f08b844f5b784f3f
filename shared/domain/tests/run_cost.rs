//! What an event costs: it grows with the steps it ends and the steps that wait for those, never with the size of
//! the workflow.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its small functions too")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_domain::definition::{self, Workflow};
use millrace_domain::run::{
    Action, Advanced, Event, Head, Run, RunState, RunTimer, Source, Spec, Trigger, advance, create, dispatch,
};
use millrace_domain::task::{Task, TaskResult};
use millrace_domain::{Outcome, RunId, StepIndex, Timestamp, WorkflowId};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_millis(1_772_407_800_000);

/// Each step waits for the one before it, and uses what it hands on.
fn chain(count: usize) -> Arc<Workflow> {
    let mut source = String::from("name: chain\nsteps:\n  - {name: s0, run: x}\n");
    for n in 1..count {
        let before = n - 1;
        let _ = writeln!(
            source,
            "  - {{name: s{n}, run: x, depends_on: [s{before}], env: {{V: \"${{{{ outputs.s{before}.v }}}}\"}}}}"
        );
    }
    workflow(&source)
}

/// One step, then `count` beside each other, then one that waits for them all.
fn fan(count: usize) -> Arc<Workflow> {
    let mut source = String::from("name: fan\nsteps:\n  - {name: first, run: x}\n");
    for n in 0..count {
        let _ = writeln!(source, "  - {{name: s{n}, run: x, depends_on: [first]}}");
    }
    let all: Vec<String> = (0..count).map(|n| format!("s{n}")).collect();
    let _ = writeln!(source, "  - {{name: last, run: x, depends_on: [{}]}}", all.join(", "));
    workflow(&source)
}

/// `count` steps in layers of a hundred; each waits for three of the layer before.
fn layers(count: usize) -> Arc<Workflow> {
    let mut source = String::from("name: layers\nsteps:\n");
    for n in 0..count {
        let (layer, place) = (n / 100, n % 100);
        let before: Vec<String> = match layer {
            0 => Vec::new(),
            _ => [0, 1, 7].map(|off| format!("s{}", (layer - 1) * 100 + (place + off) % 100)).to_vec(),
        };
        let _ = writeln!(source, "  - {{name: s{n}, run: x, depends_on: [{}]}}", before.join(", "));
    }
    workflow(&source)
}

/// One step with `count` items, and one that waits for them all.
fn items(count: usize) -> Arc<Workflow> {
    let list = (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    workflow(&format!(
        "name: items\nsteps:\n  - {{name: each, run: x, foreach: [{list}], env: {{V: \"${{{{ item }}}}\"}}}}\n  - {{name: last, run: x, depends_on: [each]}}\n"
    ))
}

fn workflow(source: &str) -> Arc<Workflow> {
    Arc::new(definition::parse(source, "w.yaml").unwrap().remove(0).workflow)
}

fn start(workflow: &Arc<Workflow>) -> (Run, Advanced) {
    let spec = Spec {
        v: 1,
        source: Source::Inline(String::new()),
        params: definition::Params::new(),
        scheduled_at: NOW,
        priority: workflow.priority,
        trigger: Trigger::Api,
        traceparent: None,
        base_dir: None,
    };
    let head = Head::new(workflow.id.clone(), None, NOW);
    let id = RunId::of_key(&WorkflowId::adhoc(), "a run", 64);
    create(id, Arc::clone(workflow), Arc::new(spec), head, NOW)
}

fn succeeded(run: RunId, task: &Task) -> Event {
    Event::Result(TaskResult {
        run,
        step: task.index,
        item: task.item,
        attempt: task.attempt,
        outcome: Outcome::Succeeded,
        started_at: NOW,
        ended_at: NOW,
        code: Some(0),
        reason: None,
        outputs: json!({"v": "one"}).as_object().unwrap().clone(),
        retry_after_ms: None,
        is_typed: true,
        worker: String::new(),
    })
}

/// What an event changed and wants done.
struct Work {
    step: StepIndex,
    changed: usize,
    actions: usize,
}

/// Runs a workflow to its end, every task succeeding in turn.
fn to_the_end(workflow: &Arc<Workflow>) -> Vec<Work> {
    let (mut run, advanced) = start(workflow);
    let mut is_woken = sets_start(&advanced);
    let mut queue: std::collections::VecDeque<Task> = tasks(advanced).collect();
    let mut work = Vec::new();
    while let Some(task) = queue.pop_front() {
        let event = succeeded(run.id, &task);
        let advanced = advance(&mut run, event, NOW).unwrap();
        work.push(Work { step: task.index, changed: advanced.units.len(), actions: advanced.actions.len() });
        is_woken |= sets_start(&advanced);
        queue.extend(tasks(advanced));
        while std::mem::take(&mut is_woken) {
            let advanced = advance(&mut run, Event::StartDue, NOW).unwrap();
            is_woken = sets_start(&advanced);
            if let Some(last) = work.last_mut() {
                last.changed += advanced.units.len();
                last.actions += advanced.actions.iter().filter(|action| is_dispatch(action)).count();
            }
            queue.extend(tasks(advanced));
        }
    }
    assert_eq!(run.head.state, RunState::Succeeded);
    work
}

/// Whether steps are left to the next advance, since too many became ready at once.
fn sets_start(advanced: &Advanced) -> bool {
    advanced.actions.iter().any(|action| matches!(action, Action::Set(NOW, RunTimer::Start)))
}

fn is_dispatch(action: &Action) -> bool {
    matches!(action, Action::Dispatch(_))
}

fn tasks(advanced: Advanced) -> impl Iterator<Item = Task> {
    advanced.actions.into_iter().filter_map(|action| match action {
        Action::Dispatch(task) => Some(*task),
        _ => None,
    })
}

/// Rounds of a measurement; other work shares the processor, so the shortest time of each side counts.
const ROUNDS: usize = 40;

fn time(what: &dyn Fn()) -> Duration {
    let started = Instant::now();
    what();
    started.elapsed()
}

/// Asserts that `other` takes at most `factor` times as long as `one`. Measured in turn, until it holds.
fn assert_at_most(factor: f64, one: &dyn Fn(), other: &dyn Fn()) {
    let (mut least, mut most) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        least = least.min(time(one));
        most = most.min(time(other));
        if most <= least.mul_f64(factor) {
            return;
        }
    }
    panic!("{least:?} and {most:?}: expected at most {factor} times as long");
}

/// Twice the work may take a little more than twice as long, since it leaves the caches. Quadratic would be four.
const TWICE: f64 = 2.6;

#[test]
fn an_event_changes_the_step_it_ends_and_those_that_wait_for_it_and_no_others() {
    for (workflow, steps) in [(chain(10_000), 10_000), (fan(10_000), 10_002)] {
        let work = to_the_end(&workflow);
        assert_eq!(work.len(), steps);
        for Work { step, changed, actions } in &work {
            let dependents = workflow.graph.dependents(*step).len();
            assert!(
                *changed <= 1 + dependents,
                "{step:?} with {dependents} dependents changed {changed} steps"
            );
            // The end of the attempt, a dispatch for each dependent, and the end of the run.
            assert!(
                *actions <= 2 + dependents,
                "{step:?} with {dependents} dependents wants {actions} things"
            );
        }
        // Each step is dispatched once, by somebody else's event but for the first, and ends once.
        assert_eq!(work.iter().map(|work| work.changed).sum::<usize>(), 2 * steps - 1);
    }
}

#[test]
fn a_chain_of_twice_the_length_takes_twice_as_long() {
    let (one, two) = (chain(10_000), chain(20_000));
    assert_at_most(TWICE, &|| drop(to_the_end(&one)), &|| drop(to_the_end(&two)));
}

#[test]
fn a_fan_of_twice_the_width_takes_twice_as_long() {
    let (one, two) = (fan(10_000), fan(20_000));
    assert_at_most(TWICE, &|| drop(to_the_end(&one)), &|| drop(to_the_end(&two)));
}

#[test]
fn layers_of_twice_the_depth_take_twice_as_long() {
    let (one, two) = (layers(10_000), layers(20_000));
    assert_at_most(TWICE, &|| drop(to_the_end(&one)), &|| drop(to_the_end(&two)));
}

/// Ten times the items take at most ten times as long, and three tenths more for leaving the caches.
const TEN_TIMES: f64 = 13.0;

#[test]
fn an_item_costs_the_same_in_a_list_of_any_length() {
    let (one, ten, hundred) = (items(1_000), items(10_000), items(100_000));
    assert_at_most(TEN_TIMES, &|| drop(to_the_end(&one)), &|| drop(to_the_end(&ten)));
    assert_at_most(TEN_TIMES, &|| drop(to_the_end(&ten)), &|| drop(to_the_end(&hundred)));
}

#[test]
fn an_item_that_ends_begins_the_next_and_changes_nothing_else() {
    let (mut run, advanced) = start(&items(5_000));
    let mut queue: std::collections::VecDeque<Task> = tasks(advanced).collect();
    assert_eq!(queue.len(), 1_000);
    for _ in 0..4_000 {
        let event = succeeded(run.id, &queue.pop_front().unwrap());
        let advanced = advance(&mut run, event, NOW).unwrap();
        assert_eq!((advanced.ended_items.len(), advanced.actions.len()), (1, 2));
        queue.extend(tasks(advanced));
        assert_eq!(queue.len(), 1_000);
    }
}

#[test]
fn a_failure_that_skips_a_whole_workflow_takes_time_in_proportion() {
    let skip_all = |workflow: &Arc<Workflow>| {
        let (mut run, advanced) = start(workflow);
        let task = tasks(advanced).next().unwrap();
        let Event::Result(result) = succeeded(run.id, &task) else { unreachable!() };
        let failed = Event::Result(TaskResult { outcome: Outcome::Failed, ..result });
        let advanced = advance(&mut run, failed, NOW).unwrap();
        assert_eq!((advanced.units.len(), run.open()), (workflow.steps.len(), 0));
    };
    for make in [chain, fan] {
        let (one, two) = (make(10_000), make(20_000));
        assert_at_most(TWICE, &|| skip_all(&one), &|| skip_all(&two));
    }
}

#[test]
fn a_step_is_found_by_its_name_in_the_same_time_in_a_workflow_of_any_size() {
    let (small, big) = (chain(100), chain(20_000));
    assert_eq!(big.index_of("s19999"), Some(StepIndex(19_999)));
    assert_eq!((big.index_of("nobody"), small.index_of("s99")), (None, Some(StepIndex(99))));
    let find = |workflow: &Workflow, name: &str| {
        (0..10_000).for_each(|_| assert!(std::hint::black_box(workflow.index_of(name)).is_some()));
    };
    assert_at_most(4.0, &|| find(&small, "s99"), &|| find(&big, "s19999"));
}

/// A constant factor apart from cloning is the rest of the task; what must not be there is an expression engine.
#[test]
fn rendering_what_holds_no_expression_costs_about_what_cloning_it_does() {
    let env: Vec<String> = (0..100).map(|n| format!("NAME_{n}: \"a value of some length {n}\"")).collect();
    let source =
        format!("name: w\nsteps: [{{name: a, run: \"{}\", env: {{{}}}}}]", "x".repeat(2000), env.join(", "));
    let workflow = workflow(&source);
    let (run, advanced) = start(&workflow);
    let task = tasks(advanced).next().unwrap();
    assert_eq!(task.env.len(), 100);
    let render = || std::hint::black_box(dispatch::task(&run, StepIndex(0).into(), 1, NOW)).unwrap();
    assert_eq!(render(), task);
    // Like for like: a task is rendered into a map that is built from nothing.
    let clone = || {
        let env: BTreeMap<String, String> =
            task.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let with: Value = task.with.clone();
        std::hint::black_box((env, with))
    };
    let many = |what: &dyn Fn()| (0..200).for_each(|_| what());
    assert_at_most(3.0, &|| many(&|| drop(clone())), &|| many(&|| drop(render())));
}
