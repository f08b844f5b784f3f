//! Every example gives the same outcome, step states and outputs in one process without servers and on a fleet.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails where it stands")]

use std::fs;
use std::path::Path;
use std::process::Command;

use millrace_tests::Fleet;
use serde_json::{Value, json};

/// Each example with its arguments and the status of `millrace run`.
const RUNS: [(&str, &[&str], i32); 29] = [
    ("hello.yaml", &["-p", "who=Ada"], 0),
    ("diamond.yaml", &[], 0),
    ("diamond.yaml", &["-p", "n=0"], 3),
    ("retry.yaml", &[], 0),
    ("daily_sales.yaml", &["-p", "date=1997-02-14", "-p", "days=14"], 0),
    ("daily_sales.yaml", &["-p", "date=1999-01-01"], 3),
    ("etl.yaml", &[], 0),
    ("etl.yaml", &["-p", "most_bad=0.0001"], 3),
    ("reconciliation.yaml", &[], 0),
    ("reconciliation.yaml", &["-p", "planted=30"], 0),
    ("word_count.yaml", &[], 0),
    ("word_count.yaml", &["-p", "text=README.md"], 3),
    ("ai_training.yaml", &["-p", "good_enough=0.9999"], 0),
    ("ai_training.yaml", &["-p", "bearable=0"], 3),
    ("ai_training.yaml", &[], 0),
    ("ai_training.yaml", &["-p", "bearable=0", "-p", "seed=5"], 3),
    ("close_day.yaml", &["--workflow", "close_day"], 0),
    ("close_day.yaml", &["--workflow", "close_day", "-p", "missing=harbour"], 3),
    ("month_end.yaml", &[], 0),
    ("sync.yaml", &["--workflow", "rush"], 0),
    ("sync.yaml", &["--workflow", "sync", "-p", "source=stock"], 0),
    ("release.yaml", &[], 0),
    ("digest.yaml", &[], 0),
    ("crontab_like.yaml", &["--workflow", "disk_usage"], 0),
    ("crontab_like.yaml", &["--workflow", "pack_logs"], 0),
    ("crontab_like.yaml", &["--workflow", "clean_old_files"], 0),
    ("crontab_like.yaml", &["--workflow", "heartbeat"], 0),
    ("crontab_like.yaml", &["--workflow", "end_of_century"], 0),
    ("crontab_like.yaml", &["--workflow", "opening_bells"], 0),
];

#[tokio::test(flavor = "multi_thread")]
async fn examples_run_the_same_embedded_and_on_a_fleet() {
    let fleet = Fleet::new();
    // A copy: some write beside themselves.
    let examples = fleet.folder().join("examples");
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples"), &examples);
    assert_eq!(
        names(&examples),
        [
            "ai_training",
            "close_day",
            "crontab_like",
            "daily_sales",
            "diamond",
            "digest",
            "etl",
            "hello",
            "month_end",
            "reconciliation",
            "release",
            "retry",
            "sync",
            "word_count"
        ],
        "each is run here"
    );
    let home = fleet.folder().join("home");
    fs::create_dir(&home).unwrap();
    let home = home.to_str().unwrap();

    let producer = fleet.producer().await;
    let mut worker = fleet.start_worker(&["--work-dir", examples.to_str().unwrap()], &[("HOME", home)]);
    worker.is_ready().await;
    // A server runs what is stored there, and not what else is in a file.
    for called in ["close_day.yaml", "sync.yaml"] {
        let apply = ["apply", examples.join(called).to_str().unwrap()].map(str::to_owned);
        let applied =
            fleet.millrace().env("MILLRACE_SERVER", producer.api().base()).args(apply).output().unwrap();
        assert!(applied.status.success(), "{applied:?}");
    }
    for (name, arguments, status) in RUNS {
        let file = examples.join(name);
        let run = |server: Option<&str>| {
            let mut command = fleet.millrace();
            command.env("HOME", home).arg("run").arg(&file).args(["--output", "json"]).args(arguments);
            if let Some(server) = server {
                command.env("MILLRACE_SERVER", server);
            }
            ended(&mut command, status)
        };
        let embedded = run(None);
        let page = report(&embedded);
        let on_the_fleet = run(Some(producer.api().base()));
        assert_eq!(essence(&embedded), essence(&on_the_fleet), "{name} {arguments:?}");
        assert_eq!(page, report(&on_the_fleet), "{name}: the report");
    }
}

/// The part of a run that must be the same: no times, no ids, no hosts.
fn essence(run: &Value) -> Value {
    let id = run["id"].as_str().unwrap();
    let steps: Vec<Value> = run["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            // Which of several items failed first is a matter of time.
            let reason = step["reason"].as_str().map(|reason| reason.split("; item ").next());
            // A run that is not waited for is another one each time.
            let outputs = if step["child"].is_null() { step["outputs"].clone() } else { json!({}) };
            json!({"name": step["name"], "state": step["state"], "attempt": step["attempt"], "code": step["code"],
                   "reason": reason, "outputs": outputs, "items": step["items"], "depends_on": step["depends_on"]})
        })
        .collect();
    let essence = json!({"workflow": run["workflow"], "state": run["state"], "reason": run["reason"],
        "params": run["params"], "outputs": run["outputs"], "priority": run["priority"], "labels": run["labels"], "steps": steps});
    serde_json::from_str(&essence.to_string().replace(id, "<run>")).unwrap()
}

/// The page that the daily report wrote.
fn report(run: &Value) -> Option<String> {
    let steps = run["steps"].as_array().unwrap();
    let path = steps.iter().find_map(|step| step["outputs"]["report"].as_str())?;
    Some(fs::read_to_string(path).unwrap())
}

fn ended(command: &mut Command, status: i32) -> Value {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{command:?}\n{said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{command:?}: {error}\n{said}"))
}

fn names(folder: &Path) -> Vec<String> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let mut names: Vec<String> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}
