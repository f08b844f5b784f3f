//! A pipeline of tasks as other systems write it, `pipeline: [{name, schedule, dependencies, timeout, resources}]`: the
//! lines that say the same here. What it does not say is left for its author: the commands, and often a name.

use super::super::document::{Content, Key, Node};
use crate::StepName;
use crate::quantity::parse_duration;
use crate::rule::Status;

/// The most tasks that are written out.
const MOST_TASKS: usize = 50;

/// The lines to write in place of a pipeline; `None` when it is not of that form.
pub(super) fn lines(pipeline: &Node) -> Option<String> {
    let Content::List(tasks) = &pipeline.content else { return None };
    if tasks.is_empty() || tasks.len() > MOST_TASKS {
        return None;
    }
    let mut steps = String::new();
    let mut schedule = None;
    for task in tasks {
        let Content::Map(fields) = &task.content else { return None };
        schedule = schedule.or_else(|| text(fields, "schedule"));
        steps.push_str(&step(fields)?);
    }
    let schedule = schedule.map(|schedule| format!("\nschedule: \"{schedule}\"")).unwrap_or_default();
    Some(format!("write\nname: my_pipeline{schedule}\nsteps:{steps}").replace('\n', "\n    "))
}

fn step(fields: &[(Key, Node)]) -> Option<String> {
    let mut lines = format!("\n  - name: {}", step_name(text(fields, "name")?)?);
    let mut line = |text: &str| {
        lines.push_str("\n    ");
        lines.push_str(text);
    };
    let dependencies = list(fields, "dependencies").unwrap_or_default();
    let dependencies: Option<Vec<String>> = dependencies.iter().map(dependency).collect();
    let dependencies = dependencies?;
    if !dependencies.is_empty() {
        line(&format!("depends_on: [{}]", dependencies.join(", ")));
    }
    if let Some(timeout) = text(fields, "timeout") {
        let seconds = format!("{timeout}s");
        let timeout = if parse_duration(&seconds).is_ok() { seconds } else { timeout.to_owned() };
        line(&format!("timeout: {timeout}"));
    }
    let command = ["command", "script", "run"].into_iter().find_map(|field| text(fields, field));
    match command.filter(|command| !command.contains('\n')) {
        Some(command) => line(&format!("run: {}", serde_json::Value::from(command))),
        None => line("run: <a shell command>"),
    }
    for resource in list(fields, "resources").unwrap_or_default() {
        let Content::Map(entries) = &resource.content else { continue };
        for (key, value) in entries {
            let name = value.plain().unwrap_or_default();
            match key.text.contains("lock") {
                true => line(&format!("locks: [{name}]")),
                false => line(&format!("# left out: {}: {name}", key.text)),
            }
        }
    }
    Some(lines)
}

/// A dependency as it is written here.
fn dependency(node: &Node) -> Option<String> {
    let Content::Map(fields) = &node.content else { return step_name(node.plain()?) };
    let name = step_name(text(fields, "task").or_else(|| text(fields, "name"))?)?;
    let status = match text(fields, "status") {
        None | Some("success" | "succeeded") => return Some(name),
        Some("failed" | "failure" | "error") => Status::Failed,
        Some("skipped") => Status::Skipped,
        Some(_) => Status::Finished,
    };
    Some(format!("{{step: {name}, status: {status}}}"))
}

/// The name of a step that is nearest to a task's.
fn step_name(task: &str) -> Option<String> {
    let name = task.to_lowercase().replace([' ', '-', '.'], "_");
    name.parse::<StepName>().ok().map(|_| name)
}

fn get<'t>(fields: &'t [(Key, Node)], name: &str) -> Option<&'t Node> {
    fields.iter().find(|(key, _)| *key.text == *name).map(|(_, node)| node)
}

fn text<'t>(fields: &'t [(Key, Node)], name: &str) -> Option<&'t str> {
    match &get(fields, name)?.content {
        Content::Scalar { text, .. } if !text.is_empty() => Some(text),
        _ => None,
    }
}

fn list<'t>(fields: &'t [(Key, Node)], name: &str) -> Option<&'t [Node]> {
    match &get(fields, name)?.content {
        Content::List(items) => Some(items),
        _ => None,
    }
}
