//! The list of runs, the newest first: a merge over all partitions, each read in pages.

use std::collections::VecDeque;

use millrace_domain::{PartitionId, RunId, Timestamp, WorkflowId};
use redis::{Cmd, cmd};

use super::connection::Connection;
use super::keys::Keys;
use super::reply::{array, maybe_text, parsed, scored};
use crate::{RunQuery, RunSummary, StoreError};

/// The least and the greatest number of a partition's runs that are read at once.
const PAGE: (usize, usize) = (16, 4_096);

/// The greatest number of runs whose heads are read in one round trip.
const HEADS: usize = 512;

/// The source of a part of the list: one partition's, read so far.
struct Source {
    key: String,
    skip: usize,
    page: VecDeque<(Timestamp, RunId)>,
    exhausted: bool,
}

/// Lists runs, the newest first.
pub(super) async fn runs(
    connection: &Connection,
    keys: &Keys,
    query: &RunQuery,
) -> Result<Vec<RunSummary>, StoreError> {
    let limit = query.limit;
    let page = (limit.saturating_mul(2) / usize::from(query.partitions.max(1))).clamp(PAGE.0, PAGE.1);
    let adhoc = query.workflow == Some(WorkflowId::adhoc());
    let listed = query.workflow.as_ref().filter(|_| !adhoc);
    let source = |partition| Source {
        key: match listed {
            Some(workflow) => keys.runs_of(partition, workflow.as_str()),
            None => keys.runs(partition),
        },
        skip: 0,
        page: VecDeque::new(),
        exhausted: false,
    };
    let mut sources: Vec<Source> = (0..query.partitions).map(PartitionId).map(source).collect();

    let mut summaries = Vec::new();
    while summaries.len() < limit {
        let mut runs = Vec::new();
        while runs.len() < limit - summaries.len() {
            fill(connection, &mut sources, page, query.after, adhoc).await?;
            let newest = sources.iter_mut().max_by_key(|source| source.page.front().copied());
            let Some(next) = newest.and_then(|source| source.page.pop_front()) else { break };
            runs.push(next);
        }
        if runs.is_empty() {
            break;
        }
        summaries.extend(heads(connection, keys, &runs).await?);
    }
    Ok(summaries)
}

/// Reads on where a page is empty, in one round trip, until none is or nothing is left.
async fn fill(
    connection: &Connection,
    sources: &mut [Source],
    page: usize,
    after: Option<(Timestamp, RunId)>,
    adhoc: bool,
) -> Result<(), StoreError> {
    loop {
        let mut empty: Vec<&mut Source> =
            sources.iter_mut().filter(|source| source.page.is_empty() && !source.exhausted).collect();
        if empty.is_empty() {
            return Ok(());
        }
        let read = |source: &&mut Source| -> Cmd {
            let mut command = cmd("ZREVRANGEBYSCORE");
            command.arg(&source.key);
            match after {
                Some((at, _)) => command.arg(at.as_millis()),
                None => command.arg("+inf"),
            };
            command.arg("-inf").arg("WITHSCORES").arg("LIMIT").arg(source.skip).arg(page);
            command
        };
        let answers = connection.ask_all(empty.iter().map(read).collect()).await?;
        for (source, answer) in empty.iter_mut().zip(answers) {
            let members: Vec<(Timestamp, String)> = scored(answer, "a run in a list")?;
            source.skip += members.len();
            source.exhausted = members.len() < page;
            for (at, member) in members {
                let (run, workflow) = member.split_once('|').unwrap_or((&member, ""));
                let run = parsed(run, "a run id")?;
                if after.is_none_or(|after| (at, run) < after) && (!adhoc || workflow.is_empty()) {
                    source.page.push_back((at, run));
                }
            }
        }
    }
}

/// Reads the heads of runs. Those forgotten meanwhile are left out.
async fn heads(
    connection: &Connection,
    keys: &Keys,
    runs: &[(Timestamp, RunId)],
) -> Result<Vec<RunSummary>, StoreError> {
    let read = |(_, run): &(Timestamp, RunId)| {
        let mut command = cmd("HMGET");
        command.arg(keys.run(*run)).arg("head").arg("w");
        command
    };
    let mut summaries = Vec::with_capacity(runs.len());
    for runs in runs.chunks(HEADS) {
        let answers = connection.ask_all(runs.iter().map(read).collect()).await?;
        for ((created_at, run), answer) in runs.iter().zip(answers) {
            let mut fields = array(answer)?.into_iter().map(maybe_text);
            let Some(head) = fields.next().transpose()?.flatten() else { continue };
            let workflow = match fields.next().transpose()?.flatten() {
                Some(name) => parsed(&name, "the name of a workflow")?,
                None => WorkflowId::adhoc(),
            };
            summaries.push(RunSummary { run: *run, created_at: *created_at, workflow, head });
        }
    }
    Ok(summaries)
}
