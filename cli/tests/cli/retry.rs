//! Runs that have failed and go on from where they did, as new runs.

use serde_json::{Value, json};

use crate::binary::until;
use crate::dev::Dev;

const LOADS: &str = "
name: loads
steps:
  - name: extract
    run: |
      echo extracted >> ran
      echo '{\"rows\": 5}' > \"$MILLRACE_OUTPUT\"
  - name: large
    run: head -c 100000 /dev/zero | tr '\\0' x | sed 's/^/text=/' > \"$MILLRACE_OUTPUT\"
  - {name: each, foreach: [1, 2], run: 'echo item $MILLRACE_ITEM >> ran; echo \"n=$MILLRACE_ITEM\" > \"$MILLRACE_OUTPUT\"'}
  - {name: load, depends_on: [extract], run: 'echo loaded $ROWS >> ran; test -e fixed', env: {ROWS: '${{ outputs.extract.rows }}'}}
  - name: report
    depends_on: [load, large, each]
    run: echo reported ${#TEXT} $ITEMS >> ran
    env: {TEXT: '${{ outputs.large.text }}', ITEMS: '${{ outputs.each | length }}'}
";

fn failed(dev: &Dev) -> String {
    std::fs::write(dev.path("loads.yaml"), LOADS).unwrap();
    dev.cli(&["apply", "loads.yaml"]).with(0);
    let id = dev.cli(&["workflows", "trigger", "loads"]).with(0).stdout.trim().to_owned();
    assert_eq!(dev.ended(&id)["state"], "failed");
    id
}

fn ran(dev: &Dev) -> Vec<String> {
    std::fs::read_to_string(dev.path("ran")).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_run_that_failed_goes_on_from_where_it_did_and_what_had_succeeded_is_carried_over() {
    let dev = Dev::start(&[]);
    let old = failed(&dev);
    // The definition has changed since: the retry goes on with that of the run.
    std::fs::write(dev.path("loads.yaml"), LOADS.replace("reported", "otherwise")).unwrap();
    dev.cli(&["apply", "loads.yaml"]).with(0);
    std::fs::write(dev.path("fixed"), "").unwrap();
    std::fs::remove_file(dev.path("ran")).unwrap();

    let followed = dev.cli(&["runs", "retry", &old, "--by", "ann", "--why", "mended", "--follow"]).with(0);
    assert!(followed.stdout.contains("succeeded in"), "{}", followed.stdout);
    assert_eq!(ran(&dev), ["loaded 5", "reported 100000 2"]);
    let was = dev.run(&old);
    let new = was["retried_by"].as_str().unwrap().to_owned();
    let run = dev.run(&new);
    assert_eq!((&run["retry_of"], &run["origin"], &run["version"]), (&json!(old), &json!(old), &json!(1)));
    assert_eq!(
        (&run["steps"][0]["carried_from"], &run["steps"][0]["outputs"]["rows"]),
        (&json!(old), &json!(5))
    );
    assert_eq!((&was["state"], &was["steps"][3]["state"]), (&json!("failed"), &json!("failed")));

    // Each says so of the other.
    let of = |more: &[&str]| dev.cli(&[&["runs"], more].concat()).with(0).stdout;
    let (retry_of, retried_as) = (format!("retry of {old}"), format!("retried as {new}"));
    for shown in ["get", "why", "tree"] {
        assert!(of(&[shown, &new]).contains(&retry_of), "{shown}");
        assert!(of(&[shown, &old]).contains(&retried_as), "{shown}");
    }
    let list = of(&["list", "--origin", &old]);
    assert!(list.contains(&retry_of) && list.contains(&retried_as) && list.lines().count() == 3, "{list}");
    assert!(of(&["history", &new]).contains(&format!("created as a retry of run {old} by ann: mended")));
    assert!(
        of(&["history", &new]).contains(&format!("extract had succeeded in run {old}, and is carried over"))
    );
    assert!(of(&["history", &old]).contains(&format!("as run {new} by ann: mended")));
    let items = dev.get(&format!("/api/v1/runs/{new}/steps/each/items")).json(200);
    assert_eq!(items["items"][1]["outputs"]["n"], "2");
    assert_eq!(of(&["outputs", &new, "--step", "large"]), of(&["outputs", &old, "--step", "large"]));

    // It has succeeded, and so there is nothing to retry of either.
    for id in [&old, &new] {
        dev.cli(&["runs", "retry", id]).with(1).says(&["succeeded: there is nothing to retry"]);
    }
}

#[test]
fn a_retry_that_is_asked_for_again_is_the_same_and_there_is_one_at_a_time() {
    let dev = Dev::start(&[]);
    let old = failed(&dev);
    let source = "name: slow\nsteps: [{name: a, run: 'test -e go || exit 1; sleep 600'}]";
    std::fs::write(dev.path("slow.yaml"), source).unwrap();
    dev.cli(&["apply", "slow.yaml"]).with(0);
    let slow = dev.cli(&["workflows", "trigger", "slow"]).with(0).stdout.trim().to_owned();
    dev.ended(&slow);
    std::fs::write(dev.path("go"), "").unwrap();

    let path = format!("/api/v1/runs/{slow}/retry");
    let keyed = json!({"idempotency_key": "k1", "by": "ann"}).to_string();
    let first = dev.post(&path, &keyed).json(201);
    assert_eq!(first["duplicate"], false);
    let again = dev.post(&path, &keyed).json(200);
    assert_eq!((&again["run_id"], &again["duplicate"]), (&first["run_id"], &json!(true)));
    let new = first["run_id"].as_str().unwrap();
    let refused = |id: &str, told: &str| {
        let refused = dev.post(&format!("/api/v1/runs/{id}/retry"), "{}").json(409);
        assert_eq!(refused["error"]["code"], "wrong-state");
        let message = refused["error"]["message"].as_str().unwrap();
        assert!(message.contains(told), "{message}");
    };
    refused(&slow, &format!("run {slow} was retried as run {new}, which is under way"));
    refused(new, "is under way (running): wait for its end");
    until("it runs", || (dev.run(new)["steps"][0]["state"] == "running").then_some(()));
    dev.cli(&["runs", "cancel", new]).with(0);
    dev.ended(new);
    // A retry can be retried, and the run itself once more.
    let third = dev.cli(&["runs", "retry", new]).with(0).stdout.trim().to_owned();
    assert_eq!(dev.run(&third)["origin"], json!(slow));
    let other = dev.cli(&["runs", "retry", &slow, "--key", "k2"]).with(0).stdout.trim().to_owned();
    assert_eq!(dev.cli(&["runs", "retry", &slow, "--key", "k2"]).with(0).stdout.trim(), other);
    assert_ne!(other, new);

    assert_eq!(dev.post("/api/v1/runs/0192f3c1-7a7b-7000-8000-000000000000/retry", "{}").status, 404);
    assert_eq!(
        dev.post(&format!("/api/v1/runs/{old}/retry"), "{\"step\": \"a\"}").json(422)["error"]["code"],
        "bad-field"
    );
    dev.cli(&["runs", "retry", &old, "--item", "1"])
        .with(2)
        .says(&["say which, millrace runs retry ID STEP"]);
    dev.cli(&["runs", "retry", &old, "load", "--follow"]).with(2).says(&["without a STEP"]);
    dev.cli(&["runs", "retry", &old, "load"])
        .with(1)
        .says(&[&format!("`millrace runs retry {old}`, without a step")]);
}

#[test]
fn a_task_and_a_run_of_a_run_are_retried_where_they_belong() {
    let dev = Dev::start(&[]);
    let task = dev.submit("echo tried >> ran; test -e fixed");
    dev.ended(&task);
    std::fs::write(dev.path("inner.yaml"), "name: inner\nsteps: [{name: a, run: 'test -e fixed'}]").unwrap();
    std::fs::write(
        dev.path("outer.yaml"),
        "name: outer\nsteps: [{name: call, uses: workflow, with: {name: inner}}]",
    )
    .unwrap();
    dev.cli(&["apply", "inner.yaml", "outer.yaml"]).with(0);
    let outer = dev.cli(&["workflows", "trigger", "outer"]).with(0).stdout.trim().to_owned();
    let child = dev.ended(&outer)["steps"][0]["child"].as_str().unwrap().to_owned();
    std::fs::write(dev.path("fixed"), "").unwrap();

    dev.cli(&["runs", "retry", &child])
        .with(1)
        .says(&[&format!("retry that run (millrace runs retry {outer})")]);
    for id in [&task, &outer] {
        let new = dev.cli(&["runs", "retry", id]).with(0).stdout.trim().to_owned();
        assert_eq!(dev.ended(&new)["state"], "succeeded", "{}", dev.run(&new));
        let of: Value = dev.run(id);
        assert_eq!(of["retried_by"], json!(new));
    }
}
