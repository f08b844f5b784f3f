//! The broker inside one process, for the embedded mode and for tests: same priorities, prefetch, redelivery and
//! exclusive queues as RabbitMQ.
//!
//! Nothing is on disk: what waits here is in the store too, and the store publishes it again after a restart.

mod broker;
mod consumer;
mod queue;

pub use broker::MemoryBroker;
