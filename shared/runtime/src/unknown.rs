//! What a newer version of Millrace has written and this one does not know. It is kept for a process that knows it, and
//! here it is made known: each one is counted, and the log tells of it now and then.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The interval at which the log tells again of the same kind of thing.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// The number of kinds of things.
const KINDS: usize = 7;

/// When the log last told of each kind of thing.
static TOLD: Mutex<Told> = Mutex::new(Told([None; KINDS]));

/// A kind of thing that a newer version may write in a form that is not known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// A message in the inbox of a partition.
    Inbox,
    /// A timer of a partition.
    Timer,
    /// A task on the queue of a pool.
    Task,
    /// A stored run, or a part of one.
    Run,
    /// The stored result of an attempt.
    Result,
    /// A message that producers send to all workers.
    Control,
    /// The reply of a producer to another.
    Reply,
    /// A row of a table of a partition.
    Row,
}

impl Unknown {
    /// The word for it in the metric `millrace_unknown_total` and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Timer => "timer",
            Self::Task => "task",
            Self::Run => "run",
            Self::Result => "result",
            Self::Control => "control",
            Self::Reply => "reply",
            Self::Row => "row",
        }
    }

    /// Counts one that was found, and logs what it is: the first of its kind, and then one a minute.
    pub fn note(self, found: impl Display) {
        metrics::counter!("millrace_unknown_total", "what" => self.as_str()).increment(1);
        let is_told = TOLD.lock().unwrap_or_else(PoisonError::into_inner).is_next(self, Instant::now());
        if is_told {
            tracing::warn!(
                what = self.as_str(),
                %found,
                "this version does not know it and leaves it alone: a newer version has written it, and one must be \
                 running that goes on with it"
            );
        }
    }
}

/// When the log last told of each kind of thing.
#[derive(Debug)]
struct Told([Option<Instant>; KINDS]);

impl Told {
    /// Whether the log is to tell of one that was found at `now`.
    fn is_next(&mut self, kind: Unknown, now: Instant) -> bool {
        let last = &mut self.0[kind as usize];
        let is_next = last.is_none_or(|last| now.duration_since(last) >= TELL_AGAIN);
        if is_next {
            *last = Some(now);
        }
        is_next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_tells_of_each_kind_once_a_minute_however_many_there_are() {
        let (mut told, began) = (Told([None; KINDS]), Instant::now());
        let mut lines = Vec::new();
        for second in 0..121 {
            for kind in [Unknown::Inbox, Unknown::Reply] {
                for _ in 0..100 {
                    if told.is_next(kind, began + Duration::from_secs(second)) {
                        lines.push((second, kind));
                    }
                }
            }
        }
        let expected = [0, 60, 120].map(|at| [(at, Unknown::Inbox), (at, Unknown::Reply)]);
        assert_eq!(lines, expected.concat());
    }
}
