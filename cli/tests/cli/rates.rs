//! Rates of steps, as they are run, looked at and waited for.

use std::path::Path;

use serde_json::{Value, json};

use crate::binary::{millrace, until};
use crate::dev::Dev;

/// When tasks have started, in milliseconds, in order.
fn starts(file: &Path) -> Vec<i64> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut starts: Vec<i64> = text.lines().map(|line| line.parse::<i64>().unwrap() / 1_000_000).collect();
    starts.sort_unstable();
    starts
}

/// The most that start within a stretch of time, wherever it begins.
fn most_within(starts: &[i64], millis: i64) -> usize {
    let from = |at: &i64| starts.iter().filter(|other| (*at..at + millis).contains(*other)).count();
    starts.iter().map(from).max().unwrap_or_default()
}

fn run(definition: &str) -> (tempfile::TempDir, Value) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rates.yaml"), definition).unwrap();
    let run = millrace(folder.path(), &["run", "rates.yaml", "--output", "json"]).json();
    (folder, run)
}

fn applied(definition: &str) -> Dev {
    let dev = Dev::start(&[]);
    std::fs::write(dev.path("rates.yaml"), definition).unwrap();
    dev.cli(&["apply", "rates.yaml"]).with(0);
    dev
}

fn trigger(dev: &Dev, workflow: &str) -> String {
    dev.cli(&["workflows", "trigger", workflow]).with(0).stdout.trim().to_owned()
}

#[test]
fn in_no_second_do_more_items_start_than_the_rate_allows_and_all_that_it_allows() {
    let (folder, run) = run(r#"
name: calls
steps:
  - name: call
    foreach: {items: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]}
    rate: {limit: 5, per: 1s}
    run: date +%s%N >> starts
"#);
    assert_eq!(run["state"], "succeeded");
    let starts = starts(&folder.path().join("starts"));
    assert_eq!((starts.len(), most_within(&starts, 1_000)), (16, 5), "{starts:?}");
    assert!(starts[15] - starts[0] < 6_000, "{starts:?}");
}

#[test]
fn steps_that_name_a_rate_share_it_and_each_key_has_as_much() {
    let (folder, run) = run(r#"
name: calls
steps:
  - {name: one, foreach: {items: [a, a, a, b]}, rate: {limit: 2, per: 1s, name: api, key: "${{ item }}"}, run: 'date +%s%N >> "$MILLRACE_ITEM_INDEX.one"'}
  - {name: other, rate: {limit: 2, per: 1s, name: api, key: a}, run: date +%s%N >> other}
"#);
    assert_eq!(run["state"], "succeeded");
    let at = |file: &str| starts(&folder.path().join(file))[0];
    let mut of_a = vec![at("0.one"), at("1.one"), at("2.one"), at("other")];
    of_a.sort_unstable();
    assert_eq!(most_within(&of_a, 1_000), 2, "{of_a:?}");
    assert!(at("3.one") < of_a[2], "another key waits for nobody");
}

#[test]
fn what_was_not_used_of_a_reserve_is_back_at_once_and_a_cost_that_is_no_number_fails() {
    let (folder, run) = run(r#"
name: tokens
steps:
  - {name: much, foreach: {items: [1, 2, 3, 4]}, rate: {limit: 12, per: 1m, cost: 8}, run: 'date +%s%N >> starts; echo cost=1 >> "$MILLRACE_OUTPUT"'}
  - {name: odd, rate: {limit: 10, per: 1m}, run: 'echo cost=much >> "$MILLRACE_OUTPUT"', continue_on_error: true}
  - {name: dear, rate: {limit: 10, per: 1m, cost: "${{ 5 * 3 }}"}, run: 'true', continue_on_error: true}
  - {name: wrong, rate: {limit: 10, per: 1m, cost: "${{ 'much' }}"}, run: 'true', continue_on_error: true}
"#);
    assert_eq!(run["state"], "succeeded", "{run}");
    // Each may need 8, and uses 1: with 3 used, the fourth finds what it may need.
    assert_eq!(starts(&folder.path().join("starts")).len(), 4);
    let reason = |name: &str| {
        let steps = run["steps"].as_array().unwrap();
        steps.iter().find(|step| step["name"] == name).unwrap()["reason"].as_str().unwrap().to_owned()
    };
    assert!(reason("odd").contains(r#"output `cost` is "much": expected a number"#), "{}", reason("odd"));
    assert!(
        reason("dear").ends_with("it costs 15 of rate tokens/dear, which allows 10 per 1m"),
        "{}",
        reason("dear")
    );
    assert!(reason("wrong").contains(r#"`rate.cost` is "much": expected a number"#), "{}", reason("wrong"));
}

#[test]
fn a_step_that_waits_for_a_rate_says_for_which_and_when_there_is_enough() {
    let dev = applied(
        "name: hourly\nsteps: [{name: call, run: 'true', rate: {limit: 1, per: 1h, name: api, key: eu}}]\n",
    );
    let first = trigger(&dev, "hourly");
    until("the first has run", || Some(dev.run(&first)).filter(|run| run["state"] == "succeeded"));
    let second = trigger(&dev, "hourly");
    let words = until("the second waits", || {
        let words = dev.cli(&["runs", "why", &second]).with(0).stdout;
        Some(words).filter(|words| words.contains("number 1 of 1"))
    });
    assert!(words.contains("rate api (key eu)"), "{words}");
    assert!(words.contains("which allows 1 per 1h: there is enough for the first of them at 20"), "{words}");
    let list = dev.cli(&["locks", "list", "--output", "json"]).with(0).json();
    let rate = &list[0];
    assert_eq!(
        (&rate["name"], &rate["kind"], &rate["per"]),
        (&json!("+api:eu"), &json!("rate"), &json!("1h"))
    );
    assert_eq!((&rate["slots"], &rate["taken"], &rate["waiters"]), (&json!(1), &json!(1), &json!(1)));
    let told = dev.cli(&["locks", "get", "+api:eu"]).with(0).stdout;
    assert!(told.starts_with("+api:eu: 1 of 1 per 1h are taken, enough for the next at 20"), "{told}");
    assert!(told.contains("1. waits: call of hourly"), "{told}");
    let refused = dev.cli(&["locks", "release", "+api:eu"]).with(1).stderr;
    assert!(refused.contains("what is used of it comes back by itself"), "{refused}");
    // Who does not want it any more is not waited for.
    dev.cli(&["runs", "cancel", &second]).with(0);
    until("nobody waits", || {
        let rate = dev.cli(&["locks", "get", "+api:eu", "--output", "json"]).with(0).json();
        Some(()).filter(|()| rate["waiting"] == 0)
    });
}

#[test]
fn an_answer_that_says_when_to_come_back_has_everybody_wait() {
    let server = busy_server();
    let dev = applied(&format!(
        r#"
name: busy
steps: [{{name: call, uses: http, with: {{url: "http://{server}/"}}, rate: {{limit: 100, per: 1s, name: api}}, retry: {{limit: 1, delay: 10ms}}}}]
---
name: other
steps: [{{name: call, run: date +%s%N >> starts, rate: {{limit: 100, per: 1s, name: api}}}}]
"#
    ));
    let run = trigger(&dev, "busy");
    let until_when = until("all wait", || {
        let rate = dev.cli(&["locks", "get", "+api", "--output", "json"]);
        let rate: Value = serde_json::from_str(&rate.stdout).ok()?;
        rate["paused_until"].as_str().map(str::to_owned)
    });
    let other = trigger(&dev, "other");
    for id in [&run, &other] {
        until("it has run", || Some(dev.run(id)).filter(|run| run["state"] == "succeeded"));
    }
    let at: jiff::Timestamp = until_when.parse().unwrap();
    let started = dev.run(&other)["steps"][0]["started_at"].as_str().unwrap().parse::<jiff::Timestamp>();
    let started = started.unwrap();
    assert!(started >= at, "{started:?} {at}");
}

/// A server that has too much to do when it is first asked, and wants to be asked again in two seconds.
fn busy_server() -> std::net::SocketAddr {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (number, connection) in listener.incoming().enumerate().take(2) {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 4096]).unwrap();
            let answer = match number {
                0 => {
                    "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                }
                _ => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
            };
            connection.write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}
