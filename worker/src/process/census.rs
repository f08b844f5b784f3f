//! Who runs on this machine: one reading of `/proc`. It costs milliseconds, so it is taken only when processes must be
//! ended, never on the way of a task that leaves nothing behind.

use std::fs;

/// A process, as it was seen. Zombies are left out: there is nothing left to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
}

/// Reads all processes of this machine. What cannot be read, since it is gone, is left out.
pub(crate) fn read() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| parse_stat(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)).collect()
}

/// Reads the fields of `/proc/<pid>/stat` (proc_pid_stat(5)). The name, in parentheses, may hold anything.
fn parse_stat(pid: i32, stat: &str) -> Option<Process> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X" | "x") {
        return None;
    }
    Some(Process { pid, parent: fields.next()?.parse().ok()? })
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
    fn this_process_is_in_the_census() {
        let me = i32::try_from(std::process::id()).unwrap();
        assert!(read().iter().any(|process| process.pid == me));
    }
}
