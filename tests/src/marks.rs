//! What tasks write down about themselves: lines in a file, from which a test reads what ran, when, how often.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::wait_until;

/// A file of marks.
#[derive(Debug, Clone)]
pub struct Marks {
    path: PathBuf,
}

/// What a task says with a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The task begins.
    Start,
    /// The task is still there.
    Beat,
    /// The task is done.
    End,
}

/// A mark: one line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// What the task says.
    pub kind: Kind,
    /// The run's id.
    pub run: String,
    /// The step's name.
    pub step: String,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The process of the shell that wrote it: two executions of one attempt differ in it.
    pub pid: u32,
    /// The time at which it was written, since 1970.
    pub at: Duration,
    /// The instant that the run stands for, as the task was told it.
    pub scheduled_at: String,
    /// The param `key`; `-` when there is none.
    pub key: String,
}

impl Marks {
    /// The marks in this file.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The shell command that leaves a mark: one line, appended in one write.
    pub fn mark(&self, kind: Kind) -> String {
        let word = match kind {
            Kind::Start => "start",
            Kind::Beat => "beat",
            Kind::End => "end",
        };
        format!(
            "printf '{word} %s %s %s %s %s %s %s\\n' \"$MILLRACE_RUN_ID\" \"$MILLRACE_STEP\" \"$MILLRACE_ATTEMPT\" \"$$\" \
             \"$(date +%s%N)\" \"$MILLRACE_SCHEDULED_AT\" \"${{key:--}}\" >> '{}'",
            self.path.display()
        )
    }

    /// The shell script that marks the start and the end of `body`.
    pub fn around(&self, body: &str) -> String {
        format!("{}\n{body}\n{}\n", self.mark(Kind::Start), self.mark(Kind::End))
    }

    /// The shell script that lasts `beats` tenths of a second and leaves a mark in each.
    pub fn beating(&self, beats: u32) -> String {
        let beat = self.mark(Kind::Beat);
        self.around(&format!("n=0; while [ $n -lt {beats} ]; do {beat}; sleep 0.1; n=$((n+1)); done"))
    }

    /// All marks, in the order in which they were written.
    pub fn read(&self) -> Vec<Mark> {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        // A line without its end is still being written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(parse).collect()
    }

    /// The marks of one kind.
    pub fn of(&self, kind: Kind) -> Vec<Mark> {
        self.read().into_iter().filter(|mark| mark.kind == kind).collect()
    }

    /// How often each `key` left a mark of this kind.
    pub fn by_key(&self, kind: Kind) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        self.of(kind).into_iter().for_each(|mark| *counts.entry(mark.key).or_default() += 1);
        counts
    }

    /// Waits until `count` keys have ended, and sees to it that each has started and ended once.
    pub async fn each_ran_once(&self, count: usize, within: Duration) {
        wait_until(within, &format!("{count} tasks have ended"), async || {
            let ended = self.by_key(Kind::End).len();
            if ended >= count { Ok(()) } else { Err(format!("{ended} have")) }
        })
        .await;
        for kind in [Kind::Start, Kind::End] {
            let counts = self.by_key(kind);
            assert_eq!(counts.len(), count, "{kind:?}");
            let doubled: Vec<_> = counts.iter().filter(|(_, count)| **count != 1).collect();
            assert!(doubled.is_empty(), "{kind:?} not once: {doubled:?}");
        }
    }

    /// The time now, as marks tell it.
    pub fn now() -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
    }
}

fn parse(line: &str) -> Mark {
    let words: Vec<&str> = line.split(' ').collect();
    let [kind, run, step, attempt, pid, at, scheduled_at, key] = words[..] else {
        panic!("not a mark: {line:?}")
    };
    let kind = match kind {
        "start" => Kind::Start,
        "beat" => Kind::Beat,
        "end" => Kind::End,
        _ => panic!("not a mark: {line:?}"),
    };
    Mark {
        kind,
        run: run.to_owned(),
        step: step.to_owned(),
        attempt: attempt.parse().unwrap(),
        pid: pid.parse().unwrap(),
        at: Duration::from_nanos(at.parse().unwrap()),
        scheduled_at: scheduled_at.to_owned(),
        key: key.to_owned(),
    }
}
