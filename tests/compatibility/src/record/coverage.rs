//! What a recording must hold: each form of what is stored and sent.

use serde_json::Value;

/// The beginnings of what is in runs, in their fields.
const FIELDS: [(&str, &str); 20] = [
    ("t", "q|"),
    ("t", "c|"),
    ("t", "f|"),
    ("t", "x"),
    ("s", "{\"s\":\"dispatched\""),
    ("s", "{\"s\":\"backoff\""),
    ("s", "{\"s\":\"ended\",\"outcome\":\"succeeded\""),
    ("s", "{\"s\":\"ended\",\"outcome\":\"failed\""),
    ("s", "{\"s\":\"ended\",\"outcome\":\"timed_out\""),
    ("s", "{\"s\":\"ended\",\"outcome\":\"cancelled\""),
    ("s", "{\"s\":\"ended\",\"outcome\":\"skipped\""),
    ("head", "{\"state\":\"waiting\""),
    ("head", "{\"state\":\"running\""),
    ("head", "{\"state\":\"succeeded\""),
    ("head", "{\"state\":\"failed\""),
    ("head", "{\"state\":\"timed_out\""),
    ("head", "{\"state\":\"cancelled\""),
    ("def", "{\"v\":1,\"source\":{\"stored\""),
    ("def", "{\"v\":1,\"source\":{\"adhoc\""),
    ("def", "{\"v\":1,\"source\":{\"inline\""),
];

/// The beginnings of timers.
const TIMERS: [&str; 5] = ["start:", "retry:", "timeout:", "cancel:", "fire:"];

/// The ends of the names of keys.
const KEYS: [&str; 12] = [
    ":meta",
    ":producers",
    ":known",
    ":renewed",
    ":own",
    ":watch",
    ":timers",
    ":runs",
    ":runs:report",
    ":ended",
    ":pinned",
    ":workflows",
];

/// What messages have in them, and in which kind.
const MESSAGES: [(&str, &str); 19] = [
    ("inbox", "\"kind\":\"results\""),
    ("inbox", "\"kind\":\"submit\""),
    ("inbox", "\"kind\":\"cancel\""),
    ("inbox", "\"kind\":\"held\""),
    ("inbox", "\"kind\":\"orphan\""),
    ("inbox", "\"kind\":\"apply\""),
    ("inbox", "\"kind\":\"pause\",\"workflow\":\"tick\",\"paused\":false"),
    ("inbox", "\"kind\":\"pause\",\"workflow\":\"tick\",\"paused\":true"),
    ("inbox", "\"kind\":\"delete\""),
    ("", "\"kind\":\"cancel\",\"tasks\""),
    ("tasks", "{\"v\":1,\"run\""),
    ("tasks", "[{\"v\":1,\"run\""),
    ("rejected", "rum"),
    ("reply", "{\"run_id\""),
    ("reply", "\"duplicate\":true"),
    ("reply", "[{\"run_id\""),
    ("reply", "{\"error\""),
    ("reply", "{\"workflow\""),
    ("reply", "\"unchanged\":true"),
];

/// Says what is not there.
pub(crate) fn check(keys: &Value, messages: &Value) {
    let mut absent = Vec::new();
    let keys = keys.as_object().unwrap();
    let hashes = || keys.values().filter_map(|value| value["hash"].as_object());
    for (field, begins) in FIELDS {
        let is = |name: &str, value: &Value| {
            name.starts_with(field) && value.as_str().is_some_and(|text| text.starts_with(begins))
        };
        if !hashes().flatten().any(|(name, value)| is(name, value)) {
            absent.push(format!("a field {field} that is {begins}"));
        }
    }
    for begins in TIMERS {
        let timers = keys.iter().filter(|(key, _)| key.ends_with(":timers"));
        let mut timers = timers.filter_map(|(_, value)| value["zset"].as_object()).flatten();
        if !timers.any(|(timer, _)| timer.starts_with(begins)) {
            absent.push(format!("a timer {begins}"));
        }
    }
    absent.extend(
        KEYS.iter()
            .filter(|end| !keys.keys().any(|key| key.ends_with(*end)))
            .map(|end| format!("a key {end}")),
    );
    for (place, part) in MESSAGES {
        let mut all = messages.as_array().unwrap().iter();
        let is = |message: &Value| {
            let key = message["key"].as_str().unwrap();
            let is_reply = message["exchange"] == "";
            let is_there = if place == "reply" { is_reply } else { !is_reply && key.starts_with(place) };
            is_there && message["body"].as_str().is_some_and(|body| body.contains(part))
        };
        if !all.any(is) {
            absent.push(format!("a message to {place} with {part}"));
        }
    }
    assert!(absent.is_empty(), "the recording lacks {absent:#?}");
}
