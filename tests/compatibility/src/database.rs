//! An SQLite database as the SQL that makes it again: its schema, its rows, its versions.

use std::fmt::Write;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

/// The numbers in the head of the file by which a program knows its own.
const HEAD: [&str; 2] = ["application_id", "user_version"];

/// Writes a database as SQL.
///
/// # Panics
/// When it cannot be read.
pub fn dump(path: &Path) -> String {
    let connection = Connection::open(path).unwrap();
    let mut text = String::new();
    for number in HEAD {
        let value: i64 = connection.pragma_query_value(None, number, |row| row.get(0)).unwrap();
        writeln!(text, "PRAGMA {number} = {value};").unwrap();
    }
    let mut schema = connection
        .prepare("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")
        .unwrap();
    let schema: Vec<(String, String, String)> = schema
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for (_, _, sql) in &schema {
        writeln!(text, "{sql};").unwrap();
    }
    for (_, table, _) in schema.iter().filter(|(kind, _, _)| kind == "table") {
        let mut rows = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = rows.column_count();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<String> = (0..columns).map(|at| literal(row.get_ref(at).unwrap())).collect();
            writeln!(text, "INSERT INTO {table} VALUES ({});", values.join(", ")).unwrap();
        }
    }
    text
}

fn literal(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Text(text) => format!("'{}'", std::str::from_utf8(text).unwrap().replace('\'', "''")),
        other => panic!("expected a number or a text, got {other:?}"),
    }
}

/// Makes a database from SQL.
///
/// # Panics
/// When it cannot be written.
pub fn load(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(&format!("BEGIN;\n{sql}\nCOMMIT;")).unwrap();
}
