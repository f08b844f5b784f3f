//! The table in which a partition keeps who holds its locks, and who waits.

use millrace_domain::Timestamp;
use millrace_domain::lock::{Board, Row};
use millrace_runtime::Unknown;
use millrace_store::Table;

/// The table of those that hold locks, and of those that wait. The key of a row is that of its holder, but for one.
pub(crate) const LOCKS: Table = Table("locks");

/// The key of the row that has the highest token which was given. No holder has it.
pub(crate) const TOKEN: &str = "token";

/// The board of the rows of a partition. One that cannot be read is passed over: a newer version has written it.
pub(crate) fn board_of(rows: Vec<(String, String)>, now: Timestamp) -> Board {
    let (mut read, mut token) = (Vec::with_capacity(rows.len()), None);
    for (key, row) in rows {
        if key == TOKEN {
            token = row.parse().ok();
            continue;
        }
        match serde_json::from_str::<Row>(&row) {
            Ok(row) => read.push(row),
            Err(error) => Unknown::Row.note(format_args!("a lock of {key}: {error}")),
        }
    }
    let mut board = Board::of(read, now);
    token.into_iter().for_each(|token| board.note_token(token));
    board
}
