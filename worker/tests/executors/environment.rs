//! What a task finds in its environment.

use std::collections::BTreeMap;

use super::{Bench, script_task};

async fn variables(bench: &Bench, task: &millrace_domain::task::Task) -> BTreeMap<String, String> {
    let text = bench.run(task).await.stdout();
    let lines = text.split('\0').filter_map(|entry| entry.split_once('='));
    lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[tokio::test]
async fn the_environment_is_built_from_nothing() {
    let bench = Bench::with(|settings| settings.pass_env = vec!["CARGO_PKG_NAME".into(), "NOT_SET".into()]);
    let mut task = script_task("env -0");
    task.env.insert("colour".into(), "blue".into());
    task.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
    let found = variables(&bench, &task).await;
    // The shell itself sets PWD, and some set OLDPWD, SHLVL and _.
    let ours: Vec<&str> = found
        .keys()
        .map(String::as_str)
        .filter(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name))
        .collect();
    let expected = [
        "CARGO_PKG_NAME",
        "HOME",
        "LANG",
        "MILLRACE_ATTEMPT",
        "MILLRACE_IDEMPOTENCY_KEY",
        "MILLRACE_OUTPUT",
        "MILLRACE_RUN_ID",
        "MILLRACE_SCHEDULED_AT",
        "MILLRACE_SESSION",
        "MILLRACE_STEP",
        "MILLRACE_TASK",
        "MILLRACE_WORKFLOW",
        "PATH",
        "TRACEPARENT",
        "colour",
    ];
    assert_eq!(ours, expected);
    assert_eq!(found["CARGO_PKG_NAME"], "millrace-worker");
    assert_eq!(found["MILLRACE_RUN_ID"], task.run.to_string());
    assert_eq!(found["MILLRACE_IDEMPOTENCY_KEY"], format!("{}:main", task.run));
    assert_eq!(found["MILLRACE_ATTEMPT"], "2");
    assert_eq!(found["MILLRACE_SCHEDULED_AT"], "2023-11-14T22:13:20.000Z");
    assert_eq!(found["TRACEPARENT"], task.traceparent.unwrap());
}

#[tokio::test]
async fn hostile_values_stay_data() {
    let bench = Bench::new();
    let hostile = "$(touch pwned); `touch pwned` \" ' \\ \n; touch pwned #";
    let mut task = script_task("printf %s \"$value\"");
    task.env.insert("value".into(), hostile.into());
    let ran = bench.run(&task).await;
    assert_eq!(ran.stdout(), hostile);
    assert!(!bench.path().join("pwned").exists());
}

#[tokio::test]
async fn what_a_task_must_be_able_to_trust_cannot_be_overridden_by_its_own_environment() {
    let bench = Bench::new();
    let mut task = script_task("env -0");
    task.env.insert("MILLRACE_SESSION".into(), "somebody else".into());
    task.env.insert("HOME".into(), "/elsewhere".into());
    let found = variables(&bench, &task).await;
    assert_eq!(found["MILLRACE_SESSION"], bench.settings.session.to_string());
    assert_eq!(found["HOME"], "/elsewhere");
}

#[tokio::test]
async fn names_and_values_that_no_environment_can_hold_fail_the_task() {
    let bench = Bench::new();
    for (name, value) in [("a=b", "x"), ("", "x"), ("a", "x\0y")] {
        let mut task = script_task("true");
        task.env.insert(name.into(), value.into());
        let ran = bench.run(&task).await;
        assert!(ran.reason().contains("environment variable"), "{}", ran.reason());
    }
}
