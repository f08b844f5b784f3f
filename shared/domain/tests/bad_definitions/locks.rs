//! What is said of locks that cannot be.

use crate::fixture::{only, step};

#[test]
fn locks_are_names_or_maps_with_one() {
    for (locks, said) in [
        ("[]", "0 locks: expected 1 to 16 [out-of-range]"),
        ("[{slots: 3}]", "a lock needs a `name` [missing-field]"),
        ("[[a]]", "must be the name of a lock, or a map with `name`"),
        ("[a b]", "lock name \"a b\" must match"),
        ("[a/b/c]", "a group and a lock in it are written group/lock"),
        ("[a, a]", "lock `a` is wanted twice"),
        ("[{name: a, size: 3}]", "hint: write slots: 3"),
        ("[{name: a, slots: 0}]", "must be a whole number from 1 to 1000000, found 0"),
        ("[{name: a, weight: 2}]", "`weight: 2` is more than the lock has: `slots` is 1 [out-of-range]"),
        ("[{name: a, slots: 2, shared: true}]", "`shared` does not go with `slots` and `weight`"),
        ("[\"${{ params.x }}\"]", "`params.x` is not declared"),
    ] {
        let told = only(&step(&format!("run: x\nlocks: {locks}")));
        assert!(told.contains(said), "{locks}: {told}");
    }
}

#[test]
fn locks_of_two_groups_are_refused_with_names_that_would_do() {
    let told = only(&step("run: x\nlocks: [primary_db, gpu]"));
    assert!(told.contains("locks of two groups, `primary_db` and `gpu`"), "{told}");
    assert!(
        told.contains("name them primary_db/primary_db and primary_db/gpu, wherever they are used"),
        "{told}"
    );
    let told = only(&step("run: x\nlocks: [db/a, {name: api/b}]"));
    assert!(told.contains("name them db/a and db/b"), "{told}");
}

#[test]
fn steps_of_a_workflow_agree_on_how_many_slots_a_lock_has() {
    let told = only(
        "name: w\nsteps:\n  - {name: a, run: x, locks: [{name: db, slots: 3}]}\n  - {name: b, run: x, locks: [db]}\n",
    );
    assert!(told.contains(":4:"), "{told}");
    assert!(
        told.contains(
            "lock `db` has 1 slot as step `b` says, and has 3 slots as step `a` does [lock-conflict]"
        ),
        "{told}"
    );
}

#[test]
fn a_wait_takes_no_locks() {
    let told = only(&step("uses: wait\nwith: {for: 1s}\nlocks: [a]"));
    assert!(told.contains("`locks` does not go with `uses: wait`"), "{told}");
}
