//! W3: a chain and a fan of no-op steps, from the run's creation to its end, by its own stamps. W9: the same of steps that are
//! runs of a workflow with one such step, of steps that hold locks, and of runs of which only so many may be under way.

use serde_json::{Value, json};

use crate::api::Api;
use crate::failure::Failure;
use crate::throughput::BOUND;

/// The steps of the chain, and the branches of the fan.
pub(crate) const CHAIN: usize = 40;
pub(crate) const FAN: usize = 1_000;

/// Runs a chain of steps, and returns how long it took: milliseconds.
pub(crate) async fn chain(api: &Api) -> Result<f64, Failure> {
    let step = |n: usize| match n {
        0 => json!({"name": "s0", "uses": "noop"}),
        n => json!({"name": format!("s{n}"), "uses": "noop", "depends_on": [format!("s{}", n - 1)]}),
    };
    run(api, (0..CHAIN).map(step).collect()).await
}

/// Runs one step, then many at once, then one, and returns how long it took: milliseconds.
pub(crate) async fn fan(api: &Api) -> Result<f64, Failure> {
    let names: Vec<String> = (0..FAN).map(|n| format!("s{n}")).collect();
    let mut steps = vec![json!({"name": "first", "uses": "noop"})];
    steps.extend(names.iter().map(|name| json!({"name": name, "uses": "noop", "depends_on": ["first"]})));
    steps.push(json!({"name": "last", "uses": "noop", "depends_on": names}));
    run(api, steps).await
}

/// What the steps of W9 run.
const PART: &str = "bench_part";

/// The same with a limit of one run at a time, for each key.
const LIMITED: &str = "bench_limited";

/// The runs that are under way one after the other.
const QUEUE: usize = 250;

/// Stores what the steps of W9 run.
pub(crate) async fn store_parts(api: &Api) -> Result<(), Failure> {
    let steps = json!([{"name": "only", "uses": "noop"}]);
    let part = json!({"name": PART, "steps": steps});
    let limited = json!({"name": LIMITED, "params": [{"name": "key", "type": "int"}],
        "concurrency": {"limit": 1, "key": "${{ params.key }}"}, "steps": steps});
    for definition in [part, limited] {
        let body = json!({"definition": definition.to_string()}).to_string();
        api.post("/api/v1/workflows", body).await?;
    }
    Ok(())
}

/// Runs a chain of runs, and returns how long it took: milliseconds.
pub(crate) async fn chain_of_runs(api: &Api) -> Result<f64, Failure> {
    let step = |n: usize| {
        let after: Vec<String> = n.checked_sub(1).map(|before| format!("s{before}")).into_iter().collect();
        json!({"name": format!("s{n}"), "uses": "workflow", "with": {"name": PART}, "depends_on": after})
    };
    run(api, (0..CHAIN).map(step).collect()).await
}

/// Runs one step, then many runs at once, then one step, and returns how long it took: milliseconds.
pub(crate) async fn fan_of_runs(api: &Api) -> Result<f64, Failure> {
    let many = json!({"name": "many", "uses": "workflow", "with": {"name": PART}, "shards": FAN, "depends_on": ["first"]});
    let first = json!({"name": "first", "uses": "noop"});
    run(api, vec![first, many, json!({"name": "last", "uses": "noop", "depends_on": ["many"]})]).await
}

/// Runs a chain of steps each of which holds a lock that nobody else wants, and returns how long it took: milliseconds.
pub(crate) async fn chain_of_locks(api: &Api) -> Result<f64, Failure> {
    let step = |n: usize| {
        let after: Vec<String> = n.checked_sub(1).map(|before| format!("s{before}")).into_iter().collect();
        json!({"name": format!("s{n}"), "uses": "noop", "locks": ["bench/chain"], "depends_on": after})
    };
    run(api, (0..CHAIN).map(step).collect()).await
}

/// Runs many items at once that each hold a lock, all the same one or each its own, and returns how long it took: milliseconds.
pub(crate) async fn fan_of_locks(api: &Api, lock: &str) -> Result<f64, Failure> {
    let many = json!({"name": "many", "uses": "noop", "shards": FAN, "locks": [format!("bench/{lock}")]});
    run(api, vec![many]).await
}

/// Runs many runs at once, each with a slot of its own, and returns how long it took: milliseconds.
pub(crate) async fn fan_of_slots(api: &Api) -> Result<f64, Failure> {
    run(api, vec![limited(FAN, "${{ item_index }}")]).await
}

/// Runs some runs one after the other, as they come to have the one slot that there is, and returns how long it took:
/// milliseconds.
pub(crate) async fn queue_of_slots(api: &Api) -> Result<f64, Failure> {
    run(api, vec![limited(QUEUE, "${{ 0 }}")]).await
}

fn limited(count: usize, key: &str) -> Value {
    json!({"name": "many", "uses": "workflow", "shards": count, "with": {"name": LIMITED, "params": {"key": key}}})
}

async fn run(api: &Api, steps: Vec<Value>) -> Result<f64, Failure> {
    let definition = json!({"name": "bench", "steps": steps}).to_string();
    let id = api.run(&json!({"definition": definition})).await?;
    api.took(&id, BOUND).await
}
