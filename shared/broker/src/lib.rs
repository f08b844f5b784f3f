//! The message broker as Millrace needs it: durable queues with priorities, confirmed publishing, deliveries
//! that come back when they were not acknowledged.
//!
//! [`contract`] says what a broker is; [`rabbitmq`] and [`memory`] are the two there are; the one suite in
//! `tests/conformance` runs on both. What this crate does not know: runs, steps, JSON.

pub mod contract;
pub mod memory;
pub mod rabbitmq;
pub mod topology;

pub use contract::{
    Broker, BrokerError, Consumer, Delivery, Depth, LEFT_OUT_HEADER, Outgoing, Properties, Route, Settle,
};
pub use topology::Queue;
