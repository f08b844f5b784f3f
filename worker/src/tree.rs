//! Which processes belong together, whatever they did to get away: members of the group, descendants, members
//! of terminal sessions that these opened (`setsid`), and all whose environment carries the mark. A process
//! that cleared its environment, left its group and lost its parent before anybody looked is not found.

use std::collections::{BTreeMap, HashSet};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::census::Process;

/// What to look for, and what was found so far.
#[derive(Debug)]
pub(crate) struct Tree {
    groups: HashSet<i32>,
    session: String,
    /// Only this attempt of the session; all of them when absent.
    task: Option<String>,
    /// All that ever belonged to it, by when it started: a pid alone may be somebody else's by now.
    known: BTreeMap<i32, u64>,
}

impl Tree {
    pub(crate) fn new(groups: HashSet<i32>, session: String, task: Option<String>) -> Self {
        Self { groups, session, task, known: BTreeMap::new() }
    }

    /// Takes in a reading and answers which processes of it belong to the tree.
    pub(crate) fn find(&mut self, processes: &[Process]) -> Vec<i32> {
        let me = std::process::id().cast_signed();
        let mut found = HashSet::new();
        loop {
            let before = found.len();
            for process in processes.iter().filter(|process| process.pid > 1 && process.pid != me) {
                if !found.contains(&process.pid) && self.owns(process, &found) {
                    found.insert(process.pid);
                    self.known.insert(process.pid, process.started);
                }
            }
            if found.len() == before {
                return found.into_iter().collect();
            }
        }
    }

    fn owns(&self, process: &Process, found: &HashSet<i32>) -> bool {
        let marked = process.session.as_ref() == Some(&self.session)
            && (self.task.is_none() || process.task == self.task);
        marked
            || self.groups.contains(&process.group)
            || found.contains(&process.parent)
            || self.known.get(&process.pid) == Some(&process.started)
            || self.known.contains_key(&process.terminal_session)
    }
}

/// Signals a process. One that is gone is no error.
pub(crate) fn signal(pid: i32, signal: Signal) {
    if pid > 1
        && let Err(error) = kill(Pid::from_raw(pid), signal)
        && error != Errno::ESRCH
    {
        tracing::warn!(pid, %error, "a process could not be signalled");
    }
}

/// Signals a process group. One of which nothing is left is no error.
pub(crate) fn signal_group(group: i32, signal: Signal) {
    if group > 1
        && let Err(error) = killpg(Pid::from_raw(group), signal)
        && error != Errno::ESRCH
    {
        tracing::warn!(group, %error, "a process group could not be signalled");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32, group: i32, terminal_session: i32) -> Process {
        let started = u64::from(pid.unsigned_abs());
        Process { pid, parent, group, terminal_session, started, session: None, task: None }
    }

    fn found(tree: &mut Tree, processes: &[Process]) -> Vec<i32> {
        let mut pids = tree.find(processes);
        pids.sort_unstable();
        pids
    }

    #[test]
    fn group_descendants_and_marked_processes_belong_together() {
        let mut tree = Tree::new(HashSet::from([1000]), "s".into(), Some("t".into()));
        let mut marked = process(2000, 1, 2000, 2000);
        marked.session = Some("s".into());
        marked.task = Some("t".into());
        let mut other_task = process(2001, 1, 2001, 2001);
        other_task.session = Some("s".into());
        other_task.task = Some("u".into());
        // A child listed before its parent is found too.
        let census = [
            process(1002, 1001, 1002, 1002),
            process(1000, 50, 1000, 50),
            process(1001, 1000, 1001, 1001),
            marked,
            other_task,
            process(50, 1, 50, 50),
        ];
        assert_eq!(found(&mut tree, &census), [1000, 1001, 1002, 2000]);
    }

    #[test]
    fn a_descendant_is_still_known_when_its_parents_are_gone_and_its_pid_is_not_confused() {
        let mut tree = Tree::new(HashSet::from([1000]), "s".into(), None);
        tree.find(&[process(1000, 50, 1000, 50), process(1001, 1000, 1001, 1001)]);
        let orphan = process(1001, 1, 1001, 1001);
        let its_child_that_lost_it = process(1005, 1, 1005, 1001);
        assert_eq!(found(&mut tree, &[orphan, its_child_that_lost_it]), [1001, 1005]);
        let mut another = process(1000, 1, 70, 70);
        another.started = 99_999;
        assert_eq!(found(&mut tree, &[another]), [0; 0]);
    }
}
