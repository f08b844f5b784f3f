//! The tables in the documentation of [`run`](super), read for the tests that hold the code to them.

/// A table in the documentation: its columns, and its rows with their cells.
pub(super) type Table = (Vec<&'static str>, Vec<(&'static str, Vec<&'static str>)>);

/// The table whose first cell is `corner`.
pub(super) fn table(corner: &str) -> Table {
    let lines = include_str!("mod.rs").lines().map(|line| line.strip_prefix("//! | ").unwrap_or_default());
    let mut rows = lines
        .map(|line| line.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>())
        .skip_while(|row| row.first() != Some(&corner))
        .take_while(|row| row.len() > 1 || row.is_empty())
        .filter(|row| !row.is_empty());
    let columns = rows.next().unwrap()[1..].to_vec();
    let corners = [
        "step",
        "child",
        "locks",
        "people",
        "run",
        "slots",
        "paused",
        "pauses",
        "mover of a step",
        "mover of a run",
    ];
    let rows = rows.take_while(|row| !corners.contains(&row[0])).map(|row| (row[0], row[1..].to_vec()));
    (columns, rows.collect())
}
