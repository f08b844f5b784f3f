//! What tasks wrote down: what started how often, in which order, and on whose account.

use std::collections::BTreeMap;
use std::time::Duration;

use super::check::{Check, Extra};
use super::evidence::Evidence;
use crate::incident::Excuse;
use crate::kind::Kind;
use crate::shape::{Must, PART, Shape, StepRule};
use crate::trail::Mark;

/// The longest that it may take until a written mark is seen, and until a fault has its effect.
const SLACK: Duration = Duration::from_secs(2);

/// The longest that a worker's end may be ago when an attempt that nobody saw start is repeated.
const UNSEEN: Duration = Duration::from_secs(45);

pub(super) fn judge(evidence: &Evidence<'_>) -> (Vec<Check>, Vec<Extra>) {
    let mut judge = Judge {
        excuses: evidence.excuses,
        once: Check::new("an attempt starts once"),
        rise: Check::new("attempts rise"),
        excused: Check::new("extra starts are on record"),
        order: Check::new("dependencies come first"),
        worked: Check::new("every step was executed"),
        never: Check::new("nothing after an end"),
        extras: Vec::new(),
    };
    let none = Vec::new();
    for entry in evidence.books.entries.iter().filter(|entry| entry.accepted.is_some()) {
        let Some(run) = &entry.run else { continue };
        judge.run(run, entry.shape, evidence.marks.get(run).unwrap_or(&none));
    }
    for (run, marks) in evidence.marks {
        match marks[0].step.as_str() {
            "tick" => judge.run(run, Shape::Quick, marks),
            PART => judge.run(run, Shape::Part, marks),
            _ => {}
        }
    }
    let Judge { once, rise, excused, order, worked, never, extras, .. } = judge;
    (vec![once, rise, excused, order, worked, never], extras)
}

struct Judge<'a> {
    excuses: &'a [Excuse],
    once: Check,
    rise: Check,
    excused: Check,
    order: Check,
    worked: Check,
    never: Check,
    extras: Vec<Extra>,
}

impl Judge<'_> {
    fn run(&mut self, run: &str, shape: Shape, marks: &[Mark]) {
        for rule in shape.steps() {
            let of = |mark: &&Mark| rule.name == "*" || mark.step == rule.name;
            let starts: Vec<&Mark> = marks.iter().filter(|mark| !mark.is_end).filter(of).collect();
            let ends = marks.iter().filter(|mark| mark.is_end).filter(of).count();
            let name = format!("run {run}, {shape:?}, step {}", rule.name);
            match rule.must {
                Must::End => self.worked.expect(!starts.is_empty() && ends > 0, || name.clone()),
                Must::May => {}
                Must::Not => {
                    self.never.expect(starts.is_empty(), || name.clone());
                    continue;
                }
            }
            self.attempts(&name, rule, &starts);
            if let Some(first) = starts.first() {
                for before in rule.after {
                    let ended = |mark: &Mark| mark.is_end && mark.step == *before && mark.line < first.line;
                    self.order
                        .expect(marks.iter().any(ended), || format!("{name} began before {before} ended"));
                }
            }
        }
    }

    /// Checks the attempts that a step made, and why there were so many.
    fn attempts(&mut self, name: &str, rule: &StepRule, starts: &[&Mark]) {
        let mut attempts: BTreeMap<u32, Vec<&Mark>> = BTreeMap::new();
        let mut highest = 0;
        for start in starts {
            attempts.entry(start.attempt).or_default().push(start);
            // A worker that was frozen after its claim starts late, and kills what it started at once.
            let late = start.attempt < highest;
            let excuse = if late { self.excuse(Some(start), start.at) } else { None };
            self.rise.expect(!late || excuse.is_some(), || {
                format!("{name}: attempt {} began after attempt {highest}", start.attempt)
            });
            highest = highest.max(start.attempt);
        }
        for (attempt, starts) in &attempts {
            self.once.expect(starts.len() == 1, || {
                let pids: Vec<u32> = starts.iter().map(|start| start.pid).collect();
                format!("{name}, attempt {attempt} began {} times, on {pids:?}", starts.len())
            });
        }
        let Some((last, _)) = attempts.last_key_value() else { return };
        // So many are followed by another as it is defined; who lost which of them makes no difference.
        let mut natural = rule.attempts.saturating_sub(1);
        for attempt in 1..*last {
            let seen = attempts.get(&attempt).map(|starts| starts[0]);
            let next = attempts.range(attempt + 1..).next().map_or(Duration::MAX, |(_, starts)| starts[0].at);
            let excuse = self.excuse(seen, next);
            if excuse.is_none() && natural > 0 {
                natural -= 1;
                continue;
            }
            self.excused.expect(excuse.is_some(), || {
                let by = seen.map_or("by nobody who said so".to_owned(), |start| {
                    format!("on {} at {:.1} s", start.pid, start.at.as_secs_f64())
                });
                let next = next.as_secs_f64();
                format!("{name}: attempt {attempt}, begun {by}, was followed by another at {next:.1} s")
            });
            self.extras.push(Extra { what: format!("{name}, attempt {attempt}"), excuse });
        }
    }

    /// Finds the fault that hit the worker of an attempt between its start and that of the next.
    fn excuse(&self, start: Option<&Mark>, next: Duration) -> Option<Kind> {
        let fits = |excuse: &&Excuse| match start {
            Some(start) => {
                excuse.pid.is_none_or(|pid| pid == start.pid)
                    && start.at.saturating_sub(SLACK) <= excuse.until
                    && next + SLACK >= excuse.from
            }
            // Claimed, and not begun: by whom is not known.
            None => excuse.from <= next && excuse.until + UNSEEN >= next,
        };
        self.excuses.iter().find(fits).map(|excuse| excuse.why)
    }
}
