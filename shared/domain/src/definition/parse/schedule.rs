//! `schedule:`: one entry or a list of them. What an entry's text means is said in [`crate::schedule`].

use super::super::checker::Checker;
use super::super::document::{Content, Node};
use super::fields::Schema;
use super::synonyms;
use crate::schedule::{Schedule, Zone};

/// The greatest number of schedules of one workflow.
pub(in crate::definition) const MAX_SCHEDULES: usize = 100;

pub(in crate::definition) const ENTRY: Schema = Schema {
    what: "a schedule",
    known: &["cron", "every", "at", "timezone"],
    later: &[
        "id",
        "dialect",
        "starting",
        "until",
        "max_fires",
        "jitter",
        "spread",
        "after_end",
        "on_excluded",
        "dst_gap",
        "dst_fold",
        "calendar",
        "catchup",
        "catchup_window",
    ],
    synonyms: synonyms::OF_SCHEDULE,
};

/// Reads the schedules of `node`. `zone` is the workflow's.
pub(super) fn read_schedules(node: &Node, zone: &Zone, checker: &mut Checker) -> Vec<Schedule> {
    let Content::List(items) = &node.content else {
        return read_entry(node, zone, checker).into_iter().collect();
    };
    if items.len() > MAX_SCHEDULES {
        let message = format!("{} schedules: expected at most {MAX_SCHEDULES}", items.len());
        checker.problem(node.at, "out-of-range", message, None);
        return Vec::new();
    }
    if items.is_empty() {
        checker.problem(
            node.at,
            "bad-value",
            "`schedule` is empty: expected at least one entry, or no `schedule`",
            None,
        );
    }
    items.iter().filter_map(|item| read_entry(item, zone, checker)).collect()
}

/// Reads the zone of a `timezone:`.
pub(super) fn read_zone(node: &Node, checker: &mut Checker) -> Option<Zone> {
    let text = checker.text(node, "timezone")?;
    let zone = Zone::parse(text);
    told(zone, node, "bad-timezone", checker)
}

fn read_entry(node: &Node, zone: &Zone, checker: &mut Checker) -> Option<Schedule> {
    if matches!(node.content, Content::Scalar { .. }) {
        let text = checker.text(node, "schedule")?;
        return cron(text, zone, node, checker);
    }
    let fields = ENTRY.read(node, checker)?;
    let kinds = ["cron", "every", "at"].map(|name| fields.entry(name));
    if kinds.iter().flatten().count() != 1 {
        let message = "a schedule needs exactly one of cron, every and at";
        checker.problem(node.at, "bad-schedule", message, None);
        return None;
    }
    let own = fields.entry("timezone");
    let zone = match own {
        Some((_, node)) => &read_zone(node, checker)?,
        None => zone,
    };
    if let (Some((key, _)), None) = (own, fields.get("cron")) {
        let hint = "an `every` has no zone, and an `at` has its offset in it".to_owned();
        checker.problem(key.at, "bad-schedule", "`timezone` goes with `cron` only", Some(hint));
    }
    if let Some(node) = fields.get("cron") {
        let text = checker.text(node, "cron")?;
        cron(text, zone, node, checker)
    } else if let Some(node) = fields.get("every") {
        let period = checker.positive_duration(node, "every")?;
        told(Schedule::every(period), node, "bad-schedule", checker)
    } else {
        let node = fields.get("at")?;
        let text = checker.text(node, "at")?;
        told(Schedule::at(text), node, "bad-schedule", checker)
    }
}

fn cron(text: &str, zone: &Zone, node: &Node, checker: &mut Checker) -> Option<Schedule> {
    let schedule = match checker.was_accepted {
        true => Schedule::parse_stored_cron(text, zone),
        false => Schedule::parse_cron(text, zone),
    };
    told(schedule, node, "bad-schedule", checker)
}

fn told<T>(result: Result<T, String>, node: &Node, code: &'static str, checker: &mut Checker) -> Option<T> {
    result.map_err(|message| checker.problem(node.at, code, message, None)).ok()
}
