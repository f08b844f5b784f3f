//! The auditor is itself tested: with a guard of the store or of a producer taken away, it must object within a few
//! hundred seeds.

use std::process::Command;

use millrace_simulation::{Guards, Violation, run};

/// The number of seeds within which a missing guard must be noticed.
const SEEDS: u64 = 1_000;

/// Runs seeds until the auditor objects under these guards, and returns its objection.
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

#[test]
fn a_store_in_which_a_lease_outlasts_a_clock_that_goes_back_is_noticed() {
    is_named_by(Guards { clock: false, ..Guards::default() }, &[1, 2]);
}

#[test]
fn a_producer_that_sleeps_past_what_the_clock_did_is_noticed() {
    is_noticed_without("wake", "invariant 1: slept through");
}

#[test]
fn a_producer_that_leaves_what_a_clock_that_was_ahead_has_planned_is_noticed() {
    is_noticed_without("replan", "invariant 1: slept through");
}

#[test]
fn a_producer_that_drops_what_it_does_not_know_is_noticed() {
    is_noticed_without("park", "invariant 11: ");
}

#[test]
fn a_producer_that_does_not_send_the_letters_of_a_partition_again_that_it_takes_over_is_noticed() {
    is_noticed_without("resend", "invariant 2: no end: run");
}

#[test]
fn a_producer_that_counts_letters_as_arrived_which_are_on_their_way_is_noticed() {
    is_noticed_without("letters", "invariant 2: no end: run");
}

#[test]
fn a_producer_that_gives_each_start_of_a_child_an_id_of_its_own_is_noticed() {
    is_noticed_without("child", "invariant 10: runs");
}

#[test]
fn a_producer_that_forgets_who_holds_a_lock_is_noticed() {
    is_noticed_without("lock", "invariant 6: ");
}

#[test]
fn a_producer_that_keeps_a_grant_which_nobody_wants_is_noticed() {
    is_noticed_without("lock-grant", "has locks of");
}

#[test]
fn a_producer_that_begins_something_of_a_paused_run_is_noticed() {
    is_noticed_without("pause", "which is paused");
}

#[test]
fn a_producer_that_has_runs_wait_which_are_not_to_is_noticed() {
    is_noticed_without("limit", "invariant 6: ");
}

#[test]
fn a_producer_that_forgets_at_once_which_runs_have_had_their_slot_is_noticed() {
    is_noticed_without("gone", "once more, when that was over");
}

#[test]
fn a_producer_that_has_what_was_used_of_a_rate_come_back_at_once_is_noticed() {
    is_noticed_without("rate", "invariant 6: ");
}

#[test]
fn a_producer_that_makes_a_retry_of_each_request_that_comes_again_is_noticed() {
    is_noticed_without("retry", "invariant 10: ");
}

/// Panics unless a missing guard of a producer is noticed. It is taken away by the environment, and so from a whole
/// process.
#[expect(clippy::unwrap_used, reason = "a test fails where it stands")]
fn is_noticed_without(guard: &str, objection: &str) {
    let this = std::env::current_exe().unwrap();
    let run = Command::new(this)
        .args(["--exact", "an_objection_with_all_guards_of_the_store", "--ignored", "--nocapture"])
        .env("MILLRACE_UNGUARD", guard)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(told.contains(objection), "{told}");
}

#[test]
#[ignore = "for a process from which a guard of producers was taken away"]
fn an_objection_with_all_guards_of_the_store() {
    objection(Guards::default());
}
