//! What a process knows of the cluster that it belongs to, held against what the store says: at the start, and every
//! few seconds from then on. Producers and workers do the same with it.

use std::time::{Duration, Instant};

use millrace_domain::{ClusterId, Timestamp};

use crate::{Cluster, FORMAT, Store, StoreError};

/// The greatest difference that is expected between the clocks of two servers.
const SKEW: Duration = Duration::from_secs(10);

/// The interval after which a damaged description of the cluster is logged again.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// The membership of a process in a cluster.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The kind of this process's queues, in its broker's word.
    queues: &'static str,
    known: Option<Cluster>,
    /// The number of partitions, which a store that only older programs have written to tells as well.
    partitions: Option<u16>,
    /// When the store last held what is known, by its own clock.
    seen: Timestamp,
    /// When a damaged description of the cluster was last logged.
    told: Option<Instant>,
}

/// The standing of a process: how what it knows agrees with what is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// No producer has founded a cluster here yet.
    Unfounded,
    /// The store holds what is known.
    Member,
    /// The store has lost what it held, and begins anew. Holds what happened, in a sentence.
    Emptied(String),
    /// The store is not this process's: nothing may be done with it. Holds why, and what to do, in a sentence.
    Apart(String),
}

impl Membership {
    /// The membership of a process that has not seen its cluster yet.
    pub fn new(queues: &'static str) -> Self {
        Self { queues, known: None, partitions: None, seen: Timestamp::default(), told: None }
    }

    /// Founds a cluster, or joins the one that is there, and answers what holds. `explicit` says that the number of
    /// partitions was asked for by name. Which kind of queues the cluster has is written down by
    /// [`agree_on_queues`](Self::agree_on_queues), once there are some.
    ///
    /// # Errors
    /// [`StoreError::Configuration`] when what is there is something else than what was asked for.
    pub async fn found(
        &mut self,
        store: &dyn Store,
        wanted: &Cluster,
        explicit: bool,
    ) -> Result<Cluster, StoreError> {
        let holds = store.found(&Cluster { queues: String::new(), ..wanted.clone() }).await?;
        let partitions = explicit.then_some(wanted.partitions);
        if let Some(why) = mismatch(&holds, partitions, self.queues) {
            return Err(StoreError::Configuration(why));
        }
        self.join(holds.clone(), Timestamp::default());
        Ok(holds)
    }

    /// Writes down which kind of queues the cluster has. To be called by who has declared queues of its kind, which the
    /// broker refuses where there are others: so it cannot be the wrong one.
    ///
    /// # Errors
    /// When the store does not answer, or holds another kind.
    pub async fn agree_on_queues(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        let Some(known) = self.known.as_mut().filter(|known| known.queues.is_empty()) else { return Ok(()) };
        let wanted = Cluster { queues: self.queues.to_owned(), ..known.clone() };
        let holds = store.found(&wanted).await?;
        if let Some(why) = mismatch(&holds, None, self.queues) {
            return Err(StoreError::Configuration(why));
        }
        known.queues = holds.queues;
        Ok(())
    }

    /// Looks whether the store still is what it was. One that has lost what it held gets back what is fixed for the
    /// cluster.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn look(&mut self, store: &dyn Store) -> Result<Standing, StoreError> {
        let (stored, now) = match store.cluster().await {
            // Whoever has joined does not need it any more.
            Err(StoreError::Corrupt(what)) if self.known.is_some() => {
                self.tell_damage(&what);
                return Ok(Standing::Member);
            }
            answer => answer?,
        };
        let Some(known) = &self.known else {
            let Some(holds) = stored else { return Ok(Standing::Unfounded) };
            self.partitions = Some(holds.partitions);
            return Ok(match mismatch(&holds, None, self.queues) {
                Some(why) => Standing::Apart(why),
                None if holds.id == ClusterId::UNKNOWN => Standing::Member,
                None => self.join(holds, now),
            });
        };
        if let Some(why) = stored.as_ref().and_then(other_format) {
            return Ok(Standing::Apart(why));
        }
        let holds = match stored {
            Some(holds) if holds.id != ClusterId::UNKNOWN => holds,
            _ => store.found(known).await?,
        };
        if (holds.id, holds.since) == (known.id, known.since) {
            self.seen = now;
            return Ok(Standing::Member);
        }
        if let Some(why) = mismatch(&holds, Some(known.partitions), self.queues) {
            return Ok(Standing::Apart(format!("the store holds another cluster than before: {why}")));
        }
        // Whoever has founded it after we last saw ours has found it empty. What is older than that is somebody else's.
        let began = Timestamp::from_millis(i64::try_from(holds.since.0 / 1_000).unwrap_or(i64::MAX));
        if holds.id != known.id && began + SKEW < self.seen {
            return Ok(Standing::Apart(format!(
                "the store holds another cluster ({}, founded {began}) than the one that this process belongs to ({}): \
                 let MILLRACE_REDIS_URL lead to the own one again, or restart this process to join the other",
                holds.id, known.id
            )));
        }
        self.join(holds, now);
        Ok(Standing::Emptied(format!(
            "the store has lost what it held (it was emptied, or another server without the data is in its place): runs, \
             workflows, schedules and logs of before {began} are gone. The cluster goes on without them: ad-hoc tasks \
             that the broker still holds come back, other tasks go to the rejected queue; apply the workflows again"
        )))
    }

    /// Whether this process has joined a cluster.
    pub fn has_joined(&self) -> bool {
        self.known.is_some()
    }

    /// The number of partitions of the cluster, once that is known.
    pub fn partitions(&self) -> Option<u16> {
        self.partitions
    }

    fn tell_damage(&mut self, what: &str) {
        if self.told.is_none_or(|told| told.elapsed() >= TELL_AGAIN) {
            self.told = Some(Instant::now());
            tracing::error!(
                what,
                "what is fixed for the cluster cannot be read: who has joined goes on, nobody new can join; delete the \
                 key `meta` of the prefix, and it is written again"
            );
        }
    }

    fn join(&mut self, holds: Cluster, now: Timestamp) -> Standing {
        self.partitions = Some(holds.partitions);
        self.known = Some(holds);
        self.seen = now;
        Standing::Member
    }
}

/// The difference between a cluster and what was asked for, and what to do, in a sentence: from this number of
/// partitions, where one was asked for by name, from this kind of queues, and from the [`FORMAT`] of this program.
/// `None` when there is none.
pub fn mismatch(holds: &Cluster, partitions: Option<u16>, queues: &str) -> Option<String> {
    if let Some(why) = other_format(holds) {
        return Some(why);
    }
    if let Some(wanted) = partitions.filter(|wanted| *wanted != holds.partitions) {
        return Some(format!(
            "this cluster has {} partitions, but here MILLRACE_PARTITIONS is {wanted}; the number is fixed when a cluster \
             is created: unset it, or use another MILLRACE_PREFIX",
            holds.partitions
        ));
    }
    (!holds.queues.is_empty() && holds.queues != queues).then(|| {
        format!(
            "this cluster has {} queues, but here MILLRACE_QUEUE_TYPE is {queues}; the type is fixed when a cluster is \
             created: set MILLRACE_QUEUE_TYPE={0}, or use another MILLRACE_PREFIX",
            holds.queues
        )
    })
}

/// The difference of a format from the [`FORMAT`] of this program, and what to do, in a sentence. `None` when there is
/// none that counts: what has a higher minor number is left alone where it is not known.
fn other_format(holds: &Cluster) -> Option<String> {
    (holds.format != FORMAT).then(|| {
        format!(
            "what is stored has format {}, and this program knows {FORMAT}: use the millrace that wrote it or a newer one, \
             or another MILLRACE_PREFIX",
            holds.format
        )
    })
}
