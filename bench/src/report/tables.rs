//! The tables, in markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Report, median};
use crate::catalogue::{EMBEDDED, FIGURES, Figure, MAIN, Target};
use crate::cpu::Split;
use crate::peers::PEERS;

impl Report {
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
                let value = match figure.targets {
                    [(_, Target::Never), ..] => self.worst(figure.key, column),
                    _ => self.median(figure.key, column),
                };
                let value = value.map_or(String::new(), number);
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

    /// The table of each peer's figures, and how many times better the fleet is in the same round.
    fn peers_table(&self) -> String {
        let columns: Vec<&str> = PEERS.iter().map(|peer| peer.column).collect();
        let measured =
            |figure: &&Figure| columns.iter().any(|column| self.rounds(figure.key, column).is_some());
        let figures: Vec<&Figure> = FIGURES.iter().filter(measured).collect();
        if figures.is_empty() {
            return String::new();
        }
        let mut text =
            format!("\n| beside peers | unit | {MAIN} | {} | best Celery |\n", columns.join(" | "));
        let _ = writeln!(text, "|---|---|---|---|{}", "---|".repeat(columns.len()));
        for figure in figures {
            let ours = self.median(figure.key, MAIN).map_or(String::new(), number);
            let cells: Vec<String> = columns.iter().map(|column| self.beside(figure, column)).collect();
            let best = self.best_celery(figure).unwrap_or_default();
            let cells = cells.join(" | ");
            // Peers have transports of their own.
            let name = figure.name.replace(" over AMQP", "");
            let _ = writeln!(text, "| {name} | {} | {ours} | {cells} | {best} |", figure.unit);
        }
        text
    }

    /// A peer's figure, and how many times better the fleet's is.
    fn beside(&self, figure: &Figure, peer: &str) -> String {
        let Some(theirs) = self.median(figure.key, peer) else { return String::new() };
        let (ours_at, theirs_at) = ((figure.key, MAIN), (figure.key, peer));
        let ratio = match is_speed(figure) {
            true => self.ratio(ours_at, theirs_at),
            false => self.ratio(theirs_at, ours_at),
        };
        let times = ratio.map_or(String::new(), |ratio| format!(" ({ratio:.1}x)"));
        format!("{}{times}", number(theirs))
    }

    /// Which of Celery's pools is the fastest at this, and how many times better the fleet is.
    fn best_celery(&self, figure: &Figure) -> Option<String> {
        let pools = PEERS.iter().filter_map(|peer| Some((peer.column, peer.column.strip_prefix("celery ")?)));
        let medians =
            pools.filter_map(|(column, pool)| Some((self.median(figure.key, column)?, column, pool)));
        let order = |a: &f64, b: &f64| if is_speed(figure) { a.total_cmp(b) } else { b.total_cmp(a) };
        let (_, column, pool) = medians.max_by(|a, b| order(&a.0, &b.0))?;
        Some(format!("{pool}: {}", self.beside(figure, column)))
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

    /// The columns that hold something, in the order of the table.
    fn columns(&self) -> Vec<&'static str> {
        let order = [MAIN, "always", EMBEDDED];
        order.into_iter().filter(|column| self.values.keys().any(|(_, c)| c == column)).collect()
    }
}

/// Is more of a figure better?
fn is_speed(figure: &Figure) -> bool {
    figure.unit.ends_with("/s")
}

/// Writes a number with three significant digits.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        large if large >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
