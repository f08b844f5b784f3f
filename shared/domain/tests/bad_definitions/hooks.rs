//! `on_success`, `on_failure`, `on_finish`.

use crate::fixture::{only, step, with};

#[test]
fn a_hook_is_a_step_without_hooks_of_its_own_that_waits_for_what_it_can() {
    assert!(
        only(&with("on_failure: {name: tell, run: x}"))
            .contains("write on_failure: [{name: tell, run: ./tell.sh}]")
    );
    assert!(only(&with("on_failure: [{name: tell}]")).contains("found neither [one-of-run-uses]"));
    assert!(only(&with("on_failure: [{name: a, run: x}]")).contains("step `a` is defined twice"));
    let told = only(&with("on_failure: [{name: tell, run: x, depends_on: [a]}]"));
    assert!(
        told.contains("starts when all steps have ended: it cannot depend on `a` [bad-dependency]"),
        "{told}"
    );
    let told = only(&step("run: x\non_failure: [{name: tell, run: x, on_finish: [{name: b, run: x}]}]"));
    assert!(told.contains("a hook has no hooks of its own"), "{told}");
    let told = only("name: w\nsteps: [{name: a, run: x, depends_on: [t]}]\non_finish: [{name: t, run: x}]\n");
    assert!(
        told.contains("step `a` cannot depend on `t`, a hook that starts when all steps have ended"),
        "{told}"
    );
    let told =
        only(&with("on_finish: [{name: b, run: x}]\non_failure: [{name: c, run: x, depends_on: [b]}]"));
    assert!(
        told.contains("hook `c` of on_failure cannot depend on `b`, which is one of on_finish"),
        "{told}"
    );
}

#[test]
fn a_cycle_through_a_hook_is_found() {
    let told = only(
        "name: w\nsteps:\n  - {name: a, run: x, depends_on: [b], on_failure: [{name: h, run: x}]}\n  - {name: b, run: x, depends_on: [h]}\n",
    );
    assert!(told.contains("steps wait for each other: a -> b -> h -> a [dependency-cycle]"), "{told}");
}

#[test]
fn the_outputs_of_a_hook_of_the_run_are_none_of_the_steps() {
    let told = only(
        "name: w\nsteps: [{name: a, run: x, env: {V: \"${{ outputs.t.v }}\"}}]\non_finish: [{name: t, run: x}]\n",
    );
    assert!(told.contains("step `a` does not depend on `t`, whose outputs it uses"), "{told}");
}
