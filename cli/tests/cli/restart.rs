//! The state of `millrace dev` outlives it, however it ends.

use std::sync::Arc;

use serde_json::json;

use crate::binary::{file, until};
use crate::dev::Dev;

#[test]
fn runs_workflows_and_logs_are_there_after_a_restart() {
    let dev = Dev::start(&[]);
    let path = file(dev.folder(), "w.yaml", "name: w\nsteps: [{name: one, run: echo kept}]\n");
    dev.cli(&["apply", &path]).with(0);
    let id = dev.cli(&["workflows", "trigger", "w", "--key", "k"]).with(0).stdout.trim().to_owned();
    let before = dev.ended(&id);
    let folder = dev.shared_folder();
    assert_eq!(dev.stop(), 0);
    let dev = Dev::start_in(folder, &[]);
    assert_eq!(dev.run(&id), before);
    assert_eq!(dev.cli(&["runs", "logs", &id]).with(0).stdout, "kept\n");
    assert_eq!(
        dev.cli(&["workflows", "trigger", "w", "--key", "k"]).with(0).stdout.trim(),
        id,
        "the key is remembered"
    );
    assert_eq!(dev.cli(&["apply", &path, "-o", "json"]).with(0).json()[0]["change"], "unchanged");
}

#[test]
fn after_a_crash_what_was_running_is_tried_again_and_what_was_delayed_starts() {
    let dev = Dev::start(&[]);
    let running = dev.submit("echo $$ >> attempts; [ $(wc -l < attempts) -gt 1 ] || sleep 600");
    until("the first attempt runs", || dev.path("attempts").exists().then_some(()));
    let delayed = dev.cli(&["submit", "--delay", "3s", "--", "echo late"]).with(0).stdout.trim().to_owned();
    let queued = dev.submit("echo queued");
    dev.ended(&queued);
    let folder = dev.shared_folder();
    dev.crash();
    let dev = Dev::start_in(folder, &[]);
    let run = dev.ended(&running);
    assert_eq!((&run["state"], &run["steps"][0]["attempt"]), (&json!("succeeded"), &json!(2)), "{run:#}");
    assert_eq!(run["steps"][0]["lost"], 1, "it was lost once");
    assert_eq!(dev.ended(&delayed)["state"], "succeeded");
    assert_eq!(dev.run(&queued)["steps"][0]["attempt"], 1, "what had ended is not repeated");
}

#[test]
fn schedules_go_on_after_a_restart_and_after_a_crash() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let path = file(
        folder.path(),
        "tick.yaml",
        "name: tick\nschedule: {every: 1s}\nsteps: [{name: one, run: 'true'}]\n",
    );
    let count = |dev: &Dev| {
        dev.get("/api/v1/runs?workflow=tick&state=succeeded&limit=500").json(200)["runs"]
            .as_array()
            .unwrap()
            .len()
    };
    let dev = Dev::start_in(folder, &[&path]);
    until("it fires", || (count(&dev) >= 2).then_some(()));
    let folder = dev.shared_folder();
    dev.stop();
    let dev = Dev::start_in(folder, &[]);
    let seen = count(&dev);
    until("it fires after a restart", || (count(&dev) >= seen + 2).then_some(()));
    let folder = dev.shared_folder();
    dev.crash();
    let dev = Dev::start_in(folder, &[]);
    let seen = count(&dev);
    until("it fires after a crash", || (count(&dev) >= seen + 2).then_some(()));
    let runs = dev.get("/api/v1/runs?workflow=tick&limit=500").json(200)["runs"].clone();
    let mut fires: Vec<String> = Vec::new();
    for run in runs.as_array().unwrap() {
        fires.push(dev.run(run["id"].as_str().unwrap())["scheduled_at"].as_str().unwrap().to_owned());
    }
    let all = fires.len();
    fires.sort();
    fires.dedup();
    assert_eq!(fires.len(), all, "no fire happened twice");
}
