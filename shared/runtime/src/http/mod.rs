//! A bounded HTTP server: what clients do, or leave undone, must not take from the process what it needs for its work.
//!
//! [`server`] accepts connections and serves each, [`seats`] is how many there may be at a time and who makes room,
//! [`body`] is a request's body on its way in and an answer's on its way out, [`descriptors`] is what the process may
//! have open. It knows no routes.

mod body;
pub mod descriptors;
mod seats;
mod server;

pub use server::{Bounds, SLOW_BODY, serve};
