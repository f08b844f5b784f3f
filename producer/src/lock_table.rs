//! The table in which a partition keeps who holds its locks, and who waits.

use millrace_domain::lock::{Board, Entry};
use millrace_runtime::Unknown;
use millrace_store::Table;

/// The table of those that hold locks, and of those that wait. The key of a row is that of its holder, but for one.
pub(crate) const LOCKS: Table = Table("locks");

/// The key of the row that has the highest token which was given. No holder has it.
pub(crate) const TOKEN: &str = "token";

/// The board of the rows of a partition. One that cannot be read is passed over: a newer version has written it.
pub(crate) fn board_of(rows: Vec<(String, String)>) -> Board {
    let (mut entries, mut token) = (Vec::with_capacity(rows.len()), None);
    for (key, row) in rows {
        if key == TOKEN {
            token = row.parse().ok();
            continue;
        }
        match serde_json::from_str::<Entry>(&row) {
            Ok(entry) => entries.push(entry),
            Err(error) => Unknown::Row.note(format_args!("a lock of {key}: {error}")),
        }
    }
    let mut board = Board::of(entries);
    token.into_iter().for_each(|token| board.note_token(token));
    board
}
