//! What was measured: kept by round, printed as a table, written as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::catalogue::{FIGURES, Figure, Target};
use crate::cpu::Split;
use crate::peers::PEERS;

/// All values of one figure in one column, by round.
type Rounds = BTreeMap<usize, Vec<f64>>;

/// The store that a target is judged on.
pub(crate) const MAIN: &str = "everysec";
/// The column of the embedded server.
pub(crate) const EMBEDDED: &str = "embedded";

/// Everything that was measured so far.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) round: usize,
    values: BTreeMap<(&'static str, &'static str), Rounds>,
    cpu: Vec<(&'static str, &'static str, Split)>,
    growth: Vec<Point>,
    failures: Vec<String>,
}

/// What one more unit costs at one size.
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

    /// Something could not be measured.
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

    /// A figure beside the raw one: the raw one is measured on the same servers, or, for what has no servers, on the
    /// main ones.
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
        })
    }

    /// The columns that hold something, in the order of the table.
    fn columns(&self) -> Vec<&'static str> {
        let order = [MAIN, "always", EMBEDDED];
        order.into_iter().filter(|column| self.values.keys().any(|(_, c)| c == column)).collect()
    }

    /// All tables, in markdown.
    pub(crate) fn tables(&self) -> String {
        let mut text = self.main_table();
        text += &self.peers_table();
        text += &self.cpu_table();
        text += &self.growth_table();
        for failure in &self.failures {
            let _ = writeln!(text, "\nNot measured: {failure}");
        }
        text
    }

    fn main_table(&self) -> String {
        let columns = self.columns();
        if columns.is_empty() {
            return String::new();
        }
        let mut text = "| what | unit |".to_owned();
        for column in &columns {
            let _ = write!(text, " {column} | of raw |");
        }
        text += " target | met |\n|---|---|";
        text += &"---|---|".repeat(columns.len() + 1);
        text.push('\n');
        for figure in FIGURES {
            if !columns.iter().any(|column| self.rounds(figure.key, column).is_some()) {
                continue;
            }
            let _ = write!(text, "| {} | {} |", figure.name, figure.unit);
            for column in &columns {
                let value = self.median(figure.key, column).map_or(String::new(), number);
                let ratio = self.of_raw(figure, column).map_or(String::new(), |ratio| format!("{ratio:.2}"));
                let _ = write!(text, " {value} | {ratio} |");
            }
            let judged: Vec<_> = figure
                .targets
                .iter()
                .filter_map(|(column, target)| {
                    let verdict = if self.met(figure, column, target)? { "yes" } else { "no" };
                    let place = if *column == MAIN { String::new() } else { format!("{column} ") };
                    Some((format!("{place}{target}"), format!("{place}{verdict}")))
                })
                .collect();
            let (targets, verdicts): (Vec<_>, Vec<_>) = judged.into_iter().unzip();
            let _ = writeln!(text, " {} | {} |", targets.join(", "), verdicts.join(", "));
        }
        text
    }

    /// Each peer's figures, and how many times better the fleet is in the same round.
    fn peers_table(&self) -> String {
        let columns: Vec<&str> = PEERS.iter().map(|peer| peer.column).collect();
        let measured =
            |figure: &&Figure| columns.iter().any(|column| self.rounds(figure.key, column).is_some());
        let figures: Vec<&Figure> = FIGURES.iter().filter(measured).collect();
        if figures.is_empty() {
            return String::new();
        }
        let mut text = format!("\n| beside peers | unit | {MAIN} | {} |\n", columns.join(" | "));
        let _ = writeln!(text, "|---|---|---|{}", "---|".repeat(columns.len()));
        for figure in figures {
            let ours = self.median(figure.key, MAIN).map_or(String::new(), number);
            let _ = write!(text, "| {} | {} | {ours} |", figure.name, figure.unit);
            for column in &columns {
                let theirs = self.median(figure.key, column).map_or(String::new(), number);
                let (ours, theirs_key) = ((figure.key, MAIN), (figure.key, *column));
                let is_speed = figure.unit.ends_with("/s");
                let (of, to) = if is_speed { (ours, theirs_key) } else { (theirs_key, ours) };
                let times = self.ratio(of, to).map_or(String::new(), |ratio| format!(" ({ratio:.1}x)"));
                let _ = write!(text, " {theirs}{times} |");
            }
            text.push('\n');
        }
        text
    }

    fn cpu_table(&self) -> String {
        let mut rows: Vec<(&str, &str)> = Vec::new();
        let mut processes: Vec<&str> = Vec::new();
        for (key, column, split) in &self.cpu {
            if !rows.contains(&(key, column)) {
                rows.push((key, column));
            }
            processes.extend(split.keys());
        }
        processes.sort_unstable();
        processes.dedup();
        if rows.is_empty() {
            return String::new();
        }
        let mut text = format!("\n| CPU seconds per 1,000 tasks | on | {} | all |\n", processes.join(" | "));
        let _ = writeln!(text, "|---|---|{}---|", "---|".repeat(processes.len()));
        for (key, column) in rows {
            let splits: Vec<&Split> =
                self.cpu.iter().filter(|(k, c, _)| (*k, *c) == (key, column)).map(|(_, _, s)| s).collect();
            let of = |process: &str| median(splits.iter().filter_map(|s| s.get(process).copied()).collect());
            let cell = |process: &&str| of(process).map_or(String::new(), |seconds| format!("{seconds:.3}"));
            let cells: Vec<String> = processes.iter().map(cell).collect();
            let all = median(splits.iter().map(|split| split.values().sum()).collect()).unwrap_or(0.0);
            let name = FIGURES.iter().find(|figure| figure.key == key).map_or(key, |figure| figure.name);
            let _ = writeln!(text, "| {name} | {column} | {} | {all:.3} |", cells.join(" | "));
        }
        text
    }

    fn growth_table(&self) -> String {
        let mut curves: Vec<(&str, &str, &str)> = Vec::new();
        for point in &self.growth {
            if !curves.contains(&(point.what, point.column, point.unit)) {
                curves.push((point.what, point.column, point.unit));
            }
        }
        if curves.is_empty() {
            return String::new();
        }
        let mut text = "\n| W6 growth | on | unit | by size | dearest / cheapest | at most 1.3 |\n\
                        |---|---|---|---|---|---|\n"
            .to_owned();
        for (what, column, unit) in curves {
            let mut sizes: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
            for point in self.growth.iter().filter(|p| (p.what, p.column) == (what, column)) {
                sizes.entry(point.size).or_default().push(point.cost);
            }
            let costs: Vec<(usize, f64)> =
                sizes.into_iter().filter_map(|(size, costs)| Some((size, median(costs)?))).collect();
            let least = costs.iter().map(|(_, cost)| *cost).fold(f64::INFINITY, f64::min);
            let most = costs.iter().map(|(_, cost)| *cost).fold(0.0, f64::max);
            let cells: Vec<String> =
                costs.iter().map(|(size, cost)| format!("{size}: {}", number(*cost))).collect();
            let (cells, ratio) = (cells.join(", "), most / least);
            let flat = if ratio <= 1.3 { "yes" } else { "no" };
            let _ = writeln!(text, "| {what} | {column} | {unit} | {cells} | {ratio:.2} | {flat} |");
        }
        text
    }

    /// Everything, with every single round.
    pub(crate) fn json(&self, machine: &Value) -> Value {
        let figures: Vec<Value> = self.values.iter().map(|((key, column), rounds)| {
            let figure = FIGURES.iter().find(|figure| figure.key == *key);
            let targets = figure.map_or(&[][..], |figure| figure.targets);
            let target = targets.iter().find(|(judged, _)| judged == column).map(|(_, target)| target);
            json!({
                "key": key, "on": column, "name": figure.map(|f| f.name), "unit": figure.map(|f| f.unit),
                "median": self.median(key, column), "of_raw": figure.and_then(|f| self.of_raw(f, column)),
                "target": target.map(ToString::to_string),
                "met": figure.zip(target).and_then(|(figure, target)| self.met(figure, column, target)),
                "rounds": rounds.iter().map(|(round, values)| json!({"round": round, "values": values})).collect::<Vec<_>>(),
            })
        }).collect();
        let cpu: Vec<Value> = self
            .cpu
            .iter()
            .map(|(key, column, split)| json!({"key": key, "on": column, "seconds_per_1000": split}))
            .collect();
        let growth: Vec<Value> = self.growth.iter().map(|point| {
            json!({"what": point.what, "on": point.column, "size": point.size, "unit": point.unit, "cost": point.cost})
        }).collect();
        json!({"machine": machine, "figures": figures, "cpu": cpu, "growth": growth, "failures": self.failures})
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The middle value; the mean of the two in the middle of an even number. `None` of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        _ if values.is_empty() => None,
        1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

/// Three digits that count, and no more.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        large if large >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
