//! Dispatched attempts. One is written down in one field of its run, so that a claim is one read and one write:
//!
//! ```text
//! q|<dispatched ms>|<level>|<pool>                                queued
//! c|<token>|<session>|<claimed ms>|<dispatched ms>|<level>|<pool>  claimed
//! f|<token><dispatched ms>|<result>                               finished
//! x|<dispatched ms>                                               revoked
//! x|<dispatched ms>|q                                             revoked before anybody had claimed it
//! ```
//!
//! The level is that of AMQP: 3 for P0, 0 for P3. Tokens and sessions are 32 hexadecimal digits. `q` is written by a
//! commit, the others by scripts. Version 0.1 wrote the last two without the instant, and reads them with it: there the
//! token of a finished attempt is all hexadecimal digits up to the bar, and nothing is read behind an `x`.

use millrace_domain::{Lane, Priority, TaskId, Timestamp};
use redis::{Value, cmd};

use super::connection::Connection;
use super::keys::Keys;
use super::reply::{maybe_text, text, timestamp, unexpected};
use crate::{StoreError, TaskRecord};

/// The greatest number of attempts in one script call: it holds up everybody else.
pub(super) const BATCH: usize = 512;

/// The record of an attempt that was just dispatched.
pub(super) fn queued(at: Timestamp, lane: &Lane) -> String {
    format!("q|{}|{}|{}", at.as_millis(), lane.priority.level(), lane.queue)
}

/// Reads what follows the `q` in the record of a queued attempt.
fn waiting(text: &str) -> Option<TaskRecord> {
    let mut parts = text.splitn(3, '|');
    let dispatched_at = timestamp(parts.next()?).ok()?;
    let level: u8 = parts.next()?.parse().ok()?;
    let priority = Priority::ALL.into_iter().find(|priority| priority.level() == level)?;
    let queue = parts.next()?.parse().ok()?;
    Some(TaskRecord::Queued { dispatched_at, lane: Lane { queue, priority } })
}

/// The number of digits of a token.
const TOKEN: usize = 32;

/// Reads what follows the `c` in the record of a claimed attempt.
fn held(text: &str) -> Option<TaskRecord> {
    let mut parts = text.split('|').skip(1);
    let session = parts.next()?.parse().ok()?;
    let (claimed_at, dispatched_at) = (timestamp(parts.next()?).ok()?, timestamp(parts.next()?).ok()?);
    Some(TaskRecord::Claimed { session, claimed_at, dispatched_at })
}

/// Reads what follows the `f` in the record of a finished attempt.
fn ended(text: &str) -> Option<TaskRecord> {
    let (token, result) = text.split_once('|')?;
    let dispatched_at = token.get(TOKEN..).and_then(|at| timestamp(at).ok());
    Some(TaskRecord::Finished { result: result.to_owned(), dispatched_at })
}

/// Reads the record of an attempt. One that cannot be read was written by a newer version.
pub(super) fn read(text: &str) -> TaskRecord {
    let (phase, rest) = text.split_once('|').unwrap_or((text, ""));
    let record = match phase {
        "q" => waiting(rest),
        "c" => held(rest),
        "f" => ended(rest),
        "x" => {
            let (at, unclaimed) = rest.strip_suffix("|q").map_or((rest, false), |at| (at, true));
            Some(TaskRecord::Revoked { dispatched_at: timestamp(at).ok(), unclaimed })
        }
        _ => None,
    };
    record.unwrap_or(TaskRecord::Unknown)
}

/// Reads how attempts stand; `None` for one that is not the current attempt of its step.
pub(super) async fn tasks(
    connection: &Connection,
    keys: &Keys,
    tasks: &[TaskId],
) -> Result<Vec<Option<TaskRecord>>, StoreError> {
    let ask = |task: &TaskId| {
        let mut command = cmd("HGET");
        command.arg(keys.run(task.run)).arg(Keys::attempt(task.unit, task.attempt));
        command
    };
    let mut records = Vec::with_capacity(tasks.len());
    for tasks in tasks.chunks(BATCH) {
        let answers = connection.ask_each(tasks.iter().map(ask).collect()).await?;
        for (task, answer) in tasks.iter().zip(answers) {
            let record = answer.and_then(|answer| Ok(maybe_text(answer)?.map(|text| read(&text))));
            records.push(match record {
                // A damaged run is as good as gone, and must not hide the others.
                Err(StoreError::Corrupt(why)) => {
                    tracing::error!(%task, why, "the record of the attempt is damaged");
                    None
                }
                record => record?,
            });
        }
    }
    Ok(records)
}

/// The answer of a script about an attempt, tagged by what it is.
pub(super) enum Tagged {
    Number(i64),
    Claimed(String),
    Finished(String),
}

/// Reads what a script answers about an attempt.
pub(super) fn tagged(answer: Value) -> Result<Tagged, StoreError> {
    if let Value::Int(number) = answer {
        return Ok(Tagged::Number(number));
    }
    let mut text = text(answer)?;
    let rest = text.split_off(text.len().min(1));
    match text.as_str() {
        "c" => Ok(Tagged::Claimed(rest)),
        "f" => Ok(Tagged::Finished(rest)),
        other => Err(unexpected("a verdict", &Value::SimpleString(other.to_owned()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_is_read_and_what_is_none_is_unknown() {
        let at = Timestamp::from_millis(17);
        let lane = Lane { queue: "gpu.ns.billing".parse().unwrap(), priority: Priority::P1 };
        assert_eq!(queued(at, &lane), "q|17|2|gpu.ns.billing");
        assert_eq!(read(&queued(at, &lane)), TaskRecord::Queued { dispatched_at: at, lane });
        let session = "0".repeat(31) + "5";
        assert_eq!(
            read(&format!("c|{}|{session}|17|9", "a".repeat(32))),
            TaskRecord::Claimed {
                session: session.parse().unwrap(),
                claimed_at: at,
                dispatched_at: Timestamp::from_millis(9)
            }
        );
        let finished =
            |dispatched_at| TaskRecord::Finished { result: "{\"a\":\"b|c\"}".to_owned(), dispatched_at };
        assert_eq!(read("f|aa|{\"a\":\"b|c\"}"), finished(None));
        let token = "a".repeat(32);
        assert_eq!(read(&format!("f|{token}|{{\"a\":\"b|c\"}}")), finished(None));
        assert_eq!(read(&format!("f|{token}17|{{\"a\":\"b|c\"}}")), finished(Some(at)));
        let revoked = |dispatched_at, unclaimed| TaskRecord::Revoked { dispatched_at, unclaimed };
        assert_eq!(read("x"), revoked(None, false));
        assert_eq!(read("x|17"), revoked(Some(at), false));
        assert_eq!(read("x|17|q"), revoked(Some(at), true));
        for wrong in ["", "c|a", "f|a", "z|1", "c|a|b|17", "q|1", "q|1|2|", "q|1|9|gpu"] {
            assert_eq!(read(wrong), TaskRecord::Unknown, "{wrong}");
        }
    }
}
