//! Locks as they are looked at, waited for and taken away.

use serde_json::json;

use crate::binary::until;
use crate::dev::Dev;

const LOCKED: &str = "
name: reads
steps: [{name: read, run: 'sleep 600', locks: [{name: db/orders, shared: true}]}]
---
name: writes
params: [{name: what, default: orders}]
priority: P1
steps:
  - name: write
    run: 'echo \"token=$MILLRACE_LOCK_TOKEN\" >> \"$MILLRACE_OUTPUT\"'
    locks: ['db/${{ params.what }}', {name: db/slots, slots: 3, weight: 2}]
---
name: idles
priority: P3
steps: [{name: write, run: 'true', locks: [db/orders]}]
---
name: other
steps: [{name: all, run: 'true', locks: [{name: db/orders, slots: 5}]}]
";

fn applied() -> Dev {
    let dev = Dev::start(&[]);
    std::fs::write(dev.path("locked.yaml"), LOCKED).unwrap();
    dev.cli(&["apply", "locked.yaml"]).with(0);
    dev
}

fn trigger(dev: &Dev, workflow: &str) -> String {
    dev.cli(&["workflows", "trigger", workflow]).with(0).stdout.trim().to_owned()
}

fn is(dev: &Dev, run: &str, state: &str) {
    until(&format!("its step is {state}"), || (dev.run(run)["steps"][0]["state"] == state).then_some(()));
}

#[test]
fn who_holds_a_lock_and_who_waits_for_it_is_told_and_the_urgent_is_served_first() {
    let dev = applied();
    let readers = [trigger(&dev, "reads"), trigger(&dev, "reads")];
    readers.iter().for_each(|run| is(&dev, run, "running"));
    let idle = trigger(&dev, "idles");
    is(&dev, &idle, "blocked");
    let writer = trigger(&dev, "writes");
    is(&dev, &writer, "blocked");
    let listed = dev.cli(&["locks", "list"]).with(0).stdout;
    let line = listed.lines().find(|line| line.starts_with("db/orders ")).unwrap().to_owned();
    assert_eq!(line.split_whitespace().take(5).collect::<Vec<_>>(), ["db/orders", "1", "1", "2", "2"]);
    let shown = dev.cli(&["locks", "get", "db/orders"]).with(0).stdout;
    assert!(shown.contains(&format!("held by read of reads, run {}, shared, since ", readers[0])), "{shown}");
    assert!(shown.contains(&format!("1. waits: write of writes, run {writer}, P1, since ")), "{shown}");
    assert!(shown.contains(&format!("2. waits: write of idles, run {idle}, P3, since ")), "{shown}");
    let why = dev.cli(&["runs", "why", &idle]).with(0).stdout;
    let told = "number 2 of 2 that wait for lock db/orders, which read of reads holds since ";
    assert!(why.contains("write is blocked") && why.contains(told), "{why}");
    assert!(why.contains(&format!("(run {}, and 1 more)", readers[0])), "{why}");
    let blocker = dev.get(&format!("/api/v1/runs/{writer}/why")).json(200)["steps"][0]["blockers"][0].clone();
    assert_eq!((&blocker["kind"], &blocker["locks"][0]["place"]), (&json!("locks"), &json!(1)));
    assert_eq!((&blocker["locks"][1]["slots"], &blocker["locks"][1]["taken"]), (&json!(3), &json!(0)));
    for run in &readers {
        dev.cli(&["runs", "cancel", run]).with(0);
    }
    for run in [&writer, &idle] {
        let ended = until("it has ended", || Some(dev.run(run)).filter(|run| run["state"] == "succeeded"));
        assert!(ended["steps"][0]["started_at"].is_string());
    }
    let token = dev.run(&writer)["steps"][0]["outputs"]["token"].as_str().unwrap().parse::<u64>().unwrap();
    assert!(token > 0);
    until("nothing is held", || (dev.get("/api/v1/locks").json(200)["locks"] == json!([])).then_some(()));
    let history = dev.cli(&["runs", "history", &writer]).with(0).stdout;
    assert!(history.contains("write was granted locks db/orders and db/slots"), "{history}");
}

#[test]
fn a_lock_is_taken_away_by_somebody_whose_name_is_kept_and_the_next_has_it() {
    let dev = applied();
    let reader = trigger(&dev, "reads");
    is(&dev, &reader, "running");
    let writer = trigger(&dev, "writes");
    is(&dev, &writer, "blocked");
    let other = dev.cli(&["locks", "release", "db/orders", "--run", &writer]).with(1);
    assert!(
        other.stderr.contains(
            "it only waits for lock db/orders: skip its step, or cancel its run; held by read of run"
        ),
        "{}",
        other.stderr
    );
    let done =
        dev.cli(&["locks", "release", "db/orders", "--by", "ann", "--why", "it is stuck"]).with(0).stdout;
    assert_eq!(done.trim(), format!("lock db/orders was taken away from read of run {reader}"));
    until("the writer has ended", || (dev.run(&writer)["state"] == "succeeded").then_some(()));
    assert_eq!(dev.run(&reader)["state"], "running");
    let history = dev.cli(&["runs", "history", &reader]).with(0).stdout;
    assert!(
        history.contains("lock db/orders, which read held, was released by ann: it is stuck"),
        "{history}"
    );
    let again = dev.cli(&["locks", "release", "db/orders"]).with(5);
    assert!(
        again.stderr.contains("there is no lock \"db/orders\" that anybody holds, or waits for"),
        "{}",
        again.stderr
    );
    let bad = dev.cli(&["locks", "get", "a b"]).with(2);
    assert!(bad.stderr.contains("lock name \"a b\" must match"), "{}", bad.stderr);
}

#[test]
fn a_lock_of_which_two_workflows_say_other_sizes_fails_the_one_that_comes_later_and_names_both() {
    let dev = applied();
    let reader = trigger(&dev, "reads");
    is(&dev, &reader, "running");
    let other = trigger(&dev, "other");
    let ended = until("it has ended", || Some(dev.run(&other)).filter(|run| run["state"] == "failed"));
    let why = format!(
        "lock db/orders has 5 slots as step all of other says, and is shared as step read of reads (version 1) does, \
         which holds it now (run {reader}): say the same in both"
    );
    assert_eq!(ended["steps"][0]["reason"], why);
}

#[test]
fn a_lock_is_held_again_by_whoever_held_it_when_dev_has_been_killed() {
    let dev = applied();
    let reader = trigger(&dev, "reads");
    is(&dev, &reader, "running");
    let writer = trigger(&dev, "writes");
    is(&dev, &writer, "blocked");
    let folder = dev.shared_folder();
    dev.crash();
    let dev = Dev::start_in(folder, &[]);
    is(&dev, &writer, "blocked");
    let shown = dev.cli(&["locks", "get", "db/orders"]).with(0).stdout;
    assert!(shown.contains(&format!("held by read of reads, run {reader}")), "{shown}");
    dev.cli(&["runs", "cancel", &reader]).with(0);
    until("the writer has ended", || (dev.run(&writer)["state"] == "succeeded").then_some(()));
}
