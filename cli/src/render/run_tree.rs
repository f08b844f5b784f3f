//! How a run looks with the runs that are steps of it.

use serde_json::Value;

use super::terminal::{Colour, Style};
use super::tree::{mark, of_parent, of_retry, took};

/// Draws a run, and below it its children, each with its own.
pub(crate) fn run_tree(run: &Value, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(parent) = of_parent(run) {
        lines.push(style.paint(Colour::Grey, &parent));
    }
    lines.extend(of_retry(run).iter().map(|told| style.paint(Colour::Grey, told)));
    lines.push(line(run, run, None, style));
    draw(run, "", style, &mut lines);
    lines
}

/// Whether a child did not succeed.
fn has_failed(child: &Value) -> bool {
    let state = child["run"]["state"].as_str().or(child["state"].as_str());
    matches!(state, Some("failed" | "timed_out" | "cancelled"))
}

fn draw(of: &Value, indent: &str, style: Style, lines: &mut Vec<String>) {
    let children = of["children"].as_array().map_or(&[][..], Vec::as_slice);
    let is_cut = of["more"] == true;
    for (place, child) in children.iter().enumerate() {
        let is_last = place + 1 == children.len() && !is_cut;
        let (branch, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let step = child["step"].as_str().unwrap_or_default();
        let name = match child["item"].as_u64() {
            Some(item) => format!("{step}.{item}"),
            None => step.to_owned(),
        };
        lines.push(format!("{indent}{branch}{}", line(child, &child["run"], Some(&name), style)));
        draw(child, &format!("{indent}{below}"), style, lines);
    }
    if is_cut {
        lines.push(format!("{indent}└─ {}", style.paint(Colour::Grey, "and more")));
    }
}

/// One run in one line: the step that it is, its workflow, how it stands, its id.
fn line(of: &Value, run: &Value, name: Option<&str>, style: Style) -> String {
    // One that could not start is told of by the attempt.
    let state = run["state"].as_str().or(of["state"].as_str()).unwrap_or("waiting");
    let name_given = name.is_some();
    let (mark, colour) = mark(of["state"].as_str().filter(|_| name_given).unwrap_or(state));
    let name = name.map(|name| format!("{name}: ")).unwrap_or_default();
    let mark = style.paint(colour, mark);
    let Some(workflow) = run["workflow"].as_str() else {
        let reason = of["reason"].as_str().and_then(|reason| reason.lines().next());
        let reason =
            reason.map(|reason| format!("  {}", style.paint(Colour::Grey, reason))).unwrap_or_default();
        return format!("{mark} {name}no run, {}{reason}", style.paint(colour, state));
    };
    let mut text =
        format!("{mark} {name}{} {}", style.paint(Colour::Bold, workflow), style.paint(colour, state));
    if let Some(took) = took(run) {
        text.push_str(&format!(" {took}"));
    }
    if let Some(attempt) = of["attempt"].as_u64().filter(|attempt| *attempt > 1) {
        text.push_str(&format!(" (attempt {attempt})"));
    }
    text.push_str(&format!("  {}", style.paint(Colour::Grey, of["run_id"].as_str().unwrap_or_default())));
    // What is below tells why by itself.
    let is_told = of["children"].as_array().is_some_and(|children| children.iter().any(has_failed));
    let reason = run["reason"].as_str().filter(|_| !is_told);
    if let Some(reason) = reason.and_then(|reason| reason.lines().next()) {
        text.push_str(&format!("  {}", style.paint(Colour::Grey, reason)));
    }
    // The step may make something else of the run: what it gave was not enough.
    let is_other =
        run["state"].is_null() || of["state"].as_str().is_some_and(|of| Some(of) != run["state"].as_str());
    let of_step = of["reason"].as_str().filter(|_| name_given && is_other);
    if let Some(reason) = of_step.and_then(|reason| reason.lines().next()) {
        let state = of["state"].as_str().unwrap_or_default();
        text.push_str(&format!("  {}", style.paint(Colour::Grey, &format!("the step {state}: {reason}"))));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_run_stands_above_its_children_and_says_where_more_are_left_out() {
        let run = |workflow: &str, state: &str| json!({"workflow": workflow, "state": state});
        let tree = json!({"run_id": "1", "workflow": "all", "state": "failed", "reason": "step load: why", "more": false,
        "parent": {"run_id": "0", "workflow": "above", "step": "down", "item": 3},
        "children": [
            {"step": "load", "item": 0, "attempt": 1, "run_id": "2", "run": run("part", "succeeded"), "more": true,
             "children": [{"step": "x", "attempt": 1, "run_id": "4", "run": run("deep", "running")}]},
            {"step": "load", "item": 1, "attempt": 2, "run_id": "3", "state": "failed", "reason": "none such"},
                {"step": "soon", "attempt": 1, "run_id": "5"},
                {"step": "held", "attempt": 1, "run_id": "6", "state": "failed", "reason": "no rows", "run": run("part", "succeeded")},
        ]});
        assert_eq!(
            run_tree(&tree, Style::Plain),
            [
                "item 3 of step down of run 0 (above)",
                "✖ all failed  1",
                "├─ ✔ load.0: part succeeded  2",
                "│  ├─ ● x: deep running  4",
                "│  └─ and more",
                "├─ ✖ load.1: no run, failed  none such",
                "├─ · soon: no run, waiting",
                "└─ ✖ held: part succeeded  6  the step failed: no rows",
            ]
        );
    }
}
