//! A broker in memory that faults can happen to: the queues and who holds what ([`exchange`]), and a process's way to
//! it ([`MemoryBroker`]). It passes the conformance suite of RabbitMQ. It keeps account: what was published
//! was acked, or is still there, or was lost by a fault.

mod exchange;
mod handle;
mod queue;

pub(crate) use exchange::{Exchange, PREFIX};
pub use handle::MemoryBroker;
pub(crate) use queue::Message;
