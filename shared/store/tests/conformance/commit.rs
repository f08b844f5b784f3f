//! Commits: the fence, sending again, creating what exists, many at once.

use millrace_domain::{Epoch, PartitionId, Seq, TriggerId};
use millrace_store::{ClaimVerdict, RunDelta, TaskRecord, Timer, Verdict};

use crate::fixture::*;

on_every_store!(
    commits_follow_one_another,
    a_commit_to_a_partition_that_nobody_ever_took_is_refused,
    another_epoch_is_refused_and_told_which_one_holds,
    a_seq_that_does_not_follow_is_refused,
    a_refused_commit_changes_nothing,
    the_last_commit_sent_again_answers_the_same_and_changes_nothing,
    the_last_commit_sent_again_names_its_duplicates_again,
    an_older_commit_sent_again_is_refused,
    a_commit_of_the_epoch_before_is_refused_even_with_the_right_seq,
    a_run_that_exists_is_not_created_again,
    a_run_created_twice_in_one_commit_is_created_once,
    a_run_is_created_and_changed_in_one_commit,
    commits_to_several_partitions_answer_in_order,
    two_commits_to_one_partition_go_in_order,
    no_commits_no_verdicts,
    a_thousand_runs_are_created_by_one_commit,
    commits_at_the_same_time_under_one_seq_apply_once,
);

async fn commits_follow_one_another(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    for _ in 0..5 {
        let run = owner.new_run();
        owner.commit(vec![created(run)]).await;
        assert!(load(&store, run).await.is_some());
    }
    assert_eq!(owner.seq, Seq(5));
}

async fn a_commit_to_a_partition_that_nobody_ever_took_is_refused(store: Given) {
    let mut nobody = Owner::of(&store, 0).await;
    nobody.partition = PartitionId(7);
    nobody.epoch = Epoch(0);
    let run = nobody.new_run();
    let commit = nobody.next(vec![created(run)]);
    assert_eq!(nobody.send(&commit).await, Verdict::Fenced { epoch: Epoch(0), seq: Seq(0) });
    assert_eq!(load(&store, run).await, None);
}

async fn another_epoch_is_refused_and_told_which_one_holds(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    owner.commit(vec![]).await;
    for epoch in [Epoch(0), Epoch(owner.epoch.0 - 1), Epoch(owner.epoch.0 + 1)] {
        for seq in [Seq(0), Seq(1), Seq(2)] {
            let mut commit = owner.clone().next(vec![]);
            (commit.epoch, commit.seq) = (epoch, seq);
            let refused = Verdict::Fenced { epoch: owner.epoch, seq: Seq(1) };
            assert_eq!(owner.send(&commit).await, refused);
        }
    }
    owner.commit(vec![]).await;
}

async fn a_seq_that_does_not_follow_is_refused(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    for seq in [Seq(0), Seq(2), Seq(1 << 40)] {
        let mut commit = owner.clone().next(vec![]);
        commit.seq = seq;
        assert_eq!(owner.send(&commit).await, Verdict::Fenced { epoch: owner.epoch, seq: Seq(0) });
    }
    owner.commit(vec![]).await;
    let mut commit = owner.clone().next(vec![]);
    commit.seq = Seq(3);
    assert_eq!(owner.send(&commit).await, Verdict::Fenced { epoch: owner.epoch, seq: Seq(1) });
}

async fn a_refused_commit_changes_nothing(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let task = owner.queued().await;
    let before = load(&store, task.run).await;
    let new = owner.new_run();
    let change = RunDelta {
        head: Some("changed".into()),
        steps: vec![(unit(0), "changed".into())],
        dispatched: vec![dispatched(1, 1)],
        retired: vec![(task.unit, task.attempt)],
        timers: vec![(at(1), Timer::RunTimeout(task.run))],
        ..RunDelta::new(task.run)
    };
    let mut commit = owner.clone().next(vec![change, created(new)]);
    commit.epoch = Epoch(owner.epoch.0 - 1);
    commit.timers.push((at(5), Timer::Fire(workflow("daily"), TriggerId(0))));
    assert!(matches!(owner.send(&commit).await, Verdict::Fenced { .. }));
    assert_eq!(load(&store, task.run).await, before);
    assert_eq!(load(&store, new).await, None);
    assert_eq!(store.timers(owner.partition, None, 10).await.unwrap(), []);
    assert_eq!(watched(&store, owner.partition).await, [(at(3_000), task)]);
}

async fn the_last_commit_sent_again_answers_the_same_and_changes_nothing(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let run = owner.new_run();
    let mut delta = created(run);
    delta.dispatched.push(dispatched(0, 1));
    let commit = owner.next(vec![delta]);
    assert_eq!(owner.send(&commit).await, applied());
    // The reply is lost, and a worker is faster than the second sending.
    let claim = millrace_store::Claim { task: task(run, 0, 1), token: token(), session: session() };
    assert_eq!(claim_one(&store, &claim).await, ClaimVerdict::Granted);
    for _ in 0..3 {
        assert_eq!(owner.send(&commit).await, applied());
    }
    assert!(matches!(stands(&store, claim.task).await, Some(TaskRecord::Claimed { .. })));
    owner.commit(vec![]).await;
}

async fn the_last_commit_sent_again_names_its_duplicates_again(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let (known, also_known) = (owner.new_run(), owner.new_run());
    owner.commit(vec![created(known), created(also_known)]).await;
    let commit = owner.next(vec![created(also_known), created(owner.new_run()), created(known)]);
    let verdict = Verdict::Applied { duplicates: vec![also_known, known] };
    assert_eq!(owner.send(&commit).await, verdict);
    assert_eq!(owner.send(&commit).await, verdict);
    owner.commit(vec![]).await;
}

async fn an_older_commit_sent_again_is_refused(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let first = owner.next(vec![]);
    assert_eq!(owner.send(&first).await, applied());
    owner.commit(vec![]).await;
    assert_eq!(owner.send(&first).await, Verdict::Fenced { epoch: owner.epoch, seq: Seq(2) });
}

async fn a_commit_of_the_epoch_before_is_refused_even_with_the_right_seq(store: Given) {
    let mut old = Owner::of(&store, 0).await;
    old.commit(vec![]).await;
    let late = old.next(vec![]);
    let mut new = Owner::take(&store, 0, old.id, LONG_MS).await;
    new.commit(vec![]).await;
    assert_eq!(old.send(&late).await, Verdict::Fenced { epoch: new.epoch, seq: Seq(1) });
    new.commit(vec![]).await;
}

async fn a_run_that_exists_is_not_created_again(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let known = owner.queued().await;
    let before = load(&store, known.run).await;
    let mut again = created(known.run);
    again.head = Some("another".into());
    again.steps.push((unit(3), "another".into()));
    again.dispatched.push(dispatched(0, 2));
    again.retired.push((unit(0), 1));
    again.timers.push((at(9), Timer::RunTimeout(known.run)));
    again.expires_at = Some(at(10));
    let (left, right) = (owner.new_run(), owner.new_run());
    let commit = owner.next(vec![created(left), again, created(right)]);
    assert_eq!(owner.send(&commit).await, Verdict::Applied { duplicates: vec![known.run] });
    assert_eq!(load(&store, known.run).await, before);
    assert_eq!(store.timers(owner.partition, None, 10).await.unwrap(), []);
    assert!(load(&store, left).await.is_some() && load(&store, right).await.is_some());
    assert_eq!(store.expire(owner.partition, at(i64::from(u32::MAX)), 0).await.unwrap(), 0);
}

async fn a_run_created_twice_in_one_commit_is_created_once(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let run = owner.new_run();
    let mut second = created(run);
    second.head = Some("second".into());
    second.steps.push((unit(0), "second".into()));
    let commit = owner.next(vec![created(run), second]);
    let verdict = Verdict::Applied { duplicates: vec![run] };
    assert_eq!(owner.send(&commit).await, verdict);
    assert_eq!(owner.send(&commit).await, verdict);
    let stored = load(&store, run).await.unwrap();
    assert_eq!((stored.head, stored.steps), (created(run).head.unwrap(), vec![]));
}

async fn a_run_is_created_and_changed_in_one_commit(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let run = owner.new_run();
    let change = RunDelta { head: Some("changed".into()), ..RunDelta::new(run) };
    owner.commit(vec![created(run), change]).await;
    assert_eq!(load(&store, run).await.unwrap().head, "changed");
}

async fn commits_to_several_partitions_answer_in_order(store: Given) {
    let mut commits = Vec::new();
    let mut expected = Vec::new();
    let mut runs = Vec::new();
    for partition in [5, 0, 3, 1, 4, 2] {
        let mut owner = Owner::of(&store, partition).await;
        let run = owner.new_run();
        let mut commit = owner.next(vec![created(run)]);
        if partition % 2 == 0 {
            commit.seq = Seq(5);
            expected.push(Verdict::Fenced { epoch: owner.epoch, seq: Seq(0) });
        } else {
            expected.push(applied());
        }
        commits.push(commit);
        runs.push(run);
    }
    assert_eq!(store.commit(&commits).await.unwrap(), expected);
    let stored = store.load_runs(&runs).await.unwrap();
    for (run, verdict) in stored.iter().zip(&expected) {
        assert_eq!(run.is_some(), *verdict == applied());
    }
    assert_eq!(store.commit(&commits).await.unwrap(), expected);
}

async fn two_commits_to_one_partition_go_in_order(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let run = owner.new_run();
    let first = owner.next(vec![created(run)]);
    let change = RunDelta { head: Some("second".into()), ..RunDelta::new(run) };
    let second = owner.next(vec![change]);
    assert_eq!(store.commit(&[first, second]).await.unwrap(), [applied(), applied()]);
    assert_eq!(load(&store, run).await.unwrap().head, "second");
}

async fn no_commits_no_verdicts(store: Given) {
    assert_eq!(store.commit(&[]).await.unwrap(), []);
}

async fn a_thousand_runs_are_created_by_one_commit(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let runs: Vec<_> = (0..1_000).map(|_| owner.new_run()).collect();
    let deltas = runs.iter().map(|run| {
        let mut delta = created(*run);
        delta.steps = vec![(unit(0), "queued".into()), (unit(1), "waiting".into())];
        delta.dispatched.push(dispatched(0, 1));
        delta.timers.push((at(50), Timer::RunTimeout(*run)));
        delta
    });
    owner.commit(deltas.collect()).await;
    let stored = store.load_runs(&runs).await.unwrap();
    assert_eq!(stored.len(), 1_000);
    assert!(stored.iter().flatten().all(|run| run.steps.len() == 2 && run.tasks.len() == 1));
    assert_eq!(stored.iter().flatten().count(), 1_000);
    assert_eq!(watched(&store, owner.partition).await.len(), 1_000);
    assert_eq!(store.timers(owner.partition, None, 2_000).await.unwrap().len(), 1_000);

    let commit = owner.next(runs.iter().map(|run| created(*run)).collect());
    assert_eq!(owner.send(&commit).await, Verdict::Applied { duplicates: runs });
}

async fn commits_at_the_same_time_under_one_seq_apply_once(store: Given) {
    let mut owner = Owner::of(&store, 0).await;
    let run = owner.new_run();
    let commit = owner.next(vec![created(run)]);
    let sendings = futures_util::future::join_all((0..20).map(|_| owner.send(&commit))).await;
    assert!(sendings.iter().all(|verdict| *verdict == applied()), "{sendings:?}");
}
