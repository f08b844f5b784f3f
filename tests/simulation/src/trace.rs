//! What happened, in order: a hash of it always, and the last of it in words when somebody wants to read it. The
//! words cost too much for ten thousand seeds: a seed that fails is run once more, with words.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use millrace_domain::Timestamp;

/// The number of lines that are kept.
const LINES: usize = 400;

/// The trace of one seed.
#[derive(Debug)]
pub(crate) struct Trace {
    hasher: DefaultHasher,
    events: u64,
    /// The last lines; `None` when nobody reads them.
    lines: Option<VecDeque<String>>,
    closed: bool,
}

impl Trace {
    /// An empty trace, in words or not.
    pub(crate) fn new(in_words: bool) -> Self {
        Self { hasher: DefaultHasher::new(), events: 0, lines: in_words.then(VecDeque::new), closed: false }
    }

    /// Notes that something happened. `detail` is what tells it from others of its kind; `words` say it for people.
    pub(crate) fn note(
        &mut self,
        at: Timestamp,
        who: u16,
        what: &'static str,
        detail: impl Hash,
        words: impl FnOnce() -> String,
    ) {
        if self.closed {
            return;
        }
        self.events += 1;
        (at.as_millis(), who, what, detail).hash(&mut self.hasher);
        if let Some(lines) = &mut self.lines {
            if lines.len() >= LINES {
                lines.pop_front();
            }
            lines.push_back(format!("{:>9} ms  {what:<10} {}", at.as_millis() % 1_000_000_000, words()));
        }
    }

    /// The number of events so far.
    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    /// Ends the trace: nothing more is noted.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// The number of events, and a hash of all of them.
    pub(crate) fn digest(&self) -> (u64, u64) {
        (self.events, self.hasher.finish())
    }

    /// The last lines.
    pub(crate) fn words(&self) -> String {
        let lines = self.lines.iter().flatten();
        lines.map(|line| format!("{line}\n")).collect()
    }
}
