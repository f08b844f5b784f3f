//! The seats of a server: how many connections there are at a time, and which one makes room for another.
//!
//! When all are taken, the connection that has waited longest for its client to ask for something is closed, so that
//! clients that only hold connections cannot keep out those that ask. One whose request is being answered stays.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

/// The value of `waits_since` of a connection whose request is being answered.
const BUSY: u64 = u64::MAX;

/// The seats of a server: one for each connection that it may have.
#[derive(Debug)]
pub(super) struct Seats {
    limit: usize,
    began: Instant,
    taken: Mutex<HashMap<u64, Arc<Seat>>>,
    changed: Notify,
    next: AtomicU64,
}

/// The seat of one connection.
#[derive(Debug)]
pub(super) struct Seat {
    /// The time since which the connection waits, in nanoseconds since the server began; [`BUSY`] while a request is
    /// being answered.
    waits_since: AtomicU64,
    is_leaving: AtomicBool,
    asked_to_leave: Notify,
    /// Whether the body of its request took too long.
    pub(super) is_late: AtomicBool,
}

impl Seat {
    /// Waits until the connection has to make room.
    pub(super) async fn asked_to_leave(&self) {
        self.asked_to_leave.notified().await;
    }

    /// Whether no request is being answered.
    pub(super) fn waits(&self) -> bool {
        self.waits_since.load(Ordering::Acquire) != BUSY
    }
}

/// A seat that is taken; dropped, it is free.
#[derive(Debug)]
pub(super) struct Taken {
    seats: Arc<Seats>,
    number: u64,
    seat: Arc<Seat>,
}

/// A request that is being answered; dropped, its connection waits for the next one.
#[derive(Debug)]
pub(super) struct Turn {
    seats: Arc<Seats>,
    seat: Arc<Seat>,
}

impl Seats {
    /// The seats of a server that may have so many connections.
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            began: Instant::now(),
            taken: Mutex::default(),
            changed: Notify::new(),
            next: AtomicU64::new(0),
        })
    }

    /// Takes a seat, if there is a free one.
    pub(super) fn try_take(self: &Arc<Self>) -> Option<Taken> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.len() >= self.limit {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let seat = Arc::new(Seat {
            waits_since: AtomicU64::new(self.now_nanos()),
            is_leaving: AtomicBool::new(false),
            asked_to_leave: Notify::new(),
            is_late: AtomicBool::new(false),
        });
        taken.insert(number, Arc::clone(&seat));
        Some(Taken { seats: Arc::clone(self), number, seat })
    }

    /// Takes a seat once one is free, and sees to it that one gets free. For one caller at a time.
    pub(super) async fn take(self: &Arc<Self>) -> Taken {
        loop {
            if let Some(taken) = self.try_take() {
                return taken;
            }
            self.make_room();
            self.changed.notified().await;
        }
    }

    /// Asks the connection that has waited longest for its client to leave, unless one is leaving already.
    fn make_room(&self) {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let is_leaving = |seat: &Arc<Seat>| seat.is_leaving.load(Ordering::Acquire);
        if taken.values().any(is_leaving) {
            return;
        }
        let waiting = taken.values().filter(|seat| seat.waits());
        if let Some(seat) = waiting.min_by_key(|seat| seat.waits_since.load(Ordering::Acquire)) {
            seat.is_leaving.store(true, Ordering::Release);
            seat.asked_to_leave.notify_one();
        }
    }

    fn now_nanos(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(0)
    }
}

impl Taken {
    /// The seat that is taken.
    pub(super) fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }

    /// Begins the turn of a request that has come.
    pub(super) fn turn(&self) -> Turn {
        self.seat.waits_since.store(BUSY, Ordering::Release);
        Turn { seats: Arc::clone(&self.seats), seat: Arc::clone(&self.seat) }
    }
}

impl Turn {
    /// The seat of the request's connection.
    pub(super) fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.seat.waits_since.store(self.seats.now_nanos(), Ordering::Release);
        self.seats.changed.notify_one();
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
        self.seats.changed.notify_one();
    }
}
