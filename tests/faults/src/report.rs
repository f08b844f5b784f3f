//! The report: a table for people, and the same as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::audit::{Check, Extra};
use crate::incident::Incident;
use crate::kind::Kind;
use crate::recovery;

/// The report: what came out of a run of the suite.
#[derive(Debug)]
pub struct Report {
    /// The seed, which repeats the faults.
    pub seed: u64,
    /// How long faults were injected for.
    pub lasted: Duration,
    /// The tasks and runs that were submitted, by shape.
    pub submitted: BTreeMap<String, u64>,
    /// The faults that happened.
    pub incidents: Vec<Incident>,
    /// The checks that were made.
    pub checks: Vec<Check>,
    /// The attempts beyond those that definitions make, each with its excuse.
    pub extras: Vec<Extra>,
    /// The faults that could not be injected or ended, in words.
    pub failures: Vec<String>,
}

impl Report {
    /// Whether nothing was lost, doubled or broken.
    pub fn is_good(&self) -> bool {
        self.failures.is_empty() && self.checks.iter().all(|check| check.broken.is_empty())
    }

    /// The check with this name.
    ///
    /// # Panics
    /// When there is none.
    pub fn check(&self, name: &str) -> &Check {
        self.checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("no check {name}"))
    }

    fn kinds(&self) -> BTreeMap<Kind, Vec<&Incident>> {
        let mut kinds: BTreeMap<Kind, Vec<&Incident>> = BTreeMap::new();
        self.incidents.iter().for_each(|incident| kinds.entry(incident.kind).or_default().push(incident));
        kinds
    }

    /// The report as a table, for people.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "seed {}, {:.0} s of faults", self.seed, self.lasted.as_secs_f64());
        let _ = writeln!(text, "\nfault              count  alone   recovery p50     max");
        for (kind, incidents) in self.kinds() {
            let (p50, max) = spread(&incidents);
            let (count, alone) = (incidents.len(), incidents.iter().filter(|one| one.is_single).count());
            let _ = writeln!(text, "{kind:<18} {count:>5} {alone:>6}   {p50:>10.1} s {max:>6.1} s");
        }
        let _ = writeln!(text, "\nsubmitted");
        for (name, count) in &self.submitted {
            let _ = writeln!(text, "  {name:<16} {count:>8}");
        }
        let _ = writeln!(text, "\nchecked                      times   broken");
        for check in &self.checks {
            let _ = writeln!(text, "{:<26} {:>8}   {:>6}", check.name, check.evaluated, check.broken.len());
        }
        for (why, count) in self.excuses() {
            let _ = writeln!(text, "extra starts on record, {why}: {count}");
        }
        for check in &self.checks {
            for what in check.broken.iter().take(20) {
                let _ = writeln!(text, "BROKEN {}: {what}", check.name);
            }
        }
        for failure in &self.failures {
            let _ = writeln!(text, "FAILED {failure}");
        }
        let _ = writeln!(text, "\n{}", if self.is_good() { "all invariants held" } else { "BROKEN" });
        text
    }

    fn excuses(&self) -> BTreeMap<String, usize> {
        let mut excuses = BTreeMap::new();
        for extra in &self.extras {
            *excuses.entry(extra.excuse.map_or("none".to_owned(), |why| why.to_string())).or_default() += 1;
        }
        excuses
    }

    /// The report as JSON, for programs.
    pub fn json(&self) -> Value {
        let seconds = |at: Duration| (at.as_secs_f64() * 1000.0).round() / 1000.0;
        let faults: BTreeMap<&str, Value> = self
            .kinds()
            .into_iter()
            .map(|(kind, incidents)| {
                let (p50, max) = spread(&incidents);
                (kind.name(), json!({"count": incidents.len(), "recovery_p50_s": p50, "recovery_max_s": max}))
            })
            .collect();
        let incidents: Vec<Value> = self
            .incidents
            .iter()
            .map(|one| {
                json!({"number": one.number, "kind": one.kind.name(), "target": one.target,
                    "began_s": seconds(one.began), "over_s": seconds(one.over),
                    "recovery_s": one.recovery.map(seconds), "single": one.is_single})
            })
            .collect();
        let checks: BTreeMap<&str, Value> = self
            .checks
            .iter()
            .map(|check| (check.name, json!({"evaluated": check.evaluated, "broken": check.broken})))
            .collect();
        json!({"seed": self.seed, "lasted_s": seconds(self.lasted), "good": self.is_good(),
            "submitted": self.submitted, "faults": faults, "checks": checks, "extra_starts": self.excuses(),
            "failures": self.failures, "incidents": incidents})
    }
}

/// The middle and the longest recovery from a fault that was alone, in seconds; one that was not seen counts as what it was waited for.
fn spread(incidents: &[&Incident]) -> (f64, f64) {
    let mut times: Vec<Duration> = incidents
        .iter()
        .filter(|one| one.is_single)
        .map(|one| one.recovery.unwrap_or(recovery::GIVE_UP))
        .collect();
    times.sort_unstable();
    let of = |time: Option<&Duration>| time.map_or(0.0, |time| (time.as_secs_f64() * 10.0).round() / 10.0);
    (of(times.get(times.len() / 2)), of(times.last()))
}
