//! The cluster: its number of partitions, its clock, its producers.

use std::time::SystemTime;

use futures_util::future::join_all;

use crate::fixture::*;

on_every_store!(
    the_first_founding_fixes_the_number_of_partitions,
    founders_at_the_same_time_get_the_same_answer,
    the_clock_is_that_of_the_world_and_does_not_go_back,
    producers_meet_in_order_each_once,
    a_producer_that_left_is_not_met,
    a_producer_that_stays_silent_is_not_met,
    a_producer_that_seems_to_be_here_for_hours_is_not_met_once_it_is_silent_for_a_lease,
);

async fn the_first_founding_fixes_the_number_of_partitions(store: Given) {
    assert_eq!(store.found(64).await.unwrap(), 64);
    assert_eq!(store.found(16).await.unwrap(), 64);
    assert_eq!(store.found(64).await.unwrap(), 64);
}

async fn founders_at_the_same_time_get_the_same_answer(store: Given) {
    let answers = join_all((1..=20).map(|partitions| store.found(partitions))).await;
    let holds = store.found(99).await.unwrap();
    assert!((1..=20).contains(&holds));
    for answer in answers {
        assert_eq!(answer.unwrap(), holds);
    }
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
