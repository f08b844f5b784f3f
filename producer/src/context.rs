//! What every part of a producer shares.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use millrace_broker::Broker;
use millrace_domain::message::InboxBody;
use millrace_domain::{Epoch, PartitionId, ProducerId, RunId, Timestamp};
use millrace_runtime::{Ambient, Attendance, Shutdown, StoreClock};
use millrace_store::{RowDelta, Store};
use tokio::sync::{mpsc, watch};

use crate::backpressure::Backpressure;
use crate::condition::Condition;
use crate::confirmed::Confirmed;
use crate::definitions::Definitions;
use crate::partition::dispatch::published::Published;

/// How a producer works.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many partitions to found a new cluster with.
    pub partitions: u16,
    /// How long finished runs and their logs are kept.
    pub retention: Duration,
    /// How many finished runs are kept in each partition, at most.
    pub keep_runs: usize,
    /// How long this producer holds its partitions without renewing.
    pub lease: Duration,
    /// Do the workers see the files of those who submit? Then the folder that a definition came from counts. Only
    /// when all is one machine.
    pub local_files: bool,
    /// Whether schedules fire. Otherwise a workflow is stored with schedules that rest.
    pub schedules: bool,
    /// Where the time of day and random ids come from.
    pub ambient: Ambient,
    /// What a test has new runs send and write.
    #[doc(hidden)]
    pub rehearsal: Option<Rehearsal>,
}

/// What a test has a new run with these labels send and write, in the commit that creates it and a cluster of so many
/// partitions: so far, nothing else uses tables.
#[doc(hidden)]
pub type Rehearsal = fn(RunId, &BTreeMap<String, String>, u16) -> Rehearsed;

/// The letters and the rows of a new run, for a test.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Rehearsed {
    /// The letters, by where they go.
    pub letters: Vec<(PartitionId, InboxBody)>,
    /// The changes to rows.
    pub rows: Vec<RowDelta>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            partitions: 64,
            retention: Duration::from_secs(7 * 24 * 3600),
            keep_runs: 20_000,
            lease: Duration::from_secs(8),
            local_files: false,
            schedules: true,
            ambient: Ambient::system(),
            rehearsal: None,
        }
    }
}

/// The partitions of a producer.
pub(crate) type OwnedSet = BTreeSet<PartitionId>;

/// The shared parts.
pub(crate) struct Context {
    pub(crate) id: ProducerId,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) options: Options,
    /// The number the cluster was founded with.
    pub(crate) partitions: u16,
    pub(crate) clock: StoreClock,
    pub(crate) definitions: Definitions,
    /// The partitions that are ours, for those who place work.
    pub(crate) owned: watch::Receiver<Arc<OwnedSet>>,
    /// Are the queues there that submissions go to, and what is refused of them?
    pub(crate) open: AtomicBool,
    /// Why nothing is ours, and what the store has lost.
    pub(crate) condition: Condition,
    /// How far our commits are confirmed.
    pub(crate) confirmed: Confirmed,
    /// The watermark: the time up to which all that was dispatched is with the broker.
    pub(crate) published: Published,
    /// The attendance of the consumers: whether all is consumed that should be.
    pub(crate) attendance: Attendance,
    /// The backpressure: whether there is room for new runs.
    pub(crate) backpressure: Backpressure,
    /// Partitions whose commits are not taken under an epoch of ours, for the keeper of the partitions.
    pub(crate) stepped_down: mpsc::UnboundedSender<(PartitionId, Epoch)>,
    pub(crate) shutdown: Shutdown,
}

impl Context {
    /// The store's time.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.now_millis())
    }
}
