//! The auditor: holds what was accepted, what the tasks wrote down, and what the API says against the invariants. It
//! knows nothing of the fleet but these three.

mod instants;
mod marks;
mod runs;

use std::fmt;

use crate::incident::Excuse;
use crate::kind::Kind;
use crate::ledger::Books;
use crate::states::States;
use crate::trail::Marks;

/// An invariant, how often it was looked at, and where it did not hold.
#[derive(Debug)]
pub struct Check {
    /// What holds, in a word or two.
    pub name: &'static str,
    /// How often it was looked at.
    pub evaluated: u64,
    /// Where it was broken, in words.
    pub broken: Vec<String>,
}

impl Check {
    /// One that was not looked at yet.
    pub fn new(name: &'static str) -> Self {
        Self { name, evaluated: 0, broken: Vec::new() }
    }

    /// Looks once.
    pub fn expect(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        self.evaluated += 1;
        if !holds {
            self.broken.push(otherwise());
        }
    }
}

/// An attempt beyond those that the definition makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extra {
    /// Run, step, attempt.
    pub what: String,
    /// The fault that its worker was hit by; none when there was none.
    pub excuse: Option<Kind>,
}

impl fmt::Display for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// All that is known at the end.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// What was accepted.
    pub books: &'a Books,
    /// What tasks wrote down.
    pub marks: &'a Marks,
    /// What the API says.
    pub states: &'a States,
    /// What may have been repeated.
    pub excuses: &'a [Excuse],
    /// What processes logged.
    pub logs: &'a [(String, String)],
    /// Workflows that fire every second.
    pub schedules: usize,
}

/// Judges: every check, and the extra attempts that were found.
pub fn judge(evidence: &Evidence<'_>) -> (Vec<Check>, Vec<Extra>) {
    let (mut checks, extras) = marks::judge(evidence);
    checks.extend(runs::judge(evidence));
    checks.push(instants::judge(evidence));
    (checks, extras)
}
