//! A step whose outputs are larger than a run keeps in its record of it: the steps after it have them, whoever owns the run
//! by then.

use std::time::Duration;

use millrace_tests::Fleet;
use serde_json::json;

const SOON: Duration = Duration::from_secs(60);

/// The numbers that the step gives: over a mebibyte of JSON.
const NUMBERS: usize = 200_000;

#[tokio::test(flavor = "multi_thread")]
async fn large_outputs_outlive_the_producer_that_was_told_them() {
    let fleet = Fleet::new();
    let (mut first, second) = (fleet.producer().await, fleet.producer().await);
    let _worker = fleet.worker(&["--concurrency", "8"]).await;
    let list = format!(
        "awk 'BEGIN {{ printf \"{{\\\"numbers\\\": [0\"; for (i = 1; i < {NUMBERS}; i++) printf \",%d\", i; print \"]}}\" }}' \
         > \"$MILLRACE_OUTPUT\""
    );
    let workflow = json!({"name": "large", "steps": [
        {"name": "list", "run": list},
        {"name": "gate", "depends_on": ["list"], "run": "sleep 3"},
        {"name": "count", "depends_on": ["gate"], "if": "outputs.list.numbers | length > 1000",
         "env": {"N": "${{ outputs.list.numbers | length }}", "LAST": "${{ outputs.list.numbers | last }}"},
         "run": format!("test \"$N\" = {NUMBERS} && test \"$LAST\" = {}", NUMBERS - 1)},
        // No step fans out: outputs of items are not all that is lent.
        {"name": "last", "depends_on": ["count"], "env": {"LAST": "${{ outputs.list.numbers | last }}"},
         "run": format!("test \"$LAST\" = {}", NUMBERS - 1)},
    ]});
    first.api().apply(&workflow.to_string()).await;
    let run = first.api().trigger("large").await;
    first.api().step_is(&run, "gate", "running", SOON).await;
    first.kill9();
    let ended = second.api().ended(&run, SOON).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    let list = &ended["steps"][0];
    assert!(list["outputs"].is_null() && list["outputs_bytes"].as_u64() > Some(1_000_000), "{list}");
    let outputs = second.api().get(&format!("/api/v1/runs/{run}/steps/list/outputs")).await;
    assert_eq!(outputs["outputs"]["numbers"].as_array().map(Vec::len), Some(NUMBERS));
}
