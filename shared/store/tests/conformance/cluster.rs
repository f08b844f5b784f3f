//! The cluster: what is fixed for it, its clock, its producers.

use std::time::SystemTime;

use futures_util::future::join_all;
use millrace_domain::{Epoch, PartitionId, Seq};
use millrace_store::Cluster;

use crate::fixture::*;

on_every_store!(
    a_store_that_holds_no_cluster_says_so,
    the_first_founding_fixes_what_a_cluster_is,
    founders_at_the_same_time_get_the_same_answer,
    the_kind_of_queues_is_fixed_by_who_names_one_first,
    a_life_of_a_store_begins_before_its_ownerships,
    what_was_owned_before_a_life_began_is_lost,
    a_commit_that_nobody_can_have_made_is_lost,
    the_clock_is_that_of_the_world_and_does_not_go_back,
    producers_meet_in_order_each_once,
    a_producer_that_left_is_not_met,
    a_producer_that_stays_silent_is_not_met,
    a_producer_that_seems_to_be_here_for_hours_is_not_met_once_it_is_silent_for_a_lease,
);

const P: PartitionId = PartitionId(3);

async fn a_store_that_holds_no_cluster_says_so(store: Given) {
    let before = store.now().await.unwrap();
    let (none, at) = store.cluster().await.unwrap();
    assert_eq!(none, None);
    assert!(before <= at && at <= store.now().await.unwrap());
    assert!(store.is_lost(P, Epoch(1), Seq(1)).await.is_err(), "nobody can tell");
}

async fn the_first_founding_fixes_what_a_cluster_is(store: Given) {
    let wanted = cluster(64);
    let holds = store.found(&wanted).await.unwrap();
    assert_eq!(holds, Cluster { since: holds.since, ..wanted });
    let other = Cluster { queues: "quorum".to_owned(), format: 9, ..cluster(16) };
    assert_eq!(store.found(&other).await.unwrap(), holds);
    assert_eq!(store.cluster().await.unwrap().0, Some(holds));
}

async fn founders_at_the_same_time_get_the_same_answer(store: Given) {
    let wanted: Vec<_> = (1..=20).map(cluster).collect();
    let answers = join_all(wanted.iter().map(|wanted| store.found(wanted))).await;
    let holds = store.found(&cluster(99)).await.unwrap();
    assert!(wanted.iter().any(|wanted| (wanted.id, wanted.partitions) == (holds.id, holds.partitions)));
    for answer in answers {
        assert_eq!(answer.unwrap(), holds);
    }
}

async fn the_kind_of_queues_is_fixed_by_who_names_one_first(store: Given) {
    let unnamed = Cluster { queues: String::new(), ..cluster(8) };
    let holds = store.found(&unnamed).await.unwrap();
    assert_eq!(holds, Cluster { since: holds.since, ..unnamed.clone() });
    let named = Cluster { queues: "quorum".to_owned(), ..unnamed.clone() };
    let after = Cluster { queues: "quorum".to_owned(), ..holds };
    assert_eq!(store.found(&named).await.unwrap(), after);
    for later in [unnamed, Cluster { queues: "classic".to_owned(), ..named }] {
        assert_eq!(store.found(&later).await.unwrap(), after);
    }
    assert_eq!(store.cluster().await.unwrap().0, Some(after));
}

async fn a_life_of_a_store_begins_before_its_ownerships(store: Given) {
    let before = store.now().await.unwrap();
    let since = store.found(&cluster(8)).await.unwrap().since;
    assert!(since.0 >= u64::try_from(before.as_millis()).unwrap() * 1_000);
    let owner = Owner::of(&store, P.0).await;
    assert!(since <= owner.epoch);
}

async fn what_was_owned_before_a_life_began_is_lost(store: Given) {
    let since = store.found(&cluster(8)).await.unwrap().since;
    let mut owner = Owner::of(&store, P.0).await;
    owner.commit(vec![]).await;
    assert!(store.is_lost(P, Epoch(since.0 - 1), Seq(1)).await.unwrap());
    assert!(!store.is_lost(P, owner.epoch, Seq(1)).await.unwrap());
}

async fn a_commit_that_nobody_can_have_made_is_lost(store: Given) {
    let since = store.found(&cluster(8)).await.unwrap().since;
    assert!(store.is_lost(P, Epoch(since.0 + 1), Seq(1)).await.unwrap());
}

async fn the_clock_is_that_of_the_world_and_does_not_go_back(store: Given) {
    let world = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let first = store.now().await.unwrap();
    let second = store.now().await.unwrap();
    assert!(first.as_millis().abs_diff(i64::try_from(world).unwrap()) < 60_000);
    assert!(second >= first);
}

async fn producers_meet_in_order_each_once(store: Given) {
    let mut all = [producer(), producer(), producer()];
    for one in all {
        assert!(store.meet(one, LONG_MS).await.unwrap().contains(&one));
    }
    all.sort();
    assert_eq!(store.meet(all[1], LONG_MS).await.unwrap(), all);
}

async fn a_producer_that_left_is_not_met(store: Given) {
    let (stays, goes) = (producer(), producer());
    store.meet(stays, LONG_MS).await.unwrap();
    store.meet(goes, LONG_MS).await.unwrap();
    store.leave(goes).await.unwrap();
    store.leave(goes).await.unwrap();
    store.leave(producer()).await.unwrap();
    assert_eq!(store.meet(stays, LONG_MS).await.unwrap(), [stays]);
}

async fn a_producer_that_stays_silent_is_not_met(store: Given) {
    let (stays, silent) = (producer(), producer());
    store.meet(silent, 1_000).await.unwrap();
    assert!(store.meet(stays, LONG_MS).await.unwrap().contains(&silent));
    eventually(|| async { store.meet(stays, LONG_MS).await.unwrap() }, |met: &Vec<_>| *met == [stays]).await;
}

/// As it looks when the clock was ahead by hours at its last word.
async fn a_producer_that_seems_to_be_here_for_hours_is_not_met_once_it_is_silent_for_a_lease(store: Given) {
    let (stays, dead) = (producer(), producer());
    store.meet(dead, 2 * 3_600_000).await.unwrap();
    assert!(store.meet(stays, 500).await.unwrap().contains(&dead));
    eventually(|| async { store.meet(stays, 500).await.unwrap() }, |met: &Vec<_>| *met == [stays]).await;
}
