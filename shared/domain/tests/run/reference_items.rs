//! What the attempts of a step come to, and those of the items of one that fans out: a part of the
//! [`reference`](crate::reference). What is quoted is from `docs/definitions.md`.

use std::collections::{BTreeMap, BTreeSet};

use millrace_domain::Outcome;
use serde_json::{Value, json};

use crate::reference::{Attempt, Child, End, Locks, failed_without_an_attempt, is_failure};
use crate::reference_asks::Said as Answered;

#[derive(Debug, Clone, Default)]
pub(crate) struct Task {
    /// The `limit` of its `retry`.
    pub(crate) retries: u32,
    /// The `outcomes` of its `retry`.
    pub(crate) retried: Vec<Outcome>,
    /// Whether its `retry` has `then: ask`. Where nobody answers "it fails as it would have", and only later.
    pub(crate) asks: bool,
    pub(crate) at_most_once: bool,
    /// What stands in its `env`; or in its `params`, of a run.
    pub(crate) needs: Option<Needs>,
    pub(crate) repeat: Option<Repeat>,
    pub(crate) fan: Option<Fan>,
    /// Whether it declares what it hands on.
    pub(crate) declares: bool,
    /// What it calls, where its attempts are runs of another workflow and are given to no worker.
    pub(crate) child: Option<Child>,
    /// What each attempt needs of locks.
    pub(crate) locks: Option<Locks>,
}

/// The outputs of a step that an `env` reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needs {
    pub(crate) step: usize,
    /// Whether it is its output `v`, rather than all that it handed on: of a step that fans out, what its items gave.
    pub(crate) is_key: bool,
}

/// A `repeat`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Repeat {
    pub(crate) until: Until,
    pub(crate) max: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// `outputs.<own name>.v >= 5`.
    AtLeastFive,
    /// `outputs.<own name>.v is defined`.
    IsDefined,
    /// `outputs.<own name>.v + item_index >= 5`, of a step that fans out.
    AtLeastFiveWithPlace,
}

/// A `foreach`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fan {
    pub(crate) items: Items,
    pub(crate) max_parallel: Option<u32>,
    pub(crate) tolerate: Tolerance,
    pub(crate) fail_fast: bool,
    /// Whether `item.v` stands there too.
    pub(crate) reads_item: bool,
}

/// What the items are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Items {
    /// The list that comes with this number, as it stands in the definition.
    Literal(i64),
    /// `outputs.<step>.list`.
    Output(usize),
    /// `outputs.<step>`, of a step that fans out.
    GivenBy(usize),
}

/// How many items may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tolerance {
    Number(u32),
    /// So many in a thousand.
    Share(u32),
}

impl Tolerance {
    pub(crate) fn is_exceeded(self, failed: usize, total: usize) -> bool {
        match self {
            Self::Number(most) => failed > most as usize,
            Self::Share(share) => failed * 1000 > total * share as usize,
        }
    }
}

/// The list that an attempt hands on as `list` with the number `v`: so many maps with a `v`, but for every fifth.
pub(crate) fn list_of(v: i64) -> Vec<Value> {
    let item = |place| if (v + place) % 5 == 4 { json!({"u": place}) } else { json!({"v": place}) };
    (0..v).map(item).collect()
}

/// The outputs of an attempt that hands `v` on.
pub(crate) fn outputs_of(v: Option<i64>) -> Value {
    v.map_or_else(|| json!({}), |v| json!({"v": v, "list": list_of(v)}))
}

/// "the list of what the items gave, in the order of the list, with `null` for one that did not succeed". `None` when there
/// was no list of items.
pub(crate) fn given_by(end: &End) -> Option<Vec<Value>> {
    let given = |item: &Option<End>| match item {
        Some(end) if end.outcome == Outcome::Succeeded => outputs_of(end.output),
        Some(_) | None => Value::Null,
    };
    end.items.as_ref().map(|items| items.iter().map(given).collect())
}

/// The list of the items, which "is known when the step starts"; `None` when it cannot be rendered.
pub(crate) fn items(fan: &Fan, ends: &[End]) -> Option<Vec<Value>> {
    match fan.items {
        Items::Literal(v) => Some(list_of(v)),
        Items::Output(step) => ends[step].output.map(list_of),
        // "The list is empty where the step came to no items."
        Items::GivenBy(step) => Some(given_by(&ends[step]).unwrap_or_default()),
    }
}

/// What people have said of the units of a run, but for steps that they have ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    /// How items ended, by their steps and their places.
    pub(crate) items: BTreeMap<(usize, usize), End>,
    /// The steps, or items of them, that were tried again after so many attempts, when somebody was asked.
    pub(crate) again: BTreeSet<(usize, Option<usize>, u32)>,
    /// What was answered to the questions of steps, and counts.
    pub(crate) answers: BTreeMap<usize, Vec<Answered>>,
}

/// The end of a step that has started and is a task, or a run.
pub(crate) fn done((n, task): (usize, &Task), ends: &[End], attempts: &[Attempt], said: &Said) -> End {
    let has_outputs = task.needs.is_none_or(|needs| !needs.is_key || ends[needs.step].output.is_some());
    let can_ask = task.locks.is_none_or(Locks::can_be);
    let has_what_it_needs = has_outputs && can_ask && task.child.is_none_or(|child| child.can_be());
    let Some(fan) = &task.fan else {
        // "A step whose expression cannot be rendered when it is due fails with the reason, and is not started."
        let again = |made| said.again.contains(&(n, None, made));
        return if has_what_it_needs { tried(task, 0, attempts, again) } else { failed_without_an_attempt() };
    };
    let Some(list) = items(fan, ends) else { return failed_without_an_attempt() };
    let end_of_item = |(place, item): (usize, &Value)| {
        if let Some(end) = said.items.get(&(n, place)) {
            return end.clone();
        }
        let again = |made| said.again.contains(&(n, Some(place), made));
        // "What an item needs and cannot be rendered fails that item alone."
        let is_rendered = has_what_it_needs && (!fan.reads_item || item.get("v").is_some());
        let attempts = of_item(attempts, place);
        if is_rendered { tried(task, place as i64, &attempts, again) } else { failed_without_an_attempt() }
    };
    let items: Vec<End> = list.iter().enumerate().map(end_of_item).collect();
    let outcome = outcome_of_items(fan, &items);
    End { items: Some(items.into_iter().map(Some).collect()), ..End::of(outcome, 0, None) }
}

/// "The step succeeds when no more items have failed than are tolerated, and `failed` otherwise". That is so with `fail_fast`
/// too, whatever was given up: it is when more have failed that it gives up. "An empty one is no failure".
fn outcome_of_items(fan: &Fan, items: &[End]) -> Outcome {
    let failed = items.iter().filter(|end| is_failure(end.outcome)).count();
    if fan.tolerate.is_exceeded(failed, items.len()) { Outcome::Failed } else { Outcome::Succeeded }
}

/// The end of a step, or of the item at this place, whose attempts do this. Somebody has it tried `again` after so many of
/// them: "One that asks gets it beyond its retries."
fn tried(task: &Task, place: i64, attempts: &[Attempt], again: impl Fn(u32) -> bool) -> End {
    // "An attempt that was **lost** with its worker is repeated at once and has a limit of its own: three; none with
    // `at_most_once`."
    let losses_repeated = if task.at_most_once { 0 } else { 3 };
    let (mut made, mut retries, mut losses, mut times) = (0, 0, 0, 0);
    loop {
        let attempt = task.judged(nth(attempts, made));
        made += 1;
        // "`limit` counts the retries after the first attempt"; "`outcomes` says which ends are retried".
        if task.retried.contains(&attempt.outcome) && retries < task.retries {
            retries += 1;
        } else if attempt.outcome == Outcome::Lost && losses < losses_repeated {
            losses += 1;
        } else if again(made) {
        } else if let Some(repeat) = task.repeat.filter(|_| attempt.outcome == Outcome::Succeeded) {
            times += 1;
            match is_so(repeat.until, attempt.output, place) {
                Some(true) => return End::of(Outcome::Succeeded, made, attempt.output),
                // "Each time has retries, and losses, of its own."
                Some(false) if times < repeat.max => (retries, losses) = (0, 0),
                // "After `max` times it fails, and is not retried. An `until` that cannot be evaluated fails the step." What it
                // gave is there: it was asked for.
                Some(false) | None => return End::of(Outcome::Failed, made, attempt.output),
            }
        } else {
            // No step is ever lost: one whose last attempt was has failed.
            let lost = attempt.outcome == Outcome::Lost;
            let outcome = if lost { Outcome::Failed } else { attempt.outcome };
            return End::of(outcome, made, attempt.output);
        }
    }
}

/// The value of an `until` after an attempt that handed this on; `None` when it cannot be evaluated.
pub(crate) fn is_so(until: Until, output: Option<i64>, place: i64) -> Option<bool> {
    match until {
        Until::AtLeastFive => output.map(|v| v >= 5),
        Until::IsDefined => Some(output.is_some()),
        Until::AtLeastFiveWithPlace => output.map(|v| v + place >= 5),
    }
}

/// What the attempt after `made` others does.
pub(crate) fn nth(attempts: &[Attempt], made: u32) -> Attempt {
    let last = attempts.len() - 1;
    attempts[last.min(made as usize)]
}

/// What the attempts of the item at this place do: those of its step, begun at another one of them.
pub(crate) fn of_item(attempts: &[Attempt], place: usize) -> Vec<Attempt> {
    let mut attempts = attempts.to_vec();
    let by = place % attempts.len();
    attempts.rotate_left(by);
    attempts
}
