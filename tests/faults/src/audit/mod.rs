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

/// A check of one invariant: how often it was made, and where it did not hold.
#[derive(Debug)]
pub struct Check {
    /// The invariant, in a word or two.
    pub name: &'static str,
    /// How often the check was made.
    pub evaluated: u64,
    /// Where the invariant did not hold, in words.
    pub broken: Vec<String>,
}

impl Check {
    /// A check that was not made yet.
    pub fn new(name: &'static str) -> Self {
        Self { name, evaluated: 0, broken: Vec::new() }
    }

    /// Makes the check once.
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
    /// The run, the step and the attempt.
    pub what: String,
    /// The fault that hit its worker; `None` when there was none.
    pub excuse: Option<Kind>,
}

impl fmt::Display for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// The evidence: all that is known at the end.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// What was submitted and accepted.
    pub books: &'a Books,
    /// What the tasks wrote down.
    pub marks: &'a Marks,
    /// What the API says.
    pub states: &'a States,
    /// Why attempts may have been repeated.
    pub excuses: &'a [Excuse],
    /// What the processes logged, by the names of the files.
    pub logs: &'a [(String, String)],
    /// The number of workflows that fire every second.
    pub schedules: usize,
}

/// Judges the evidence, and returns every check and the extra attempts that were found.
pub fn judge(evidence: &Evidence<'_>) -> (Vec<Check>, Vec<Extra>) {
    let (mut checks, extras) = marks::judge(evidence);
    checks.extend(runs::judge(evidence));
    checks.push(instants::judge(evidence));
    (checks, extras)
}
