//! Who runs on this machine: one reading of `/proc`. It costs milliseconds, so it is taken only when processes must be
//! ended, never on the way of a task that leaves nothing behind.

use std::fs::{self, File};
use std::io::Read;

/// Names the worker's session in the environment of every process of its tasks.
pub(crate) const SESSION_VARIABLE: &str = "MILLRACE_SESSION";
/// Names the attempt (`<run>:<step index>:<attempt>`) in the environment of every process of it.
pub(crate) const TASK_VARIABLE: &str = "MILLRACE_TASK";

/// The kernel's own bound on an environment is below this.
const ENVIRON_LIMIT_BYTES: u64 = 8 * 1024 * 1024;

/// A process as it was seen. Zombies are left out: there is nothing left to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
}

/// Reads all processes. What cannot be read, since it is gone, is left out.
pub(crate) fn read() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| parse_stat(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)).collect()
}

/// Whether a process carries the mark of a session, and of an attempt if one is named, as far as we may know.
pub(crate) fn is_marked(pid: i32, session: &str, task: Option<&str>) -> bool {
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

/// The fields of `/proc/<pid>/stat` (proc_pid_stat(5)). The name, in parentheses, may hold anything.
fn parse_stat(pid: i32, stat: &str) -> Option<Process> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X" | "x") {
        return None;
    }
    Some(Process { pid, parent: fields.next()?.parse().ok()? })
}

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
    fn a_name_with_parentheses_does_not_confuse_the_reading() {
        let rest = "1 2 3 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 777 0";
        let process = parse_stat(9, &format!("9 (a) b (c)) S {rest}")).unwrap();
        assert_eq!(process, Process { pid: 9, parent: 1 });
        assert_eq!(parse_stat(9, &format!("9 (x) Z {rest}")), None);
    }

    #[test]
    fn a_variable_is_found_by_its_whole_name() {
        let environ = b"XMILLRACE_TASK=1\0MILLRACE_TASKS=2\0MILLRACE_TASK=3\0";
        assert_eq!(variable(environ, TASK_VARIABLE).as_deref(), Some("3"));
        assert_eq!(variable(environ, SESSION_VARIABLE), None);
    }

    #[test]
    fn this_process_is_in_the_census() {
        let me = i32::try_from(std::process::id()).unwrap();
        assert!(read().iter().any(|process| process.pid == me));
    }
}
