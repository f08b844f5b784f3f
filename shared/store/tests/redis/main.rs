//! What only a Redis can do to us: evict, forget, be away, lose its scripts, be full, be a node of a cluster, hold
//! what another version wrote.
//! What holds on every store is in `conformance`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod away;
mod damaged;
mod emptied;
mod fixture;
mod full;
mod lost;
mod newer;
mod older;
mod refused;
mod scripts;
mod size;
