//! Runs and pools that somebody pauses and lets go on, and runs that get another priority.

use serde_json::json;

use crate::binary::until;
use crate::dev::Dev;

const TWO: &str = "
name: two
steps:
  - {name: first, run: 'while [ ! -e go ]; do sleep 0.05; done', working_dir: .}
  - {name: second, run: 'true', depends_on: [first]}
";

fn started(dev: &Dev, name: &str, source: &str) -> String {
    std::fs::write(dev.path("w.yaml"), source).unwrap();
    dev.cli(&["apply", "w.yaml"]).with(0);
    dev.cli(&["workflows", "trigger", name]).with(0).stdout.trim().to_owned()
}

fn until_step(dev: &Dev, id: &str, step: usize, state: &str) {
    until(state, || (dev.run(id)["steps"][step]["state"] == state).then_some(()));
}

#[test]
fn a_paused_run_ends_what_runs_and_begins_nothing_until_it_is_resumed() {
    let dev = Dev::start(&[]);
    let id = started(&dev, "two", &TWO.replace("go ]", &format!("{} ]", dev.path("go").display())));
    until_step(&dev, &id, 0, "running");
    let told = dev.cli(&["runs", "pause", &id, "--by", "ann", "--why", "the disk is full"]).with(0).stdout;
    assert_eq!(told, format!("{id} was paused by ann: the disk is full\n"));
    dev.cli(&["runs", "pause", &id, "--by", "bob"])
        .with(1)
        .says(&["the run cannot be paused: it is paused by ann since", "the disk is full already"]);
    std::fs::write(dev.path("go"), "").unwrap();
    until_step(&dev, &id, 0, "succeeded");

    // Its pause outlives the process.
    let folder = dev.shared_folder();
    dev.crash();
    let dev = Dev::start_in(folder, &[]);
    let run = dev.run(&id);
    assert_eq!((&run["state"], &run["paused"]["by"]), (&json!("running"), &json!("ann")), "{run}");
    assert!(run["reason"].as_str().unwrap().starts_with("paused by ann since "), "{run}");
    let why = dev.cli(&["runs", "why", &id]).with(0).stdout;
    assert!(why.contains("second is waiting\n  - its run is paused by ann since "), "{why}");
    assert!(dev.cli(&["runs", "list"]).with(0).stdout.contains("paused by ann since"));
    assert_eq!(dev.run(&id)["steps"][1]["state"], "waiting");

    let told = dev.cli(&["runs", "resume", &id, "--by", "bob"]).with(0).stdout;
    assert_eq!(told, format!("{id} was resumed by bob\n"));
    assert_eq!(dev.ended(&id)["state"], "succeeded");
    let history = dev.cli(&["runs", "history", &id]).with(0).stdout;
    for said in ["the run was paused by ann: the disk is full", "the run was resumed by bob"] {
        assert!(history.contains(said), "{history}");
    }
    dev.cli(&["runs", "resume", &id]).with(1).says(&["cannot be resumed: it has ended: succeeded"]);
    assert_eq!(dev.run(&id)["paused"], json!(null));
}

#[test]
fn what_is_queued_of_a_paused_run_is_taken_back_and_begins_once() {
    let dev = Dev::start(&["--concurrency", "1"]);
    let busy = dev.submit("sleep 600");
    until_step(&dev, &busy, 0, "running");
    let waits = dev.submit("echo once");
    until_step(&dev, &waits, 0, "queued");
    dev.cli(&["runs", "pause", &waits]).with(0);
    until_step(&dev, &waits, 0, "waiting");
    dev.cli(&["runs", "cancel", &busy]).with(0);
    dev.ended(&busy);
    assert_eq!(dev.run(&waits)["steps"][0]["state"], "waiting");
    dev.cli(&["runs", "resume", &waits]).with(0);
    let run = dev.ended(&waits);
    assert_eq!((&run["state"], &run["steps"][0]["lost"]), (&json!("succeeded"), &json!(null)), "{run}");
    let history = dev.cli(&["runs", "history", &waits]).with(0).stdout;
    assert!(history.contains("was taken back before anybody had begun it"), "{history}");
    dev.cli(&["runs", "resume", &waits]).with(1).says(&["it has ended"]);
}

#[test]
fn a_run_that_waits_for_its_start_does_not_start_while_it_is_paused_and_a_cancel_ends_it() {
    let dev = Dev::start(&[]);
    let later = dev.cli(&["submit", "--delay", "1s", "--", "true"]).with(0).stdout.trim().to_owned();
    dev.cli(&["runs", "pause", &later]).with(0);
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(dev.run(&later)["state"], "waiting");
    dev.cli(&["runs", "resume", &later]).with(0);
    assert_eq!(dev.ended(&later)["state"], "succeeded");
    let never = dev.cli(&["submit", "--delay", "1h", "--", "true"]).with(0).stdout.trim().to_owned();
    dev.cli(&["runs", "resume", &never]).with(1).says(&["the run cannot be resumed: it is not paused"]);
    dev.cli(&["runs", "pause", &never]).with(0);
    dev.cli(&["runs", "cancel", &never]).with(0);
    assert_eq!(dev.ended(&never)["state"], "cancelled");
}

#[test]
fn a_pause_names_the_runs_that_are_steps_of_it_and_go_on() {
    let dev = Dev::start(&[]);
    std::fs::write(dev.path("part.yaml"), "name: part\nsteps: [{name: only, run: sleep 600}]\n").unwrap();
    dev.cli(&["apply", "part.yaml"]).with(0);
    let id = started(&dev, "whole", "name: whole\nsteps: [{name: a, uses: workflow, with: {name: part}}]\n");
    until_step(&dev, &id, 0, "running");
    let child = dev.run(&id)["steps"][0]["child"].as_str().unwrap().to_owned();
    let told = dev.cli(&["runs", "pause", &id]).with(0).stdout;
    assert!(told.contains("are runs of their own, and go on:\n") && told.contains(&child), "{told}");
    dev.cli(&["runs", "cancel", &id]).with(0);
    assert_eq!(dev.ended(&id)["state"], "cancelled");
}

#[test]
fn a_priority_is_given_to_what_waits_of_a_run() {
    let dev = Dev::start(&["--concurrency", "1"]);
    let busy = dev.submit("sleep 600");
    until_step(&dev, &busy, 0, "running");
    let (one, other) = (dev.submit("date +%s%N"), dev.submit("date +%s%N"));
    until_step(&dev, &other, 0, "queued");
    let told = dev.cli(&["runs", "priority", &other, "P0", "--by", "ann"]).with(0).stdout;
    assert_eq!(told, format!("{other} was given priority P0 by ann\n"));
    assert_eq!(dev.run(&other)["priority"], "P0");
    dev.cli(&["runs", "priority", &other, "P0"]).with(1).says(&["its priority is P0 already"]);
    dev.cli(&["runs", "priority", &other, "urgent"]).with(2).says(&["priority"]);
    dev.cli(&["runs", "priority", &other]).with(2).says(&["which priority?"]);
    until("it is queued again", || {
        let step = &dev.run(&other)["steps"][0];
        (step["state"] == "queued" && step["attempt"] == 2).then_some(())
    });
    dev.cli(&["runs", "cancel", &busy]).with(0);
    let began = |id: &str| dev.ended(id)["steps"][0]["started_at"].as_str().unwrap().to_owned();
    let (one, other) = (began(&one), began(&other));
    assert!(other < one, "{other} {one}");
}

#[test]
fn the_workers_of_a_paused_pool_take_nothing_new_and_everybody_says_why() {
    let dev = Dev::start(&[]);
    let told =
        dev.cli(&["queues", "pause", "default", "--by", "ann", "--why", "a new driver"]).with(0).stdout;
    assert_eq!(told, "pool default was paused by ann: a new driver\n");
    dev.cli(&["queues", "pause", "default"])
        .with(1)
        .says(&["the pool cannot be paused: pool default is paused by ann since", "a new driver already"]);
    // A worker hears of it with its next sign of life.
    std::thread::sleep(std::time::Duration::from_secs(3));
    let id = dev.submit("true");
    std::thread::sleep(std::time::Duration::from_secs(1));
    let folder = dev.shared_folder();
    dev.crash();
    let dev = Dev::start_in(folder, &[]);
    let run = dev.run(&id);
    assert_eq!(run["steps"][0]["state"], "queued", "{run}");
    let why = dev.cli(&["runs", "why", &id]).with(0).stdout;
    assert!(why.contains("pool default is paused by ann since ") && why.contains(": a new driver"), "{why}");
    let queues = dev.get("/api/v1/queues").json(200)["queues"].clone();
    let default = queues.as_array().unwrap().iter().find(|queue| queue["pool"] == "default").unwrap();
    assert_eq!((&default["paused"]["by"], &default["ready"]), (&json!("ann"), &json!(1)), "{default}");
    assert!(dev.cli(&["queues", "list"]).with(0).stdout.contains("pool default is paused by ann"));
    dev.cli(&["queues", "resume", "default", "--by", "bob"]).with(0);
    assert_eq!(dev.ended(&id)["state"], "succeeded");
    dev.cli(&["queues", "resume", "default"]).with(1).says(&["pool default is not paused"]);
    dev.cli(&["queues", "pause", "No Pool"]).with(2).says(&["pool name \"No Pool\" must match"]);
}
