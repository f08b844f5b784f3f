//! Random workflows, of all that a step can say of itself.

use std::fmt::Write;
use std::time::Duration;

use millrace_domain::When;
use proptest::prelude::*;

use crate::fleet::{CREATED, Order};

#[derive(Debug, Clone)]
struct StepPlan {
    /// It waits for those that are so many places before it.
    back: Vec<usize>,
    retries: u32,
    at_most_once: bool,
    /// Its environment needs an output of the first step that it waits for.
    needs: bool,
    fan: Option<FanPlan>,
    /// It is done so many times, or ends before when it hands its output on.
    repeats: Option<u32>,
    asks: bool,
    hook: Option<When>,
    /// It declares the output that it may hand on.
    declares: bool,
    /// It is a run of another workflow, and so is its hook; or it is if it waits for that.
    child: Option<bool>,
}

/// A step has items.
#[derive(Debug, Clone)]
struct FanPlan {
    items: u32,
    max_parallel: u32,
    fail_fast: bool,
    tolerate: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    steps: Vec<StepPlan>,
    timeout: bool,
    delayed: bool,
    /// Only so many runs of it may be under way.
    limited: bool,
    hooks: Vec<When>,
}

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    let back = proptest::collection::vec(1usize..8, 0..4);
    let fan =
        (0u32..7, 1u32..4, any::<bool>(), 0u32..3).prop_map(|(items, max_parallel, fail_fast, tolerate)| {
            FanPlan { items, max_parallel, fail_fast, tolerate }
        });
    let fan = proptest::option::weighted(0.2, fan);
    let ends = (
        proptest::option::weighted(0.15, 1u32..4),
        proptest::bool::weighted(0.15),
        proptest::option::weighted(0.1, when()),
        proptest::bool::weighted(0.15),
        proptest::option::weighted(0.25, proptest::bool::weighted(0.8)),
    );
    let step = (back, 0u32..3, proptest::bool::weighted(0.2), proptest::bool::weighted(0.2), fan, ends)
        .prop_map(|(back, retries, at_most_once, needs, fan, (repeats, asks, hook, declares, child))| {
            StepPlan { back, retries, at_most_once, needs, fan, repeats, asks, hook, declares, child }
        });
    let hooks = prop_oneof![2 => Just(Vec::new()), 1 => proptest::collection::vec(when(), 0..4)];
    let steps = proptest::collection::vec(step, 1..=30);
    let weighted = proptest::bool::weighted;
    (steps, weighted(0.3), weighted(0.2), weighted(0.2), hooks).prop_map(
        |(steps, timeout, delayed, limited, hooks)| Plan { steps, timeout, delayed, limited, hooks },
    )
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![Just(When::Success), Just(When::Failure), Just(When::Finish)]
}

impl Plan {
    pub(crate) fn order(&self) -> Order {
        let mut source = String::from("name: w\nsteps:\n");
        for (n, step) in self.steps.iter().enumerate() {
            let mut before: Vec<usize> = step.back.iter().filter_map(|back| n.checked_sub(*back)).collect();
            before.sort_unstable();
            before.dedup();
            let names: Vec<String> = before.iter().map(|n| format!("s{n}")).collect();
            let _ = write!(source, "  - {{name: s{n}, depends_on: [{}]", names.join(", "));
            let then = if step.asks { "ask, ask_timeout: 20s" } else { "fail" };
            let _ = write!(source, ", retry: {{limit: {}, delay: 2s, then: {then}}}", step.retries);
            if let Some(max) = step.repeats {
                let until = format!("outputs.s{n}.v is defined");
                let _ = write!(source, ", repeat: {{until: {until}, max: {max}, delay: 3s}}");
            }
            let first = before.first().filter(|_| step.needs);
            let needed = first.map(|first| match &self.steps[*first].fan {
                Some(_) => format!("\"${{{{ outputs.s{first} | length }}}}\""),
                None => format!("\"${{{{ outputs.s{first}.v }}}}\""),
            });
            match step.child {
                None => {
                    let _ = write!(source, ", run: x, at_most_once: {}", step.at_most_once);
                    let _ = needed.map(|needed| write!(source, ", env: {{V: {needed}}}"));
                }
                Some(waits) => {
                    let params = needed.map(|needed| format!("v: {needed}")).unwrap_or_default();
                    let with = format!("{{name: called, params: {{{params}}}, wait: {waits}}}");
                    let _ = write!(source, ", uses: workflow, with: {with}");
                }
            }
            if let Some(FanPlan { items, max_parallel, fail_fast, tolerate }) = &step.fan {
                let items: Vec<String> = (0..*items).map(|item| item.to_string()).collect();
                let _ = write!(
                    source,
                    ", foreach: {{items: [{}], max_parallel: {max_parallel}, fail_fast: {fail_fast}, tolerate: {tolerate}}}",
                    items.join(", ")
                );
            }
            if step.declares && step.child != Some(false) {
                source.push_str(", outputs: {v: int}");
            }
            if let Some(when) = step.hook {
                let what = step.child.map_or("run: x", |_| "uses: workflow, with: {name: called}");
                let _ = write!(source, ", {when}: [{{name: h{n}, {what}}}]");
            }
            source.push_str("}\n");
        }
        for when in When::ALL {
            let of = self.hooks.iter().enumerate().filter(|(_, hook)| **hook == when);
            let hooks: Vec<String> =
                of.map(|(n, _)| format!("{{name: r{n}, run: x, retry: {{limit: 1}}}}")).collect();
            if !hooks.is_empty() {
                let _ = writeln!(source, "{when}: [{}]", hooks.join(", "));
            }
        }
        if self.limited {
            source.push_str("concurrency: 2\n");
        }
        if self.timeout {
            source.push_str("timeout: 60s\n");
        }
        Order { start_at: self.delayed.then(|| CREATED + Duration::from_secs(10)), ..Order::of(&source) }
    }
}
