//! What a proxy does with what passes.

use std::time::Duration;

/// The way that bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// What a proxy does with connections, those that are there and those that come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything passes.
    Pass,
    /// No connection is accepted.
    Refuse,
    /// Connections stay, and nothing arrives until this ends: both ways, or one.
    Hole(Option<Way>),
    /// Everything arrives, and so much later.
    Delay(Duration),
    /// Each connection ends after fewer than so many bytes, at any byte.
    Cut(usize),
    /// `basic.ack` and `basic.nack` do not arrive: confirms on the way down, settlements on the way up.
    Eat(Way),
}
