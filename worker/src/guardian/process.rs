//! The helper process: `millrace guardian`, started by a worker only.

use std::collections::HashSet;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};

use crate::census;
use crate::tree::{Tree, signal, signal_group};

/// Lines are gathered for so long, so that thousands of tasks per second cost few awakenings.
const GATHER: Duration = Duration::from_millis(10);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Longer only helps against processes that are stuck in the kernel, and these die as soon as they leave it.
const KILL_LIMIT: Duration = Duration::from_secs(5);
/// So often in a row nothing may be found: a process that is just being started has no environment yet.
const CLEAN_READINGS: u32 = 3;

/// Guards until standard input ends, then kills what is left of the worker's tasks. Call it from `main`, before
/// any other thread is started: it blocks the signals of the calling thread, since whatever ends the worker
/// must not end its guardian first.
pub fn run() -> io::Result<()> {
    SigSet::all().thread_block()?;
    let mut charge = Charge::default();
    let mut input = BufReader::with_capacity(64 * 1024, io::stdin().lock());
    let mut line = String::new();
    loop {
        line.clear();
        // An unreadable pipe is no better than a closed one.
        if input.read_line(&mut line).unwrap_or(0) == 0 {
            break;
        }
        charge.note(line.trim_end_matches('\n'));
        if input.buffer().is_empty() {
            sleep(GATHER);
        }
    }
    charge.end();
    Ok(())
}

/// What the worker told.
#[derive(Debug, Default)]
struct Charge {
    session: Option<String>,
    groups: HashSet<i32>,
    directories: Vec<PathBuf>,
}

impl Charge {
    fn note(&mut self, line: &str) {
        if let Some(group) = line.strip_prefix('+').and_then(|group| group.parse().ok()) {
            self.groups.insert(group);
        } else if let Some(group) = line.strip_prefix('-').and_then(|group| group.parse().ok()) {
            self.groups.remove(&group);
        } else if let Some(session) = line.strip_prefix("session ") {
            self.session = Some(session.to_owned());
        } else if let Some(directory) = line.strip_prefix("remove ") {
            self.directories.push(directory.into());
        }
    }

    fn end(self) {
        for &group in &self.groups {
            signal_group(group, Signal::SIGKILL);
        }
        // Without a session nothing carries its mark.
        let Some(session) = self.session else { return };
        let mut tree = Tree::new(self.groups, session, None);
        let deadline = Instant::now() + KILL_LIMIT;
        let mut clean = 0;
        while clean < CLEAN_READINGS && Instant::now() < deadline {
            let left = tree.find(&census::read());
            clean = if left.is_empty() { clean + 1 } else { 0 };
            for pid in left {
                signal(pid, Signal::SIGKILL);
            }
            sleep(LOOK_AGAIN);
        }
        for directory in self.directories {
            // The worker may have removed it, or never made it.
            let _ = fs::remove_dir_all(directory);
        }
    }
}
