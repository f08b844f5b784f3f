//! Random workflows as the text of a definition.

use std::fmt::Write;
use std::time::Duration;

use millrace_domain::Outcome;
use serde_json::{Value, json};

use crate::fleet::CREATED;
use crate::reference::{Condition, Dependency, Rule, Status, Step, Task, Wait, Work, Workflow};

/// The params that conditions and waits are about.
const PARAMS: &str = "params:
  - {name: wanted, type: bool, default: true}
  - {name: unwanted, type: bool, default: false}
  - {name: count, type: int, default: 7}
  - {name: word, default: soon}
";

/// The values of the params.
pub(crate) fn params() -> Value {
    json!({"wanted": true, "unwanted": false, "count": 7, "word": "soon"})
}

/// The definition of a workflow. Written backwards, it names each step before those that it waits for.
pub(crate) fn yaml(workflow: &Workflow, zone: &str, backwards: bool) -> String {
    let mut lines: Vec<String> = workflow.steps.iter().enumerate().map(|(n, step)| line(n, step)).collect();
    if backwards {
        lines.reverse();
    }
    format!("name: w\ntimezone: {zone}\n{PARAMS}steps:\n{}", lines.concat())
}

/// One step. What can be written in two ways is written in one or the other by the place of the step.
fn line(n: usize, step: &Step) -> String {
    let mut line = format!("  - {{name: s{n}");
    if !step.depends_on.is_empty() {
        let names_alone = step.depends_on.iter().all(|on| on.wants == Status::Success);
        let all: Vec<String> = step.depends_on.iter().map(|on| dependency(*on, names_alone)).collect();
        let _ = write!(line, ", depends_on: [{}]", all.join(", "));
    }
    if step.trigger_rule != Rule::AllSuccess {
        let _ = write!(line, ", trigger_rule: {}", rule(step.trigger_rule));
    }
    if let Some(condition) = step.condition {
        let text = expression(n, condition);
        let text = if n.is_multiple_of(3) { format!("${{{{ {text} }}}}") } else { text };
        let _ = write!(line, ", if: \"{text}\"");
    }
    if step.continue_on_error {
        line.push_str(", continue_on_error: true");
    }
    if let Some(minutes) = step.not_before {
        let _ = write!(line, ", not_before: {}", time(minutes));
    }
    match &step.work {
        Work::Task(task) => line.push_str(&fields(task)),
        Work::Wait(wait) => {
            let _ = write!(line, ", uses: wait, with: {{{}}}", until(*wait));
        }
    }
    line.push_str("}\n");
    line
}

fn dependency(on: Dependency, names_alone: bool) -> String {
    let status = match on.wants {
        Status::Success if names_alone || on.step.is_multiple_of(2) => return format!("s{}", on.step),
        Status::Success => "success",
        Status::Failed => "failed",
        Status::Skipped => "skipped",
        Status::Finished => "finished",
    };
    format!("{{step: s{}, status: {status}}}", on.step)
}

fn rule(rule: Rule) -> &'static str {
    match rule {
        Rule::AllSuccess => "all_success",
        Rule::AllFinished => "all_finished",
        Rule::OneSuccess => "one_success",
        Rule::OneFailed => "one_failed",
        Rule::NoneFailed => "none_failed",
        Rule::AllFailed => "all_failed",
        Rule::NoneSkipped => "none_skipped",
    }
}

fn expression(n: usize, condition: Condition) -> String {
    match condition {
        Condition::Boolean(true) if n.is_multiple_of(2) => "params.wanted".to_owned(),
        Condition::Boolean(true) => "params.count > 3 and params.word == 'soon'".to_owned(),
        Condition::Boolean(false) if n.is_multiple_of(2) => "params.unwanted".to_owned(),
        Condition::Boolean(false) => "not params.wanted".to_owned(),
        Condition::Number => "params.count".to_owned(),
        Condition::Incomparable => "params.word > 3".to_owned(),
        Condition::IsDefined(step) => format!("outputs.s{step}.v is defined"),
        Condition::AtLeastFiveOrAbsent(step) => format!("outputs.s{step}.v|default(0) >= 5"),
        Condition::AtLeastFive(step) => format!("outputs.s{step}.v >= 5"),
        Condition::BelowFive(step) => format!("outputs.s{step}.v < 5"),
    }
}

fn fields(task: &Task) -> String {
    let mut fields = ", run: x".to_owned();
    if task.retries > 0 {
        let outcomes: Vec<&str> = task.retried.iter().map(|outcome| Outcome::as_str(*outcome)).collect();
        let _ = write!(
            fields,
            ", retry: {{limit: {}, delay: 2s, outcomes: [{}]}}",
            task.retries,
            outcomes.join(", ")
        );
    }
    if task.at_most_once {
        fields.push_str(", at_most_once: true");
    }
    if let Some(step) = task.needs {
        let _ = write!(fields, ", env: {{V: \"${{{{ outputs.s{step}.v }}}}\"}}");
    }
    fields
}

fn until(wait: Wait) -> String {
    match wait {
        Wait::For(seconds) => format!("for: {seconds}s"),
        Wait::Until(seconds) => {
            let instant = if seconds < 0 {
                CREATED - Duration::from_secs(u64::from(seconds.unsigned_abs()))
            } else {
                CREATED + Duration::from_secs(u64::from(seconds.unsigned_abs()))
            };
            format!("until: \"{instant}\"")
        }
        Wait::UntilTime(minutes) => format!("until: {}", time(minutes)),
        Wait::Unclear => "for: \"${{ params.word }}\"".to_owned(),
    }
}

/// A time of day in quotes.
fn time(minutes: u16) -> String {
    format!("\"{:02}:{:02}\"", minutes / 60, minutes % 60)
}
