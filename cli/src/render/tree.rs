//! How a run looks: one line for itself, one for each step, indented by how deep it stands in the DAG.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::terminal::{Colour, Style};
use crate::duration;

/// The deepest that a step is indented.
const DEEPEST: usize = 12;

/// The widest that names are padded to, in columns.
const WIDEST_NAME: usize = 40;

/// The most characters that are shown of the value of an output.
const OUTPUT_CHARS: usize = 160;

/// Draws a run and its steps in at most `room` lines: what has ended well and what waits is left out first.
pub(super) fn live(run: &Value, style: Style, room: usize) -> Vec<String> {
    let steps = steps(run);
    let depths = depths(steps);
    let mut order = ordered(&depths);
    let mut lines = vec![head(run, style)];
    if order.len() + 1 > room {
        lines.push(format!("  {}", counts(steps)));
        order
            .retain(|place| !matches!(state(&steps[*place]), "succeeded" | "waiting" | "queued" | "skipped"));
        order.truncate(room.saturating_sub(2));
    }
    let widest = widest(steps, &depths, &order);
    lines.extend(order.into_iter().map(|place| line(&steps[place], depths[place], widest, style)));
    lines
}

/// Writes a run with everything about it, for `runs get`.
pub(crate) fn run_in_full(run: &Value, style: Style) -> Vec<String> {
    let steps = steps(run);
    let depths = depths(steps);
    let order = ordered(&depths);
    let text = |key: &str| run[key].as_str().unwrap_or_default();
    let mut about = format!("run {}  {}, by {}", text("id"), text("priority"), text("trigger"));
    if let Some(version) = run["version"].as_u64() {
        about.push_str(&format!(", version {version}"));
    }
    about.push_str(&format!(", created {}", text("created_at")));
    let mut lines = vec![head(run, style), style.paint(Colour::Grey, &about)];
    if let Some(params) = run["params"].as_object().filter(|params| !params.is_empty()) {
        let params: Vec<String> = params.iter().map(|(name, value)| pair(name, value)).collect();
        lines.push(style.paint(Colour::Grey, &format!("params {}", params.join(" "))));
    }
    lines.extend(of_parent(run).map(|told| style.paint(Colour::Grey, &told)));
    lines.extend(of_retry(run).iter().map(|told| style.paint(Colour::Grey, told)));
    lines.extend(outputs(run).map(|told| style.paint(Colour::Grey, &told)));
    let widest = widest(steps, &depths, &order);
    for place in order {
        lines.push(line(&steps[place], depths[place], widest, style));
        let indent = "  ".repeat(depths[place].min(DEEPEST) + 3);
        if let Some(child) = steps[place]["child"].as_str() {
            lines.push(style.paint(Colour::Grey, &format!("{indent}run {child}")));
        }
        for (name, value) in steps[place]["outputs"].as_object().into_iter().flatten() {
            lines.push(style.paint(Colour::Grey, &format!("{indent}{}", pair(name, value))));
        }
        if let Some(bytes) = steps[place]["outputs_bytes"].as_u64() {
            let told = format!("{indent}{bytes} bytes of outputs: see millrace runs outputs");
            lines.push(style.paint(Colour::Grey, &told));
        }
    }
    lines
}

/// What a run hands on, in one line; `None` where that is nothing.
pub(super) fn outputs(run: &Value) -> Option<String> {
    let outputs = run["outputs"].as_object().filter(|outputs| !outputs.is_empty())?;
    let outputs: Vec<String> = outputs.iter().map(|(name, value)| pair(name, value)).collect();
    Some(format!("outputs {}", outputs.join(" ")))
}

/// Which step of which run a run is, in one line; `None` where it is none.
pub(super) fn of_parent(run: &Value) -> Option<String> {
    let parent = run.get("parent").filter(|parent| parent.is_object())?;
    let text = |key: &str| parent[key].as_str().unwrap_or_default();
    let item = parent["item"].as_u64().map(|item| format!("item {item} of ")).unwrap_or_default();
    Some(format!("{item}step {} of run {} ({})", text("step"), text("run_id"), text("workflow")))
}

/// With which run a run goes on, and which goes on with it, in a line each.
pub(crate) fn of_retry(run: &Value) -> Vec<String> {
    let told = [("retry of", "retry_of"), ("retried as", "retried_by")];
    told.into_iter().filter_map(|(what, key)| Some(format!("{what} {}", run[key].as_str()?))).collect()
}

/// Writes one step in one line, for those who read lines.
pub(super) fn plain(step: &Value) -> String {
    line(step, 0, 0, Style::Plain).trim_start().to_owned()
}

fn head(run: &Value, style: Style) -> String {
    let state = state(run);
    let mut text = style.paint(Colour::Bold, run["workflow"].as_str().unwrap_or_default());
    text.push_str(&format!(" {}", style.paint(mark(state).1, state)));
    if let Some(took) = took(run) {
        text.push_str(&format!(" {took}"));
    }
    if let Some(reason) = run["reason"].as_str().and_then(|reason| reason.lines().next()) {
        text.push_str(&format!("  {}", style.paint(Colour::Grey, reason)));
    }
    text
}

fn line(step: &Value, depth: usize, widest: usize, style: Style) -> String {
    let state = state(step);
    let (mark, colour) = mark(state);
    let indent = "  ".repeat(depth.min(DEEPEST) + 1);
    let name = step["name"].as_str().unwrap_or_default();
    let pad = widest.saturating_sub(indent.len() + name.len());
    let name = if state == "waiting" { style.paint(Colour::Grey, name) } else { name.to_owned() };
    let mut text = format!(
        "{indent}{} {name}{} {}",
        style.paint(colour, mark),
        " ".repeat(pad),
        style.paint(colour, state)
    );
    if let Some(took) = took(step) {
        text.push_str(&format!(" {took}"));
    }
    if let Some(attempt) = step["attempt"].as_u64().filter(|attempt| *attempt > 1) {
        text.push_str(&format!(" (attempt {attempt})"));
    }
    if let Some(reason) = step["reason"].as_str().and_then(|reason| reason.lines().next()) {
        text.push_str(&format!("  {}", style.paint(Colour::Grey, reason)));
    }
    text
}

pub(super) fn mark(state: &str) -> (&'static str, Colour) {
    match state {
        "succeeded" => ("✔", Colour::Green),
        "failed" | "timed_out" => ("✖", Colour::Red),
        "cancelled" | "skipped" => ("⊘", Colour::Yellow),
        "running" => ("●", Colour::Cyan),
        "asking" => ("?", Colour::Yellow),
        "queued" => ("○", Colour::Cyan),
        "blocked" => ("‖", Colour::Yellow),
        _ => ("·", Colour::Grey),
    }
}

fn pair(name: &str, value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let text = text.replace('\n', " ");
    match text.char_indices().nth(OUTPUT_CHARS) {
        Some((end, _)) => format!("{name}={}…", &text[..end]),
        None => format!("{name}={text}"),
    }
}

fn counts(steps: &[Value]) -> String {
    let states = [
        "succeeded",
        "running",
        "asking",
        "queued",
        "blocked",
        "waiting",
        "failed",
        "timed_out",
        "cancelled",
        "skipped",
    ];
    let counts = states.map(|wanted| (wanted, steps.iter().filter(|step| state(step) == wanted).count()));
    let counts: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    format!("{} steps: {}", steps.len(), counts.join(", "))
}

pub(super) fn steps(run: &Value) -> &[Value] {
    run["steps"].as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn state(of: &Value) -> &str {
    of["state"].as_str().unwrap_or_default()
}

/// The places of the steps by their depth; among equals as the definition has them.
fn ordered(depths: &[usize]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..depths.len()).collect();
    order.sort_by_key(|place| depths[*place]);
    order
}

fn widest(steps: &[Value], depths: &[usize], order: &[usize]) -> usize {
    let width = |place: &usize| {
        let name = steps[*place]["name"].as_str().map_or(0, str::len);
        (depths[*place].min(DEEPEST) + 1) * 2 + name
    };
    order.iter().map(width).max().unwrap_or(0).min(WIDEST_NAME)
}

/// The depth of each step: the longest way to it from a step that waits for nothing.
fn depths(steps: &[Value]) -> Vec<usize> {
    let places: HashMap<&str, usize> = steps
        .iter()
        .enumerate()
        .map(|(place, step)| (step["name"].as_str().unwrap_or_default(), place))
        .collect();
    let parents: Vec<Vec<usize>> = steps
        .iter()
        .map(|step| {
            let names = step["depends_on"].as_array().into_iter().flatten().filter_map(Value::as_str);
            names.filter_map(|name| places.get(name).copied()).collect()
        })
        .collect();
    let mut children = vec![Vec::new(); steps.len()];
    let mut open: Vec<usize> = parents.iter().map(Vec::len).collect();
    for (place, parents) in parents.iter().enumerate() {
        parents.iter().for_each(|parent| children[*parent].push(place));
    }
    let mut depths = vec![0; steps.len()];
    let mut ready: Vec<usize> = (0..steps.len()).filter(|place| open[*place] == 0).collect();
    while let Some(place) = ready.pop() {
        for &child in &children[place] {
            depths[child] = depths[child].max(depths[place] + 1);
            open[child] -= 1;
            if open[child] == 0 {
                ready.push(child);
            }
        }
    }
    // The hooks of the run come after all other steps, which they do not name.
    let is_run_hook = |place: usize| steps[place]["hook"].as_str().is_some_and(|hook| !hook.contains(" of "));
    let below = (0..steps.len()).filter(|place| !is_run_hook(*place)).map(|place| depths[place] + 1).max();
    (0..steps.len())
        .filter(|place| is_run_hook(*place))
        .for_each(|place| depths[place] += below.unwrap_or(0));
    depths
}

/// The time that a run or a step has taken so far, or took.
pub(super) fn took(of: &Value) -> Option<String> {
    let instant = |key: &str| of[key].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let start = instant("started_at")?;
    let end = instant("ended_at").unwrap_or_else(Timestamp::now);
    let took = Duration::try_from(end.duration_since(start)).unwrap_or_default();
    Some(duration::show(took))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn step(name: &str, on: &[&str], state: &str) -> Value {
        json!({"name": name, "depends_on": on, "state": state, "attempt": 1})
    }

    #[test]
    fn a_tree_shows_steps_below_what_they_wait_for_and_states_in_one_column() {
        let run = json!({"workflow": "w", "state": "running", "steps": [
            step("join", &["b", "a"], "waiting"), step("a", &[], "succeeded"), step("b", &["a"], "running"),
        ]});
        let lines = live(&run, Style::Plain, 10);
        assert_eq!(
            lines,
            ["w running", "  ✔ a        succeeded", "    ● b      running", "      · join waiting"]
        );
    }

    #[test]
    fn a_tree_with_no_room_for_all_steps_counts_them_and_shows_those_that_matter() {
        let mut steps: Vec<Value> = (0..50).map(|n| step(&format!("s{n}"), &[], "succeeded")).collect();
        steps[7] = step("s7", &[], "failed");
        steps[9] = step("s9", &[], "running");
        let lines = live(&json!({"workflow": "w", "state": "running", "steps": steps}), Style::Plain, 10);
        assert_eq!(lines[1], "  50 steps: 48 succeeded, 1 running, 1 failed");
        assert_eq!(lines[2..], ["  ✖ s7 failed", "  ● s9 running"]);
    }

    #[test]
    fn a_run_in_full_shows_params_and_outputs() {
        let mut one = step("a", &[], "succeeded");
        one["outputs"] = json!({"rows": 7, "path": "/tmp/x"});
        let run = json!({"id": "i", "workflow": "w", "state": "succeeded", "priority": "P2", "trigger": "api",
            "created_at": "now", "params": {"n": 5}, "steps": [one]});
        let lines = run_in_full(&run, Style::Plain);
        assert_eq!(
            lines[1..],
            [
                "run i  P2, by api, created now",
                "params n=5",
                "  ✔ a succeeded",
                "      path=/tmp/x",
                "      rows=7"
            ]
        );
    }
}
