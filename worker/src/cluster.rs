//! Whether the store is that of the worker's cluster: looked at with every renewal of the session, and what an operator
//! must know of it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use millrace_runtime::Shutdown;
use millrace_store::{Membership, Standing, Store, StoreError};
use tokio::sync::watch;
use tokio::time::Instant;

/// How long it takes until what stays wrong is said again.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// Why the worker takes no tasks, for people; `None` while it may take them.
pub(crate) type Trouble = Option<String>;

/// The number of the cluster's partitions, once it is known.
pub(crate) type Partitions = Arc<OnceLock<u16>>;

/// The check of the store, from one renewal to the next.
pub(crate) struct ClusterCheck {
    membership: Membership,
    told: watch::Sender<Trouble>,
    partitions: Partitions,
    said: Option<Instant>,
    shutdown: Shutdown,
}

impl ClusterCheck {
    /// The check of a worker whose broker has queues of this kind.
    pub(crate) fn new(
        queues: &'static str,
        told: watch::Sender<Trouble>,
        partitions: Partitions,
        shutdown: Shutdown,
    ) -> Self {
        Self { membership: Membership::new(queues), told, partitions, said: None, shutdown }
    }

    /// Looks whether this is the store of our cluster. A worker whose settings contradict those of its cluster ends at
    /// once.
    pub(crate) async fn is_ours(&mut self, store: &dyn Store) -> Result<bool, StoreError> {
        let was_member = self.membership.has_joined();
        let standing = self.membership.look(store).await?;
        if let Some(partitions) = self.membership.partitions() {
            let _ = self.partitions.set(partitions);
        }
        match standing {
            Standing::Member => {
                if self.told.send_replace(None).is_some() {
                    tracing::info!("the store holds the cluster of this worker");
                }
                return Ok(true);
            }
            Standing::Emptied(what) => {
                tracing::error!("{what}");
                metrics::counter!("millrace_store_emptied_total").increment(1);
                self.told.send_replace(None);
                return Ok(true);
            }
            Standing::Unfounded => {
                let why = "no producer has founded a cluster in this store: waiting for one (have all processes the \
                           same MILLRACE_REDIS_URL and MILLRACE_PREFIX?)";
                if self.is_news(why) {
                    tracing::warn!("{why}");
                }
            }
            Standing::Apart(why) if was_member => {
                if self.is_news(&why) {
                    tracing::error!(why, "this worker takes nothing, and its tasks end with its lease");
                }
            }
            Standing::Apart(why) => self.shutdown.fail(&why),
        }
        Ok(false)
    }

    /// Whether this is to be said, for the first time or again.
    fn is_news(&mut self, why: &str) -> bool {
        let known = self.told.send_replace(Some(why.to_owned()));
        let is_news =
            known.as_deref() != Some(why) || self.said.is_none_or(|said| said.elapsed() >= SAY_AGAIN);
        if is_news {
            self.said = Some(Instant::now());
        }
        is_news
    }
}
