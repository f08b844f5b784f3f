//! Results on standard output: a table for people, JSON for programs. All else goes to standard error.

use std::io::Write;

use serde_json::Value;

use crate::args::Output;

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

/// A line on standard output. A reader that went away (`| head`) is no failure.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A line on standard error, for whoever looks.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn table(rows: &[Value], columns: &[(&str, &str)]) {
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|(_, key)| cell(&row[*key])).collect()).collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(place, (title, _))| {
            let cells = cells.iter().map(|row| row[place].chars().count());
            cells.chain([title.len()]).max().unwrap_or(0)
        })
        .collect();
    let print = |row: Vec<String>| {
        let padded: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        line(padded.join("  ").trim_end());
    };
    print(columns.iter().map(|(title, _)| (*title).to_owned()).collect());
    cells.into_iter().for_each(print);
}

/// An instant without its milliseconds; any other text as it is.
fn seconds(text: &str) -> String {
    match text.parse::<jiff::Timestamp>() {
        Ok(_) if text.len() == 24 => format!("{}Z", &text[..19]),
        _ => text.to_owned(),
    }
}

/// A value in a table.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => seconds(text).replace('\n', " "),
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
