//! A definition that is changed, or deleted, under its runs: they go on with the version that they were started with, also
//! with another producer.

use std::time::Duration;

use millrace_tests::Fleet;
use serde_json::json;

const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn runs_keep_the_version_that_they_were_started_with_whatever_becomes_of_the_workflow() {
    let fleet = Fleet::new();
    let (mut first, second) = (fleet.producer().await, fleet.producer().await);
    let _worker = fleet.worker(&["--concurrency", "8"]).await;
    let gate = fleet.folder().join("gate");
    let version = |n: u32| {
        let wait = format!("until test -e '{}'; do sleep 0.1; done", gate.display());
        let mut steps = vec![json!({"name": "gate", "run": wait})];
        // Each version gives its number, and has as many steps after the gate.
        for step in 0..n {
            let give = format!("echo v={n} > \"$MILLRACE_OUTPUT\"");
            steps.push(json!({"name": format!("s{step}"), "depends_on": ["gate"], "run": give}));
        }
        json!({"name": "changed", "steps": steps}).to_string()
    };
    let mut runs = Vec::new();
    for n in 1..=2 {
        first.api().apply(&version(n)).await;
        let run = first.api().trigger("changed").await;
        first.api().step_is(&run, "gate", "running", SOON).await;
        runs.push((run, n));
    }
    first.api().apply(&version(3)).await;
    let (status, _) = first.api().delete("/api/v1/workflows/changed").await;
    assert_eq!(status, 200);
    first.kill9();
    std::fs::write(&gate, "").expect("the gate opens");
    for (run, n) in &runs {
        let ended = second.api().ended(run, SOON).await;
        assert_eq!((&ended["state"], &ended["version"]), (&json!("succeeded"), &json!(n)), "{ended}");
        let steps = ended["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
        let given: Vec<_> = steps[1..].iter().map(|step| step["outputs"]["v"].clone()).collect();
        assert_eq!(given, vec![json!(n.to_string()); *n as usize], "{ended}");
    }
}
