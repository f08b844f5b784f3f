//! What the loop knows of its partitions. All of it is in the store as well: it can be dropped between batches, and is
//! loaded again when it is needed.

pub(crate) mod load;
pub(crate) mod owned;
pub(crate) mod runs;
pub(crate) mod timers;
pub(crate) mod workflows;
