//! The broker on RabbitMQ, 3.10 to 4.x.
//!
//! A connection for each purpose, kept up by its own [`link`]: publishing on one, since the server stops reading a
//! publisher's connection when it runs out of memory or disk; what strangers submit on another, where it is consumed;
//! everything else on the third. What the server sends goes through a [`screen`]: a message that lapin does not bear
//! would cost the connection, and come again on the next. lapin's own recovery stays off: it leaves consumers pending
//! for ever after a channel was closed. Here anything that fails ends visibly (a stream ends, a publish answers an
//! error), and what is built next is built from nothing.
//!
//! What is not here: retries of a publish, and consuming again. Both are the caller's, who knows what a duplicate
//! costs.

mod administration;
mod bands;
mod batches;
mod broker;
mod consumer;
mod direct_reply;
mod link;
mod message;
mod options;
mod outage;
mod publisher;
mod screen;
mod topology;
mod unacked;
mod window;

pub use broker::RabbitMqBroker;
pub use options::{Options, QueueType, mask, validate_url};
