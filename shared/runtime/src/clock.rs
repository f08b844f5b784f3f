//! The store's clock, read locally: what is due is decided by the store's time, so that producers with
//! skewed clocks agree, without a round trip for every look at the clock.

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::ambient::Ambient;

/// The store's time, carried forward by the local monotonic clock since it was last heard of.
#[derive(Debug)]
pub struct StoreClock {
    anchor: Mutex<(Instant, i64)>,
    ambient: Ambient,
}

impl StoreClock {
    /// Until the store is heard of, the local wall clock has to do.
    pub fn new(ambient: Ambient) -> Self {
        Self { anchor: Mutex::new((Instant::now(), ambient.wall_millis())), ambient }
    }

    /// The store said `millis` in answer to a question asked at `asked`.
    pub fn heard(&self, millis: i64, asked: Instant) {
        // The answer was made between the question and now: take the middle.
        let trip = asked.elapsed();
        if let Ok(mut anchor) = self.anchor.lock() {
            *anchor = (Instant::now(), millis + i64::try_from(trip.as_millis() / 2).unwrap_or(0));
        }
    }

    /// The store's time now, in milliseconds since the epoch.
    pub fn now_millis(&self) -> i64 {
        match self.anchor.lock() {
            Ok(anchor) => anchor.1 + i64::try_from(anchor.0.elapsed().as_millis()).unwrap_or(0),
            Err(_) => self.ambient.wall_millis(),
        }
    }
}

/// The local wall clock, in milliseconds since the epoch.
pub fn wall_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
