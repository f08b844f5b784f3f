//! What was measured: kept by round, printed as tables, written as JSON.

mod tables;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::catalogue::{FIGURES, Figure, MAIN, Target};
use crate::cpu::Split;

/// The values of one figure in one column, by round.
type Rounds = BTreeMap<usize, Vec<f64>>;

/// The report: everything that was measured so far.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) round: usize,
    values: BTreeMap<(&'static str, &'static str), Rounds>,
    cpu: Vec<(&'static str, &'static str, Split)>,
    growth: Vec<Point>,
    failures: Vec<String>,
}

/// A point of a curve: what one more unit costs at one size.
struct Point {
    what: &'static str,
    column: &'static str,
    size: usize,
    unit: &'static str,
    cost: f64,
}

impl Report {
    /// Keeps a value of this round. A figure that is not in the catalogue does not show in the table.
    pub(crate) fn note(&mut self, key: &'static str, column: &'static str, value: f64) {
        eprintln!("round {} {key} ({column}): {value:.2}", self.round);
        self.values.entry((key, column)).or_default().entry(self.round).or_default().push(value);
    }

    /// Keeps what a thousand tasks have cost.
    pub(crate) fn note_cpu(&mut self, key: &'static str, column: &'static str, split: Split) {
        self.cpu.push((key, column, split));
    }

    /// Keeps a point of a curve.
    pub(crate) fn note_growth(
        &mut self,
        what: &'static str,
        column: &'static str,
        size: usize,
        unit: &'static str,
        cost: f64,
    ) {
        eprintln!("{what} ({column}): {size}: {cost:.2} {unit}");
        self.growth.push(Point { what, column, size, unit, cost });
    }

    /// Keeps that something could not be measured, and why.
    pub(crate) fn note_failure(&mut self, what: &str, why: &dyn std::fmt::Display) {
        eprintln!("round {} {what} FAILED: {why}", self.round);
        self.failures.push(format!("round {}, {what}: {why}", self.round));
    }

    /// Has anything failed?
    pub(crate) fn failed(&self) -> bool {
        !self.failures.is_empty()
    }

    fn median(&self, key: &str, column: &str) -> Option<f64> {
        let rounds = self.rounds(key, column)?;
        median(rounds.values().flatten().copied().collect())
    }

    fn worst(&self, key: &str, column: &str) -> Option<f64> {
        self.rounds(key, column)?.values().flatten().copied().reduce(f64::max)
    }

    fn rounds(&self, key: &str, column: &str) -> Option<&Rounds> {
        let mut entries = self.values.iter();
        entries.find(|((k, c), _)| *k == key && *c == column).map(|(_, rounds)| rounds)
    }

    /// The median over the rounds of this figure as a multiple of another one in the same round: the speed of a
    /// shared machine changes from round to round, and both see the same change.
    fn ratio(&self, of: (&str, &str), to: (&str, &str)) -> Option<f64> {
        let (of, to) = (self.rounds(of.0, of.1)?, self.rounds(to.0, to.1)?);
        let both = of.iter().filter_map(|(round, values)| Some((values, to.get(round)?)));
        median(both.map(|(of, to)| mean(of) / mean(to)).collect())
    }

    /// The ratio of a figure to its raw limit, which is measured on the same servers, or, for what has no servers, on
    /// the main ones.
    fn of_raw(&self, figure: &Figure, column: &str) -> Option<f64> {
        let raw = figure.raw?;
        let column_of_raw = if self.rounds(raw, column).is_some() { column } else { MAIN };
        self.ratio((figure.key, column), (raw, column_of_raw))
    }

    fn met(&self, figure: &Figure, column: &str, target: &Target) -> Option<bool> {
        Some(match target {
            Target::ShareOfRaw(least) => self.of_raw(figure, column)? >= *least,
            Target::TimesRaw(most) => self.of_raw(figure, column)? <= *most,
            Target::AtMost(most) => self.median(figure.key, column)? <= *most,
            Target::Never => self.worst(figure.key, column)? == 0.0,
        })
    }

    /// The whole report as JSON, with every single round.
    pub(crate) fn json(&self, machine: &Value) -> Value {
        let figures: Vec<Value> =
            self.values.iter().map(|((key, column), rounds)| self.figure_json(key, column, rounds)).collect();
        let cpu = self
            .cpu
            .iter()
            .map(|(key, column, split)| json!({"key": key, "on": column, "seconds_per_1000": split}));
        let growth = self.growth.iter().map(|point| {
            let Point { what, column, size, unit, cost } = point;
            json!({"what": what, "on": column, "size": size, "unit": unit, "cost": cost})
        });
        json!({
            "machine": machine,
            "figures": figures,
            "cpu": cpu.collect::<Vec<_>>(),
            "growth": growth.collect::<Vec<_>>(),
            "failures": self.failures,
        })
    }

    fn figure_json(&self, key: &str, column: &str, rounds: &Rounds) -> Value {
        let rounds = rounds.iter().map(|(round, values)| json!({"round": round, "values": values}));
        let rounds: Vec<Value> = rounds.collect();
        let Some(figure) = FIGURES.iter().find(|figure| figure.key == key) else {
            return json!({"key": key, "on": column, "median": self.median(key, column), "rounds": rounds});
        };
        let target = figure.targets.iter().find(|(judged, _)| *judged == column).map(|(_, target)| target);
        json!({
            "key": key,
            "on": column,
            "name": figure.name,
            "unit": figure.unit,
            "median": self.median(key, column),
            "of_raw": self.of_raw(figure, column),
            "target": target.map(ToString::to_string),
            "met": target.and_then(|target| self.met(figure, column, target)),
            "rounds": rounds,
        })
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The median: the middle value, or the mean of the two in the middle of an even number. `None` of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        _ if values.is_empty() => None,
        1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::EMBEDDED;

    fn report(values: &[(usize, &'static str, &'static str, f64)]) -> Report {
        let mut report = Report::default();
        for (round, key, column, value) in values {
            report.round = *round;
            report.note(key, column, *value);
        }
        report
    }

    fn figure(key: &str) -> &'static Figure {
        FIGURES.iter().find(|figure| figure.key == key).unwrap()
    }

    #[test]
    fn a_share_of_raw_is_of_the_same_round_so_that_a_slow_machine_does_not_show() {
        let report = report(&[
            (1, "raw.throughput", MAIN, 10_000.0),
            (1, "raw.throughput", MAIN, 30_000.0),
            (1, "w1.singly", MAIN, 10_000.0),
            (2, "raw.throughput", MAIN, 2_000.0),
            (2, "w1.singly", MAIN, 1_000.0),
            (3, "raw.throughput", MAIN, 1_000.0),
            (3, "w1.singly", MAIN, 100.0),
        ]);
        assert_eq!(report.of_raw(figure("w1.singly"), MAIN), Some(0.5));
    }

    #[test]
    fn the_embedded_server_stands_beside_the_raw_figure_of_the_servers() {
        let report = report(&[(1, "raw.throughput", MAIN, 100.0), (1, "w1.rest", EMBEDDED, 150.0)]);
        assert_eq!(report.of_raw(figure("w1.rest"), EMBEDDED), Some(1.5));
        assert!(report.met(figure("w1.rest"), EMBEDDED, &Target::ShareOfRaw(1.0)).unwrap());
        assert!(!report.met(figure("w1.rest"), EMBEDDED, &Target::ShareOfRaw(1.6)).unwrap());
    }

    #[test]
    fn one_bad_fire_in_one_round_of_five_is_too_many() {
        let values = [(1, 0.0), (2, 0.0), (3, 1.0), (4, 0.0), (5, 0.0)];
        let report = report(&values.map(|(round, count)| (round, "w4.twice", MAIN, count)));
        assert_eq!(report.met(figure("w4.twice"), MAIN, &Target::Never), Some(false));
        assert!(report.tables().contains("| 1.00 |"), "the table shows the worst round, not the median");
    }

    #[test]
    fn what_was_not_measured_is_neither_met_nor_missed() {
        let report = report(&[(1, "w1.singly", MAIN, 1.0)]);
        assert_eq!(report.met(figure("w1.singly"), MAIN, &Target::ShareOfRaw(0.3)), None);
    }
}
