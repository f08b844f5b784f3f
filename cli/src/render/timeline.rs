//! When the steps of a run ran: a bar for each that has started, below one another, to the scale of the run.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::terminal::{Colour, Style, cut};
use super::tree::{mark, state, steps};
use crate::duration;

/// The most steps that have a bar.
const MOST: usize = 60;

/// The widest that a name may be, in columns.
const WIDEST_NAME: usize = 30;

/// The columns of how long a step took: `59m59s`, and a mark that it still runs.
const TOOK: usize = 8;

/// The narrowest that the bars may be, however narrow the terminal is.
const NARROWEST: usize = 10;

/// A step that has started.
struct Bar<'r> {
    name: &'r str,
    state: &'r str,
    from: Timestamp,
    to: Timestamp,
    has_ended: bool,
}

/// Draws when the steps of a run ran, in lines of `columns`: of each step that has started its last attempt. Nothing when
/// none has.
pub(crate) fn timeline(run: &Value, now: Timestamp, columns: usize, style: Style) -> Vec<String> {
    let mut bars: Vec<Bar<'_>> = steps(run).iter().filter_map(|step| bar(step, now)).collect();
    bars.sort_by_key(|bar| bar.from);
    // The clocks of workers are not that of the store: what a step says of itself may lie before its run.
    let from = bars.iter().map(|bar| bar.from).chain(instant(run, "started_at")).min();
    let to = bars.iter().map(|bar| bar.to).chain(instant(run, "ended_at")).max();
    let (Some(from), Some(to), false) = (from, to, bars.is_empty()) else { return Vec::new() };
    let span = between(from, to);
    let more = bars.len().saturating_sub(MOST);
    bars.truncate(MOST);
    let widest = bars.iter().map(|bar| bar.name.chars().count()).max().unwrap_or(0).min(WIDEST_NAME);
    let room = columns.saturating_sub(widest + TOOK + 5).max(NARROWEST);
    let title = format!("timeline of {}, from {from:.0}", duration::show(span));
    let mut lines = vec![String::new(), style.paint(Colour::Grey, &title)];
    lines.extend(bars.iter().map(|bar| bar.line(from, span, widest, room, style)));
    if more > 0 {
        lines.push(style.paint(Colour::Grey, &format!("  and {more} more steps that have started")));
    }
    lines
}

fn bar(step: &Value, now: Timestamp) -> Option<Bar<'_>> {
    // What was carried over ran before.
    if step["carried_from"].is_string() {
        return None;
    }
    let (from, ended_at) = (instant(step, "started_at")?, instant(step, "ended_at"));
    let to = ended_at.unwrap_or(now).max(from);
    let name = step["name"].as_str().unwrap_or_default();
    Some(Bar { name, state: state(step), from, to, has_ended: ended_at.is_some() })
}

impl Bar<'_> {
    fn line(&self, from: Timestamp, span: Duration, widest: usize, room: usize, style: Style) -> String {
        let column = |at: Timestamp| {
            let share = between(from, at).as_secs_f64() / span.as_secs_f64().max(0.001);
            ((share * room as f64).round() as usize).min(room)
        };
        // What took no time to speak of can be seen all the same.
        let start = column(self.from).min(room - 1);
        let length = (column(self.to).max(start + 1)) - start;
        let took = duration::show(between(self.from, self.to));
        let goes_on = if self.has_ended { "" } else { "…" };
        format!(
            "  {:widest$}  {}{}{} {took}{goes_on}",
            cut(self.name, widest),
            style.paint(Colour::Grey, &"·".repeat(start)),
            style.paint(mark(self.state).1, &"█".repeat(length)),
            " ".repeat(room - start - length),
        )
    }
}

fn instant(of: &Value, key: &str) -> Option<Timestamp> {
    of[key].as_str().and_then(|text| text.parse().ok())
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(second: u32) -> String {
        format!("2026-03-01T10:00:{second:02}Z")
    }

    fn run(steps: &[Value]) -> Value {
        json!({"started_at": at(0), "steps": steps})
    }

    fn drawn(run: &Value, columns: usize) -> Vec<String> {
        timeline(run, at(20).parse().unwrap(), columns, Style::Plain)
    }

    #[test]
    fn bars_stand_where_their_steps_ran_and_what_did_not_start_has_none() {
        let run = run(&[
            json!({"name": "load", "state": "running", "started_at": at(10)}),
            json!({"name": "extract", "state": "succeeded", "started_at": at(0), "ended_at": at(10)}),
            json!({"name": "never", "state": "skipped", "ended_at": at(10)}),
            json!({"name": "blink", "state": "failed", "started_at": at(20), "ended_at": at(20)}),
            json!({"name": "later", "state": "waiting"}),
        ]);
        let lines = drawn(&run, 40);
        assert_eq!(
            lines,
            [
                "",
                "timeline of 20.0s, from 2026-03-01T10:00:00Z",
                "  extract  ██████████           10.0s",
                "  load     ··········██████████ 10.0s…",
                "  blink    ···················█ 0ms",
            ]
        );
        assert!(drawn(&run, 3)[2].starts_with("  extract  █████      "), "it is never narrower than that");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let name = "a-step-with-a-name-that-is-longer-than-others";
        let run = run(&[
            json!({"name": name, "state": "running", "started_at": at(0)}),
            json!({"name": "b", "state": "succeeded", "started_at": at(3), "ended_at": at(59)}),
        ]);
        for columns in [60, 80, 200] {
            let lines = drawn(&run, columns);
            let widest = lines[2..].iter().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= columns && widest + TOOK >= columns, "{columns}: {lines:?}");
        }
    }

    #[test]
    fn of_many_steps_the_rest_is_counted_and_where_none_has_started_there_is_nothing() {
        let step = |n: u32| json!({"name": format!("s{n}"), "state": "running", "started_at": at(n % 20)});
        let lines = drawn(&run(&(0..75).map(step).collect::<Vec<_>>()), 80);
        assert_eq!((lines.len(), lines[62].trim()), (63, "and 15 more steps that have started"));
        assert!(drawn(&run(&[json!({"name": "a", "state": "waiting"})]), 80).is_empty());
        assert!(drawn(&json!({"steps": []}), 80).is_empty());
    }
}
