//! The worker's end of a keeper: one task at a time under it.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::order::{self, Answer, Launch};
use super::wire::Wire;
use crate::process::tree::signal;

/// A keeper, as the worker holds it. When it is dropped, it kills its task and ends.
#[derive(Debug)]
pub(crate) struct Keeper {
    wire: Wire,
    pid: i32,
    /// The number of the guardian that has started it.
    pub(super) guardian: u64,
}

impl Keeper {
    /// Waits until a keeper that was asked for is there.
    pub(super) async fn meet(socket: UnixStream, guardian: u64) -> io::Result<Self> {
        let mut keeper = Self { wire: Wire::new(socket)?, pid: 0, guardian };
        match keeper.answer().await? {
            Answer::Ready { pid } => Ok(Self { pid, ..keeper }),
            other => Err(io::Error::new(ErrorKind::InvalidData, format!("a keeper began with {other:?}"))),
        }
    }

    /// Starts a task with these for its standard output and error.
    pub(crate) async fn start(
        &mut self,
        launch: &Launch,
        output: impl AsFd,
        error: impl AsFd,
    ) -> io::Result<()> {
        self.wire.send(&order::start(launch)?, &[output.as_fd(), error.as_fd()]).await
    }

    /// Ends the task: without a grace, at once.
    pub(crate) async fn stop(&mut self, grace: Duration) -> io::Result<()> {
        self.wire.send(&order::stop(grace), &[]).await
    }

    /// Waits for the end of the task. An error means that the keeper has died, and its task with it. It can be dropped
    /// and called again without a loss.
    pub(crate) async fn answer(&mut self) -> io::Result<Answer> {
        let frame = self.wire.receive().await?.ok_or(ErrorKind::UnexpectedEof)?;
        Answer::read(&frame.body).ok_or_else(|| ErrorKind::InvalidData.into())
    }

    /// Kills a keeper that does not answer. Its guardian then kills its task.
    pub(crate) fn kill(&self) {
        signal(self.pid, Signal::SIGKILL);
    }

    /// Whether the keeper is known to be gone.
    pub(super) fn has_ended(&self) -> bool {
        self.wire.has_ended()
    }
}
