//! The evidence: what was submitted, what the tasks wrote down, what the API says, and what may excuse a repetition.

use crate::incident::Excuse;
use crate::ledger::Books;
use crate::states::States;
use crate::trail::Marks;

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
