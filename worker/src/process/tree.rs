//! Which processes belong together: those that a process has started, directly or not. And how to signal them.

use std::collections::HashSet;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::census::Process;

/// How long killed processes may take to vanish. Longer only helps against those that are stuck in the kernel, and
/// these die as soon as they leave it.
pub(crate) const KILL_LIMIT: Duration = Duration::from_secs(5);

/// The time between two looks at what is dying.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Finds all descendants of a process. Below a subreaper none is missing: whoever loses its parent becomes its child.
pub(crate) fn descendants(root: i32, processes: &[Process]) -> HashSet<i32> {
    let mut found = HashSet::new();
    loop {
        let before = found.len();
        for process in processes.iter().filter(|process| process.pid != root) {
            if process.parent == root || found.contains(&process.parent) {
                found.insert(process.pid);
            }
        }
        if found.len() == before {
            return found;
        }
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

    #[test]
    fn descendants_are_found_whatever_the_order_and_nobody_else_is() {
        let of = |pid, parent| Process { pid, parent };
        // A child listed before its parent is found too.
        let census = [of(1002, 1001), of(1000, 50), of(1001, 1000), of(50, 1), of(1003, 1000), of(2000, 1)];
        assert_eq!(descendants(1000, &census), HashSet::from([1001, 1002, 1003]));
        assert_eq!(descendants(2000, &census), HashSet::new());
    }
}
