//! A pool that nobody serves is named wherever one looks for the reason.

use std::sync::Arc;

use serde_json::json;

use crate::binary::{file, millrace};
use crate::dev::Dev;

#[test]
fn a_run_that_waits_for_a_pool_without_workers_says_so_and_what_was_probably_meant() {
    let dev = Dev::start(&[]);
    let id = dev.cli(&["submit", "--pool", "defualt", "--", "true"]).with(0).stdout.trim().to_owned();
    let why = "no worker serves pool `defualt`; did you mean `default`?";
    let run = dev.run(&id);
    assert_eq!((&run["steps"][0]["state"], &run["steps"][0]["reason"]), (&json!("queued"), &json!(why)));
    assert_eq!(dev.get("/api/v1/runs").json(200)["runs"][0]["reason"], why);
    let list = dev.cli(&["runs", "list"]).with(0).stdout;
    assert!(list.contains(why), "{list}");

    let queues = dev.get("/api/v1/queues").json(200)["queues"].clone();
    let queue =
        |pool: &str| queues.as_array().unwrap().iter().find(|queue| queue["pool"] == pool).unwrap().clone();
    let waiting = queue("defualt");
    assert_eq!(
        (&waiting["ready"], &waiting["slots"], &waiting["reason"]),
        (&json!(1), &json!(0), &json!(why))
    );
    assert_eq!(queue("default")["reason"], json!(null));
    let list = dev.cli(&["queues", "list"]).with(0).stdout;
    assert!(list.contains(why), "{list}");

    let metrics = dev.get("/metrics").body;
    let has =
        |line: &str| assert!(metrics.lines().any(|found| found == line), "{line} is missing in:\n{metrics}");
    has("millrace_workers{pool=\"defualt\",state=\"up\"} 0");
    has("millrace_queue_depth{pool=\"defualt\",priority=\"P0-P3\"} 1");
}

#[test]
fn a_run_that_waits_for_a_busy_pool_says_that_in_lists_too() {
    let dev = Dev::start(&["--concurrency", "1"]);
    let busy = dev.submit("sleep 600");
    dev.run_in(&busy, &["running"]);
    crate::binary::until("its task runs", || {
        (dev.run(&busy)["steps"][0]["state"] == "running").then_some(())
    });
    let waits = dev.submit("true");
    let runs = dev.get("/api/v1/runs").json(200)["runs"].clone();
    assert_eq!(runs[0]["id"], waits.as_str());
    assert_eq!(runs[0]["reason"], "waits for a free worker of pool default");
    assert_eq!(runs[1]["reason"], json!(null), "the other one runs");
}

#[test]
fn an_embedded_run_is_served_in_whatever_pool_its_steps_are() {
    let folder = tempfile::tempdir().unwrap();
    let source = "name: w\nsteps: [{name: a, run: echo hi, pool: gpu}, {name: b, run: 'true', pool: etl}]\n";
    file(folder.path(), "pools.yaml", source);
    millrace(folder.path(), &["run", "pools.yaml", "--wait-timeout", "60s"]).with(0);
}

#[test]
fn a_dev_server_serves_the_default_pool_those_of_its_files_and_those_it_is_told() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    file(folder.path(), "w.yaml", "name: w\nsteps: [{name: a, run: 'true', pool: etl}]\n");
    let dev = Dev::start_in(folder, &["w.yaml", "--pool", "gpu"]);
    for pool in ["default", "etl", "gpu"] {
        dev.cli(&["submit", "--pool", pool, "--follow", "--wait-timeout", "60s", "--", "true"]).with(0);
    }
}
