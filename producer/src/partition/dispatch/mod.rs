//! How tasks get to the broker: which of them share a message, and the publishing of each until it is confirmed.

pub(crate) mod bundles;
pub(crate) mod outbox;
