//! Random workflows as the text of a definition.

use std::fmt::Write;
use std::time::Duration;

use millrace_domain::Outcome;
use serde_json::{Value, json};

use crate::fleet::CREATED;
use crate::reference::{
    Ask, Child, Condition, Dependency, Fan, Hook, Items, Name, Params, Repeat, Rule, RunOutput, Status, Task,
    Tolerance, Until, Wait, When, Work, Workflow,
};
use crate::reference_items::{list_of, outputs_of};

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
pub(crate) fn yaml(workflow: &Workflow, zone: &str, timeout: Option<u32>, backwards: bool) -> String {
    let list = |hook: Option<Hook>| {
        let steps = workflow.steps.iter().enumerate().filter(|(_, step)| step.hook == hook);
        let mut lines: Vec<String> =
            steps.map(|(n, _)| format!("  - {}\n", fields_of(workflow, n))).collect();
        if backwards {
            lines.reverse();
        }
        lines.concat()
    };
    let mut text = format!("name: w\ntimezone: {zone}\n{PARAMS}steps:\n{}", list(None));
    if let Some(seconds) = timeout {
        let _ = writeln!(text, "timeout: {seconds}s");
    }
    if !workflow.outputs.is_empty() {
        let outputs = workflow.outputs.iter().enumerate();
        let fields: Vec<String> =
            outputs.map(|(n, output)| format!("o{n}: {}", run_output(workflow, *output))).collect();
        let _ = writeln!(text, "outputs: {{{}}}", fields.join(", "));
    }
    for (when, name) in WHENS {
        let hooks = list(Some(Hook::OfWorkflow(when)));
        if !hooks.is_empty() {
            let _ = write!(text, "{name}:\n{hooks}");
        }
    }
    text
}

const WHENS: [(When, &str); 3] =
    [(When::Success, "on_success"), (When::Failure, "on_failure"), (When::Finish, "on_finish")];

/// One step, with its hooks. What can be written in two ways is written in one or the other by the place of the step.
fn fields_of(workflow: &Workflow, n: usize) -> String {
    let step = &workflow.steps[n];
    let mut line = format!("{{name: s{n}");
    // A hook depends on its step without saying so.
    let is_said = |on: &&Dependency| !matches!(step.hook, Some(Hook::OfStep(_, of)) if of == on.step);
    let depends_on: Vec<&Dependency> = step.depends_on.iter().filter(is_said).collect();
    if !depends_on.is_empty() {
        let names_alone = depends_on.iter().all(|on| on.wants == Status::Success);
        let all: Vec<String> = depends_on.iter().map(|on| dependency(**on, names_alone)).collect();
        let _ = write!(line, ", depends_on: [{}]", all.join(", "));
    }
    if step.trigger_rule != Rule::AllSuccess {
        let _ = write!(line, ", trigger_rule: {}", rule(step.trigger_rule));
    }
    if let Some(condition) = step.condition {
        let text = expression(workflow, n, condition);
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
        Work::Task(task) => line.push_str(&fields_of_task(workflow, n, task)),
        Work::Wait(wait) => {
            let _ = write!(line, ", uses: wait, with: {{{}}}", duration(*wait));
        }
        Work::Ask(ask) => line.push_str(&question(*ask)),
    }
    for (when, name) in WHENS {
        let is_one = |hook: &usize| workflow.steps[*hook].hook == Some(Hook::OfStep(when, n));
        let hooks = (0..workflow.steps.len()).filter(is_one);
        let hooks: Vec<String> = hooks.map(|hook| fields_of(workflow, hook)).collect();
        if !hooks.is_empty() {
            let _ = write!(line, ", {name}: [{}]", hooks.join(", "));
        }
    }
    line.push('}');
    line
}

/// The number that a step hands on.
pub(crate) fn number(workflow: &Workflow, step: usize) -> String {
    format!("outputs.s{step}.{}", workflow.steps[step].key())
}

fn run_output(workflow: &Workflow, output: RunOutput) -> String {
    match output {
        RunOutput::Number(step) => format!("\"${{{{ {} }}}}\"", number(workflow, step)),
        RunOutput::NumberOrZero(step) => format!("\"${{{{ {}|default(0) }}}}\"", number(workflow, step)),
        RunOutput::All(step) => format!("\"${{{{ outputs.s{step} }}}}\""),
    }
}

fn dependency(on: Dependency, names_alone: bool) -> String {
    let status = match on.wants {
        Status::Success if names_alone || on.step.is_multiple_of(2) => return format!("s{}", on.step),
        Status::Success => "success",
        Status::Failed => "failed",
        Status::Skipped => "skipped",
        Status::Finished => "finished",
        Status::Ran => unreachable!("hooks alone want it"),
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

fn expression(workflow: &Workflow, n: usize, condition: Condition) -> String {
    let number = |step| number(workflow, step);
    match condition {
        Condition::Boolean(true) if n.is_multiple_of(2) => "params.wanted".to_owned(),
        Condition::Boolean(true) => "params.count > 3 and params.word == 'soon'".to_owned(),
        Condition::Boolean(false) if n.is_multiple_of(2) => "params.unwanted".to_owned(),
        Condition::Boolean(false) => "not params.wanted".to_owned(),
        Condition::Number => "params.count".to_owned(),
        Condition::Incomparable => "params.word > 3".to_owned(),
        Condition::IsDefined(step) => format!("{} is defined", number(step)),
        Condition::AtLeastFiveOrAbsent(step) => format!("{}|default(0) >= 5", number(step)),
        Condition::AtLeastFive(step) => format!("{} >= 5", number(step)),
        Condition::BelowFive(step) => format!("{} < 5", number(step)),
        Condition::HasTwoItems(step) => format!("outputs.s{step} | length >= 2"),
    }
}

fn fields_of_task(workflow: &Workflow, n: usize, task: &Task) -> String {
    let own = number(workflow, n);
    let values = values(workflow, task);
    let mut fields = match (&task.child, values.is_empty()) {
        (Some(child), _) => fields_of_child(task, child, &values),
        (None, true) => ", run: x".to_owned(),
        (None, false) => format!(", run: x, env: {{{}}}", map_of(&values, str::to_uppercase)),
    };
    if task.declares {
        let list = if task.waits() { ", list: json" } else { "" };
        let _ = write!(fields, ", outputs: {{{}: int{list}}}", workflow.steps[n].key());
    }
    if task.retries > 0 || task.asks {
        let outcomes: Vec<&str> = task.retried.iter().map(|outcome| Outcome::as_str(*outcome)).collect();
        let (limit, outcomes) = (task.retries, outcomes.join(", "));
        let then = if task.asks { ", then: ask, ask_timeout: 1h" } else { "" };
        let _ = write!(fields, ", retry: {{limit: {limit}, delay: 2s, outcomes: [{outcomes}]{then}}}");
    }
    if task.at_most_once {
        fields.push_str(", at_most_once: true");
    }
    if let Some(Repeat { until, max }) = task.repeat {
        let until = match until {
            Until::AtLeastFive => format!("{own} >= 5"),
            Until::IsDefined => format!("{own} is defined"),
            Until::AtLeastFiveWithPlace => format!("{own} + item_index >= 5"),
        };
        let _ = write!(fields, ", repeat: {{until: \"{until}\", max: {max}, delay: 7s}}");
    }
    if let Some(locks) = task.locks {
        let _ = write!(fields, ", locks: {}", locks.yaml());
    }
    if let Some(fan) = &task.fan {
        let _ = write!(fields, ", foreach: {}", foreach(n, fan));
    }
    fields
}

/// What an attempt is given of outputs and of its item: names and values.
fn values(workflow: &Workflow, task: &Task) -> Vec<(&'static str, String)> {
    let mut values = Vec::new();
    match task.needs {
        Some(needs) if needs.is_key => values.push(("v", number(workflow, needs.step))),
        // The sum is asked for as the documentation does it.
        Some(needs) => {
            let all = format!("outputs.s{}", needs.step);
            let sum = format!("{all} | select | map(attribute='v') | sum");
            values.extend([("all", all), ("sum", sum)]);
        }
        None => {}
    }
    if task.fan.is_some_and(|fan| fan.reads_item) {
        values.push(("i", "item.v".to_owned()));
    }
    values
}

/// A map of such values.
fn map_of(values: &[(&'static str, String)], name: impl Fn(&str) -> String) -> String {
    let field = |(key, value): &(&str, String)| format!("{}: \"${{{{ {value} }}}}\"", name(key));
    values.iter().map(field).collect::<Vec<_>>().join(", ")
}

fn fields_of_child(task: &Task, child: &Child, values: &[(&'static str, String)]) -> String {
    let name = match child.name {
        Name::Literal => "called",
        Name::Param => "\"${{ params.word }}\"",
        Name::Number => "\"${{ params.count }}\"",
        Name::TwoWords => "\"${{ params.word }} ${{ params.word }}\"",
    };
    let params = match (child.params, task.needs) {
        (Params::Map, _) | (_, None) => {
            let given = "word: \"${{ params.word }}\", deep: {count: [\"${{ params.count }}\", \"${{ params.count }} times\"]}";
            let of_item =
                if task.fan.is_some() { ", item: \"${{ item }}\", place: \"${{ item_index }}\"" } else { "" };
            let separator = if values.is_empty() { "" } else { ", " };
            format!("{{{given}{of_item}{separator}{}}}", map_of(values, str::to_owned))
        }
        (Params::Outputs | Params::List, Some(needs)) => format!("\"${{{{ outputs.s{} }}}}\"", needs.step),
    };
    let wait = match child.waits {
        false => ", wait: false",
        true if child.name == Name::Param => ", wait: true",
        true => "",
    };
    format!(", uses: workflow, with: {{name: {name}, params: {params}{wait}}}")
}

fn foreach(n: usize, fan: &Fan) -> String {
    let items = match fan.items {
        Items::Literal(v) => Value::Array(list_of(v)).to_string(),
        Items::Output(step) => format!("\"${{{{ outputs.s{step}.list }}}}\""),
        Items::GivenBy(step) => format!("\"${{{{ outputs.s{step} }}}}\""),
    };
    let is_plain = fan.max_parallel.is_none() && fan.tolerate == Tolerance::Number(0) && !fan.fail_fast;
    if is_plain && n.is_multiple_of(2) {
        return items;
    }
    let mut text = format!("{{items: {items}");
    if let Some(most) = fan.max_parallel {
        let _ = write!(text, ", max_parallel: {most}");
    }
    match fan.tolerate {
        Tolerance::Number(most) => drop(write!(text, ", tolerate: {most}")),
        Tolerance::Share(share) => drop(write!(text, ", tolerate: {}.{}%", share / 10, share % 10)),
    }
    if fan.fail_fast {
        text.push_str(", fail_fast: true");
    }
    text.push('}');
    text
}

fn duration(wait: Wait) -> String {
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

fn question(ask: Ask) -> String {
    let who = |is_named: bool| if is_named { ", who: [ann, bob, \"${{ params.word }}\"]" } else { "" };
    match ask {
        Ask::Approval { of, is_named, by_default } => {
            let (default, who) = (if by_default { "approve" } else { "reject" }, who(is_named));
            format!(", uses: approval, with: {{of: {of}, timeout: 1h, default: {default}{who}}}")
        }
        Ask::Input { is_named, by_default } => {
            let fields = "[{name: v, type: int}, {name: list, type: json, default: []}]";
            let default = by_default.map(|v| format!(", default: {}", outputs_of(Some(v))));
            let (default, who) = (default.unwrap_or_default(), who(is_named));
            format!(", uses: input, with: {{fields: {fields}, timeout: 1h{default}{who}}}")
        }
        Ask::Unclear => ", uses: approval, with: {who: \"${{ params.word }}\"}".to_owned(),
    }
}

/// A time of day in quotes.
fn time(minutes: u16) -> String {
    format!("\"{:02}:{:02}\"", minutes / 60, minutes % 60)
}
