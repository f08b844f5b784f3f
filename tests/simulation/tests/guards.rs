//! The auditor is itself tested: with a guard of the store taken away, it must object within a few hundred seeds.

use millrace_simulation::{Guards, Violation, run};

/// Seeds within which a missing guard must be noticed.
const SEEDS: u64 = 1_000;

/// The first objection under these guards.
fn objection(guards: Guards) -> Violation {
    let mut failures = (0..SEEDS).filter_map(|seed| run(seed, guards).err());
    let failure = failures.next().unwrap_or_else(|| panic!("{SEEDS} seeds pass with {guards:?}"));
    println!("seed {}: {}", failure.seed, failure.violation);
    failure.violation
}

fn is_named_by(guards: Guards, invariants: &[u8]) {
    let violation = objection(guards);
    assert!(invariants.contains(&violation.invariant), "{violation}");
}

#[test]
fn a_store_that_takes_commits_of_stale_owners_is_noticed() {
    is_named_by(Guards { fence: false, ..Guards::default() }, &[5]);
}

#[test]
fn a_store_that_grants_a_claim_twice_is_noticed() {
    is_named_by(Guards { claim: false, ..Guards::default() }, &[5]);
}

#[test]
fn a_store_that_lets_anybody_finish_an_attempt_is_noticed() {
    is_named_by(Guards { finish: false, ..Guards::default() }, &[5]);
}

#[test]
fn a_store_that_creates_what_exists_is_noticed() {
    is_named_by(Guards { dedup: false, ..Guards::default() }, &[10]);
}

#[test]
fn a_store_that_forgets_what_was_dispatched_is_noticed() {
    is_named_by(Guards { outbox: false, ..Guards::default() }, &[2, 8]);
}
