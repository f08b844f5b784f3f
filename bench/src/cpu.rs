//! What processes have cost: CPU seconds, user and system, from `/proc`. A process counts with all that it has started,
//! whether that still runs or was waited for.

use std::collections::BTreeMap;
use std::fs;

/// CPU seconds by the name of a process.
pub(crate) type Split = BTreeMap<&'static str, f64>;

/// The clock ticks in a second: what Linux shows to programs is always in hundredths.
const TICKS: f64 = 100.0;

/// A meter of CPU time, which counts from its start on.
pub(crate) struct Meter {
    processes: Vec<(&'static str, u32)>,
    before: Split,
}

impl Meter {
    /// Begins to count the CPU time of these processes; several may share a name.
    pub(crate) fn start(processes: Vec<(&'static str, u32)>) -> Self {
        let before = seconds(&processes);
        Self { processes, before }
    }

    /// The CPU seconds of a thousand tasks since the start, when there were so many tasks.
    pub(crate) fn per_thousand(&self, tasks: usize) -> Split {
        let mut split = seconds(&self.processes);
        for (name, seconds) in &mut split {
            *seconds = (*seconds - self.before.get(name).unwrap_or(&0.0)) / tasks.max(1) as f64 * 1e3;
        }
        split
    }
}

/// This process itself, which is the client of every workload but those of the peers.
pub(crate) fn own() -> (&'static str, u32) {
    ("client", std::process::id())
}

fn seconds(processes: &[(&'static str, u32)]) -> Split {
    let stats = stats();
    let mut split = Split::new();
    for (name, pid) in processes {
        // The load generator started all the others: it alone counts without what it has started.
        let ticks = match *pid == std::process::id() {
            true => stats.get(pid).map_or(0.0, |stat| stat.own),
            false => of_tree(&stats, *pid),
        };
        *split.entry(*name).or_default() += ticks / TICKS;
    }
    split
}

struct Stat {
    parent: u32,
    own: f64,
    /// The ticks of children that ended and were waited for.
    reaped: f64,
}

/// The pids of a process and of all that it has started and that still runs.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    tree_in(&stats(), root)
}

fn tree_in(stats: &BTreeMap<u32, Stat>, root: u32) -> Vec<u32> {
    let mut tree = vec![root];
    let mut seen = 0;
    while let Some(pid) = tree.get(seen).copied() {
        tree.extend(stats.iter().filter(|(_, stat)| stat.parent == pid).map(|(child, _)| *child));
        seen += 1;
    }
    tree
}

fn of_tree(stats: &BTreeMap<u32, Stat>, root: u32) -> f64 {
    let tree = tree_in(stats, root);
    tree.iter().filter_map(|pid| stats.get(pid)).map(|stat| stat.own + stat.reaped).sum()
}

/// The statistics of all processes of the machine, as far as they can be read.
fn stats() -> BTreeMap<u32, Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| Some((pid, parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?)))
        .collect()
}

/// Parses `/proc/<pid>/stat`, see `proc_pid_stat(5)`: the name in parentheses may hold anything, and what comes after
/// it is counted from there.
fn parse(stat: &str) -> Option<Stat> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own: number(11)? + number(12)?,
        reaped: number(13)? + number(14)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_counts_with_its_children_though_its_name_holds_parentheses() {
        let stats = BTreeMap::from([
            (7, parse("7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 10 5 20 1 20 0").unwrap()),
            (8, parse("8 (child) S 7 7 7 0 -1 4194560 1 2 3 4 3 1 0 0 20 0").unwrap()),
            (9, parse("9 (other) S 1 9 9 0 -1 4194560 1 2 3 4 900 1 0 0 20 0").unwrap()),
        ]);
        assert_eq!(of_tree(&stats, 7), 10.0 + 5.0 + 20.0 + 1.0 + 3.0 + 1.0);
    }

    #[test]
    fn work_shows_in_the_meter() {
        let meter = Meter::start(vec![own()]);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        let mut sum = 0_u64;
        while meter.per_thousand(1_000)["client"] < 0.02 {
            (0..1_000_000_u64).for_each(|n| sum = std::hint::black_box(sum.wrapping_add(n)));
            assert!(std::time::Instant::now() < deadline, "no CPU time was counted");
        }
    }
}
