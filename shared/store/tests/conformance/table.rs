//! Tables: rows that are changed by commits, and read whole.

use millrace_domain::{PartitionId, Seq};
use millrace_store::{Commit, ROWS_AT_ONCE, RowDelta, RunDelta, Table, Verdict};

use crate::fixture::*;

on_every_store!(
    rows_are_put_replaced_and_deleted,
    the_last_change_to_a_row_of_a_commit_holds,
    a_run_that_exists_changes_no_row_of_another_creation,
    a_run_that_is_gone_changes_no_row,
    a_refused_commit_changes_no_row,
    a_commit_that_is_sent_again_changes_no_row_again,
    each_table_of_each_partition_has_its_own_rows,
    keys_and_values_come_back_as_they_were_given,
    a_large_table_is_read_whole_and_in_order,
    rows_outlast_their_owner_and_what_is_forgotten,
);

pub(crate) const LOCKS: Table = Table("locks");
const AUDIT: Table = Table("audit");

pub(crate) fn put(key: &str, value: &str) -> RowDelta {
    RowDelta::put(LOCKS, key, value)
}

pub(crate) fn delete(key: &str) -> RowDelta {
    RowDelta::delete(LOCKS, key)
}

async fn change(owner: &mut Owner, tables: Vec<RowDelta>) -> Commit {
    let commit = Commit { tables, ..owner.next(vec![]) };
    assert_eq!(owner.send(&commit).await, applied());
    commit
}

async fn table(store: &Given, partition: PartitionId) -> Vec<(String, String)> {
    store.read_table(partition, LOCKS).await.unwrap()
}

fn rows<const N: usize>(rows: [(&str, &str); N]) -> Vec<(String, String)> {
    rows.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

async fn rows_are_put_replaced_and_deleted(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    assert_eq!(table(&store, owner.partition).await, []);
    change(&mut owner, vec![put("b", "1"), put("a", "2"), delete("nothing")]).await;
    assert_eq!(table(&store, owner.partition).await, rows([("a", "2"), ("b", "1")]));
    change(&mut owner, vec![put("b", "3"), delete("a"), put("c", "")]).await;
    assert_eq!(table(&store, owner.partition).await, rows([("b", "3"), ("c", "")]));
    let asked = ["c", "a", "b", "c"].map(str::to_owned);
    let values = store.table_rows(owner.partition, LOCKS, &asked).await.unwrap();
    assert_eq!(values, [Some("".into()), None, Some("3".into()), Some("".into())]);
    assert_eq!(store.table_rows(owner.partition, LOCKS, &[]).await.unwrap(), []);
    change(&mut owner, vec![delete("b"), delete("c")]).await;
    assert_eq!(table(&store, owner.partition).await, []);
}

async fn the_last_change_to_a_row_of_a_commit_holds(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let (one, other) = (owner.queued().await.run, owner.queued().await.run);
    let first = RunDelta { tables: vec![put("a", "1"), delete("a"), put("b", "1")], ..RunDelta::new(one) };
    let second = RunDelta { tables: vec![delete("b"), put("a", "2"), put("c", "2")], ..RunDelta::new(other) };
    let mut commit = owner.next(vec![first, second]);
    commit.tables = vec![put("d", "3"), put("d", "4"), delete("c")];
    assert_eq!(owner.send(&commit).await, applied());
    assert_eq!(table(&store, owner.partition).await, rows([("a", "2"), ("d", "4")]));
}

async fn a_run_that_exists_changes_no_row_of_another_creation(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let known = owner.queued().await.run;
    change(&mut owner, vec![put("holder", "somebody")]).await;
    let again = RunDelta { tables: vec![put("holder", "again"), put("x", "1")], ..created(known) };
    let new = RunDelta { tables: vec![put("y", "2")], ..created(owner.new_run()) };
    let mut commit = owner.next(vec![again, new]);
    commit.tables.push(put("z", "3"));
    for _ in 0..2 {
        assert_eq!(owner.send(&commit).await, Verdict::Applied { duplicates: vec![known] });
        let expected = rows([("holder", "somebody"), ("y", "2"), ("z", "3")]);
        assert_eq!(table(&store, owner.partition).await, expected);
    }
}

async fn a_run_that_is_gone_changes_no_row(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let gone = RunDelta { tables: vec![put("a", "1")], ..RunDelta::new(owner.new_run()) };
    owner.commit(vec![gone]).await;
    assert_eq!(table(&store, owner.partition).await, []);
}

async fn a_refused_commit_changes_no_row(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    change(&mut owner, vec![put("a", "1")]).await;
    let mut stray = Commit { tables: vec![put("b", "2"), delete("a")], ..owner.clone().next(vec![]) };
    stray.seq = Seq(owner.seq.0 + 2);
    assert!(matches!(owner.send(&stray).await, Verdict::Fenced { .. }));
    stray.seq = owner.seq.next();
    stray.epoch.0 += 1;
    assert!(matches!(owner.send(&stray).await, Verdict::Fenced { .. }));
    assert_eq!(table(&store, owner.partition).await, rows([("a", "1")]));
}

async fn a_commit_that_is_sent_again_changes_no_row_again(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let first = change(&mut owner, vec![put("a", "1")]).await;
    change(&mut owner, vec![delete("a")]).await;
    assert!(matches!(owner.send(&first).await, Verdict::Fenced { .. }));
    assert_eq!(table(&store, owner.partition).await, []);
}

async fn each_table_of_each_partition_has_its_own_rows(store: Given) {
    let (mut one, mut other) = (Owner::of(&store, 1).await, Owner::of(&store, 2).await);
    change(&mut one, vec![put("a", "1"), RowDelta::put(AUDIT, "a", "2")]).await;
    change(&mut other, vec![put("a", "3"), delete("b")]).await;
    change(&mut one, vec![RowDelta::delete(AUDIT, "b"), put("b", "4")]).await;
    assert_eq!(table(&store, one.partition).await, rows([("a", "1"), ("b", "4")]));
    assert_eq!(store.read_table(one.partition, AUDIT).await.unwrap(), rows([("a", "2")]));
    assert_eq!(table(&store, other.partition).await, rows([("a", "3")]));
    assert_eq!(store.read_table(other.partition, AUDIT).await.unwrap(), []);
}

async fn keys_and_values_come_back_as_they_were_given(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let large = "x".repeat(100_000);
    let given = [("", "empty"), ("a:b|c", "{\"json\":[1]}"), ("line\n\0", "✓ über"), ("z", large.as_str())];
    change(&mut owner, given.iter().map(|(key, value)| put(key, value)).collect()).await;
    assert_eq!(table(&store, owner.partition).await, rows(given));
}

async fn a_large_table_is_read_whole_and_in_order(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let count = 5 * ROWS_AT_ONCE + 1;
    let expected: Vec<_> = (0..count).map(|n| (format!("{n:06}"), format!("value {n}"))).collect();
    change(&mut owner, expected.iter().rev().map(|(key, value)| put(key, value)).collect()).await;
    assert_eq!(table(&store, owner.partition).await, expected);
    change(&mut owner, expected.iter().skip(1).map(|(key, _)| delete(key)).collect()).await;
    assert_eq!(table(&store, owner.partition).await, expected[..1]);
}

async fn rows_outlast_their_owner_and_what_is_forgotten(store: Given) {
    let mut old = Owner::of(&store, 1).await;
    let delta = RunDelta { tables: vec![put("a", "1")], expires_at: Some(at(1)), ..created(old.new_run()) };
    old.commit(vec![delta]).await;
    assert_eq!(store.expire(old.partition, at(2), 0).await.unwrap(), 1);
    let mut new = Owner::take(&store, 1, old.id, LONG_MS).await;
    assert_eq!(table(&store, new.partition).await, rows([("a", "1")]));
    change(&mut new, vec![put("b", "2")]).await;
    assert_eq!(table(&store, new.partition).await, rows([("a", "1"), ("b", "2")]));
}
