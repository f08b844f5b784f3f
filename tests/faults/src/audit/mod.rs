//! The auditor: holds what was accepted, what the tasks wrote down, and what the API says against the invariants. It
//! knows nothing of the fleet but these three.

mod check;
mod evidence;
mod instants;
mod locks;
mod marks;
mod runs;

pub use check::{Check, Extra};
pub use evidence::Evidence;

/// Judges the evidence, and returns every check and the extra attempts that were found.
pub fn judge(evidence: &Evidence<'_>) -> (Vec<Check>, Vec<Extra>) {
    let (mut checks, extras) = marks::judge(evidence);
    checks.extend(runs::judge(evidence));
    checks.push(instants::judge(evidence));
    checks.push(locks::judge(evidence));
    (checks, extras)
}
