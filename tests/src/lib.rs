//! The harness of the end-to-end tests: fleets of real `millrace` processes on real RabbitMQ and Redis.
//!
//! ```text
//! Fleet ──starts──▶ Process (producer, worker) ──has──▶ Api
//!   │                  kill9 · sigterm · sigstop · sigcont
//!   ├──▶ Amqp          any client of the broker: submit, ask, look into queues
//!   └──▶ Marks         what tasks write down about themselves
//! ```
//!
//! The tests are in `tests/`, one file per promise, named by the promise. They know Millrace as a stranger does:
//! by its processes, its API and its messages. No crate of the product is used here, and nothing is simulated.
//! A harness fails where it stands: what a test needs and does not get is a panic that says what was seen last.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod amqp;
mod api;
mod binary;
mod fleet;
mod marks;
mod process;
mod sweep;
mod tree;
mod wait;

pub use amqp::{Amqp, Message};
pub use api::Api;
pub use binary::binary;
pub use fleet::Fleet;
pub use marks::{Kind, Mark, Marks};
pub use process::Process;
pub use tree::{guardian_of, processes_of};
pub use wait::wait_until;
