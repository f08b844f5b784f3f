//! The broker on RabbitMQ, 3.10 to 4.x.
//!
//! Two connections, each kept up by its own [`link`]: publishing on one, since the server stops reading a
//! publisher's connection when it runs out of memory or disk; everything else on the other. lapin's own recovery
//! stays off: it leaves consumers pending for ever after a channel was closed. Here anything that fails ends
//! visibly (a stream ends, a publish answers an error), and what is built next is built from nothing.
//!
//! What is not here: retries of a publish, and consuming again. Both are the caller's, who knows what a duplicate
//! costs.

mod administration;
mod bands;
mod batches;
mod broker;
mod consumer;
mod ledger;
mod direct_reply;
mod link;
mod message;
mod options;
mod publisher;
mod topology;
mod screen;
mod window;

pub use broker::RabbitMqBroker;
pub use options::{Options, QueueType, mask, validate_url};
