//! One way of one connection.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::select;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::frames::Frames;
use super::mode::{Mode, Way};
use crate::dice::Dice;

/// The bytes that are read at once, and how many such pieces are on their way, at most.
const PIECE: usize = 32 * 1024;
const PIECES: usize = 256;

/// The pump of one connection, which carries bytes one way.
pub(super) struct Pump {
    way: Way,
    frames: Option<Frames>,
    mode: watch::Receiver<Mode>,
    dice: Dice,
}

impl Pump {
    pub(super) fn new(way: Way, frames: Option<Frames>, mode: watch::Receiver<Mode>, dice: Dice) -> Self {
        Self { way, frames, mode, dice }
    }

    /// Carries bytes until either side ends, or the connection is cut.
    pub(super) async fn run(self, from: OwnedReadHalf, to: OwnedWriteHalf) {
        let Self { way, frames, mode, dice } = self;
        let (pieces, arrived) = mpsc::channel(PIECES);
        select! {
            () = read(from, way, frames, mode.clone(), pieces) => {}
            () = write(to, way, mode, dice, arrived) => {}
        }
    }
}

/// Reads pieces, leaves out what is eaten, and says when each is due.
async fn read(
    mut from: OwnedReadHalf,
    way: Way,
    mut frames: Option<Frames>,
    mode: watch::Receiver<Mode>,
    pieces: mpsc::Sender<(Instant, Vec<u8>)>,
) {
    let mut buffer = vec![0; PIECE];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let mode = *mode.borrow();
        let piece = match &mut frames {
            Some(frames) => frames.pass(&buffer[..length], mode == Mode::Eat(way)),
            None => buffer[..length].to_vec(),
        };
        let delay = if let Mode::Delay(delay) = mode { delay } else { Duration::ZERO };
        if !piece.is_empty() && pieces.send((Instant::now() + delay, piece)).await.is_err() {
            return;
        }
    }
}

async fn write(
    mut to: OwnedWriteHalf,
    way: Way,
    mut mode: watch::Receiver<Mode>,
    mut dice: Dice,
    mut arrived: mpsc::Receiver<(Instant, Vec<u8>)>,
) {
    let mut left = None;
    while let Some((due, piece)) = arrived.recv().await {
        sleep_until(due).await;
        let passes = |mode: &Mode| !matches!(mode, Mode::Hole(hole) if hole.is_none_or(|hole| hole == way));
        let Ok(now) = mode.wait_for(passes).await.map(|mode| *mode) else { return };
        let whole = if let Mode::Cut(limit) = now {
            let left = left.get_or_insert_with(|| dice.below(limit));
            let whole = piece.len() < *left;
            let length = piece.len().min(*left);
            *left -= length;
            let _ = to.write_all(&piece[..length]).await;
            whole
        } else {
            left = None;
            to.write_all(&piece).await.is_ok()
        };
        if !whole {
            return;
        }
    }
}
