//! Reading definitions; they are written by commits.

use millrace_domain::{PartitionId, WorkflowId};
use redis::{Cmd, Value, cmd};

use super::connection::Connection;
use super::keys::Keys;
use super::reply::{array, maybe_text, parsed, texts};
use crate::{StoreError, StoredWorkflow};

/// The greatest number of workflows whose heads are read in one round trip.
const BATCH: usize = 512;

/// Reads a workflow in this version, or in the current one.
pub(super) async fn load(
    connection: &Connection,
    keys: &Keys,
    home: PartitionId,
    workflow: &WorkflowId,
    version: Option<u32>,
) -> Result<Option<StoredWorkflow>, StoreError> {
    let key = keys.workflow(home, workflow);
    let version = match version {
        Some(version) => version,
        None => {
            let mut command = cmd("HGET");
            command.arg(&key).arg("current");
            match maybe_text(connection.ask(command).await?)? {
                Some(current) => parsed(&current, "the number of a version")?,
                None => return Ok(None),
            }
        }
    };
    read(version, connection.ask(of_version(&key, version)).await?)
}

/// Reads workflows in their current versions: one round trip for the numbers of these, one for all the rest.
pub(super) async fn load_all(
    connection: &Connection,
    keys: &Keys,
    workflows: &[(PartitionId, WorkflowId)],
) -> Result<Vec<Option<StoredWorkflow>>, StoreError> {
    let mut found = Vec::with_capacity(workflows.len());
    for workflows in workflows.chunks(BATCH) {
        let keys: Vec<String> = workflows.iter().map(|(home, name)| keys.workflow(*home, name)).collect();
        let current = keys.iter().map(|key| {
            let mut command = cmd("HGET");
            command.arg(key).arg("current");
            command
        });
        let mut versions = Vec::with_capacity(keys.len());
        for answer in connection.ask_all(current.collect()).await? {
            let current = maybe_text(answer)?;
            versions.push(current.map(|text| parsed(&text, "the number of a version")).transpose()?);
        }
        let calls =
            keys.iter().zip(&versions).filter_map(|(key, version)| Some(of_version(key, (*version)?)));
        let mut answers = connection.ask_all(calls.collect()).await?.into_iter();
        for version in versions {
            let Some(version) = version else {
                found.push(None);
                continue;
            };
            found.push(read(version, answers.next().unwrap_or(Value::Nil))?);
        }
    }
    Ok(found)
}

fn of_version(key: &str, version: u32) -> Cmd {
    let mut command = cmd("HMGET");
    command.arg(key).arg("head").arg(format!("v{version}"));
    command
}

fn read(version: u32, answer: Value) -> Result<Option<StoredWorkflow>, StoreError> {
    let mut fields = array(answer)?.into_iter().map(maybe_text);
    let mut next = || fields.next().transpose().map(Option::flatten);
    Ok(match (next()?, next()?) {
        (Some(head), Some(source)) => Some(StoredWorkflow { head, version, source }),
        _ => None,
    })
}

/// Lists the heads of the workflows of a home, in order of their names.
pub(super) async fn list(
    connection: &Connection,
    keys: &Keys,
    home: PartitionId,
) -> Result<Vec<(WorkflowId, String)>, StoreError> {
    let mut command = cmd("SMEMBERS");
    command.arg(keys.workflows(home));
    let names = texts(connection.ask(command).await?)?;
    let names = names.iter().map(|name| parsed(name, "the name of a workflow"));
    let mut names: Vec<WorkflowId> = names.collect::<Result<_, _>>()?;
    names.sort();

    let read = |name: &WorkflowId| {
        let mut command = cmd("HGET");
        command.arg(keys.workflow(home, name)).arg("head");
        command
    };
    let mut listed = Vec::with_capacity(names.len());
    for names in names.chunks(BATCH) {
        let answers = connection.ask_all(names.iter().map(read).collect()).await?;
        for (name, answer) in names.iter().zip(answers) {
            if let Some(head) = maybe_text(answer)? {
                listed.push((name.clone(), head));
            }
        }
    }
    Ok(listed)
}
