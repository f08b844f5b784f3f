//! What only a real server does: it stops, closes channels, goes deaf, and is not there.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it stands")]

mod connections;
mod consumers;
mod fixture;
mod restarts;
mod strangers;
