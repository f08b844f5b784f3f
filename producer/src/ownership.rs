//! Which partitions are ours. Every producer is active: they share the partitions by rendezvous hashing over
//! those that are alive, so that one more or one less moves as few as can be.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use millrace_broker::{BrokerError, Queue};
use millrace_domain::{Epoch, PartitionId, ProducerId, Seq, Timestamp};
use millrace_store::{Acquired, Membership, Standing, StoreError};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::confirmed::tell_lost;
use crate::context::{Context, OwnedSet};
use crate::intake::inbox::Inboxes;
use crate::partition::mailbox::Input;
use crate::partition::recovery::damaged::skip_if_damaged;

/// The consequence of damage to a partition, for the log.
const UNOWNED: &str = "nobody can own it";

/// Between letting go of a partition and taking it again.
const STEP_DOWN_PAUSE: Duration = Duration::from_millis(100);

/// The keeper of the partitions.
pub(crate) struct Ownership {
    context: Arc<Context>,
    membership: Membership,
    mailbox: mpsc::Sender<Input>,
    inboxes: Inboxes,
    told: watch::Sender<Arc<OwnedSet>>,
    /// From the loop: partitions whose commits are not taken.
    stepping_down: mpsc::UnboundedReceiver<(PartitionId, Epoch)>,
    held: BTreeMap<PartitionId, Epoch>,
}

impl Ownership {
    pub(crate) fn new(
        context: Arc<Context>,
        membership: Membership,
        mailbox: mpsc::Sender<Input>,
        inboxes: Inboxes,
        told: watch::Sender<Arc<OwnedSet>>,
        stepping_down: mpsc::UnboundedReceiver<(PartitionId, Epoch)>,
    ) -> Self {
        Self { context, membership, mailbox, inboxes, told, stepping_down, held: BTreeMap::new() }
    }

    /// Takes, keeps and gives back partitions until the shutdown, then gives all back.
    pub(crate) async fn run(mut self) {
        let every = self.context.options.lease / 4;
        // What is ours is judged by the store's clock from the first.
        tokio::select! {
            biased;
            () = self.context.shutdown.begun() => return,
            () = self.context.clock.known() => {}
        }
        let mut told = Instant::now();
        loop {
            let wait = match self.round().await {
                Ok(true) => every,
                Ok(false) => (every / 8).max(Duration::from_millis(50)),
                Err(error) => {
                    if told.elapsed() > Duration::from_secs(5) {
                        tracing::warn!(%error, "partitions cannot be renewed");
                        told = Instant::now();
                    }
                    every / 4
                }
            };
            tokio::select! {
                biased;
                Some(one) = self.stepping_down.recv() => self.step_down(one).await,
                () = self.context.shutdown.begun() => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.leave().await;
    }

    /// Takes and gives back partitions once. `true` when all that should be ours is, be it nothing.
    async fn round(&mut self) -> Result<bool, StoreError> {
        let context = Arc::clone(&self.context);
        let ttl = millis(context.options.lease);
        if !self.is_fit().await? {
            return Ok(true);
        }
        let live = context.store.meet(context.id, ttl).await?;
        let wanted: OwnedSet = (0..context.partitions)
            .map(PartitionId)
            .filter(|partition| owner_of(*partition, &live) == Some(context.id))
            .collect();
        self.renew(ttl).await?;
        let unwanted: Vec<_> =
            self.held.keys().copied().filter(|partition| !wanted.contains(partition)).collect();
        self.give_back(&unwanted).await?;
        let missing: Vec<_> = wanted.iter().copied().filter(|p| !self.held.contains_key(p)).collect();
        self.take(&missing, ttl).await?;
        self.tell();
        Ok(self.held.len() == wanted.len())
    }

    /// May anything be ours? Only in the store of our cluster, and once the queues are there that all of it needs: who
    /// cannot serve a partition must leave it to others.
    async fn is_fit(&mut self) -> Result<bool, StoreError> {
        let context = Arc::clone(&self.context);
        match self.membership.look(&*context.store).await? {
            Standing::Member | Standing::Unfounded => {}
            Standing::Emptied(what) => {
                context.condition.has_lost(what);
                // Version 1 of a workflow may be another one from now on.
                context.definitions.forget();
                self.abandon().await;
            }
            Standing::Apart(why) => {
                self.abandon().await;
                context.condition.is_unfit(&why);
                return Ok(false);
            }
        }
        match self.declare().await {
            Ok(()) => {
                if let Err(StoreError::Configuration(why)) =
                    self.membership.agree_on_queues(&*context.store).await
                {
                    self.abandon().await;
                    context.condition.is_unfit(&why);
                    return Ok(false);
                }
                context.condition.is_fit();
                Ok(true)
            }
            Err(error) => {
                if let BrokerError::Configuration(why) = &error {
                    context.condition.is_unfit(why);
                }
                // Nobody waits for the lease of one that is not there.
                let all: Vec<_> = self.held.keys().copied().collect();
                self.give_back(&all).await?;
                context.store.leave(context.id).await?;
                Ok(false)
            }
        }
    }

    /// Makes sure that the queues of submissions are there: once, and again when they are taken for gone.
    async fn declare(&self) -> Result<(), BrokerError> {
        let context = &self.context;
        if context.open.load(Ordering::Acquire) {
            return Ok(());
        }
        let declared = async {
            context.broker.declare(&Queue::Submit).await?;
            context.broker.declare(&Queue::Rejected).await?;
            context.broker.declare(&Queue::Parked).await
        };
        tokio::select! {
            biased;
            () = context.shutdown.begun() => return Err(BrokerError::Closed),
            declared = declared => declared?,
        }
        context.open.store(true, Ordering::Release);
        Ok(())
    }

    /// Lets go of all at once. The store is not told: it knows nothing of them.
    async fn abandon(&mut self) {
        for (partition, _) in std::mem::take(&mut self.held) {
            self.inboxes.close(partition).await;
            let _ = self.mailbox.send(Input::Lost(partition)).await;
        }
        self.tell();
    }

    /// The loop has let go of partitions: what the store holds of them is not what we think. Those that are still
    /// ours are taken again under a new epoch.
    async fn step_down(&mut self, first: (PartitionId, Epoch)) {
        let mut next = Some(first);
        while let Some((partition, epoch)) = next {
            if self.held.get(&partition) == Some(&epoch) {
                self.held.remove(&partition);
                self.inboxes.close(partition).await;
            }
            next = self.stepping_down.try_recv().ok();
        }
        self.tell();
        // What cannot be taken for long must not be tried in a tight loop.
        tokio::time::sleep(STEP_DOWN_PAUSE).await;
    }

    async fn renew(&mut self, ttl: u64) -> Result<(), StoreError> {
        let held: Vec<(PartitionId, Epoch)> = self.held.iter().map(|(p, e)| (*p, *e)).collect();
        if held.is_empty() {
            return Ok(());
        }
        // What is confirmed by now, the store must still have when it answers.
        let confirmed: Vec<_> =
            held.iter().map(|(partition, epoch)| self.context.confirmed.last(*partition, *epoch)).collect();
        // Of those that were taken a moment ago, the loop does not know yet what may not have arrived.
        let (unread, read): (Vec<_>, Vec<_>) =
            held.iter().copied().partition(|(partition, _)| self.context.published.is_unread(*partition));
        let published_until = self.context.published.until(|| self.context.now());
        let mut kept = self.kept(&read, ttl, published_until).await?;
        kept.extend(self.kept(&unread, ttl, Timestamp::default()).await?);
        for ((partition, epoch), confirmed) in held.into_iter().zip(confirmed) {
            let kept = kept.get(&(partition, epoch)).copied().flatten();
            match kept {
                Some(kept) if kept >= confirmed => continue,
                Some(kept) => tell_lost(partition, confirmed, kept),
                None => tracing::warn!(%partition, "somebody else owns it now"),
            }
            self.held.remove(&partition);
            self.inboxes.close(partition).await;
            let _ = self.mailbox.send(Input::Lost(partition)).await;
        }
        Ok(())
    }

    /// Renews partitions, and returns the last commit of each that is kept.
    async fn kept(
        &self,
        held: &[(PartitionId, Epoch)],
        ttl: u64,
        published_until: Timestamp,
    ) -> Result<BTreeMap<(PartitionId, Epoch), Option<Seq>>, StoreError> {
        if held.is_empty() {
            return Ok(BTreeMap::new());
        }
        let kept = match self.context.store.renew(held, ttl, published_until).await {
            Err(StoreError::Corrupt(_)) => {
                let mut kept = Vec::with_capacity(held.len());
                for one in held {
                    let one_by_one = std::slice::from_ref(one);
                    let renewed = self.context.store.renew(one_by_one, ttl, published_until).await;
                    kept.push(
                        skip_if_damaged(one.0, renewed, UNOWNED)?.and_then(|kept| kept.first().copied()?),
                    );
                }
                kept
            }
            kept => kept?,
        };
        Ok(held.iter().copied().zip(kept).collect())
    }

    async fn take(&mut self, missing: &[PartitionId], ttl: u64) -> Result<(), StoreError> {
        if missing.is_empty() {
            return Ok(());
        }
        let acquired = match self.context.store.acquire(missing, self.context.id, ttl).await {
            Err(StoreError::Corrupt(_)) => {
                let mut acquired = Vec::with_capacity(missing.len());
                for one in missing {
                    let taken =
                        self.context.store.acquire(std::slice::from_ref(one), self.context.id, ttl).await;
                    acquired.push(skip_if_damaged(*one, taken, UNOWNED)?.and_then(|mut taken| taken.pop()));
                }
                acquired
            }
            acquired => acquired?.into_iter().map(Some).collect(),
        };
        for (partition, acquired) in missing.iter().copied().zip(acquired) {
            if let Some(Acquired::Owned { epoch, published_until, .. }) = acquired {
                self.held.insert(partition, epoch);
                self.context.published.took(partition, epoch);
                let published_until = published_until.max(Timestamp::default());
                let _ = self.mailbox.send(Input::Took { partition, epoch, published_until }).await;
                self.inboxes.open(partition);
            }
        }
        Ok(())
    }

    async fn give_back(&mut self, partitions: &[PartitionId]) -> Result<(), StoreError> {
        if partitions.is_empty() {
            return Ok(());
        }
        let mut released = Vec::new();
        for partition in partitions {
            let Some(epoch) = self.held.remove(partition) else { continue };
            self.inboxes.close(*partition).await;
            let (done, finished) = oneshot::channel();
            if self.mailbox.send(Input::GiveUp(*partition, done)).await.is_ok() {
                let _ = finished.await;
            }
            released.push((*partition, epoch));
        }
        self.tell();
        self.context.store.release(&released).await
    }

    fn tell(&self) {
        let owned: OwnedSet = self.held.keys().copied().collect();
        self.told.send_if_modified(|told| {
            let changed = **told != owned;
            if changed {
                *told = Arc::new(owned);
            }
            changed
        });
    }

    /// Gives all back at once, so that others need not wait for a lease to lapse.
    async fn leave(&mut self) {
        let all: Vec<_> = self.held.keys().copied().collect();
        let bound = Duration::from_secs(5);
        let given = tokio::time::timeout(bound, async {
            self.give_back(&all).await?;
            self.context.store.leave(self.context.id).await
        });
        match given.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "partitions could not be given back; they lapse by themselves");
            }
            Err(_) => tracing::warn!("partitions could not be given back in time; they lapse by themselves"),
        }
    }
}

/// The owner of a partition among the producers that live: the one with the highest hash with it (rendezvous hashing).
fn owner_of(partition: PartitionId, live: &[ProducerId]) -> Option<ProducerId> {
    live.iter().copied().max_by_key(|producer| {
        let mut hasher = DefaultHasher::new();
        (producer.0.as_bytes(), partition.0).hash(&mut hasher);
        hasher.finish()
    })
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_producer_that_leaves_moves_only_its_own_partitions() {
        let live: Vec<_> = (0..3).map(|_| ProducerId(Uuid::new_v4())).collect();
        for partition in (0..64).map(PartitionId) {
            let before = owner_of(partition, &live).unwrap();
            let after = owner_of(partition, &live[..2]).unwrap();
            assert!(before == after || before == live[2]);
        }
        assert_eq!(owner_of(PartitionId(0), &[]), None);
    }

    #[test]
    fn partitions_are_shared_about_evenly() {
        let live: Vec<_> = (0..4).map(|_| ProducerId(Uuid::new_v4())).collect();
        let mine = (0..1024).filter(|p| owner_of(PartitionId(*p), &live) == Some(live[0])).count();
        assert!((150..400).contains(&mine), "{mine} of 1024");
    }
}
