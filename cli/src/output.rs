//! Results on standard output: a table for people, JSON for programs. All else goes to standard error.

use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;

use serde_json::Value;
use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;

use crate::options::Output;
use crate::render::Showing;

/// Prints a list: its rows as a table of `columns` (title, key), or as JSON.
pub(crate) fn list(output: Output, rows: &[Value], columns: &[(&str, &str)]) {
    match output {
        Output::Json => line(&format!("{:#}", Value::Array(rows.to_vec()))),
        Output::Jsonl => rows.iter().for_each(|row| line(&row.to_string())),
        Output::Table => table(rows, columns),
    }
}

/// Prints one result: `text` for people, or the value as JSON.
pub(crate) fn one(output: Output, value: &Value, text: &str) {
    match output {
        Output::Json => line(&format!("{value:#}")),
        Output::Jsonl => line(&value.to_string()),
        Output::Table => line(text),
    }
}

/// Prints results that come one by one, as [`one`] would print each; as JSON they are the entries of one document,
/// which ends when this is dropped.
pub(crate) struct Results {
    output: Output,
    is_empty: bool,
}

impl Results {
    /// A printer of results that has printed none yet.
    pub(crate) fn new(output: Output) -> Self {
        Self { output, is_empty: true }
    }

    /// Prints the next result.
    pub(crate) fn one(&mut self, value: &Value, text: &str) {
        match self.output {
            Output::Json => {
                let before = if self.is_empty { "[\n  " } else { ",\n  " };
                write(std::io::stdout(), &format!("{before}{value}"));
            }
            Output::Jsonl | Output::Table => one(self.output, value, text),
        }
        self.is_empty = false;
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        if self.output == Output::Json {
            line(if self.is_empty { "[]" } else { "\n]" });
        }
    }
}

/// Prints a line on standard output. A reader that went away (`| head`) is no failure.
pub(crate) fn line(text: &str) {
    write(std::io::stdout(), &format!("{text}\n"));
}

/// Prints a line of a task's output on standard output: harmless on a terminal, unless it is asked for as it is.
pub(crate) fn task_line(prefix: &str, text: &str, raw: bool) {
    let mut stdout = std::io::stdout().lock();
    let showing = Showing::of(stdout.is_terminal()).or_raw(raw);
    let _ = writeln!(stdout, "{prefix}{}", showing.output(text));
}

/// Prints a line on standard error, for whoever looks.
pub(crate) fn note(text: &str) {
    write(std::io::stderr(), &format!("{text}\n"));
}

/// Writes a text, which may hold the words of others: on a terminal, none of its control codes but colours.
fn write(mut stream: impl Write + IsTerminal, text: &str) {
    let _ = stream.write_all(Showing::of(stream.is_terminal()).text(text).as_bytes());
    let _ = stream.flush();
}

/// Waits until nobody can read standard output any more: its pipe was closed at the other end. For ever when it is
/// something else.
pub(crate) async fn reader_is_gone() {
    let stdout = std::io::stdout().as_fd().try_clone_to_owned();
    // Unchecked, since a check would make it non-blocking for all who share it. It is only watched.
    match stdout.and_then(Sender::from_owned_fd_unchecked) {
        Ok(pipe) if pipe.ready(Interest::ERROR).await.is_ok() => {}
        _ => std::future::pending().await,
    }
}

/// Prints rows under titles.
fn table(rows: &[Value], columns: &[(&str, &str)]) {
    // Before the widths are known, since what is shown takes more room.
    let showing = Showing::of(std::io::stdout().is_terminal());
    let shown = |value: &Value| showing.text(&cell(value)).into_owned();
    let last = columns.len() - 1;
    let shown_in = |row: &Value, (place, (_, key)): (usize, &(&str, &str))| match place == last {
        true => shown(&row[*key]),
        false => shortened(shown(&row[*key])),
    };
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| columns.iter().enumerate().map(|column| shown_in(row, column)).collect())
        .collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(place, (title, _))| {
            let cells = cells.iter().map(|row| row[place].chars().count());
            cells.chain([title.len()]).max().unwrap_or(0)
        })
        .collect();
    let print = |row: Vec<String>| {
        // The last one is of any length, and needs no padding.
        let (rest, last) = row.split_at(last);
        let padded = rest.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  "));
        line(format!("{}{}", padded.collect::<String>(), last.concat()).trim_end());
    };
    print(columns.iter().map(|(title, _)| (*title).to_owned()).collect());
    cells.into_iter().for_each(print);
}

/// The most characters of a cell that others follow.
const CELL: usize = 100;

/// Cuts a text that is too long to have others beside it. JSON has it whole.
fn shortened(text: String) -> String {
    match text.char_indices().nth(CELL) {
        None => text,
        Some((at, _)) => format!("{}...", &text[..at]),
    }
}

/// Writes an instant without its milliseconds; any other text as it is.
fn seconds(text: &str) -> String {
    match text.parse::<jiff::Timestamp>() {
        Ok(_) if text.len() == 24 => format!("{}Z", &text[..19]),
        _ => text.to_owned(),
    }
}

/// Writes a value as the cell of a table.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => seconds(text).replace(['\n', '\t'], " "),
        Value::Array(parts) => parts.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cell_is_one_line_and_an_instant_is_shown_to_the_second() {
        let cells =
            [json!("2026-11-22T00:00:00.123Z"), json!("a\nb"), json!(["x", "y"]), Value::Null, json!(7)];
        assert_eq!(cells.map(|value| cell(&value)), ["2026-11-22T00:00:00Z", "a b", "x, y", "-", "7"]);
    }
}
