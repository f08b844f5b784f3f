//! What producers tell every worker, and what a worker may have missed of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use millrace_broker::{Broker, BrokerError, Consumer, Delivery, Queue};
use millrace_domain::message::{Control, ControlBody, MessageError};
use millrace_domain::{RunId, SessionId, TaskId};
use millrace_runtime::{Attendance, Shutdown, Subscription, Unknown};
use millrace_store::{Store, StoreError, TaskRecord};

use crate::running::Running;
use crate::stop::StopReason;

/// How many messages may be under way that are not handled yet.
const PREFETCH: u16 = 100;

/// The pause between two tries to ask the store.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The consumer of the queue on which producers tell this worker what they tell every worker.
pub(crate) struct Listener {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) session: SessionId,
    pub(crate) running: Arc<Running>,
}

impl Listener {
    /// Listens until `ended`. After each loss of the connection the store is asked for what was missed.
    pub(crate) async fn run(self, attendance: Attendance, ended: Shutdown) {
        let queue = Queue::Control(self.session.0);
        let control = Subscription::new(&self.broker, queue, &attendance, ended.clone());
        while !control.is_over() {
            let tell =
                |error: &BrokerError| tracing::debug!(%error, "what producers tell cannot be consumed yet");
            let Some(consumer) = control.begin(PREFETCH, tell).await else { continue };
            tokio::select! {
                biased;
                () = ended.begun() => return,
                () = self.listen(consumer) => control.ended(),
            }
        }
    }

    /// Follows what it is told until the stream ends, and meanwhile finds out once what it has missed.
    async fn listen(&self, mut consumer: Consumer) {
        let missed = self.stop_revoked_tasks();
        tokio::pin!(missed);
        let mut caught_up = false;
        loop {
            tokio::select! {
                biased;
                delivery = consumer.recv() => match delivery {
                    Some(delivery) => self.follow(delivery),
                    None => return,
                },
                () = &mut missed, if !caught_up => caught_up = true,
            }
        }
    }

    /// Follows one message. One of a version that is not known here is passed over.
    fn follow(&self, delivery: Delivery) {
        // Its properties say nothing, so that it does not matter whether they can be read.
        match Control::read(&delivery.payload) {
            Ok(Control { body: ControlBody::Cancel { tasks }, .. }) => {
                tasks.into_iter().for_each(|task| self.cancel(task));
            }
            Err(error @ MessageError::Unknown { .. }) => Unknown::Control.note(error),
            Err(error) => tracing::debug!(%error, "a message that nobody of ours has sent to the workers"),
        }
        delivery.ack();
    }

    /// Cancels a task, if it runs here.
    fn cancel(&self, task: TaskId) {
        if self.running.stop(task, StopReason::Cancelled) {
            tracing::info!(%task, "cancelled");
        }
    }

    /// Stops the tasks that were taken back while nobody listened: their runs may have ended, and nobody says it again.
    async fn stop_revoked_tasks(&self) {
        loop {
            match self.revoked_tasks().await {
                Ok(tasks) => return tasks.into_iter().for_each(|task| self.cancel(task)),
                Err(error) => tracing::debug!(%error, "what was taken back cannot be asked for yet"),
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// Finds the tasks that run here and are not ours any more. A run that the store does not hold (any more) takes
    /// nothing back: it may have been lost, and comes back with what its tasks report.
    async fn revoked_tasks(&self) -> Result<Vec<TaskId>, StoreError> {
        let tasks = self.running.tasks();
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let (mut taken_back, mut absent) = (Vec::new(), Vec::new());
        for (task, record) in tasks.iter().zip(self.store.tasks(&tasks).await?) {
            match record {
                Some(TaskRecord::Claimed { session, .. }) if session == self.session => {}
                Some(TaskRecord::Claimed { .. } | TaskRecord::Revoked { .. }) => taken_back.push(*task),
                // The claim, or what came after the end, was lost by the store: the outcome decides.
                Some(TaskRecord::Queued { .. } | TaskRecord::Finished { .. } | TaskRecord::Unknown) => {}
                None => absent.push(*task),
            }
        }
        let runs: BTreeSet<RunId> = absent.iter().map(|task| task.run).collect();
        for run in runs {
            if self.store.load_runs(&[run]).await?.iter().any(Option::is_some) {
                taken_back.extend(absent.iter().filter(|task| task.run == run));
            }
        }
        Ok(taken_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_broker::memory::MemoryBroker;
    use millrace_broker::{Outgoing, Route};
    use millrace_domain::{
        ClaimToken, ClusterId, Epoch, Lane, PartitionId, ProducerId, Seq, StepIndex, Timestamp, WorkflowId,
    };
    use millrace_runtime::Attendance;
    use millrace_store::sqlite::SqliteStore;
    use millrace_store::{
        Acquired, Claim, ClaimStore, Cluster, ClusterStore, Commit, Dispatched, FORMAT, FORMAT_MINOR, NewRun,
        PartitionStore, Revoke, RunDelta, WatchStore,
    };
    use uuid::Uuid;

    use crate::stop::Stop;

    const P: PartitionId = PartitionId(0);

    /// A run whose only attempt is claimed under `session`, and the epoch of its owner.
    async fn claimed(store: &SqliteStore, session: SessionId) -> (TaskId, Epoch) {
        let cluster = Cluster {
            id: ClusterId(Uuid::new_v4()),
            partitions: 1,
            queues: String::new(),
            format: FORMAT,
            minor: FORMAT_MINOR,
            since: Epoch::default(),
        };
        store.found(&cluster).await.unwrap();
        let owner = store.acquire(&[P], ProducerId(Uuid::new_v4()), 600_000).await.unwrap().remove(0);
        let Acquired::Owned { epoch, .. } = owner else { panic!("{owner:?}") };
        let task = TaskId { run: RunId::new(Uuid::now_v7(), P), unit: StepIndex(0).into(), attempt: 1 };
        let mut delta = RunDelta::new(task.run);
        delta.create = Some(NewRun {
            created_at: Timestamp::default(),
            workflow: WorkflowId::adhoc(),
            keyed: false,
            definition: String::new(),
        });
        delta.head = Some(String::new());
        delta.dispatched.push(Dispatched {
            unit: task.unit,
            attempt: task.attempt,
            at: Timestamp::default(),
            look_at: Timestamp::default(),
            lane: Lane::default(),
        });
        commit(store, epoch, 1, delta).await;
        let claim = Claim { task, token: ClaimToken(Uuid::new_v4()), session };
        store.claim(&[claim]).await.unwrap();
        (task, epoch)
    }

    async fn commit(store: &SqliteStore, epoch: Epoch, seq: u64, delta: RunDelta) {
        let mut commit = Commit::new(P, epoch, Seq(seq), Timestamp::default());
        commit.runs.push(delta);
        store.commit(&[commit]).await.unwrap();
    }

    /// Why a task is stopped that runs here when the worker begins to listen, if it is.
    async fn told(store: SqliteStore, session: SessionId, task: TaskId) -> Option<StopReason> {
        let running = Arc::new(Running::default());
        let (_running, _handle, stop): (_, _, Stop) = running.begin(task);
        let (broker, ended) = (Arc::new(MemoryBroker::new("control")), Shutdown::new());
        let listener = Listener { broker, store: Arc::new(store), session, running: Arc::clone(&running) };
        let listening = tokio::spawn(listener.run(Attendance::default(), ended.clone()));
        let reason = tokio::time::timeout(Duration::from_millis(500), stop.reason()).await.ok();
        ended.begin();
        listening.await.unwrap();
        reason
    }

    #[tokio::test]
    async fn a_message_that_is_not_known_is_passed_over_and_the_next_is_followed() {
        let (store, session) = (SqliteStore::memory().unwrap(), SessionId(Uuid::new_v4()));
        let (task, _) = claimed(&store, session).await;
        let running = Arc::new(Running::default());
        let (_running, _handle, stop): (_, _, Stop) = running.begin(task);
        let (broker, ended) = (Arc::new(MemoryBroker::new("control")), Shutdown::new());
        let cancel = serde_json::to_string(&Control::new(ControlBody::Cancel { tasks: vec![task] })).unwrap();
        let told = |text: &str| Outgoing::new(Route::Control, text.to_owned());
        let newer = cancel.replace(r#""v":1"#, r#""v":2"#);
        let listener = Listener {
            broker: Arc::clone(&broker) as Arc<dyn Broker>,
            store: Arc::new(store),
            session,
            running: Arc::clone(&running),
        };
        let listening = tokio::spawn(listener.run(Attendance::default(), ended.clone()));
        let is_heard =
            async || broker.depth(&Queue::Control(session.0)).await.is_ok_and(|depth| depth.consumers > 0);
        while !is_heard().await {
            tokio::task::yield_now().await;
        }
        for message in [r#"{"v":1,"kind":"drain"}"#, "no message", &newer] {
            assert!(broker.publish(vec![told(message)]).await[0].is_ok());
        }
        assert!(tokio::time::timeout(Duration::from_millis(300), stop.reason()).await.is_err());
        assert!(broker.publish(vec![told(&cancel)]).await[0].is_ok());
        let reason = tokio::time::timeout(Duration::from_secs(5), stop.reason()).await;
        assert_eq!(reason.unwrap(), StopReason::Cancelled);
        ended.begin();
        listening.await.unwrap();
    }

    #[tokio::test]
    async fn a_task_that_was_taken_back_while_nobody_listened_is_stopped() {
        let (store, session) = (SqliteStore::memory().unwrap(), SessionId(Uuid::new_v4()));
        let (task, epoch) = claimed(&store, session).await;
        store.revoke(P, epoch, &[(task, Revoke::Anyway)]).await.unwrap();
        assert_eq!(told(store, session, task).await, Some(StopReason::Cancelled));
    }

    #[tokio::test]
    async fn a_task_whose_run_ended_while_nobody_listened_is_stopped() {
        let (store, session) = (SqliteStore::memory().unwrap(), SessionId(Uuid::new_v4()));
        let (task, epoch) = claimed(&store, session).await;
        store.revoke(P, epoch, &[(task, Revoke::Anyway)]).await.unwrap();
        let retired = vec![(task.unit, task.attempt)];
        commit(&store, epoch, 2, RunDelta { retired, ..RunDelta::new(task.run) }).await;
        assert_eq!(told(store, session, task).await, Some(StopReason::Cancelled));
    }

    #[tokio::test]
    async fn a_task_that_is_the_workers_or_of_a_run_that_was_lost_goes_on() {
        let (store, session) = (SqliteStore::memory().unwrap(), SessionId(Uuid::new_v4()));
        let (task, _) = claimed(&store, session).await;
        assert_eq!(told(store, session, task).await, None);
        assert_eq!(told(SqliteStore::memory().unwrap(), session, task).await, None);
    }
}
