//! Ownership of partitions: taking, keeping, giving back.

use millrace_domain::{Epoch, PartitionId, ProducerId, Seq, Timestamp};
use millrace_store::Acquired;

use crate::fixture::*;

on_every_store!(
    a_free_partition_is_taken_under_an_epoch_of_now,
    a_held_partition_names_its_owner_and_until_when,
    taking_ones_own_again_begins_a_new_epoch,
    a_new_epoch_says_where_the_one_before_ended,
    what_was_published_is_known_to_the_next_owner,
    a_renewal_raises_what_is_known_to_be_published_and_never_lowers_it,
    epochs_rise_however_fast_they_follow,
    a_lapsed_partition_is_taken_and_its_last_owner_is_refused,
    a_partition_that_seems_to_be_held_for_hours_lapses_within_a_lease,
    a_partition_that_seems_to_be_held_for_hours_is_kept_by_who_renews_it,
    a_renewed_partition_is_held_for_longer,
    a_lapsed_partition_that_nobody_took_can_be_kept,
    a_renewal_answers_the_last_commit,
    renewals_answer_in_order,
    a_released_partition_is_free_at_once,
    a_stale_release_changes_nothing,
    a_released_partition_cannot_be_kept,
    takings_answer_in_order,
    each_partition_goes_to_one_of_two_who_race,
    a_partition_says_who_holds_it_and_until_when,
);

const P: PartitionId = PartitionId(3);

async fn take(store: &Given, id: ProducerId, ttl_ms: u64) -> Acquired {
    store.acquire(&[P], id, ttl_ms).await.unwrap().remove(0)
}

fn epoch_of(answer: &Acquired) -> Epoch {
    match answer {
        Acquired::Owned { epoch, .. } => *epoch,
        Acquired::Held { .. } => panic!("held: {answer:?}"),
    }
}

async fn a_free_partition_is_taken_under_an_epoch_of_now(store: Given) {
    let before = store.now().await.unwrap();
    let answer = take(&store, producer(), LONG_MS).await;
    let after = store.now().await.unwrap();
    let Acquired::Owned { epoch, previous, published_until } = answer else { panic!("{answer:?}") };
    assert_eq!(previous, None);
    assert_eq!(published_until, Timestamp::default());
    let micros = |at: Timestamp| u64::try_from(at.as_millis()).unwrap() * 1_000;
    assert!(micros(before) <= epoch.0 && epoch.0 < micros(after) + 1_000, "{epoch:?}");
}

async fn a_held_partition_names_its_owner_and_until_when(store: Given) {
    let holder = producer();
    let before = store.now().await.unwrap();
    take(&store, holder, 5_000).await;
    let answer = take(&store, producer(), LONG_MS).await;
    let after = store.now().await.unwrap();
    let Acquired::Held { owner, until } = answer else { panic!("{answer:?}") };
    assert_eq!(owner, holder);
    assert!(before + seconds(5) <= until && until <= after + seconds(5), "{until}");
}

async fn taking_ones_own_again_begins_a_new_epoch(store: Given) {
    let owner = Owner::of(&store, P.0).await;
    let answer = take(&store, owner.id, LONG_MS).await;
    let Acquired::Owned { epoch, previous, .. } = answer else { panic!("{answer:?}") };
    assert!(epoch > owner.epoch);
    assert_eq!(previous, Some((owner.epoch, Seq(0))));
    assert_eq!(
        store.renew(&[(P, owner.epoch), (P, epoch)], LONG_MS, at(0)).await.unwrap(),
        [None, Some(Seq(0))]
    );
}

async fn a_new_epoch_says_where_the_one_before_ended(store: Given) {
    let mut owner = Owner::of(&store, P.0).await;
    owner.commit(vec![]).await;
    owner.commit(vec![]).await;
    store.release(&[(P, owner.epoch)]).await.unwrap();
    let answer = take(&store, producer(), LONG_MS).await;
    let Acquired::Owned { epoch, previous, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(previous, Some((owner.epoch, Seq(2))));
    let mut next = Owner { epoch, seq: Seq(0), ..owner };
    next.commit(vec![]).await;
}

async fn what_was_published_is_known_to_the_next_owner(store: Given) {
    let mut owner = Owner::of(&store, P.0).await;
    let mut commit = owner.next(vec![]);
    commit.published_until = at(1_700_000_000_123);
    assert_eq!(owner.send(&commit).await, applied());
    for _ in 0..2 {
        let answer = take(&store, owner.id, LONG_MS).await;
        let Acquired::Owned { published_until, .. } = answer else { panic!("{answer:?}") };
        assert_eq!(published_until, at(1_700_000_000_123));
    }
}

async fn a_renewal_raises_what_is_known_to_be_published_and_never_lowers_it(store: Given) {
    let mut owner = Owner::of(&store, P.0).await;
    for (renewed, known) in [(at(5_000), at(5_000)), (at(4_000), at(5_000)), (at(7_000), at(7_000))] {
        store.renew(&[(P, owner.epoch)], LONG_MS, renewed).await.unwrap();
        let answer = take(&store, owner.id, LONG_MS).await;
        let Acquired::Owned { epoch, published_until, .. } = answer else { panic!("{answer:?}") };
        assert_eq!(published_until, known);
        owner.epoch = epoch;
    }
    // A stale epoch changes nothing.
    store.renew(&[(P, Epoch(owner.epoch.0 - 1))], LONG_MS, at(9_000)).await.unwrap();
    let answer = take(&store, owner.id, LONG_MS).await;
    assert!(
        matches!(answer, Acquired::Owned { published_until, .. } if published_until == at(7_000)),
        "{answer:?}"
    );
}

async fn epochs_rise_however_fast_they_follow(store: Given) {
    let id = producer();
    let mut last = Epoch(0);
    for _ in 0..50 {
        let epoch = epoch_of(&take(&store, id, LONG_MS).await);
        assert!(epoch > last);
        last = epoch;
    }
}

async fn a_lapsed_partition_is_taken_and_its_last_owner_is_refused(store: Given) {
    let mut old = Owner::take(&store, P.0, producer(), 1_000).await;
    let next = producer();
    assert!(matches!(take(&store, next, LONG_MS).await, Acquired::Held { .. }));
    let answer = eventually(
        || take(&store, next, LONG_MS),
        |answer: &Acquired| matches!(answer, Acquired::Owned { .. }),
    )
    .await;
    assert!(epoch_of(&answer) > old.epoch);
    assert_eq!(store.renew(&[(P, old.epoch)], LONG_MS, at(0)).await.unwrap(), [None]);
    let commit = old.next(vec![created(old.new_run())]);
    assert_ne!(old.send(&commit).await, applied());
    assert!(matches!(take(&store, old.id, LONG_MS).await, Acquired::Held { owner, .. } if owner == next));
}

/// As it looks when the clock was ahead by hours at its last renewal.
async fn a_partition_that_seems_to_be_held_for_hours_lapses_within_a_lease(store: Given) {
    let dead = Owner::take(&store, P.0, producer(), 2 * 3_600_000).await;
    let next = producer();
    let before = store.now().await.unwrap();
    let answer = take(&store, next, 500).await;
    let after = store.now().await.unwrap();
    let Acquired::Held { owner, until } = answer else { panic!("{answer:?}") };
    assert_eq!(owner, dead.id);
    assert!(before + seconds(0) < until && until <= after + seconds(1), "{until}");
    let answer =
        eventually(|| take(&store, next, 500), |answer: &Acquired| matches!(answer, Acquired::Owned { .. }))
            .await;
    assert!(epoch_of(&answer) > dead.epoch);
}

async fn a_partition_that_seems_to_be_held_for_hours_is_kept_by_who_renews_it(store: Given) {
    let owner = Owner::take(&store, P.0, producer(), 2 * 3_600_000).await;
    assert!(matches!(take(&store, producer(), 1).await, Acquired::Held { .. }));
    assert_eq!(store.renew(&[(P, owner.epoch)], LONG_MS, at(0)).await.unwrap(), [Some(Seq(0))]);
    let answer = take(&store, producer(), LONG_MS).await;
    assert!(matches!(answer, Acquired::Held { owner: holder, .. } if holder == owner.id), "{answer:?}");
}

async fn a_renewed_partition_is_held_for_longer(store: Given) {
    let owner = Owner::take(&store, P.0, producer(), 5_000).await;
    let before = store.now().await.unwrap();
    assert_eq!(store.renew(&[(P, owner.epoch)], 60_000, at(0)).await.unwrap(), [Some(Seq(0))]);
    let answer = take(&store, producer(), LONG_MS).await;
    let Acquired::Held { until, .. } = answer else { panic!("{answer:?}") };
    assert!(until >= before + seconds(60));
}

async fn a_lapsed_partition_that_nobody_took_can_be_kept(store: Given) {
    let owner = Owner::take(&store, P.0, producer(), 20).await;
    let lapsed = store.now().await.unwrap() + seconds(1);
    eventually(|| async { store.now().await.unwrap() }, |now| *now > lapsed).await;
    assert_eq!(store.renew(&[(P, owner.epoch)], LONG_MS, at(0)).await.unwrap(), [Some(Seq(0))]);
    assert!(matches!(take(&store, producer(), LONG_MS).await, Acquired::Held { .. }));
}

async fn a_renewal_answers_the_last_commit(store: Given) {
    let mut owner = Owner::of(&store, P.0).await;
    for seq in 0..3 {
        assert_eq!(store.renew(&[(P, owner.epoch)], LONG_MS, at(0)).await.unwrap(), [Some(Seq(seq))]);
        owner.commit(vec![]).await;
    }
}

async fn renewals_answer_in_order(store: Given) {
    let mut held = Vec::new();
    for partition in 0..4 {
        let owner = Owner::of(&store, partition).await;
        let wrong = if partition % 2 == 0 { 0 } else { 1 };
        held.push((owner.partition, Epoch(owner.epoch.0 + wrong)));
    }
    held.push((PartitionId(60), Epoch(0)));
    assert_eq!(
        store.renew(&held, LONG_MS, at(0)).await.unwrap(),
        [Some(Seq(0)), None, Some(Seq(0)), None, None]
    );
    assert_eq!(store.renew(&[], LONG_MS, at(0)).await.unwrap(), Vec::<Option<Seq>>::new());
}

async fn a_released_partition_is_free_at_once(store: Given) {
    let owner = Owner::of(&store, P.0).await;
    store.release(&[(P, owner.epoch)]).await.unwrap();
    store.release(&[(P, owner.epoch)]).await.unwrap();
    assert!(epoch_of(&take(&store, producer(), LONG_MS).await) > owner.epoch);
}

async fn a_stale_release_changes_nothing(store: Given) {
    let owner = Owner::of(&store, P.0).await;
    let stale = Epoch(owner.epoch.0 - 1);
    store.release(&[(P, stale), (PartitionId(9), Epoch(0))]).await.unwrap();
    store.release(&[]).await.unwrap();
    let answer = take(&store, producer(), LONG_MS).await;
    assert!(matches!(answer, Acquired::Held { owner: holder, .. } if holder == owner.id));
}

async fn a_released_partition_cannot_be_kept(store: Given) {
    let owner = Owner::of(&store, P.0).await;
    store.release(&[(P, owner.epoch)]).await.unwrap();
    assert_eq!(store.renew(&[(P, owner.epoch)], LONG_MS, at(0)).await.unwrap(), [None]);
    epoch_of(&take(&store, producer(), LONG_MS).await);
}

async fn takings_answer_in_order(store: Given) {
    let other = Owner::of(&store, 1).await;
    let wanted = [PartitionId(2), PartitionId(1), PartitionId(0)];
    let answers = store.acquire(&wanted, producer(), LONG_MS).await.unwrap();
    assert_eq!(answers.len(), 3);
    epoch_of(&answers[0]);
    assert!(matches!(answers[1], Acquired::Held { owner, .. } if owner == other.id));
    epoch_of(&answers[2]);
    assert!(store.acquire(&[], producer(), LONG_MS).await.unwrap().is_empty());
}

async fn each_partition_goes_to_one_of_two_who_race(store: Given) {
    let all: Vec<_> = (0..64).map(PartitionId).collect();
    let backwards: Vec<_> = all.iter().rev().copied().collect();
    let (left, right) = (producer(), producer());
    let (ours, theirs) =
        tokio::join!(store.acquire(&all, left, LONG_MS), store.acquire(&backwards, right, LONG_MS));
    let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
    for (mine, yours) in ours.iter().zip(theirs.iter().rev()) {
        match (mine, yours) {
            (Acquired::Owned { .. }, Acquired::Held { owner, .. }) => assert_eq!(*owner, left),
            (Acquired::Held { owner, .. }, Acquired::Owned { .. }) => assert_eq!(*owner, right),
            both => panic!("{both:?}"),
        }
    }
}

async fn a_partition_says_who_holds_it_and_until_when(store: Given) {
    let (id, partition) = (producer(), PartitionId(5));
    assert_eq!(store.holder(partition).await.unwrap(), None);
    let before = store.now().await.unwrap();
    let epoch = epoch_of(&store.acquire(&[partition], id, 60_000).await.unwrap()[0]);
    let (holder, until) = store.holder(partition).await.unwrap().unwrap();
    let after = store.now().await.unwrap();
    assert_eq!(holder, id);
    assert!((before + seconds(60)..=after + seconds(60)).contains(&until), "{until}");
    store.release(&[(partition, epoch)]).await.unwrap();
    assert_eq!(store.holder(partition).await.unwrap(), None);
}
