//! Every command that talks to a producer, against `millrace dev`.

use serde_json::{Value, json};

use crate::binary::{Ended, file, finish, millrace, until};
use crate::dev::Dev;

#[test]
fn submit_answers_with_an_id_and_a_key_answers_with_the_same_one() {
    let dev = Dev::start(&[]);
    let first = dev.cli(&["submit", "--key", "once", "--", "echo", "it's", "$HOME"]).with(0).stdout;
    assert_eq!(dev.cli(&["submit", "--key", "once", "--", "echo", "it's", "$HOME"]).with(0).stdout, first);
    let id = first.trim();
    assert_eq!(dev.ended(id)["state"], "succeeded");
    assert_eq!(dev.cli(&["runs", "logs", id]).with(0).stdout, "it's $HOME\n", "words are quoted");
    let other = dev.cli(&["submit", "--key", "once", "--", "true"]).with(1);
    other.says(&["idempotency key", id]);
}

#[test]
fn submit_carries_every_option() {
    let dev = Dev::start(&[]);
    let script = r#"echo "$colour"; [ "$MILLRACE_ATTEMPT" = 2 ]"#;
    let options = [
        "submit",
        "--priority",
        "P0",
        "--retries",
        "1",
        "--timeout",
        "30s",
        "-p",
        "colour=deep red",
        "--",
        script,
    ];
    let id = dev.cli(&options).with(0).stdout.trim().to_owned();
    let run = dev.ended(&id);
    assert_eq!((&run["state"], &run["priority"]), (&json!("succeeded"), &json!("P0")));
    assert_eq!(dev.cli(&["runs", "logs", &id, "--attempt", "1"]).with(0).stdout, "deep red\n");
    let timed_out = dev.cli(&["submit", "--follow", "--timeout", "100ms", "--", "sleep 60"]).with(3);
    assert!(
        timed_out.stdout.contains("timed_out") || timed_out.stderr.contains("timed_out"),
        "{timed_out:?}"
    );
    let later = dev.cli(&["submit", "--delay", "1h", "-o", "json", "--", "true"]).with(0).json();
    let later = dev.run(later["run_id"].as_str().unwrap());
    assert_eq!(later["state"], "waiting", "{later:#}");
    assert!(later["steps"][0]["reason"].as_str().unwrap().contains("starts at"), "{later:#}");
    let pool = dev.cli(&["submit", "--pool", "gpu", "--", "true"]).with(0).stdout.trim().to_owned();
    let reason =
        until("it waits in the queue", || dev.run(&pool)["steps"][0]["reason"].as_str().map(str::to_owned));
    assert!(reason.contains("gpu"), "why it is not running: {reason}");
    for (wrong, said) in
        [(["--delay", "10"], "10s"), (["--priority", "P9"], "P0 to P3"), (["--at", "tomorrow"], "RFC 3339")]
    {
        dev.cli(&[&["submit"], &wrong[..], &["--", "true"]].concat()).with(2).says(&[said]);
    }
}

#[test]
fn submit_follow_shows_output_and_ends_with_the_runs_status() {
    let dev = Dev::start(&[]);
    let ended = dev.cli(&["submit", "--follow", "--", "echo one; echo two >&2; exit 4"]).with(3);
    ended.says(&["one", "two", "exit code 4"]);
    assert!(ended.stdout.contains("failed"), "{}", ended.stdout);
}

#[test]
fn a_batch_from_standard_input_is_accepted_line_by_line() {
    let dev = Dev::start(&[]);
    let input = "{\"run\":\"true\"}\n\n{\"uses\":\"noop\"}\n{\"rnu\":\"true\"}\n{\"run\":\"exit 1\",\"priority\":9}\n";
    let ended = dev.cli_reading(&["submit", "--batch", "-"], input).with(1);
    ended.says(&["-:4: ", "did you mean `run`", "3 accepted, 1 refused"]);
    let ids: Vec<&str> = ended.stdout.lines().collect();
    let states: Vec<String> =
        ids.iter().map(|id| dev.ended(id)["state"].as_str().unwrap().to_owned()).collect();
    assert_eq!(states, ["succeeded", "succeeded", "failed"]);
    dev.cli_reading(&["submit", "--batch", "-"], "{\"run\":\"true\"}\nnot json\n")
        .with(1)
        .says(&["-:2: not a JSON object"]);
    let many: String =
        (0..2_500).map(|n| format!("{{\"uses\":\"noop\",\"idempotency_key\":\"{n}\"}}\n")).collect();
    let path = file(dev.folder(), "many.ndjson", &many);
    let ended = dev.cli(&["submit", "--batch", &path, "-o", "jsonl"]).with(0);
    assert_eq!(
        ended.stdout.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count(),
        2_500
    );
    ended.says(&["2500 accepted, 0 refused"]);
    dev.cli(&["submit", "--batch", "absent"]).with(2).says(&["--batch absent", "No such file"]);
}

#[test]
fn apply_says_what_changed_and_the_same_again_changes_nothing() {
    let dev = Dev::start(&[]);
    let path = file(dev.folder(), "w.yaml", "name: w\nsteps: [{name: one, run: 'true'}]\n");
    let apply =
        |arguments: &[&str]| -> Ended { dev.cli(&[&["apply", "-o", "json"], arguments].concat()).with(0) };
    let change = |ended: &Ended| (ended.json()[0]["version"].clone(), ended.json()[0]["change"].clone());
    assert_eq!(change(&apply(&[&path])), (json!(1), json!("stored")));
    assert_eq!(change(&apply(&[&path])), (json!(1), json!("unchanged")));
    file(dev.folder(), "w.yaml", "name: w\nsteps: [{name: one, run: 'exit 0'}]\n");
    assert_eq!(change(&apply(&["w.yaml"])), (json!(2), json!("stored")));
    let bad = file(dev.folder(), "bad.yaml", "name: w\nsteps: [{name: one, run: 1, pool: 'A B'}]\n");
    file(dev.folder(), "w.yaml", "name: w\nsteps: [{name: one, run: 'exit 1'}]\n");
    dev.cli(&["apply", &path, &bad]).with(1).says(&["bad.yaml:2:"]);
    assert_eq!(
        dev.cli(&["workflows", "get", "w", "-o", "json"]).with(0).json()["version"],
        2,
        "all files, or none"
    );
}

#[test]
fn a_file_is_the_same_version_whether_dev_or_apply_stored_it() {
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let path = file(folder.path(), "w.yaml", "name: w\nsteps: [{name: one, run: pwd -P}]\n");
    let dev = Dev::start_in(folder, &[&path]);
    let applied = dev.cli(&["apply", &path, "-o", "json"]).with(0).json();
    assert_eq!((&applied[0]["version"], &applied[0]["change"]), (&json!(1), &json!("unchanged")));
}

#[test]
fn workflows_are_listed_shown_triggered_paused_and_deleted() {
    let dev = Dev::start(&[]);
    let text = "name: daily\nschedule: \"0 2 * * *\"\nparams: [{name: n, type: int, default: 1}]\nsteps: [{name: one, run: echo \"n=$n\"}]\n";
    let path = file(dev.folder(), "daily.yaml", text);
    dev.cli(&["apply", &path]).with(0);
    let row = |key: &str| dev.cli(&["workflows", "list", "-o", "json"]).with(0).json()[0][key].clone();
    assert_eq!((row("name"), row("version"), row("paused")), (json!("daily"), json!(1), json!(false)));
    let next = row("next_fire");
    assert!(next.as_str().unwrap().contains("T02:00:00"), "{next}");
    let table = dev.cli(&["workflows", "list"]).with(0).stdout;
    assert!(table.starts_with("NAME") && table.contains("daily") && table.contains("0 2 * * *"), "{table}");
    assert_eq!(dev.cli(&["workflows", "get", "daily"]).with(0).stdout, text);
    assert_eq!(dev.cli(&["workflows", "get", "daily", "--version", "1"]).with(0).stdout, text);
    dev.cli(&["workflows", "get", "daily", "--version", "9"])
        .with(5)
        .says(&["no version 9 of workflow daily", "current version is 1"]);
    let triggered = dev.cli(&["workflows", "trigger", "daily", "-p", "n=5", "--follow"]).with(0);
    triggered.says(&["one | n=5"]);
    dev.cli(&["workflows", "trigger", "daily", "-p", "n=five"]).with(2).says(&["param n"]);
    let keyed = ["workflows", "trigger", "daily", "--key", "k"];
    assert_eq!(dev.cli(&keyed).with(0).stdout, dev.cli(&keyed).with(0).stdout);
    dev.cli(&["workflows", "pause", "daily"]).with(0);
    assert_eq!((row("paused"), row("next_fire")), (json!(true), Value::Null));
    dev.cli(&["workflows", "resume", "daily"]).with(0);
    assert_eq!((row("paused"), row("next_fire")), (json!(false), next));
    dev.cli(&["workflows", "delete", "daily"]).with(0);
    assert_eq!(dev.cli(&["workflows", "list", "-o", "json"]).with(0).json(), json!([]));
    for command in ["get", "trigger", "pause", "resume", "delete"] {
        dev.cli(&["workflows", command, "daily"]).with(5).says(&["no workflow daily"]);
    }
}

#[test]
fn runs_are_listed_by_workflow_and_state_and_an_unknown_state_is_an_error_that_names_them() {
    let dev = Dev::start(&[]);
    let good = dev.submit("true");
    let bad = dev.submit("exit 1");
    dev.ended(&good);
    dev.ended(&bad);
    let list = |arguments: &[&str]| -> Vec<Value> {
        let rows = dev.cli(&[&["runs", "list", "-o", "json"], arguments].concat()).with(0).json();
        rows.as_array().unwrap().iter().map(|row| row["id"].clone()).collect()
    };
    assert_eq!(list(&[]), [json!(bad), json!(good)], "the newest first");
    assert_eq!(list(&["--state", "failed"]), [json!(bad)]);
    assert_eq!(list(&["--state", "running"]), [] as [Value; 0]);
    assert_eq!(list(&["--workflow", "adhoc", "--limit", "1"]), [json!(bad)]);
    dev.cli(&["runs", "list", "--state", "bogus"])
        .with(2)
        .says(&["bogus", "waiting, running, succeeded, failed, timed_out, cancelled, skipped"]);
    let table = dev.cli(&["runs", "list"]).with(0).stdout;
    assert!(table.starts_with("ID") && table.lines().count() == 3, "{table}");
    let shown = dev.cli(&["runs", "get", &bad]).with(0).stdout;
    assert!(
        shown.contains(&bad) && shown.contains("✖ task failed") && shown.contains("exit code 1"),
        "{shown}"
    );
    for arguments in [["runs", "get"], ["runs", "watch"], ["runs", "logs"], ["runs", "cancel"]] {
        for id in ["01a1fc6a-3d32-77f1-9b10-bdeea9b20000", "nonsense"] {
            dev.cli(&[&arguments[..], &[id]].concat()).with(5).says(&["no run", id]);
        }
    }
    dev.cli(&["runs", "logs", &good, "--step", "absent"]).with(5).says(&["absent"]);
}

#[test]
fn logs_follow_a_run_to_its_end_and_cancel_ends_it() {
    let dev = Dev::start(&[]);
    let id = dev.submit("echo first; touch started; until [ -e go ]; do sleep 0.05; done; echo last");
    let follower = dev.command(&["runs", "logs", "-f", &id]).spawn().unwrap();
    let watcher = dev.command(&["runs", "watch", &id]).spawn().unwrap();
    until("the task has started", || dev.path("started").exists().then_some(()));
    std::fs::write(dev.path("go"), "").unwrap();
    assert_eq!(finish(follower).with(0).stdout, "first\nlast\n");
    finish(watcher).with(0).says(&["task | first", "task | last"]);

    let stuck = dev.submit("touch stuck; sleep 600");
    until("the task has started", || dev.path("stuck").exists().then_some(()));
    dev.cli(&["runs", "cancel", &stuck]).with(0);
    let run = dev.ended(&stuck);
    assert_eq!((&run["state"], &run["steps"][0]["state"]), (&json!("cancelled"), &json!("cancelled")));
    dev.cli(&["runs", "watch", &stuck]).with(3);
}

#[test]
fn workers_and_queues_are_listed() {
    let dev = Dev::start(&["--concurrency", "3"]);
    let worker = until("the worker is there", || {
        dev.cli(&["workers", "list", "-o", "json"]).with(0).json().as_array().unwrap().first().cloned()
    });
    assert_eq!(
        (&worker["slots"], &worker["pools"], &worker["state"]),
        (&json!(3), &json!(["default"]), &json!("up"))
    );
    let queue = dev.cli(&["queues", "list", "-o", "json"]).with(0).json()[0].clone();
    assert_eq!((&queue["pool"], &queue["slots"]), (&json!("default"), &json!(3)));
    for (command, title) in [("workers", "HOST"), ("queues", "POOL")] {
        assert!(dev.cli(&[command, "list"]).with(0).stdout.contains(title));
    }
}

#[test]
fn doctor_names_what_does_not_answer_and_what_does() {
    let dev = Dev::start(&[]);
    let nowhere =
        ["--amqp-url", "amqp://me:s3cret@127.0.0.1:1/%2f", "--redis-url", "redis://:s3cret@127.0.0.1:1/0"];
    let ended = dev.cli(&[&["doctor", "-o", "json"], &nowhere[..]].concat()).with(1);
    assert!(!format!("{ended:?}").contains("s3cret"), "{ended:?}");
    let findings = ended.json();
    let find = |check: &str| findings.as_array().unwrap().iter().find(|one| one["check"] == check).unwrap();
    assert_eq!(
        ["shell", "temp", "broker", "store", "producer"].map(|check| find(check)["ok"].clone()),
        [true, true, false, false, true].map(Value::from)
    );
    for (check, setting) in [("broker", "MILLRACE_AMQP_URL"), ("store", "MILLRACE_REDIS_URL")] {
        let detail = find(check)["detail"].as_str().unwrap();
        assert!(detail.contains("Connection refused") && detail.contains(setting), "{detail}");
    }
}

#[test]
fn what_needs_no_server_works_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let script = millrace(folder.path(), &["completion", "bash"]).with(0).stdout;
    assert!(script.contains("_millrace()") && script.contains("submit"), "{script:.200}");
    let config = millrace(folder.path(), &["config"]).with(0).stdout;
    assert!(config.lines().all(|line| line.is_empty() || line.starts_with('#')), "{config}");
    assert_eq!(millrace(folder.path(), &["token", "show", "--token", "t0ken"]).with(0).stdout, "t0ken\n");
    millrace(folder.path(), &["token", "show"]).with(5).says(&["MILLRACE_TOKEN"]);
    file(folder.path(), "token", "kept\n");
    assert_eq!(millrace(folder.path(), &["token", "show", "--data", "."]).with(0).stdout, "kept\n");
    assert!(millrace(folder.path(), &["--version"]).with(0).stdout.starts_with("millrace "));
}

#[test]
fn without_a_server_every_command_says_what_to_start() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in
        [&["submit", "--", "true"][..], &["runs", "list"], &["workers", "list"], &["workflows", "list"]]
    {
        let ended =
            millrace(folder.path(), &[&["--server", "http://127.0.0.1:1"], arguments].concat()).with(1);
        ended.says(&["127.0.0.1:1", "millrace dev", "--server"]);
    }
    millrace(folder.path(), &["--server", "127.0.0.1:7070", "runs", "list"])
        .with(2)
        .says(&["http://127.0.0.1:7070"]);
}

#[test]
fn a_token_is_needed_where_one_is_set_and_4_says_that_it_is_not_the_right_one() {
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let path = file(folder.path(), "w.yaml", "name: w\nsteps: [{name: one, run: 'true'}]\n");
    let dev = Dev::start_in(folder, &["--token", "s3cret", &path]);
    dev.cli(&["runs", "list"]).with(4).says(&["MILLRACE_TOKEN"]);
    dev.cli(&["runs", "list", "--token", "wrong"]).with(4).says(&["not the one of this producer"]);
    assert_eq!(
        dev.cli(&["workflows", "list", "-o", "json", "--token", "s3cret"]).with(0).json()[0]["name"],
        "w"
    );
    assert!(!dev.said.lock().unwrap().contains("s3cret"));
}
