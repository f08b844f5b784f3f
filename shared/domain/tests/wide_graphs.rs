//! Graphs in which thousands of steps become ready at once: each advance begins some of them, and the start timer of the run
//! begins the rest, so that no commit grows with the width of a graph.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its small functions too")]

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write;
use std::sync::Arc;

use millrace_domain::definition::{self, Workflow};
use millrace_domain::run::{
    Action, Advanced, Blocker, Event, Head, Mover, Refusal, Run, RunState, RunTimer, Source, Spec, Trigger,
    advance, create,
};
use millrace_domain::task::{Task, TaskResult};
use millrace_domain::{Outcome, RunId, StepIndex, Timestamp, WorkflowId};
use serde_json::{Map, json};

const NOW: Timestamp = Timestamp::from_millis(1_772_407_800_000);

/// The steps that an advance begins at once.
const AT_ONCE: usize = 2_500;

/// `count` steps beside each other, each with these fields, one that waits for them all, and a hook of the run.
fn star(count: usize, fields: &str) -> Arc<Workflow> {
    let mut source = String::from("name: star\nsteps:\n");
    for n in 0..count {
        let _ = writeln!(source, "  - {{name: s{n}, run: x{fields}}}");
    }
    let all: Vec<String> = (0..count).map(|n| format!("s{n}")).collect();
    let _ = writeln!(source, "  - {{name: last, run: x, depends_on: [{}]}}", all.join(", "));
    source.push_str("on_finish:\n  - {name: tell, run: x}\n");
    Arc::new(definition::parse(&source, "w.yaml").unwrap().remove(0).workflow)
}

fn created(workflow: &Arc<Workflow>) -> (Run, Advanced) {
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

/// The tasks that an advance dispatches, and whether it leaves steps to the start timer.
fn tasks(advanced: Advanced) -> (Vec<Task>, bool) {
    let (mut tasks, mut is_set) = (Vec::new(), false);
    for action in advanced.actions {
        match action {
            Action::Dispatch(task) => tasks.push(*task),
            Action::Set(at, RunTimer::Start) => {
                assert_eq!(at, NOW, "the rest begins at once");
                is_set = true;
            }
            _ => {}
        }
    }
    (tasks, is_set)
}

fn succeeded(task: &Task) -> Event {
    Event::Result(TaskResult {
        run: task.run,
        step: task.index,
        item: None,
        attempt: task.attempt,
        outcome: Outcome::Succeeded,
        started_at: NOW,
        ended_at: NOW,
        code: Some(0),
        reason: None,
        outputs: Map::new(),
        retry_after_ms: None,
        is_typed: false,
        worker: String::new(),
    })
}

/// The run as the next owner restores it, from the records of all its units and the attempts that are with the fleet.
fn restored(run: &Run) -> Run {
    let units = (0..run.steps.len()).map(|step| StepIndex::from(step).into());
    let records: Vec<_> = units.filter_map(|unit| Some((unit, run.unit_record(unit)?))).collect();
    let attempts: Vec<_> =
        run.dispatched().map(|(unit, one)| (unit, one.attempt, one.dispatched_at)).collect();
    let (workflow, spec) = (Arc::clone(&run.workflow), Arc::clone(&run.spec));
    Run::restore(run.id, workflow, spec, &run.head_record(), &records, &attempts).unwrap()
}

#[test]
fn steps_that_become_ready_at_once_begin_by_and_by_and_each_once() {
    let (mut run, advanced) = created(&star(6_500, ""));
    let (mut queue, mut is_set) = tasks(advanced);
    assert_eq!((queue.len(), is_set), (AT_ONCE, true));
    let mut begun: BTreeSet<u32> = queue.iter().map(|task| task.index.0).collect();
    assert_eq!(begun.last(), Some(&2_499), "in the order of the definition");
    let mut waves = 1;
    while is_set {
        // The owner may have changed meanwhile, and results come in between.
        run = restored(&run);
        let ends = queue.pop().unwrap();
        assert_eq!(tasks(advance(&mut run, succeeded(&ends), NOW).unwrap()), (Vec::new(), false));
        let (more, again) = tasks(advance(&mut run, Event::StartDue, NOW).unwrap());
        assert!(
            more.len() <= AT_ONCE && more.iter().all(|task| begun.insert(task.index.0)),
            "each begins once"
        );
        queue.extend(more);
        (is_set, waves) = (again, waves + 1);
    }
    assert_eq!((begun.len(), waves), (6_500, 3));
    assert_eq!(advance(&mut run, Event::StartDue, NOW).unwrap_err(), Refusal::RunNotWaiting, "none is left");
    while let Some(task) = queue.pop() {
        queue.extend(tasks(advance(&mut run, succeeded(&task), NOW).unwrap()).0);
    }
    assert_eq!((run.head.state, run.open()), (RunState::Succeeded, 0));
}

#[test]
fn a_step_that_is_left_to_the_next_advance_says_what_moves_it() {
    let (run, _) = created(&star(6_000, ""));
    let (begun, held_over) = (StepIndex(0).into(), StepIndex(5_999).into());
    assert_eq!(run.mover_of(begun), Some(Mover::Attempt { unit: begun, attempt: 1 }));
    assert_eq!(run.mover_of(held_over), Some(Mover::Timer(RunTimer::Start)));
    let blockers = run.blockers(held_over, NOW);
    assert!(
        matches!(&blockers[..], [Blocker::Time { until: NOW, what }] if what.contains("many steps")),
        "{blockers:?}"
    );
    assert_eq!(run.horizon(RunTimer::Start, NOW), Some(NOW), "a clock that was ahead does not keep it");
}

#[test]
fn a_run_that_is_stopped_meanwhile_begins_none_of_the_rest() {
    let (mut run, advanced) = created(&star(6_000, ""));
    let (queue, _) = tasks(advanced);
    advance(&mut run, Event::Cancel { reason: "enough".into() }, NOW).unwrap();
    assert_eq!(advance(&mut run, Event::StartDue, NOW).unwrap_err(), Refusal::RunNotWaiting);
    assert!(
        run.head.stopping.is_some() && run.open() as usize == queue.len() + 1,
        "those that run, and the hook"
    );
}

#[test]
fn steps_that_end_without_an_attempt_hold_no_others_up() {
    let (mut run, advanced) = created(&star(6_000, ", if: \"false\""));
    let (mut queue, is_set) = tasks(advanced);
    assert!(!is_set && queue.len() == 1, "all are skipped, and with them the last: the hook has its turn");
    assert!(tasks(advance(&mut run, succeeded(&queue.remove(0)), NOW).unwrap()).0.is_empty());
    assert_eq!(run.head.state, RunState::Succeeded);
}

/// A workflow of these steps.
fn of(steps: &str) -> Arc<Workflow> {
    Arc::new(definition::parse(&format!("name: w\nsteps:\n{steps}"), "w.yaml").unwrap().remove(0).workflow)
}

/// Runs a workflow to its end, all tasks succeeding and `a` giving large outputs, and what is wanted lent as its owner lends
/// it. Answers how often its start timer went off.
fn to_the_end(workflow: &Arc<Workflow>) -> usize {
    let (mut run, advanced) = created(workflow);
    let large = Arc::new(json!({"text": "x".repeat(100_000)}));
    let mut timers: VecDeque<RunTimer> = set(&advanced);
    let mut queue: VecDeque<Task> = tasks(advanced).0.into();
    let mut starts = 0;
    while !run.head.state.is_terminal() {
        let event = match (timers.pop_front(), queue.pop_front()) {
            (Some(timer), task) => {
                queue.extend(task);
                starts += usize::from(timer == RunTimer::Start);
                match timer {
                    RunTimer::Start => Event::StartDue,
                    RunTimer::Retry(unit) => Event::RetryDue { unit },
                    other => panic!("{other:?}"),
                }
            }
            (None, Some(task)) => match succeeded(&task) {
                Event::Result(result) if task.step.as_str() == "a" => {
                    Event::Result(TaskResult { outputs: large.as_object().unwrap().clone(), ..result })
                }
                event => event,
            },
            (None, None) => panic!("{} steps are left, and nothing moves them", run.open()),
        };
        for step in run.wants_lent(&event) {
            run.lend(step, Arc::clone(&large));
        }
        // A timer that was set twice is there once, and one may come when its step has begun.
        if let Ok(advanced) = advance(&mut run, event, NOW) {
            timers.extend(set(&advanced));
            queue.extend(tasks(advanced).0);
        }
        run.take_back_lent();
    }
    assert_eq!((run.head.state, run.open()), (RunState::Succeeded, 0));
    starts
}

/// The timers that an advance sets, all to now.
fn set(advanced: &Advanced) -> VecDeque<RunTimer> {
    let timer = |action: &Action| match action {
        Action::Set(NOW, timer) => Some(*timer),
        _ => None,
    };
    advanced.actions.iter().filter_map(timer).collect()
}

#[test]
fn what_is_left_goes_on_where_some_of_the_next_end_without_an_attempt() {
    let mut steps = String::new();
    for n in 0..7_500 {
        let condition = if n < AT_ONCE { "" } else { ", if: \"false\"" };
        let _ = writeln!(steps, "  - {{name: s{n}, run: x{condition}}}");
    }
    to_the_end(&of(&steps));
    let mut steps = String::new();
    for n in 0..9_000 {
        let condition = if n % 3 == 0 { ", if: \"false\"" } else { "" };
        let _ = writeln!(steps, "  - {{name: s{n}, run: x{condition}}}");
    }
    assert!(to_the_end(&of(&steps)) > 1);
}

#[test]
fn steps_that_have_to_be_lent_outputs_are_woken_wherever_the_limit_falls() {
    let user = |n: usize, on: &str| {
        format!(
            "  - {{name: s{n}, run: x, depends_on: [{on}], env: {{T: \"${{{{ outputs.a.text | length }}}}\"}}}}\n"
        )
    };
    // Behind so many that do not use them.
    let mut steps = String::from("  - {name: a, run: x}\n");
    for n in 0..2_600 {
        let _ = writeln!(steps, "  - {{name: p{n}, run: x, depends_on: [a]}}");
    }
    (0..10).for_each(|n| steps.push_str(&user(n, "a")));
    assert!(to_the_end(&of(&steps)) > 0);
    // After one for which they were lent.
    let mut steps = String::from("  - {name: a, run: x}\n");
    steps.push_str(&user(9_999, "a"));
    (0..3_000).for_each(|n| steps.push_str(&user(n, "s9999")));
    to_the_end(&of(&steps));
}
