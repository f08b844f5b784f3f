//! Letters of a partition: a sorted set by when they were sent. A letter is one member, whose numbers have a fixed width,
//! so that those of the same millisecond are in order:
//!
//! ```text
//! <epoch, 16 hexadecimal digits>:<seq, 16>:<number, 8>:<destination>:<body>
//! ```

use millrace_domain::{Epoch, PartitionId, Seq, Timestamp};

use super::connection::Connection;
use super::keys::Keys;
use super::sorted::{self, Start};
use crate::{Letter, StoreError, StoredLetter};

/// The member of a letter.
pub(super) fn member(epoch: Epoch, seq: Seq, letter: &Letter) -> String {
    let Letter { n, to, body, .. } = letter;
    format!("{:016x}:{:016x}:{n:08x}:{}:{body}", epoch.0, seq.0, to.0)
}

fn read(at: Timestamp, member: &str) -> Option<StoredLetter> {
    let mut parts = member.splitn(5, ':');
    let mut number = |radix| u64::from_str_radix(parts.next()?, radix).ok();
    let (epoch, seq) = (Epoch(number(16)?), Seq(number(16)?));
    let n = u32::try_from(number(16)?).ok()?;
    let to = PartitionId(u16::try_from(number(10)?).ok()?);
    Some(StoredLetter { epoch, seq, letter: Letter { n, at, to, body: parts.next()?.to_owned() } })
}

/// Lists letters of a partition in order of (when, epoch, seq, number).
pub(super) async fn list(
    connection: &Connection,
    keys: &Keys,
    partition: PartitionId,
    from: Timestamp,
    after: Option<&StoredLetter>,
    limit: usize,
) -> Result<Vec<StoredLetter>, StoreError> {
    let start = match after.filter(|last| last.letter.at >= from) {
        Some(StoredLetter { epoch, seq, letter }) => Start::After(letter.at, member(*epoch, *seq, letter)),
        None => Start::From(from),
    };
    let read = |at, member: String| {
        let letter = read(at, &member);
        if letter.is_none() {
            let shown: String = member.chars().take(100).collect();
            tracing::error!(%partition, letter = shown, "this letter cannot be read: it is not sent again");
        }
        Ok(letter)
    };
    sorted::list(connection, &keys.letters(partition), start, limit, read).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(n: u32, body: &str) -> Letter {
        Letter { n, at: Timestamp::from_millis(7), to: PartitionId(63), body: body.to_owned() }
    }

    #[test]
    fn a_letter_survives_its_text_form_and_what_is_none_is_not_read() {
        let (epoch, seq, letter) = (Epoch(1 << 50), Seq(u64::MAX), letter(u32::MAX, "{\"a\":\"b:c|d\"}"));
        let text = member(epoch, seq, &letter);
        assert_eq!(read(letter.at, &text), Some(StoredLetter { epoch, seq, letter }));
        for wrong in ["", "1:2:3", "1:2:3:4", "x:2:3:4:{}", "1:2:3:70000:{}", "1:2:100000000:4:{}"] {
            assert_eq!(read(Timestamp::default(), wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_order_of_members_is_that_of_their_numbers() {
        let text = |epoch, seq, n| member(Epoch(epoch), Seq(seq), &letter(n, "{}"));
        let ordered = [text(9, 99, 9), text(9, 100, 0), text(9, 100, 2), text(9, 100, 10), text(10, 1, 0)];
        assert!(ordered.is_sorted(), "{ordered:?}");
    }
}
