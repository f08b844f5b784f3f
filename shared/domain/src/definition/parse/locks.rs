//! `locks:`: what a step needs of locks and semaphores before it starts.

use super::super::LockUse;
use super::super::checker::Checker;
use super::super::document::{Content, Node};
use super::expression::{Names, OutputUse, read_template};
use super::fields::Schema;
use crate::expression::Template;
use crate::lock::{LockName, MAX_LOCKS, MAX_SLOTS};

pub(in crate::definition) const LOCK: Schema = Schema {
    what: "a lock",
    known: &["name", "slots", "weight", "shared"],
    later: &[],
    synonyms: &[
        (&["lock", "id", "key", "mutex", "semaphore", "ref"], "write name: primary_db"),
        (&["slot", "size", "limit", "max", "permits", "total", "capacity", "count"], "write slots: 3"),
        (&["group", "namespace", "scope"], "the group is in the name: write name: db/primary"),
        (&["amount", "cost", "units", "need", "needs", "take", "takes"], "write weight: 2"),
        (&["read", "reader", "readonly", "mode", "share", "readlock"], "write shared: true"),
        (&["write", "writer", "exclusive"], "remove it: a lock is held by one, unless it is shared"),
    ],
};

/// Reads the locks of a step: a list of names and of maps. One alone needs no list.
pub(super) fn read_locks(
    node: &Node,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Box<[LockUse]> {
    let nodes = match &node.content {
        Content::List(nodes) => nodes,
        _ => std::slice::from_ref(node),
    };
    if nodes.is_empty() || nodes.len() > MAX_LOCKS {
        let message = format!("{} locks: expected 1 to {MAX_LOCKS}", nodes.len());
        checker.problem(node.at, "out-of-range", message, None);
        return Box::default();
    }
    let mut locks: Vec<(LockUse, Option<LockName>)> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let Some((lock, name)) = read_lock(node, names, outputs, checker) else { continue };
        let named: Vec<&LockName> = locks.iter().filter_map(|(_, name)| name.as_ref()).collect();
        if let Some(name) = &name {
            refuse_beside(node, name, &named, checker);
        }
        locks.push((lock, name));
    }
    locks.into_iter().map(|(lock, _)| lock).collect()
}

/// Reports a lock that cannot be wanted together with those before it.
fn refuse_beside(node: &Node, name: &LockName, before: &[&LockName], checker: &mut Checker) {
    if before.contains(&name) {
        let hint = Some("remove one of them".to_owned());
        checker.problem(node.at, "bad-value", format!("lock `{name}` is wanted twice"), hint);
    } else if let Some(other) = before.iter().find(|other| other.group() != name.group()) {
        let message = format!(
            "locks of two groups, `{}` and `{}`: a step gets all that it wants, or none, from one place",
            other.group_name(),
            name.group_name()
        );
        let last = |name: &LockName| {
            let text: &str = name.as_str();
            text.rsplit('/').next().unwrap_or_default().to_owned()
        };
        let group = other.group_name();
        let (one, another) = (last(other), last(name));
        let hint = match one == another {
            true => format!("name them {group}/{one} and {group}/<another name>, wherever they are used"),
            false => format!("name them {group}/{one} and {group}/{another}, wherever they are used"),
        };
        checker.problem(node.at, "bad-value", message, Some(hint));
    }
}

/// Reads one lock; with it its name, where that is no expression.
fn read_lock(
    node: &Node,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<(LockUse, Option<LockName>)> {
    let hint = || Some("write locks: [primary_db], or {name: primary_db, slots: 3}".to_owned());
    if matches!(node.plain(), Some("null" | "Null" | "NULL" | "~")) {
        checker.wrong_type(node, "locks", "the name of a lock", hint());
        return None;
    }
    if matches!(node.content, Content::Scalar { .. }) && !node.is_nothing() {
        let (name, literal) = read_name(node, names, outputs, checker)?;
        return Some((LockUse { name, slots: 1, weight: 1, shared: false }, literal));
    }
    if !matches!(node.content, Content::Map(_)) {
        checker.wrong_type(node, "locks", "the name of a lock, or a map with `name`", hint());
        return None;
    }
    let fields = LOCK.read(node, checker)?;
    let Some(name) = fields.get("name") else {
        checker.problem(node.at, "missing-field", "a lock needs a `name`", hint());
        return None;
    };
    let (name, literal) = read_name(name, names, outputs, checker)?;
    let mut number = |field: &str| match fields.get(field) {
        Some(node) => checker.integer(node, field, 1..=MAX_SLOTS),
        None => Some(1),
    };
    let (slots, weight) = (number("slots")?, number("weight")?);
    let shared = match fields.get("shared") {
        Some(node) => checker.boolean(node, "shared")?,
        None => false,
    };
    if weight > slots {
        let at = fields.get("weight").map_or(node.at, |node| node.at);
        let message = format!("`weight: {weight}` is more than the lock has: `slots` is {slots}");
        checker.problem(at, "out-of-range", message, Some(format!("write slots: {weight}, or more")));
        return None;
    }
    if shared && (slots, weight) != (1, 1) {
        let message = "`shared` does not go with `slots` and `weight`: any number may share a lock";
        checker.problem(node.at, "bad-field", message, Some("remove one of them".to_owned()));
        return None;
    }
    Some((LockUse { name, slots, weight, shared }, literal))
}

fn read_name(
    node: &Node,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<(Template, Option<LockName>)> {
    let template = read_template(node, "name", names, outputs, checker)?;
    if !template.is_literal() {
        return Some((template, None));
    }
    match LockName::of_lock(checker.text(node, "name")?) {
        Ok(name) => Some((template, Some(name))),
        Err(error) => {
            let hint = "it begins with a letter or a digit; a group and a lock in it are written group/lock";
            let hint = Some(hint.to_owned());
            checker.problem(node.at, "bad-name", error.to_string(), hint);
            None
        }
    }
}
