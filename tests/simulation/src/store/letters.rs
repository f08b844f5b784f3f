//! Letters and tables of a partition.

use std::ops::Bound;

use millrace_domain::{Epoch, PartitionId, Seq, Timestamp};
use millrace_store::{Commit, Letter, RowDelta, StoredLetter, Table};

use super::memory::{LetterKey, Memory, Partition};

fn key(stored: &StoredLetter) -> LetterKey {
    (stored.letter.at, stored.epoch, stored.seq, stored.letter.n)
}

impl Partition {
    /// Stores letters of a commit.
    pub(super) fn send(&mut self, commit: &Commit, letters: &[Letter]) {
        for letter in letters {
            let stored = StoredLetter { epoch: commit.epoch, seq: commit.seq, letter: letter.clone() };
            self.letters.insert(key(&stored), stored);
        }
    }

    /// Drops the letters of before an instant.
    pub(super) fn drop_letters(&mut self, until: Timestamp) {
        self.letters.retain(|(at, ..), _| *at >= until);
    }

    /// Changes rows, in order.
    pub(super) fn change_rows(&mut self, changes: &[RowDelta]) {
        for RowDelta { table, key, value } in changes {
            let rows = self.tables.entry(*table).or_default();
            match value {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            };
        }
    }
}

impl Memory {
    pub(crate) fn letters(
        &self,
        id: PartitionId,
        from: Timestamp,
        after: Option<&StoredLetter>,
        limit: usize,
    ) -> Vec<StoredLetter> {
        let Some(partition) = self.partitions.get(&id) else { return Vec::new() };
        let start = match after.filter(|last| last.letter.at >= from) {
            Some(last) => Bound::Excluded(key(last)),
            None => Bound::Included((from, Epoch(0), Seq(0), 0)),
        };
        partition.letters.range((start, Bound::Unbounded)).take(limit).map(|(_, one)| one.clone()).collect()
    }

    /// All rows of all tables of a partition.
    pub(crate) fn rows(&self, id: PartitionId) -> Vec<(Table, &String, &String)> {
        let tables = self.partitions.get(&id).into_iter().flat_map(|partition| &partition.tables);
        tables.flat_map(|(table, rows)| rows.iter().map(|(key, value)| (*table, key, value))).collect()
    }

    pub(crate) fn table_keys(&self, id: PartitionId, table: Table) -> Vec<String> {
        let rows = self.partitions.get(&id).and_then(|partition| partition.tables.get(&table));
        rows.map(|rows| rows.keys().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn table_rows(&self, id: PartitionId, table: Table, keys: &[String]) -> Vec<Option<String>> {
        let rows = self.partitions.get(&id).and_then(|partition| partition.tables.get(&table));
        keys.iter().map(|key| rows?.get(key).cloned()).collect()
    }
}
