//! Letters: sent with a commit or not at all, read in order until they have arrived.

use millrace_domain::{PartitionId, RunId, Timestamp};
use millrace_store::{Commit, Letter, RunDelta, StoredLetter, Verdict};

use crate::fixture::*;

on_every_store!(
    letters_are_read_in_order_of_when_they_were_sent_and_of_their_numbers,
    letters_of_runs_and_of_none_are_sent_by_one_commit,
    what_a_letter_says_comes_back_as_it_was_given,
    a_commit_that_is_sent_again_doubles_no_letter,
    a_refused_commit_sends_nothing,
    a_run_that_exists_sends_no_letter_of_another_creation,
    a_run_created_twice_in_one_commit_sends_the_letters_of_the_first,
    a_run_that_is_gone_sends_nothing,
    who_takes_a_partition_over_reads_what_may_not_have_arrived,
    a_renewal_drops_what_has_arrived,
    a_renewal_of_a_stale_owner_drops_nothing,
    a_watermark_of_a_clock_that_was_ahead_drops_nothing,
    letters_are_read_page_by_page_though_some_are_dropped_in_between,
    thousands_of_letters_are_sent_by_one_commit,
    each_partition_has_its_own_letters,
);

const FAR: i64 = i64::MAX / 4;

pub(crate) fn letter(n: u32, at: Timestamp, to: u16) -> Letter {
    Letter { n, at, to: PartitionId(to), body: format!("{{\"letter\":{n}}}") }
}

fn sending(run: RunId, letters: Vec<Letter>) -> RunDelta {
    RunDelta { letters, ..RunDelta::new(run) }
}

/// As it is stored once the commit holds.
pub(crate) fn stored(commit: &Commit, letter: &Letter) -> StoredLetter {
    StoredLetter { epoch: commit.epoch, seq: commit.seq, letter: letter.clone() }
}

/// All letters of a partition, in order.
pub(crate) async fn letters(store: &Given, partition: PartitionId) -> Vec<StoredLetter> {
    store.letters(partition, at(0), None, 100_000).await.unwrap()
}

/// Commits these letters, which belong to no run.
async fn send(owner: &mut Owner, letters: Vec<Letter>) -> Commit {
    let commit = Commit { letters, ..owner.next(vec![]) };
    assert_eq!(owner.send(&commit).await, applied());
    commit
}

async fn letters_are_read_in_order_of_when_they_were_sent_and_of_their_numbers(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let mut expected = Vec::new();
    // The clock goes back once, and the numbers pass 9.
    for when in [30, 20, 20, 40] {
        let sent: Vec<_> = (0..12).rev().map(|n| letter(n, at(when), 2)).collect();
        let commit = send(&mut owner, sent.clone()).await;
        expected.extend(sent.iter().map(|one| stored(&commit, one)));
    }
    expected.sort_by_key(|one| (one.letter.at, one.epoch, one.seq, one.letter.n));
    assert_eq!(letters(&store, owner.partition).await, expected);
    let later = store.letters(owner.partition, at(30), None, 100).await.unwrap();
    assert_eq!(later, expected[24..]);
    assert_eq!(store.letters(owner.partition, at(41), None, 100).await.unwrap(), []);
    assert_eq!(store.letters(owner.partition, at(0), None, 0).await.unwrap(), []);
}

async fn letters_of_runs_and_of_none_are_sent_by_one_commit(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let known = owner.queued().await.run;
    let new = owner.new_run();
    let creating = RunDelta { letters: vec![letter(1, at(5), 3)], ..created(new) };
    let mut commit = owner.next(vec![sending(known, vec![letter(0, at(5), 2)]), creating]);
    commit.letters = vec![letter(2, at(5), 1)];
    assert_eq!(owner.send(&commit).await, applied());
    let expected = [(0, 2), (1, 3), (2, 1)].map(|(n, to)| stored(&commit, &letter(n, at(5), to)));
    assert_eq!(letters(&store, owner.partition).await, expected);
}

async fn what_a_letter_says_comes_back_as_it_was_given(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let large = "x".repeat(100_000);
    let bodies = ["", "{\"a\":\"b:c|d\"}", "line\nline\0", "✓ über", large.as_str()];
    let sent =
        bodies.iter().zip(0..).map(|(body, n)| Letter { body: (*body).to_owned(), ..letter(n, at(1), 63) });
    send(&mut owner, sent.collect()).await;
    let read = letters(&store, owner.partition).await;
    assert_eq!(read.iter().map(|one| one.letter.body.as_str()).collect::<Vec<_>>(), bodies);
}

async fn a_commit_that_is_sent_again_doubles_no_letter(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let commit = send(&mut owner, vec![letter(0, at(5), 2)]).await;
    assert_eq!(owner.send(&commit).await, applied());
    assert_eq!(letters(&store, owner.partition).await, [stored(&commit, &letter(0, at(5), 2))]);
    // Nor does it bring back what has arrived.
    store.renew(&[(owner.partition, owner.epoch)], LONG_MS, at(6)).await.unwrap();
    assert_eq!(owner.send(&commit).await, applied());
    assert_eq!(letters(&store, owner.partition).await, []);
}

async fn a_refused_commit_sends_nothing(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let run = owner.queued().await.run;
    for (epoch, seq) in [(1, 0), (0, 1)] {
        let mut stray = owner.clone().next(vec![sending(run, vec![letter(0, at(5), 2)])]);
        stray.letters.push(letter(1, at(5), 2));
        stray.epoch.0 -= epoch;
        stray.seq.0 += seq;
        assert!(matches!(owner.send(&stray).await, Verdict::Fenced { .. }));
    }
    assert_eq!(letters(&store, owner.partition).await, []);
}

async fn a_run_that_exists_sends_no_letter_of_another_creation(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let known = owner.queued().await.run;
    let again = RunDelta { letters: vec![letter(0, at(5), 2)], ..created(known) };
    let new = RunDelta { letters: vec![letter(1, at(5), 2)], ..created(owner.new_run()) };
    let mut commit = owner.next(vec![again, new]);
    commit.letters.push(letter(2, at(5), 2));
    let verdict = Verdict::Applied { duplicates: vec![known] };
    for _ in 0..2 {
        assert_eq!(owner.send(&commit).await, verdict);
        let expected = [1, 2].map(|n| stored(&commit, &letter(n, at(5), 2)));
        assert_eq!(letters(&store, owner.partition).await, expected);
    }
    let sent: Vec<_> = commit.letters_without(&[known]).map(|letter| letter.n).collect();
    assert_eq!(sent, [1, 2], "what the owner sends is what is stored");
}

async fn a_run_created_twice_in_one_commit_sends_the_letters_of_the_first(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let run = owner.new_run();
    let creating = |n| RunDelta { letters: vec![letter(n, at(5), 2)], ..created(run) };
    let commit = owner.next(vec![creating(0), creating(1)]);
    assert_eq!(owner.send(&commit).await, Verdict::Applied { duplicates: vec![run] });
    assert_eq!(letters(&store, owner.partition).await, [stored(&commit, &letter(0, at(5), 2))]);
}

async fn a_run_that_is_gone_sends_nothing(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let gone = owner.new_run();
    let commit = owner.next(vec![sending(gone, vec![letter(0, at(5), 2)])]);
    assert_eq!(owner.send(&commit).await, applied());
    assert_eq!(letters(&store, owner.partition).await, []);
}

async fn who_takes_a_partition_over_reads_what_may_not_have_arrived(store: Given) {
    let mut old = Owner::of(&store, 1).await;
    send(&mut old, vec![letter(0, at(5), 2)]).await;
    let open = send(&mut old, vec![letter(0, at(9), 2)]).await;
    // A later commit says how far all has arrived.
    let commit = Commit { published_until: at(7), ..old.next(vec![]) };
    assert_eq!(old.send(&commit).await, applied());
    let answer = store.acquire(&[old.partition], old.id, LONG_MS).await.unwrap().remove(0);
    let millrace_store::Acquired::Owned { epoch, published_until, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(published_until, at(7));
    let read = store.letters(old.partition, published_until, None, 10).await.unwrap();
    assert_eq!(read, [stored(&open, &letter(0, at(9), 2))]);
    assert!(read[0].epoch < epoch);
}

async fn a_renewal_drops_what_has_arrived(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    for when in [5, 6, 7] {
        send(&mut owner, vec![letter(0, at(when), 2)]).await;
    }
    let held = [(owner.partition, owner.epoch)];
    for (until, left) in [(0, 3), (5, 3), (6, 2), (2, 2), (8, 0)] {
        assert_eq!(store.renew(&held, LONG_MS, at(until)).await.unwrap(), [Some(owner.seq)]);
        assert_eq!(letters(&store, owner.partition).await.len(), left, "renewed until {until}");
    }
}

async fn a_renewal_of_a_stale_owner_drops_nothing(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    send(&mut owner, vec![letter(0, at(5), 2)]).await;
    let mut stale = owner.epoch;
    stale.0 -= 1;
    assert_eq!(store.renew(&[(owner.partition, stale)], LONG_MS, at(9)).await.unwrap(), [None]);
    store.release(&[(owner.partition, owner.epoch)]).await.unwrap();
    assert_eq!(store.renew(&[(owner.partition, owner.epoch)], LONG_MS, at(9)).await.unwrap(), [None]);
    assert_eq!(letters(&store, owner.partition).await.len(), 1);
}

async fn a_watermark_of_a_clock_that_was_ahead_drops_nothing(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    send(&mut owner, vec![letter(0, at(5), 2)]).await;
    // Such a commit says nothing of what has arrived, and the stored watermark stays where it is.
    let commit =
        Commit { published_until: at(FAR), letters: vec![letter(0, at(6), 2)], ..owner.next(vec![]) };
    assert_eq!(owner.send(&commit).await, applied());
    let held = [(owner.partition, owner.epoch)];
    assert_eq!(store.renew(&held, LONG_MS, at(5)).await.unwrap(), [Some(owner.seq)]);
    assert_eq!(letters(&store, owner.partition).await.len(), 2);
}

async fn letters_are_read_page_by_page_though_some_are_dropped_in_between(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    for when in [5, 6, 6, 7] {
        send(&mut owner, (0..10).map(|n| letter(n, at(when), 2)).collect()).await;
    }
    let all = letters(&store, owner.partition).await;
    for page in [1, 7, 10, 39, 40, 41] {
        let (mut read, mut last): (Vec<StoredLetter>, _) = (Vec::new(), None);
        loop {
            let found = store.letters(owner.partition, at(5), last.as_ref(), page).await.unwrap();
            let is_last = found.len() < page;
            last = found.last().cloned().or(last);
            read.extend(found);
            if is_last {
                break;
            }
        }
        assert_eq!(read, all, "in pages of {page}");
    }
    // The one that was read last is gone, with others of its instant and all before it.
    store.renew(&[(owner.partition, owner.epoch)], LONG_MS, at(7)).await.unwrap();
    let rest = store.letters(owner.partition, at(5), Some(&all[12]), 100).await.unwrap();
    assert_eq!(rest, all[30..]);
    let behind = store.letters(owner.partition, at(7), Some(&all[2]), 100).await.unwrap();
    assert_eq!(behind, all[30..]);
}

async fn thousands_of_letters_are_sent_by_one_commit(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    send(&mut owner, (0..9_000).map(|n| letter(n, at(5), 2)).collect()).await;
    let read = letters(&store, owner.partition).await;
    assert!(read.iter().map(|one| one.letter.n).eq(0..9_000));
}

async fn each_partition_has_its_own_letters(store: Given) {
    let (mut one, other) = (Owner::of(&store, 1).await, Owner::of(&store, 2).await);
    send(&mut one, vec![letter(0, at(5), 2)]).await;
    assert_eq!(letters(&store, other.partition).await, []);
    assert_eq!(letters(&store, PartitionId(7)).await, [], "nobody ever took it");
    store.renew(&[(other.partition, other.epoch)], LONG_MS, at(9)).await.unwrap();
    assert_eq!(letters(&store, one.partition).await.len(), 1);
}
