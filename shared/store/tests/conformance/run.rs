//! What is stored of runs: every field of a delta, and nothing that it does not name.

use millrace_domain::{PartitionId, RunId, StepIndex, TaskId};
use millrace_store::{
    Claim, ClaimVerdict, Dispatched, LogChunk, LogStream, NewRun, Revoke, Revoked, RunDelta, StoredRun,
    TaskRecord, Timer,
};
use uuid::Uuid;

use crate::fixture::*;

on_every_store!(
    a_run_is_loaded_as_it_was_written,
    runs_are_loaded_in_the_order_asked_for,
    a_delta_changes_only_what_it_names,
    steps_come_in_order_of_their_number,
    items_of_a_step_are_units_of_their_own,
    items_come_after_their_step_and_before_the_next,
    current_attempts_come_in_order_of_their_steps,
    a_retired_attempt_is_forgotten_with_its_result,
    retiring_another_attempt_leaves_the_current_one,
    one_commit_retires_an_attempt_and_dispatches_the_next,
    a_later_dispatch_makes_the_attempt_before_stale,
    a_change_to_a_run_that_is_not_stored_is_left_out,
    any_text_is_kept_as_it_is,
    large_values_are_kept_whole,
    the_end_of_an_item_is_kept_apart_from_its_run_and_its_record_is_forgotten,
    many_items_are_read_in_order,
    items_of_a_run_that_is_not_stored_are_left_out,
    a_history_is_read_in_order_and_from_a_number_on,
    a_run_that_is_left_out_leaves_no_history,
);

async fn a_run_is_loaded_as_it_was_written(store: Given) {
    let mut owner = Owner::of(&store, 2).await;
    let run = owner.new_run();
    let delta = RunDelta {
        create: Some(NewRun {
            created_at: at(123),
            workflow: workflow("daily-sales"),
            keyed: true,
            definition: "{\"v\":1}".into(),
        }),
        head: Some("{\"state\":\"queued\"}".into()),
        steps: vec![(unit(0), "a".into()), (unit(1), "b".into())],
        dispatched: vec![dispatched(0, 1)],
        ..RunDelta::new(run)
    };
    owner.commit(vec![delta]).await;
    let expected = StoredRun {
        head: "{\"state\":\"queued\"}".into(),
        definition: "{\"v\":1}".into(),
        steps: vec![(unit(0), "a".into()), (unit(1), "b".into())],
        tasks: vec![(unit(0), 1, TaskRecord::Queued { dispatched_at: at(2_000), lane: lane() })],
        unknown: Vec::new(),
    };
    assert_eq!(load(&store, run).await, Some(expected));
}

async fn runs_are_loaded_in_the_order_asked_for(store: Given) {
    let mut runs = Vec::new();
    for partition in 0..3 {
        let mut owner = Owner::of(&store, partition).await;
        for _ in 0..2 {
            let run = owner.new_run();
            let head = Some(run.to_string());
            owner.commit(vec![RunDelta { head, ..created(run) }]).await;
            runs.push(run);
        }
    }
    let missing = RunId::new(Uuid::new_v4(), PartitionId(1));
    let asked = [runs[5], runs[0], missing, runs[3], runs[0]];
    let loaded = store.load_runs(&asked).await.unwrap();
    let heads: Vec<_> = loaded.into_iter().map(|run| run.map(|run| run.head)).collect();
    let expected = asked.map(|run| (run != missing).then(|| run.to_string()));
    assert_eq!(heads, expected);
    assert_eq!(store.load_runs(&[]).await.unwrap(), []);
}

async fn a_delta_changes_only_what_it_names(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let run = owner.new_run();
    let steps = vec![(unit(0), "a".into()), (unit(1), "b".into())];
    owner.commit(vec![RunDelta { steps, ..created(run) }]).await;
    let created = load(&store, run).await.unwrap();

    let steps = vec![(unit(1), "c".into()), (unit(2), "d".into())];
    owner.commit(vec![RunDelta { steps, ..RunDelta::new(run) }]).await;
    let stepped = load(&store, run).await.unwrap();
    assert_eq!((&stepped.head, &stepped.definition), (&created.head, &created.definition));
    assert_eq!(stepped.steps, [(unit(0), "a".into()), (unit(1), "c".into()), (unit(2), "d".to_owned())]);

    owner.commit(vec![RunDelta { head: Some("new".into()), ..RunDelta::new(run) }]).await;
    let expected = StoredRun { head: "new".into(), ..stepped };
    assert_eq!(load(&store, run).await, Some(expected.clone()));

    owner.commit(vec![RunDelta::new(run)]).await;
    owner.commit(vec![RunDelta { expires_at: Some(at(1 << 42)), ..RunDelta::new(run) }]).await;
    assert_eq!(load(&store, run).await, Some(expected));
}

async fn steps_come_in_order_of_their_number(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let run = owner.new_run();
    let numbers = [10, 2, 0, 100, 1_000, 9, 11];
    let steps = numbers.iter().map(|step| (unit(*step), step.to_string())).collect();
    owner.commit(vec![RunDelta { steps, ..created(run) }]).await;
    let stored: Vec<_> = load(&store, run).await.unwrap().steps.iter().map(|(unit, _)| unit.step.0).collect();
    assert_eq!(stored, [0, 2, 9, 10, 11, 100, 1_000]);
}

async fn current_attempts_come_in_order_of_their_steps(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let run = owner.new_run();
    let dispatched = [10, 2, 0].map(|step| dispatched(step, step + 1)).to_vec();
    owner.commit(vec![RunDelta { dispatched, ..created(run) }]).await;
    let queued = TaskRecord::Queued { dispatched_at: at(2_000), lane: lane() };
    assert_eq!(
        load(&store, run).await.unwrap().tasks,
        [(unit(0), 1, queued.clone()), (unit(2), 3, queued.clone()), (unit(10), 11, queued)]
    );
}

async fn a_retired_attempt_is_forgotten_with_its_result(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let task = owner.finished("{}").await.task;
    owner.commit(vec![RunDelta { retired: vec![(task.unit, 1)], ..RunDelta::new(task.run) }]).await;
    assert_eq!(stands(&store, task).await, None);
    assert_eq!(load(&store, task.run).await.unwrap().tasks, []);
    assert_eq!(watched(&store, owner.partition).await, []);
}

async fn retiring_another_attempt_leaves_the_current_one(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let task = owner.queued().await;
    let retired = vec![(task.unit, 2), (unit(8), 1)];
    owner.commit(vec![RunDelta { retired, ..RunDelta::new(task.run) }]).await;
    assert!(stands(&store, task).await.is_some());
    assert_eq!(watched(&store, owner.partition).await, [(at(3_000), task)]);
}

async fn one_commit_retires_an_attempt_and_dispatches_the_next(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let old = owner.finished("{}").await.task;
    let delta = RunDelta {
        retired: vec![(old.unit, 1)],
        dispatched: vec![dispatched(0, 2)],
        ..RunDelta::new(old.run)
    };
    owner.commit(vec![delta]).await;
    let new = task(old.run, 0, 2);
    let queued = TaskRecord::Queued { dispatched_at: at(2_000), lane: lane() };
    assert_eq!(store.tasks(&[old, new]).await.unwrap(), [None, Some(queued)]);
    assert_eq!(watched(&store, owner.partition).await, [(at(3_000), new)]);
}

async fn a_later_dispatch_makes_the_attempt_before_stale(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let old = owner.claimed().await.task;
    owner.commit(vec![RunDelta { dispatched: vec![dispatched(0, 2)], ..RunDelta::new(old.run) }]).await;
    let queued = TaskRecord::Queued { dispatched_at: at(2_000), lane: lane() };
    assert_eq!(store.tasks(&[old, task(old.run, 0, 2)]).await.unwrap(), [None, Some(queued)]);
}

async fn a_change_to_a_run_that_is_not_stored_is_left_out(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let run = owner.new_run();
    let delta = RunDelta {
        head: Some("head".into()),
        steps: vec![(unit(0), "record".into())],
        dispatched: vec![dispatched(0, 1)],
        timers: vec![(at(1), Timer::RunTimeout(run))],
        expires_at: Some(at(1 << 42)),
        ..RunDelta::new(run)
    };
    let there = owner.new_run();
    owner.commit(vec![delta, created(there)]).await;
    assert_eq!(load(&store, run).await, None);
    assert!(load(&store, there).await.is_some());
    assert_eq!(watched(&store, owner.partition).await, []);
    assert_eq!(store.timers(owner.partition, None, 10).await.unwrap(), []);
    owner.commit(vec![created(run)]).await;
}

async fn any_text_is_kept_as_it_is(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let texts =
        ["", "分片 ✓ 🏞️", "a|b:c,d", "line\nline\r\n\ttab", "nul\0in the middle", "\u{feff}\"'\\%_?1"];
    for text in texts {
        let run = owner.new_run();
        let mut delta = created(run);
        delta.head = Some(text.into());
        delta.steps.push((unit(0), text.into()));
        if let Some(new) = &mut delta.create {
            new.definition = text.into();
        }
        delta.dispatched.push(dispatched(1, 1));
        owner.commit(vec![delta]).await;
        let claim = millrace_store::Claim { task: task(run, 1, 1), token: token(), session: session() };
        claim_one(&store, &claim).await;
        finish_one(&store, &claim, text).await;
        let expected = StoredRun {
            head: text.into(),
            definition: text.into(),
            steps: vec![(unit(0), text.into())],
            tasks: vec![(unit(1), 1, finished(text))],
            unknown: Vec::new(),
        };
        assert_eq!(load(&store, run).await, Some(expected));
    }
}

async fn large_values_are_kept_whole(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let run = owner.new_run();
    let large = "水 ".repeat(1 << 18);
    let mut delta = created(run);
    delta.head = Some(large.clone());
    delta.steps.push((unit(0), large.clone()));
    if let Some(new) = &mut delta.create {
        new.definition = large.clone();
    }
    owner.commit(vec![delta]).await;
    let stored = load(&store, run).await.unwrap();
    assert!(stored.head == large && stored.definition == large && stored.steps[0].1 == large);
}

async fn items_of_a_step_are_units_of_their_own(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let run = owner.new_run();
    let units = [unit(4), item(4, 0), item(4, 1), item(4, 99_999), unit(0)];
    let tasks = units.map(|unit| TaskId { run, unit, attempt: 1 });
    let mut delta = created(run);
    delta.dispatched = units.map(|unit| Dispatched { unit, ..dispatched(0, 1) }).to_vec();
    delta.steps = units.map(|unit| (unit, format!("record of {unit}"))).to_vec();
    owner.commit(vec![delta]).await;
    assert_eq!(watched(&store, owner.partition).await.len(), 5);

    // One is claimed and ends, one is taken back, one is retired: the others stand as they stood.
    let [_, claimed, unclaimed, retired, _] = tasks;
    let claim = Claim { task: claimed, token: token(), session: session() };
    assert_eq!(claim_one(&store, &claim).await, ClaimVerdict::Granted);
    finish_one(&store, &claim, "its result").await;
    let taken = store.revoke(owner.partition, owner.epoch, &[(unclaimed, Revoke::Unclaimed)]).await.unwrap();
    assert_eq!(taken, [Revoked::Unclaimed]);
    let retire = RunDelta { retired: vec![(retired.unit, 1)], ..RunDelta::new(run) };
    owner.commit(vec![RunDelta { steps: vec![(retired.unit, "over".into())], ..retire }]).await;

    let queued = Some(TaskRecord::Queued { dispatched_at: at(2_000), lane: lane() });
    let ended = Some(finished("its result"));
    let stand = store.tasks(&tasks).await.unwrap();
    let unclaimed = Some(TaskRecord::Revoked { dispatched_at: Some(at(2_000)), unclaimed: true });
    assert_eq!(stand, [queued.clone(), ended, unclaimed, None, queued]);
    let records = load(&store, run).await.unwrap().steps;
    let over = records.iter().filter(|(_, record)| record == "over").map(|(unit, _)| *unit);
    assert_eq!(over.collect::<Vec<_>>(), [retired.unit]);
    assert_eq!(watched(&store, owner.partition).await.len(), 4);

    // Each has a log.
    for task in tasks {
        let chunk = LogChunk { at: at(1), stream: LogStream::Stdout, text: format!("{}", task.unit) };
        store.append_log(task, &[chunk], 100).await.unwrap();
    }
    for task in tasks {
        let log = store.read_log(task, 0, 10).await.unwrap();
        assert_eq!(log.into_iter().map(|chunk| chunk.text).collect::<Vec<_>>(), [task.unit.to_string()]);
    }
}

async fn items_come_after_their_step_and_before_the_next(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let run = owner.new_run();
    let units = [unit(3), item(3, 0), item(3, 2), item(3, 10), unit(4), item(10, 1), unit(11)];
    let mut delta = created(run);
    delta.steps = units.iter().rev().map(|unit| (*unit, unit.to_string())).collect();
    delta.dispatched = units.map(|unit| Dispatched { unit, ..dispatched(0, 2) }).to_vec();
    owner.commit(vec![delta]).await;
    let stored = load(&store, run).await.unwrap();
    assert_eq!(stored.steps.iter().map(|(unit, _)| *unit).collect::<Vec<_>>(), units);
    assert_eq!(stored.tasks.iter().map(|(unit, ..)| *unit).collect::<Vec<_>>(), units);
}

async fn the_end_of_an_item_is_kept_apart_from_its_run_and_its_record_is_forgotten(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let run = owner.new_run();
    let steps = vec![(unit(1), "fanned".into()), (item(1, 0), "open".into()), (item(1, 2), "open".into())];
    let apart = vec![(StepIndex(1), "[1,2,3]".to_owned())];
    owner.commit(vec![RunDelta { steps, apart, ..created(run) }]).await;
    assert_eq!(store.apart(run, StepIndex(1)).await.unwrap().as_deref(), Some("[1,2,3]"));
    assert_eq!(store.apart(run, StepIndex(0)).await.unwrap(), None);
    assert_eq!(store.items(run, StepIndex(1), 0..3).await.unwrap(), [None, None, None]);

    let ended_items = vec![(item(1, 2), "ended".into()), (item(1, 1), "and this".into())];
    owner.commit(vec![RunDelta { ended_items, ..RunDelta::new(run) }]).await;
    let steps: Vec<_> = load(&store, run).await.unwrap().steps;
    assert_eq!(steps, [(unit(1), "fanned".into()), (item(1, 0), "open".to_owned())]);
    let ends = store.items(run, StepIndex(1), 0..4).await.unwrap();
    assert_eq!(ends, [None, Some("and this".into()), Some("ended".to_owned()), None]);
    assert_eq!(store.items(run, StepIndex(1), 2..3).await.unwrap(), [Some("ended".to_owned())]);
    assert_eq!(store.items(run, StepIndex(0), 1..2).await.unwrap(), [None]);
    let missing = RunId::new(Uuid::new_v4(), PartitionId(0));
    assert_eq!(store.items(missing, StepIndex(1), 1..2).await.unwrap(), [None]);
}

async fn many_items_are_read_in_order(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let run = owner.new_run();
    let ended_items = (0..2_500).map(|place| (item(0, place), place.to_string())).collect();
    owner.commit(vec![RunDelta { ended_items, ..created(run) }]).await;
    let ends = store.items(run, StepIndex(0), 3..2_501).await.unwrap();
    let expected: Vec<_> = (3..2_500).map(|place| Some(place.to_string())).chain([None]).collect();
    assert_eq!(ends, expected);
}

async fn items_of_a_run_that_is_not_stored_are_left_out(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let (run, other) = (owner.new_run(), owner.new_run());
    let ended_items = vec![(item(0, 0), "ended".to_owned())];
    let apart = vec![(StepIndex(0), "[1]".to_owned())];
    let delta = RunDelta { ended_items, apart, ..RunDelta::new(run) };
    owner.commit(vec![delta, created(other)]).await;
    assert_eq!(store.items(run, StepIndex(0), 0..1).await.unwrap(), [None]);
    assert_eq!(store.apart(run, StepIndex(0)).await.unwrap(), None);
    assert!(load(&store, other).await.is_some());
}

async fn a_history_is_read_in_order_and_from_a_number_on(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let (run, other) = (owner.new_run(), owner.new_run());
    let entries =
        |numbers: std::ops::Range<u64>| numbers.map(|n| (n, format!("entry {n}"))).collect::<Vec<_>>();
    owner.commit(vec![RunDelta { history: entries(2..4), ..created(run) }, created(other)]).await;
    // Two changes of one commit, and many entries.
    let one = RunDelta { history: entries(9..10), ..RunDelta::new(run) };
    let two = RunDelta { history: entries(10..2_500), ..RunDelta::new(run) };
    owner.commit(vec![one, two]).await;
    let all: Vec<_> = entries(2..4).into_iter().chain(entries(9..2_500)).collect();
    assert_eq!(store.history(run, 0, 10_000).await.unwrap(), all);
    assert_eq!(store.history(run, 2, 2).await.unwrap(), [all[1].clone(), all[2].clone()]);
    assert_eq!(store.history(run, 3, 1_500).await.unwrap(), all[2..1_502]);
    assert_eq!(store.history(run, 2_499, 10).await.unwrap(), []);
    assert_eq!(store.history(other, 0, 10).await.unwrap(), []);
    assert_eq!(load(&store, run).await.unwrap().steps, [], "it is kept apart from the run");
}

async fn a_run_that_is_left_out_leaves_no_history(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let (run, missing) = (owner.new_run(), owner.new_run());
    let history = |text: &str| vec![(2, text.to_owned())];
    owner.commit(vec![created(run)]).await;
    let again = RunDelta { history: history("of another"), ..created(run) };
    let gone = RunDelta { history: history("of nobody"), ..RunDelta::new(missing) };
    let next = owner.next(vec![again, gone]);
    let verdict = millrace_store::Verdict::Applied { duplicates: vec![run] };
    assert_eq!(owner.send(&next).await, verdict);
    assert_eq!(store.history(run, 0, 10).await.unwrap(), []);
    assert_eq!(store.history(missing, 0, 10).await.unwrap(), []);
    owner.commit(vec![created(missing)]).await;
    assert_eq!(store.history(missing, 0, 10).await.unwrap(), []);
}
