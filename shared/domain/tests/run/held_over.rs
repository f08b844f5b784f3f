//! Steps that became ready beside too many others, and are left to the run's start timer.

use millrace_domain::Outcome;
use millrace_domain::run::RunTimer;
use serde_json::json;

use crate::fleet::{Fleet, Order};

/// A step `s` becomes ready beside many others once `x` has ended. It uses what `b` gives, and does not wait for it.
const SOURCE: &str = "name: w\nsteps:\n  - {name: a, run: x}\n  - {name: b, FAN run: x}\n  \
    - {name: x, depends_on: [a, b], trigger_rule: one_success, run: x}\n";

fn start(fan: &str) -> Fleet {
    let many: String = (0..8).map(|n| format!("  - {{name: n{n}, depends_on: [x], run: x}}\n")).collect();
    let last = "  - {name: s, depends_on: [x], run: x, env: {L: \"${{ outputs.b|length }}\"}}\n";
    let source = format!("{}{many}{last}", SOURCE.replace("FAN", fan));
    let mut fleet = Fleet::start(&Order { max_actions: Some(3), ..Order::of(&source) });
    fleet.end("a", Outcome::Succeeded);
    fleet.end("x", Outcome::Succeeded);
    assert!(fleet.timers.contains_key(&RunTimer::Start), "some are left to the start timer");
    assert_eq!(fleet.stands("s"), "waiting");
    fleet
}

/// Fires all timers that are due.
fn fire_all(fleet: &mut Fleet) {
    while !fleet.timers.is_empty() {
        fleet.fire();
    }
}

#[test]
fn a_step_that_is_left_to_the_next_advance_starts_although_what_it_uses_comes_to_be_kept_apart() {
    let mut fleet = start("");
    fleet.give("b", &json!({"text": "x".repeat(100_000)}));
    fire_all(&mut fleet);
    assert_eq!(fleet.stands("s"), "dispatched");
    assert!(fleet.task("s").env.iter().any(|(name, value)| name == "L" && value == "1"));
}

#[test]
fn a_step_that_is_left_to_the_next_advance_starts_although_items_that_it_uses_end_meanwhile() {
    let mut fleet = start("foreach: [1],");
    let item = fleet.item("b", 0);
    let result = fleet.result(item, Outcome::Succeeded);
    fleet.apply(millrace_domain::run::Event::Result(result)).unwrap();
    fire_all(&mut fleet);
    assert_eq!(fleet.stands("s"), "dispatched");
}
