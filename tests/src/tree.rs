//! The processes of a run, as the system sees them.

use std::fs;

/// The pids of all living processes that a task of this run has started, however deep, as long as they kept
/// their environment. A zombie does not count: it runs no more.
pub fn processes_of(run: &str) -> Vec<u32> {
    let mark = format!("MILLRACE_RUN_ID={run}");
    let pids = fs::read_dir("/proc").unwrap().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(|pid| has(*pid, &mark)).collect()
}

fn has(pid: u32, mark: &str) -> bool {
    // A zombie's environment is empty, and whoever is gone has none.
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
}

/// The guardian of a worker: its only child.
pub fn guardian_of(worker: u32) -> Option<u32> {
    let children = fs::read_dir("/proc").unwrap().flatten();
    children.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(|pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        parent == Some(worker)
    })
}
