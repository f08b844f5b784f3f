//! Tables of a partition: rows that only its owner writes, and always in a commit.

/// A table: its name, which is a word of this program's and the same in every partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Table(pub &'static str);

/// A change to one row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowDelta {
    /// The table that the row is in.
    pub table: Table,
    /// The key of the row.
    pub key: String,
    /// The value from now on; `None` deletes the row.
    pub value: Option<String>,
}

impl RowDelta {
    /// The row has this value from now on, whether it was there or not.
    pub fn put(table: Table, key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { table, key: key.into(), value: Some(value.into()) }
    }

    /// The row is gone from now on, whether it was there or not.
    pub fn delete(table: Table, key: impl Into<String>) -> Self {
        Self { table, key: key.into(), value: None }
    }
}
