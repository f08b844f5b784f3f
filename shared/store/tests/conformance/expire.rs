//! Forgetting finished runs.

use millrace_domain::{PartitionId, RunId, StepIndex, Timestamp};
use millrace_store::{Claim, ClaimVerdict, Dispatched, LogChunk, LogStream, RunDelta, RunQuery, Timer};

use crate::fixture::*;

on_every_store!(
    runs_older_than_the_limit_are_forgotten,
    runs_beyond_the_number_to_keep_are_forgotten_the_first_to_expire_first,
    a_run_that_has_not_ended_is_never_forgotten,
    a_keyed_run_stays_for_a_day,
    a_keyed_run_stays_for_a_day_though_it_expired,
    young_keyed_runs_do_not_keep_others,
    all_of_a_run_is_forgotten,
    a_forgotten_run_can_be_created_again,
    many_runs_are_forgotten_in_bounded_pieces,
    other_partitions_are_left_alone,
);

const DAY: u64 = 86_400;

/// Runs that ended and expire at the given seconds from now, in this order.
async fn ended(owner: &mut Owner, from_now: &[u64]) -> (Timestamp, Vec<RunId>) {
    let now = owner.store.now().await.unwrap();
    let mut runs = Vec::new();
    for after in from_now {
        let run = owner.new_run();
        let mut delta = created_at(run, now, "adhoc");
        delta.expires_at = Some(now + seconds(*after));
        owner.commit(vec![delta]).await;
        runs.push(run);
    }
    (now, runs)
}

async fn keyed(owner: &mut Owner, created: Timestamp, expires: Timestamp) -> RunId {
    let run = owner.new_run();
    let mut delta = created_at(run, created, "adhoc");
    if let Some(new) = &mut delta.create {
        new.keyed = true;
    }
    owner.commit(vec![delta]).await;
    owner.commit(vec![RunDelta { expires_at: Some(expires), ..RunDelta::new(run) }]).await;
    run
}

/// Expires until nothing more goes; answers how many went.
async fn expire(owner: &Owner, until: Timestamp, keep: usize) -> usize {
    let mut total = 0;
    loop {
        let forgotten = owner.store.expire(owner.partition, until, keep).await.unwrap();
        if forgotten == 0 {
            return total;
        }
        total += forgotten;
    }
}

async fn stored(store: &Given, runs: &[RunId]) -> Vec<bool> {
    store.load_runs(runs).await.unwrap().iter().map(Option::is_some).collect()
}

async fn listed(store: &Given) -> usize {
    let query = RunQuery { partitions: 8, limit: 10_000, ..RunQuery::default() };
    store.list_runs(&query).await.unwrap().len()
}

async fn runs_older_than_the_limit_are_forgotten(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let (now, runs) = ended(&mut owner, &[3_600, 7_200, 10_800]).await;
    assert_eq!(expire(&owner, now, 100).await, 0);
    assert_eq!(expire(&owner, now + seconds(8_000), 100).await, 2);
    assert_eq!(stored(&store, &runs).await, [false, false, true]);
    assert_eq!(listed(&store).await, 1);
}

async fn runs_beyond_the_number_to_keep_are_forgotten_the_first_to_expire_first(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let (now, runs) = ended(&mut owner, &[5_000, 4_000, 9_000, 3_600, 8_000]).await;
    assert_eq!(expire(&owner, now, 5).await, 0);
    assert_eq!(expire(&owner, now, 3).await, 2);
    assert_eq!(stored(&store, &runs).await, [true, false, true, false, true]);
    assert_eq!(expire(&owner, now, 0).await, 3);
    assert_eq!(listed(&store).await, 0);
}

async fn a_run_that_has_not_ended_is_never_forgotten(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let (now, _) = ended(&mut owner, &[3_600]).await;
    let running = owner.new_run();
    owner.commit(vec![created(running)]).await;
    assert_eq!(expire(&owner, now + seconds(900 * DAY), 0).await, 1);
    assert_eq!(stored(&store, &[running]).await, [true]);
}

async fn a_keyed_run_stays_for_a_day(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let now = store.now().await.unwrap();
    let young = keyed(&mut owner, now - seconds(DAY - 60), now + seconds(3_600)).await;
    let old = keyed(&mut owner, now - seconds(DAY + 1), now + seconds(3_600)).await;
    assert_eq!(expire(&owner, now + seconds(7_200), 0).await, 1);
    assert_eq!(stored(&store, &[young, old]).await, [true, false]);
}

async fn a_keyed_run_stays_for_a_day_though_it_expired(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let now = store.now().await.unwrap();
    let run = keyed(&mut owner, now, now + std::time::Duration::from_millis(50)).await;
    let passed = now + std::time::Duration::from_millis(200);
    eventually(|| async { store.now().await.unwrap() }, |now| *now > passed).await;
    assert_eq!(expire(&owner, now + seconds(3_600), 0).await, 0);
    assert_eq!(stored(&store, &[run]).await, [true]);
    let again = owner.next(vec![created(run)]);
    let verdict = millrace_store::Verdict::Applied { duplicates: vec![run] };
    assert_eq!(owner.send(&again).await, verdict);
}

async fn young_keyed_runs_do_not_keep_others(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let now = store.now().await.unwrap();
    let mut runs = Vec::new();
    for _ in 0..600 {
        runs.push(owner.new_run());
    }
    let deltas = runs.iter().map(|run| {
        let mut delta = created_at(*run, now, "adhoc");
        delta.expires_at = Some(now + seconds(3_600));
        if let Some(new) = &mut delta.create {
            new.keyed = true;
        }
        delta
    });
    owner.commit(deltas.collect()).await;
    let (now, later) = ended(&mut owner, &[3_700]).await;
    eventually(
        || async {
            store.expire(owner.partition, now + seconds(7_200), 0).await.unwrap();
            stored(&store, &later).await
        },
        |stored: &Vec<bool>| *stored == [false],
    )
    .await;
    assert!(stored(&store, &runs).await.into_iter().all(|stored| stored));
}

async fn all_of_a_run_is_forgotten(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let task = owner.claimed().await.task;
    let run = task.run;
    let chunk = LogChunk { at: at(1), stream: LogStream::Stdout, text: "x".into() };
    store.append_log(task, &[chunk], 1_000).await.unwrap();
    let now = store.now().await.unwrap();
    let delta = RunDelta {
        steps: vec![(unit(0), "record".into()), (unit(4), "record".into()), (item(4, 7), "record".into())],
        dispatched: vec![Dispatched { unit: item(4, 7), ..dispatched(0, 2) }],
        timers: vec![
            (at(1), Timer::Start(run)),
            (at(2), Timer::RunTimeout(run)),
            (at(3), Timer::CancelCheck(run)),
            (at(4), Timer::Retry(run, unit(0))),
            (at(5), Timer::Retry(run, unit(4))),
            (at(6), Timer::Retry(run, item(4, 7))),
        ],
        ended_items: vec![(item(4, 8), "ended".into())],
        apart: vec![(StepIndex(4), "[]".into())],
        history: vec![(2, "an entry".into())],
        expires_at: Some(now + seconds(3_600)),
        ..RunDelta::new(run)
    };
    owner.commit(vec![delta]).await;
    let other = owner.queued().await;
    let timers = vec![(at(6), Timer::Retry(other.run, unit(0)))];
    owner.commit(vec![RunDelta { timers: timers.clone(), ..RunDelta::new(other.run) }]).await;

    assert_eq!(expire(&owner, now + seconds(7_200), 100).await, 1);
    assert_eq!(load(&store, run).await, None);
    assert_eq!(stands(&store, task).await, None);
    let claim = Claim { task, token: token(), session: session() };
    assert_eq!(claim_one(&store, &claim).await, ClaimVerdict::Unknown);
    assert_eq!(store.read_log(task, 0, 10).await.unwrap(), []);
    assert_eq!(store.items(run, StepIndex(4), 8..9).await.unwrap(), [None]);
    assert_eq!(store.apart(run, StepIndex(4)).await.unwrap(), None);
    assert_eq!(store.history(run, 0, 10).await.unwrap(), []);
    assert_eq!(listed(&store).await, 1);
    assert_eq!(watched(&store, owner.partition).await, [(at(3_000), other)]);
    assert_eq!(store.timers(owner.partition, None, 10).await.unwrap(), timers);
}

async fn a_forgotten_run_can_be_created_again(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let (now, runs) = ended(&mut owner, &[3_600]).await;
    expire(&owner, now, 0).await;
    owner.commit(vec![created(runs[0])]).await;
    let again = load(&store, runs[0]).await.unwrap();
    assert_eq!((again.steps, again.tasks), (vec![], vec![]));
    assert_eq!(expire(&owner, now + seconds(900 * DAY), 0).await, 0);
}

async fn many_runs_are_forgotten_in_bounded_pieces(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let now = store.now().await.unwrap();
    let deltas = (0..1_500).map(|_| {
        let mut delta = created_at(owner.new_run(), now, "adhoc");
        delta.expires_at = Some(now + seconds(3_600));
        delta
    });
    let deltas = deltas.collect();
    owner.commit(deltas).await;
    let first = store.expire(owner.partition, now, 0).await.unwrap();
    assert!(0 < first && first < 1_500, "{first} in one call");
    assert_eq!(first + expire(&owner, now, 10).await, 1_490);
    assert_eq!(listed(&store).await, 10);
}

async fn other_partitions_are_left_alone(store: Given) {
    let (mut one, mut other) = (Owner::of(&store, 1).await, Owner::of(&store, 2).await);
    let (now, _) = ended(&mut one, &[3_600]).await;
    let (_, theirs) = ended(&mut other, &[3_600]).await;
    assert_eq!(expire(&one, now + seconds(7_200), 0).await, 1);
    assert_eq!(stored(&store, &theirs).await, [true]);
    assert_eq!(store.expire(PartitionId(50), now, 0).await.unwrap(), 0);
}
