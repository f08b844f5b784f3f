//! What a worker tells the owners of partitions: results of tasks, tasks whose run is not stored or that it cannot read,
//! and who holds a task that was delivered twice. Results are repeated until they are confirmed, since a result counts once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_broker::{Broker, Outgoing, Queue, Route};
use millrace_domain::lock::LockGroup;
use millrace_domain::message::{Inbox, InboxBody, VERSION};
use millrace_domain::{PartitionId, RunId, SessionId, TaskId};
use millrace_runtime::Shutdown;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::batcher::Batcher;
use super::retries::Retries;
use crate::cluster::Partitions;

/// How long it is tried to get a report confirmed. After that the stored outcome has to do: the owner's watch finds it.
const REPORT_BOUND: Duration = Duration::from_secs(60);

/// The size of the results of one message, at most, unless it is a single one: brokers take messages of 16 MiB.
const SHARED_BYTES: usize = 1024 * 1024;

/// The owners of partitions, as a worker knows them: by their inboxes.
pub(crate) struct Owners {
    reports: Batcher<Report, bool>,
    broker: Arc<dyn Broker>,
    partitions: Partitions,
}

/// A result as it was stored, for the owner of its partition.
struct Report {
    partition: PartitionId,
    result: String,
}

impl Owners {
    /// Starts the reports to owners.
    pub(crate) fn start(broker: Arc<dyn Broker>, partitions: Partitions, shutdown: &Shutdown) -> Self {
        let reporting = Arc::clone(&broker);
        let reports = Batcher::start(shutdown, move |reports| report(Arc::clone(&reporting), reports));
        Self { reports, broker, partitions }
    }

    /// Reports a stored outcome: `true` when it is confirmed.
    pub(crate) async fn report(&self, partition: PartitionId, result: String) -> bool {
        self.reports.ask(Report { partition, result }).await.unwrap_or(false)
    }

    /// Moves a task of a run that is not stored to the owner of its partition: `true` when it is confirmed there. `text`
    /// is the task as it was delivered; `ran` says that it was carried out.
    pub(crate) async fn orphan(&self, run: RunId, text: &RawValue, ran: bool) -> bool {
        self.move_there(vec![(run, Inbox::orphan(text, ran, false))]).await
    }

    /// Moves tasks that cannot be read here to the owners of their partitions: `true` when all are confirmed there.
    pub(crate) async fn unread(&self, tasks: Vec<(RunId, &RawValue)>) -> bool {
        self.move_there(
            tasks.into_iter().map(|(run, text)| (run, Inbox::orphan(text, false, true))).collect(),
        )
        .await
    }

    /// Publishes messages about runs to their inboxes: `true` when all are confirmed.
    async fn move_there(&self, messages: Vec<(RunId, Vec<u8>)>) -> bool {
        let inbox = |run: RunId| {
            let partition = run.partition().0;
            // A partition that the cluster does not have has no inbox: a producer says so of the task.
            let is_ours = self.partitions.get().is_none_or(|partitions| partition < *partitions);
            Route::Queue(Queue::Inbox(if is_ours { partition } else { 0 }))
        };
        let messages =
            messages.into_iter().map(|(run, message)| Outgoing::new(inbox(run), message)).collect();
        match self.broker.publish(messages).await.into_iter().collect::<Result<(), _>>() {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "a task cannot be moved to its owner yet");
                false
            }
        }
    }

    /// Tells the home of a rate that a task has started which has a reserve of it. Where that is not known, it is told by the
    /// end of the task.
    pub(crate) async fn started(&self, task: TaskId, rate: LockGroup) {
        let Some(partitions) = self.partitions.get() else { return };
        let body = InboxBody::RateStarted { task, group: rate };
        let body = serde_json::to_vec(&Inbox::new(body)).unwrap_or_default();
        let message = Outgoing::new(Route::Queue(Queue::Inbox(rate.home(*partitions).0)), body);
        for error in self.broker.publish(vec![message]).await.into_iter().filter_map(Result::err) {
            tracing::debug!(%task, %error, "the home of its rate could not be told that it has started");
        }
    }

    /// Tells the owner of a partition that a task was delivered although somebody holds it.
    pub(crate) async fn hint(&self, task: TaskId, session: SessionId) {
        let body = serde_json::to_vec(&Inbox::new(InboxBody::Held { task, session })).unwrap_or_default();
        let message = Outgoing::new(Route::Queue(Queue::Inbox(task.run.partition().0)), body);
        for error in self.broker.publish(vec![message]).await.into_iter().filter_map(Result::err) {
            tracing::debug!(%task, %error, "the owner could not be told that the task is held");
        }
    }
}

/// The reports that share a message, by their places: those of one partition, as far as they are small together.
fn shares(reports: &[Report], left: impl Iterator<Item = usize>) -> Vec<(PartitionId, Vec<usize>)> {
    let mut full = Vec::new();
    let mut open: BTreeMap<PartitionId, (usize, Vec<usize>)> = BTreeMap::new();
    for index in left {
        let Report { partition, result } = &reports[index];
        let (bytes, indexes) = open.entry(*partition).or_default();
        if !indexes.is_empty() && *bytes + result.len() > SHARED_BYTES {
            full.push((*partition, std::mem::take(indexes)));
            *bytes = 0;
        }
        *bytes += result.len();
        indexes.push(index);
    }
    full.extend(open.into_iter().map(|(partition, (_, indexes))| (partition, indexes)));
    full
}

/// Publishes results, those of one partition together, until all are confirmed.
async fn report(broker: Arc<dyn Broker>, reports: Vec<Report>) -> Vec<bool> {
    let mut confirmed = vec![false; reports.len()];
    let (mut retries, began) = (Retries::new(), Instant::now());
    loop {
        let left = (0..reports.len()).filter(|index| !confirmed[*index]);
        let shares = shares(&reports, left);
        if shares.is_empty() {
            return confirmed;
        }
        let messages =
            shares.iter().map(|(partition, indexes)| message(*partition, indexes, &reports)).collect();
        for ((_, indexes), result) in shares.iter().zip(broker.publish(messages).await) {
            match result {
                Ok(()) => indexes.iter().for_each(|index| confirmed[*index] = true),
                Err(error) => retries.warn("results are not confirmed", &error),
            }
        }
        if began.elapsed() > REPORT_BOUND || confirmed.iter().all(|confirmed| *confirmed) {
            return confirmed;
        }
        retries.wait().await;
    }
}

/// The message of one partition's results. They are JSON already, and go out word for word.
fn message(partition: PartitionId, indexes: &[usize], reports: &[Report]) -> Outgoing {
    let length: usize = indexes.iter().map(|index| reports[*index].result.len() + 1).sum();
    let mut body = String::with_capacity(length + 48);
    body.push_str(&format!(r#"{{"v":{VERSION},"kind":"results","results":["#));
    for (place, index) in indexes.iter().enumerate() {
        if place > 0 {
            body.push(',');
        }
        body.push_str(&reports[*index].result);
    }
    body.push_str("]}");
    Outgoing::new(Route::Queue(Queue::Inbox(partition.0)), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_one_partition_share_a_message_as_far_as_they_are_small_together() {
        let report =
            |partition, bytes| Report { partition: PartitionId(partition), result: "x".repeat(bytes) };
        let large = SHARED_BYTES / 2 + 1;
        let reports =
            [report(1, 10), report(2, 10), report(1, large), report(1, large), report(2, 3 * large)];
        assert_eq!(
            shares(&reports, 0..5),
            [
                (PartitionId(1), vec![0, 2]),
                (PartitionId(2), vec![1]),
                (PartitionId(1), vec![3]),
                (PartitionId(2), vec![4]),
            ]
        );
        assert_eq!(
            shares(&reports, [1, 3].into_iter()),
            [(PartitionId(1), vec![3]), (PartitionId(2), vec![1])]
        );
    }
}
