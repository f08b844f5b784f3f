//! Who runs on this machine: one reading of `/proc`. It costs milliseconds, so it is taken only when a tree of
//! processes must be ended, never on the way of a task that ends by itself.

use std::fs::{self, File};
use std::io::Read;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Mutex;

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
    pub(crate) group: i32,
    /// The session of terminals (`setsid`), not a worker's.
    pub(crate) terminal_session: i32,
    /// In clock ticks since boot. With the pid it identifies the process.
    pub(crate) started: u64,
    /// What [`SESSION_VARIABLE`] said when its program started, if we may know.
    pub(crate) session: Option<String>,
    /// What [`TASK_VARIABLE`] said.
    pub(crate) task: Option<String>,
}

/// Reads all processes. What cannot be read, since it is gone or another user's, is left out.
pub(crate) fn read() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(process).collect()
}

fn process(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut process = parse_stat(pid, &stat)?;
    let mut environ = Vec::new();
    if let Ok(file) = File::open(format!("/proc/{pid}/environ")) {
        // A process that ends meanwhile has no environment any more.
        let _ = file.take(ENVIRON_LIMIT_BYTES).read_to_end(&mut environ);
    }
    process.session = variable(&environ, SESSION_VARIABLE);
    if process.session.is_some() {
        process.task = variable(&environ, TASK_VARIABLE);
    }
    Some(process)
}

/// The fields of `/proc/<pid>/stat` (proc_pid_stat(5)). The name, in parentheses, may hold anything.
fn parse_stat(pid: i32, stat: &str) -> Option<Process> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    if matches!(*fields.first()?, "Z" | "X" | "x") {
        return None;
    }
    let number = |at: usize| fields.get(at)?.parse::<i32>().ok();
    Some(Process {
        pid,
        parent: number(1)?,
        group: number(2)?,
        terminal_session: number(3)?,
        started: fields.get(19)?.parse().ok()?,
        session: None,
        task: None,
    })
}

fn variable(environ: &[u8], name: &str) -> Option<String> {
    let value = environ
        .split(|&byte| byte == 0)
        .find_map(|entry| entry.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")))?;
    String::from_utf8(value.to_vec()).ok()
}

/// Shares readings between all who need one at the same time.
#[derive(Debug, Default)]
pub(crate) struct Census(Mutex<Option<(Instant, Arc<Vec<Process>>)>>);

/// For all tasks of this process.
pub(crate) static CENSUS: Census = Census(Mutex::const_new(None));

impl Census {
    /// A reading that began after this call.
    pub(crate) async fn take(&self) -> Arc<Vec<Process>> {
        let asked = Instant::now();
        let mut last = self.0.lock().await;
        if let Some((began, processes)) = &*last
            && *began >= asked
        {
            return Arc::clone(processes);
        }
        let began = Instant::now();
        let processes = Arc::new(tokio::task::spawn_blocking(read).await.unwrap_or_default());
        *last = Some((began, Arc::clone(&processes)));
        processes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_confuse_the_reading() {
        let rest = "1 2 3 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 777 0";
        let process = parse_stat(9, &format!("9 (a) b (c)) S {rest}")).unwrap();
        assert_eq!((process.parent, process.group, process.terminal_session), (1, 2, 3));
        assert_eq!(process.started, 777);
        assert_eq!(parse_stat(9, &format!("9 (x) Z {rest}")), None);
    }

    #[test]
    fn a_variable_is_found_by_its_whole_name() {
        let environ = b"XMILLRACE_TASK=1\0MILLRACE_TASKS=2\0MILLRACE_TASK=3\0";
        assert_eq!(variable(environ, TASK_VARIABLE).as_deref(), Some("3"));
        assert_eq!(variable(environ, SESSION_VARIABLE), None);
    }

    #[tokio::test]
    async fn this_process_is_in_the_census() {
        let me = i32::try_from(std::process::id()).unwrap();
        let census = Census::default();
        assert!(census.take().await.iter().any(|process| process.pid == me));
    }
}
