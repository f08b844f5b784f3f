//! The mark of a task: two variables in the environment of every process of it. By them a process is found that has
//! left its parents, its group and its session, and whose keeper is dead.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::time::Instant;

use nix::sys::signal::Signal;

use super::census;
use super::tree::{KILL_LIMIT, LOOK_AGAIN, descendants, signal};

/// The variable that names the worker's session in the environment of every process of its tasks.
pub(crate) const SESSION_VARIABLE: &str = "MILLRACE_SESSION";
/// The variable that names the attempt (`<run>:<step index>:<attempt>`) in the environment of every process of it.
pub(crate) const TASK_VARIABLE: &str = "MILLRACE_TASK";

/// How much of an environment is read: the kernel's own bound is below this.
const ENVIRON_LIMIT_BYTES: u64 = 8 * 1024 * 1024;
/// How often in a row nothing may be found before nothing is left: a process that is just being started has no
/// environment yet.
const CLEAN_READINGS: u32 = 3;

/// Kills the processes that carry the mark of a session, and of an attempt if one is named, with their descendants,
/// and answers how many there were.
pub(crate) fn kill_marked(session: &str, task: Option<&str>) -> usize {
    let me = std::process::id().cast_signed();
    let deadline = Instant::now() + KILL_LIMIT;
    let mut killed = HashSet::new();
    let mut clean = 0;
    while clean < CLEAN_READINGS && Instant::now() < deadline {
        let processes = census::read();
        let is_marked = |pid: &i32| is_marked(*pid, session, task);
        let mut found: HashSet<i32> = processes.iter().map(|process| process.pid).filter(is_marked).collect();
        let below: Vec<i32> = found.iter().flat_map(|&pid| descendants(pid, &processes)).collect();
        found.extend(below);
        found.remove(&me);
        clean = if found.is_empty() { clean + 1 } else { 0 };
        for &pid in &found {
            signal(pid, Signal::SIGKILL);
        }
        killed.extend(found);
        std::thread::sleep(LOOK_AGAIN);
    }
    killed.len()
}

/// Whether a process carries the mark of a session, and of an attempt if one is named, as far as we may know.
fn is_marked(pid: i32, session: &str, task: Option<&str>) -> bool {
    let environ = environ(pid).unwrap_or_default();
    let says = |name, value| variable(&environ, name).as_deref() == Some(value);
    says(SESSION_VARIABLE, session) && task.is_none_or(|task| says(TASK_VARIABLE, task))
}

/// The environment with which the program of a process started.
fn environ(pid: i32) -> Option<Vec<u8>> {
    let file = File::open(format!("/proc/{pid}/environ")).ok()?;
    let mut environ = Vec::new();
    // A process that ends meanwhile has no environment any more.
    let _ = file.take(ENVIRON_LIMIT_BYTES).read_to_end(&mut environ);
    Some(environ)
}

/// The value of a variable in an environment as the kernel shows it: entries that end with NUL.
fn variable(environ: &[u8], name: &str) -> Option<String> {
    let value = environ
        .split(|&byte| byte == 0)
        .find_map(|entry| entry.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")))?;
    String::from_utf8(value.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_found_by_its_whole_name() {
        let environ = b"XMILLRACE_TASK=1\0MILLRACE_TASKS=2\0MILLRACE_TASK=3\0";
        assert_eq!(variable(environ, TASK_VARIABLE).as_deref(), Some("3"));
        assert_eq!(variable(environ, SESSION_VARIABLE), None);
    }
}
