//! What is recorded: workflows and submissions that between them use every field there is.

use serde_json::{Value, json};

/// A script that never ends in its first attempt.
pub(crate) const ENDLESS_AT_FIRST: &str = "test \"$MILLRACE_ATTEMPT\" -ge 2 || sleep 600";

/// A workflow with all that a definition can say, and a second version of it.
pub(crate) fn report(version: u32) -> String {
    format!(
        r#"name: report
description: Yesterday's report, version {version}
labels: {{team: finance, kind: report}}
schedule:
  - "0 2 * * *"
  - {{cron: "30 6 * * 1", timezone: Asia/Shanghai}}
  - {{at: "2032-03-01T02:00:00+08:00"}}
timezone: Europe/Berlin
timeout: 2h
priority: P1
params:
  - {{name: day, type: date, default: "${{{{ fire.date(-1) }}}}"}}
  - {{name: rows, type: int, default: 3}}
  - {{name: share, type: float, default: 0.5}}
  - {{name: dry, type: bool, default: false}}
env: {{LANG: C}}
defaults: {{pool: default, timeout: 30m, retry: {{limit: 2, delay: 1s}}}}
steps:
  - name: extract
    run: |
      echo "from $day"
      echo "to stderr" >&2
      echo "tables=orders customers" > "$MILLRACE_OUTPUT"
    timeout: 1h
  - name: count
    depends_on: [extract]
    run: |
      echo '{{"rows": 12, "ok": true, "list": [1, 2.5, null], "text": "täglich"}}' > "$MILLRACE_OUTPUT"
    retry: {{limit: 5, delay: 1s, backoff: 2.0, max_delay: 5m, jitter: true, outcomes: [failed, timed_out]}}
  - name: tell
    depends_on: [extract, count]
    env: {{ROWS: "${{{{ outputs.count.rows }}}}", TABLES: "${{{{ outputs.extract.tables }}}}"}}
    run: test "$ROWS" = 12 && echo "$ROWS of $TABLES"
    shell: [sh, -eu, -c]
    working_dir: /
"#
    )
}

/// The other stored workflows.
pub(crate) fn others() -> Vec<Value> {
    let step = |name: &str, after: &[&str], run: &str| json!({"name": name, "depends_on": after, "run": run});
    let in_pool = |name: &str, after: &[&str], pool: &str, run: &str| json!({"name": name, "depends_on": after, "pool": pool, "run": run});
    vec![
        json!({"name": "tick", "schedule": [{"every": "5s"}], "steps": [{"name": "tick", "uses": "noop"}]}),
        json!({"name": "resting", "schedule": "*/5 * * * *", "steps": [{"name": "tick", "uses": "noop"}]}),
        json!({"name": "gone", "steps": [in_pool("wait", &[], "idle", "true")]}),
        json!({"name": "failing", "steps": [
            step("first", &[], "echo why >&2; exit 7"), step("second", &["first"], "true")]}),
        json!({"name": "slow", "steps": [
            {"name": "first", "run": "sleep 600", "timeout": "1s"}, step("second", &["first"], "true")]}),
        json!({"name": "overtime", "timeout": "2s", "steps": [step("first", &[], "sleep 600"),
            step("second", &["first"], "true")]}),
        json!({"name": "expiring", "timeout": "50s", "steps": [in_pool("first", &[], "nobody", "true")]}),
        json!({"name": "stopped", "steps": [step("first", &[], "sleep 600"), step("second", &["first"], "true")]}),
        json!({"name": "backing_off", "steps": [
            {"name": "first", "run": "exit 1", "retry": {"limit": 3, "delay": "1h"}}]}),
        json!({"name": "halfway", "steps": [
            step("first", &[], "echo value=handed > \"$MILLRACE_OUTPUT\""),
            {"name": "second", "depends_on": ["first"], "pool": "idle",
                "env": {"HANDED": "${{ outputs.first.value }}"}, "run": "test \"$HANDED\" = handed"},
            step("third", &["second"], "true")]}),
        json!({"name": "finishing", "steps": [
            step("first", &[], "sleep 15; echo value=kept > \"$MILLRACE_OUTPUT\""),
            {"name": "second", "depends_on": ["first"], "env": {"KEPT": "${{ outputs.first.value }}"},
                "run": "test \"$KEPT\" = kept"}]}),
    ]
}

/// An ad-hoc task with all that one can say.
pub(crate) fn full_task() -> Value {
    json!({"v": 1, "run": "echo \"$A $name $n\"", "env": {"A": "a"}, "params": {"name": "x", "n": 7, "list": [1]},
        "pool": "default", "priority": "P0", "timeout": "30s", "retry": {"limit": 1, "delay": "1s"},
        "at_most_once": true, "working_dir": "/", "labels": {"by": "hand"},
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
}

/// A definition that is stored nowhere.
pub(crate) const INLINE: &str = "
name: inline
params: [{name: who, type: string}]
steps:
  - {name: hello, run: 'echo \"hello $who\"; echo \"said=$who\" > \"$MILLRACE_OUTPUT\"'}
  - {name: bye, depends_on: [hello], uses: noop}
";
