//! Stored definitions, in the home partition of their workflow.

use millrace_domain::{PartitionId, WorkflowId};
use rusqlite::{Connection, OptionalExtension, Result, params};

use super::column::Text;
use crate::{StoredWorkflow, WorkflowDelta};

/// Applies a change to a workflow.
pub(super) fn apply(connection: &Connection, home: PartitionId, delta: &WorkflowDelta) -> Result<()> {
    match delta {
        WorkflowDelta::Put { workflow, version, source, head } => {
            put(connection, home, workflow, *version, source, head)
        }
        WorkflowDelta::Head { workflow, head } => set_head(connection, home, workflow, head, true),
        WorkflowDelta::Unlist { workflow, head } => set_head(connection, home, workflow, head, false),
    }
}

/// Stores a version and the head. A version that exists keeps its source: runs depend on it.
fn put(
    connection: &Connection,
    home: PartitionId,
    workflow: &WorkflowId,
    version: u32,
    source: &str,
    head: &str,
) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO versions (home, workflow, version, source) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![home.0, workflow.as_str(), version, source])?;
    connection
        .prepare_cached(
            "REPLACE INTO workflows (home, workflow, current, listed, head) VALUES (?1, ?2, ?3, TRUE, ?4)",
        )?
        .execute(params![home.0, workflow.as_str(), version, head])?;
    Ok(())
}

/// Replaces the head. With `keep`, listed stays what it is; otherwise the workflow goes off the list.
fn set_head(
    connection: &Connection,
    home: PartitionId,
    workflow: &WorkflowId,
    head: &str,
    keep: bool,
) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE workflows SET head = ?3, listed = listed AND ?4 WHERE home = ?1 AND workflow = ?2",
        )?
        .execute(params![home.0, workflow.as_str(), head, keep])?;
    Ok(())
}

/// Reads a workflow in this version, or in the current one.
pub(super) fn load(
    connection: &Connection,
    home: PartitionId,
    workflow: &WorkflowId,
    version: Option<u32>,
) -> Result<Option<StoredWorkflow>> {
    connection
        .prepare_cached(
            "SELECT workflows.head, versions.version, versions.source FROM workflows
             JOIN versions ON versions.home = ?1 AND versions.workflow = ?2
              AND versions.version = coalesce(?3, workflows.current)
             WHERE workflows.home = ?1 AND workflows.workflow = ?2",
        )?
        .query_row(params![home.0, workflow.as_str(), version], |row| {
            Ok(StoredWorkflow { head: row.get(0)?, version: row.get(1)?, source: row.get(2)? })
        })
        .optional()
}

/// Lists the heads of the workflows of a home, in order of their names.
pub(super) fn list(connection: &Connection, home: PartitionId) -> Result<Vec<(WorkflowId, String)>> {
    connection
        .prepare_cached("SELECT workflow, head FROM workflows WHERE home = ?1 AND listed ORDER BY workflow")?
        .query_map([home.0], |row| Ok((row.get::<_, Text<_>>(0)?.0, row.get(1)?)))?
        .collect()
}
