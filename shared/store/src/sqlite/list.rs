//! The list of runs, the newest first.

use millrace_domain::Timestamp;
use rusqlite::{Connection, Result, params};

use super::column::{Millis, Text, rows};
use crate::{RunQuery, RunSummary};

/// Lists runs, the newest first.
pub(super) fn runs(connection: &Connection, query: &RunQuery) -> Result<Vec<RunSummary>> {
    let (at, run) = match query.after {
        Some((at, run)) => (at, run.to_string()),
        None => (Timestamp::from_millis(i64::MAX), String::new()),
    };
    let workflow = query.workflow.as_ref().map_or("", |name| name.as_str());
    let sql = if query.workflow.is_some() {
        "SELECT run, created_at, workflow, head FROM runs
         WHERE (created_at, run) < (?1, ?2) AND workflow = ?4 ORDER BY created_at DESC, run DESC LIMIT ?3"
    } else {
        "SELECT run, created_at, workflow, head FROM runs
         WHERE (created_at, run) < (?1, ?2) AND ?4 = '' ORDER BY created_at DESC, run DESC LIMIT ?3"
    };
    connection
        .prepare_cached(sql)?
        .query_map(params![Millis(at), run, rows(query.limit), workflow], |row| {
            Ok(RunSummary {
                run: row.get::<_, Text<_>>(0)?.0,
                created_at: row.get::<_, Millis>(1)?.0,
                workflow: row.get::<_, Text<_>>(2)?.0,
                head: row.get(3)?,
            })
        })?
        .collect()
}
