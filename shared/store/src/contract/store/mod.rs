//! What a store is to Millrace: every call, and what it promises when it is repeated. A trait for each thing that a store is
//! for; [`Store`] is all of them.

mod claim;
mod cluster;
mod log;
mod partition;
mod read;
mod session;
mod watch;

pub use claim::*;
pub use cluster::*;
pub use log::*;
pub use partition::*;
pub use read::*;
pub use session::*;
pub use watch::*;

/// A store. Every write is idempotent by a number or a token of the caller's, so that after a lost reply the same
/// call is simply made again.
pub trait Store:
    ClusterStore + PartitionStore + WatchStore + ClaimStore + SessionStore + ReadStore + LogStore
{
}

impl<S> Store for S where
    S: ClusterStore + PartitionStore + WatchStore + ClaimStore + SessionStore + ReadStore + LogStore
{
}
