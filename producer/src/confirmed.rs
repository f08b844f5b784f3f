//! How far the store has confirmed the commits of each partition. A store that is behind that has lost some: it failed
//! over to a server that lagged, or was emptied. What they held cannot be had back, but it is told.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use millrace_domain::{Epoch, PartitionId, Seq};

/// The last confirmed commit of each partition.
#[derive(Default)]
pub(crate) struct Confirmed(Mutex<HashMap<PartitionId, (Epoch, Seq)>>);

impl Confirmed {
    /// A commit is confirmed.
    pub(crate) fn note(&self, partition: PartitionId, epoch: Epoch, seq: Seq) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(partition, (epoch, seq));
    }

    /// The last one of an epoch; 0 when there is none.
    pub(crate) fn last(&self, partition: PartitionId, epoch: Epoch) -> Seq {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&partition) {
            Some((of, seq)) if *of == epoch => *seq,
            _ => Seq(0),
        }
    }
}

/// Says that the store holds only the first `kept` of the commits that it has `confirmed`.
pub(crate) fn tell_lost(partition: PartitionId, confirmed: Seq, kept: Seq) {
    let lost = confirmed.0.saturating_sub(kept.0);
    tracing::error!(
        %partition, lost, confirmed = confirmed.0, kept = kept.0,
        "the store has lost commits that it had confirmed (it failed over to a server that lagged, or was emptied): what \
         they held is gone, as far as no task of it comes back; beginning anew with what is there"
    );
    metrics::counter!("millrace_lost_commits_total").increment(lost);
}
