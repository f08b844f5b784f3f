//! What a process of a newer version has left behind, and must find again.

use std::collections::BTreeSet;

use bytes::Bytes;

/// What nobody of the fleet knows.
#[derive(Debug, Default)]
pub(crate) struct Left {
    pub(crate) messages: BTreeSet<Bytes>,
    pub(crate) timers: BTreeSet<String>,
}
