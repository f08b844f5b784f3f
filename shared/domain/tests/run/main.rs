//! The state machine of a run, driven as its owner drives it: sentences first, then random histories, then random
//! workflows held against a reference of what they come to, then what older versions wrote.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its small functions too")]

mod acts;
mod advances;
mod asked;
mod attempts;
mod children;
mod clock;
mod data;
mod fan;
mod fleet;
mod held_over;
mod history;
mod hooks;
mod invariants;
mod invariants_children;
mod newer;
mod order;
mod outputs;
mod plan;
mod properties;
mod random_acts;
mod random_cases;
mod random_children;
mod random_driver;
mod random_end;
mod random_items;
mod random_plans;
mod random_steps;
mod random_strays;
mod random_times;
mod random_workflows;
mod random_yaml;
mod reference;
mod reference_children;
mod reference_items;
mod reference_items_sentences;
mod reference_outputs;
mod reference_sentences;
mod repeat;
mod rules;
mod run_outputs;
mod stop;
mod wire;
