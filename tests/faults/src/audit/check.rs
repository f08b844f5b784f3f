//! What an audit finds: the checks that were made, and the attempts that had to be excused.

use std::fmt;

use crate::kind::Kind;

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
