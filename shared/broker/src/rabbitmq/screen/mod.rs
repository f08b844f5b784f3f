//! The screen between the socket and the AMQP library: what a foreign client may put into a message costs at most
//! that message.
//!
//! The library ends the connection at a property that is not UTF-8, at a content header that is longer than the
//! negotiated frame (RabbitMQ sends a header in one frame, whatever was negotiated), and overflows the stack of its
//! thread at a table nested deeply enough. The message comes again on the next connection, for ever. So what the
//! server sends is read here first: bodies pass as they are, and so do ordinary headers. A header that the library
//! may not bear is read by us, tolerantly, bounded and without recursion ([`content`]), and a small one that it
//! surely bears takes its place. What could not be read is said in a header of our own, which no client can write:
//! [`message::properties`](super::message::properties) makes [`Properties::unreadable`](crate::Properties) of it.
//!
//! What is written passes untouched, and TLS is below: the screen sees what the library would.

mod bytes;
mod content;
mod fault;
mod frames;
mod method;
mod runtime;
mod stream;

pub(crate) use content::UNREADABLE_HEADER;
pub(crate) use runtime::Screening;
pub(crate) use stream::Screened;

#[cfg(test)]
mod fuzz;
