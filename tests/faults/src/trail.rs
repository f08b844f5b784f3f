//! The marks that tasks leave in a file, one line at their start and one at their end, and when each was seen. This
//! file is the only witness of what was executed.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::incident::Epoch;
use crate::ledger::Ledger;
use crate::shape::Shape;

/// The interval at which the file is looked at: how exactly a mark's time is known.
const LOOK: Duration = Duration::from_millis(50);

/// A mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The number of its line in the file.
    pub line: usize,
    /// Whether it is the end of an attempt, or its start.
    pub is_end: bool,
    /// The name of the step.
    pub step: String,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The pid of the worker.
    pub pid: u32,
    /// The instant that the run stands for, as the task was told it.
    pub instant: String,
    /// The time at which it was seen, since the suite began.
    pub at: Duration,
}

/// The marks of each run, in the order in which they were written.
pub type Marks = HashMap<String, Vec<Mark>>;

/// The trail: the file of the marks, and what was read of it.
#[derive(Debug)]
pub struct Trail {
    path: PathBuf,
    read: Arc<Mutex<Marks>>,
    begun: Arc<Mutex<HashMap<u32, Duration>>>,
    reading: JoinHandle<()>,
}

impl Trail {
    /// Follows a file from now on.
    pub fn follow(folder: &Path, epoch: Epoch, ledger: Arc<Ledger>) -> Self {
        let path = folder.join("marks");
        File::create(&path).unwrap();
        let read: Arc<Mutex<Marks>> = Arc::default();
        let begun = Arc::default();
        let reading =
            tokio::spawn(follow(path.clone(), epoch, Arc::clone(&read), Arc::clone(&begun), ledger));
        Self { path, read, begun, reading }
    }

    /// The shell command that leaves the mark of a start: one line, in one write, by the shell itself.
    pub fn start(&self) -> String {
        self.mark('s')
    }

    /// The shell command that leaves the mark of an end.
    pub fn end(&self) -> String {
        self.mark('e')
    }

    /// The shell script that leaves both marks.
    pub fn script(&self) -> String {
        format!("{}\n{}", self.start(), self.end())
    }

    /// Between a task and its worker are helpers, more or fewer by its version: the worker is the one that we have
    /// started. The fourth field of a process's `stat` is its parent.
    fn mark(&self, word: char) -> String {
        format!(
            "worker=$PPID; while read -r _ _ _ parent _ < /proc/$worker/stat && [ $parent != {us} ]; do \
             worker=$parent; done; \
             printf '{word} %s %s %s %s %s\\n' $MILLRACE_RUN_ID \
             $MILLRACE_STEP${{MILLRACE_ITEM_INDEX:+.$MILLRACE_ITEM_INDEX}} $MILLRACE_ATTEMPT $worker \
             $MILLRACE_SCHEDULED_AT >> '{path}'",
            us = std::process::id(),
            path = self.path.display()
        )
    }

    /// Has this worker begun a task since then?
    pub fn has_begun_since(&self, pid: u32, since: Duration) -> bool {
        self.begun.lock().unwrap().get(&pid).is_some_and(|at| *at > since)
    }

    /// The marks that were read until now.
    pub fn marks(&self) -> MutexGuard<'_, Marks> {
        self.read.lock().unwrap()
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

async fn follow(
    path: PathBuf,
    epoch: Epoch,
    read: Arc<Mutex<Marks>>,
    begun: Arc<Mutex<HashMap<u32, Duration>>>,
    ledger: Arc<Ledger>,
) {
    let mut file = File::open(path).unwrap();
    let (mut rest, mut line) = (String::new(), 0);
    loop {
        file.read_to_string(&mut rest).unwrap();
        let now = epoch.now();
        let whole = rest.rfind('\n').map_or(0, |end| end + 1);
        for text in rest[..whole].lines() {
            let (run, mark) = parse(text, line, now);
            line += 1;
            if mark.is_end && Shape::last_step(&mark.step) {
                ledger.done(&run);
            }
            if !mark.is_end {
                begun.lock().unwrap().insert(mark.pid, now);
            }
            read.lock().unwrap().entry(run).or_default().push(mark);
        }
        rest.drain(..whole);
        sleep(LOOK).await;
    }
}

fn parse(text: &str, line: usize, at: Duration) -> (String, Mark) {
    let words: Vec<&str> = text.split(' ').collect();
    let [word @ ("s" | "e"), run, step, attempt, pid, instant] = words[..] else {
        panic!("not a mark: {text:?}")
    };
    let mark = Mark {
        line,
        is_end: word == "e",
        step: step.to_owned(),
        attempt: attempt.parse().unwrap(),
        pid: pid.parse().unwrap(),
        instant: instant.to_owned(),
        at,
    };
    (run.to_owned(), mark)
}
