//! `uses: approval` and `uses: input`: what a step asks people, who may answer, and what is so when nobody has in time.

use serde_json::{Map, Value};

use super::super::checker::Checker;
use super::super::document::{Content, Node};
use super::super::problem::Position;
use super::super::question::complete_fields;
use super::super::{Param, Question, Wants};
use super::action::{Action, missing};
use super::expression::{Names, OutputUse, read_template, read_templated, templated_of};
use super::fan::is_expression;
use super::fields::{Fields, Schema};
use super::json;
use super::param::{read_declared, value_of};
use super::retry::ASK;
use super::synonyms::Synonyms;
use crate::expression::Templated;
use crate::people::{APPROVAL, INPUT, MAX_PEOPLE, MAX_VALUE_BYTES, check_message, check_people, too_few};

pub(in crate::definition) const APPROVAL_INPUT: Schema = Schema {
    what: "`with` of approval",
    known: &["message", "who", "of", "timeout", "default"],
    later: &[],
    synonyms: OF_PEOPLE,
};

pub(in crate::definition) const INPUT_INPUT: Schema = Schema {
    what: "`with` of input",
    known: &["message", "who", "fields", "timeout", "default"],
    later: &[],
    synonyms: OF_PEOPLE,
};

/// What an approval may come to by default.
pub(in crate::definition) const APPROVAL_DEFAULTS: [&str; 2] = ["approve", "reject"];

/// The fields of a step that are about a task, which a question does not make.
pub(in crate::definition) const NOT_OF_QUESTIONS: [&str; 11] = [
    "env",
    "pool",
    "timeout",
    "retry",
    "repeat",
    "at_most_once",
    "working_dir",
    "shards",
    "outputs",
    "locks",
    "rate",
];

/// The synonyms of the fields of `with` of a step that asks people.
const OF_PEOPLE: Synonyms = &[
    (
        &["text", "prompt", "question", "title", "body", "instructions", "description"],
        "write message: \"...\"",
    ),
    (
        &[
            "approvers",
            "approver",
            "users",
            "user",
            "reviewers",
            "assignees",
            "assignee",
            "people",
            "by",
            "groups",
        ],
        "write who: [ann, bob]",
    ),
    (&["count", "required", "quorum", "min", "minimum", "approvals", "minapprovals", "votes"], "write of: 2"),
    (
        &["expires", "expiry", "ttl", "deadline", "within", "executiontimeout", "duration"],
        "write timeout: 24h",
    ),
    (
        &["ontimeout", "fallback", "otherwise", "defaults"],
        "write `default`: what is so when nobody answers in time",
    ),
    (
        &["form", "params", "inputs", "parameters", "values", "schema", "options"],
        "write fields: [{name: amount, type: int}]",
    ),
];

/// Reads the question of a step that asks for approval.
pub(super) fn read_approval(
    with: Option<&Node>,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<Action> {
    let Some(with) = with else {
        let question = Question { timeout: ASK, wants: Wants::Approval { of: 1, by_default: false } };
        return Some(asking(APPROVAL, Templated::literal(Value::Object(Map::new())), question));
    };
    let fields = APPROVAL_INPUT.read(with, checker)?;
    let of = fields.get("of").map_or(Some(1), |node| checker.integer(node, "of", 1..=MAX_PEOPLE));
    let by_default = fields.get("default").map_or(Some(false), |node| read_by_default(node, checker));
    let timeout = read_timeout(fields, checker);
    let with = read_asked(fields, with.at, of.unwrap_or(1), names, outputs, checker);
    let wants = Wants::Approval { of: of?, by_default: by_default? };
    Some(asking(APPROVAL, with?, Question { timeout: timeout?, wants }))
}

/// Reads whether an approval is given when nobody has answered in time.
fn read_by_default(node: &Node, checker: &mut Checker) -> Option<bool> {
    let word = checker.text(node, "default")?;
    let hint = match word {
        "approve" => return Some(true),
        "reject" => return Some(false),
        "approved" | "true" | "yes" => Some("write default: approve".to_owned()),
        "rejected" | "false" | "no" | "fail" => Some("write default: reject".to_owned()),
        _ => checker.did_you_mean(word, APPROVAL_DEFAULTS),
    };
    let message = format!("`default` must be approve or reject, found {}", node.describe());
    checker.problem(node.at, "bad-value", message, hint);
    None
}

/// Reads the question of a step that asks for values.
pub(super) fn read_input(
    at: Position,
    with: Option<&Node>,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<Action> {
    let Some(with) = with else { return missing(at, INPUT, "fields", checker) };
    let fields = INPUT_INPUT.read(with, checker)?;
    let Some(node) = fields.get("fields") else { return missing(with.at, INPUT, "fields", checker) };
    let wanted = read_fields(node, checker);
    let timeout = read_timeout(fields, checker);
    let with = read_asked(fields, with.at, 1, names, outputs, checker);
    let wanted = wanted?;
    let by_default = match fields.get("default") {
        Some(node) => Some(read_values(node, &wanted, checker)?),
        None => None,
    };
    let wants = Wants::Input { fields: wanted.into(), by_default };
    Some(asking(INPUT, with?, Question { timeout: timeout?, wants }))
}

fn asking(uses: &'static str, with: Templated, question: Question) -> Action {
    Action { question: Some(Box::new(question)), ..Action::new(uses, with, None) }
}

fn read_timeout(fields: Fields<'_>, checker: &mut Checker) -> Option<std::time::Duration> {
    fields.get("timeout").map_or(Some(ASK), |node| checker.positive_duration(node, "timeout"))
}

/// Reads what is asked, and of whom, which may hold expressions.
fn read_asked(
    fields: Fields<'_>,
    at: Position,
    of: u32,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<Templated> {
    let mut input = Map::new();
    if let Some(node) = fields.get("message") {
        read_template(node, "message", names, outputs, checker)?;
        let text = checker.text(node, "message")?;
        if let Err(why) = check_message(text) {
            checker.problem(node.at, "out-of-range", format!("`message`: {why}"), None);
            return None;
        }
        input.insert("message".to_owned(), Value::String(text.to_owned()));
    }
    if let Some(node) = fields.get("who") {
        input.insert("who".to_owned(), read_who(node, of, names, outputs, checker)?);
    }
    templated_of(Value::Object(input), at, checker)
}

/// Reads the names of those who may answer: a list, or one expression that gives it.
fn read_who(
    node: &Node,
    of: u32,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<Value> {
    if matches!(&node.content, Content::Scalar { text, .. } if is_expression(text)) {
        read_templated(node, names, outputs, checker)?;
        return Some(json::of_node(node));
    }
    let hint = node.plain().map(|word| format!("write who: [{word}]"));
    let mut who = Vec::new();
    for item in checker.list(node, "who", "the names of those who may answer", hint)? {
        let template = read_template(item, "who", names, outputs, checker)?;
        who.push((checker.text(item, "who")?, template.is_literal()));
    }
    let known: Vec<&str> = who.iter().filter(|(_, is_known)| *is_known).map(|(name, _)| *name).collect();
    let checked = match known.len() == who.len() {
        true => check_people(&known, of),
        // Those that only the run knows are other people than these.
        false if who.len() < of as usize => Err(too_few(who.len(), of)),
        false if known.is_empty() => Ok(()),
        false => check_people(&known, 0),
    };
    if let Err(why) = checked {
        let hint = match (who.is_empty(), why.contains("twice")) {
            (true, _) => Some("remove it: without `who`, anybody may".to_owned()),
            (_, true) => Some("remove one of them".to_owned()),
            _ => None,
        };
        checker.problem(node.at, "bad-value", format!("`who`: {why}"), hint);
        return None;
    }
    Some(Value::Array(who.into_iter().map(|(name, _)| Value::from(name)).collect()))
}

/// Reads the fields of the values that are asked for, which are declared as params are.
fn read_fields(node: &Node, checker: &mut Checker) -> Option<Vec<Param>> {
    let wanted = read_declared(node, "field", checker);
    if matches!(&node.content, Content::List(items) if items.is_empty()) {
        let message = "`fields` is empty: an input that asks for nothing";
        let hint = Some("write fields: [{name: amount, type: int}], or uses: approval".to_owned());
        checker.problem(node.at, "out-of-range", message, hint);
    }
    let mut is_sound = !wanted.is_empty();
    for field in &wanted {
        if field.default.as_ref().is_some_and(|default| !default.is_literal()) {
            let message = format!("the default of field `{}` is an expression", field.name);
            let hint = Some("write the value itself; what only the run knows goes into `message`".to_owned());
            checker.problem(node.at, "bad-default", message, hint);
            is_sound = false;
        }
    }
    is_sound.then_some(wanted)
}

/// Reads the values that count when nobody has supplied any: checked, and completed, as those that somebody supplies.
fn read_values(node: &Node, wanted: &[Param], checker: &mut Checker) -> Option<Map<String, Value>> {
    let mut given = Map::new();
    for (key, value) in checker.map(node, "default", "fields and their values")? {
        let field = wanted.iter().find(|field| *field.name.as_str() == *key.text);
        let value = match field.map(|field| value_of(value, &field.kind)) {
            Some(Err(error)) => {
                let message = format!("`default`: field `{}`: {error}", key.text);
                checker.problem(value.at, "bad-default", message, None);
                return None;
            }
            Some(Ok(value)) => value,
            None => json::of_node(value),
        };
        given.insert(key.text.to_string(), value);
    }
    json::check_numbers(node, checker);
    let told = |why: String, checker: &mut Checker| {
        checker.problem(node.at, "bad-default", format!("`default`: {why}"), None);
    };
    match complete_fields(wanted, &given) {
        Ok(values) if serde_json::to_vec(&values).map_or(0, |text| text.len() as u64) > MAX_VALUE_BYTES => {
            told(format!("more than {MAX_VALUE_BYTES} bytes"), checker);
            None
        }
        Ok(values) => Some(values),
        Err(errors) => {
            errors.into_iter().for_each(|why| told(why, checker));
            None
        }
    }
}

/// Reports the fields of a step that do not go with a question.
pub(super) fn refuse_fields_of_tasks(uses: &str, fields: Fields<'_>, checker: &mut Checker) {
    for (key, _) in NOT_OF_QUESTIONS.iter().filter_map(|name| fields.entry(name)) {
        let message = format!("`{}` does not go with `uses: {uses}`, which makes no task", key.text);
        let hint = match &*key.text {
            "timeout" => "write it in `with`: {timeout: 24h}",
            "locks" => "give them to the step that follows: nobody should hold a lock while people think",
            "rate" => "give it to the step that follows",
            "outputs" if uses == INPUT => "write `fields` in `with`",
            "outputs" => "remove it: it gives `approved`, `by` and `comment`",
            _ => "remove it",
        };
        checker.problem(key.at, "bad-field", message, Some(hint.to_owned()));
    }
}
