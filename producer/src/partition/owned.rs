//! A partition that is ours.

use millrace_domain::{Epoch, Seq};

/// What the loop knows of it.
#[derive(Debug)]
pub(crate) struct Owned {
    /// Our fence.
    pub(crate) epoch: Epoch,
    /// The last commit's number.
    pub(crate) seq: Seq,
    /// Something may be dispatched: the watch looks at it.
    pub(crate) watching: bool,
}
