//! What a process takes from the machine around it and no two processes find alike: the time of day, and random
//! ids. Handed in where a process starts, so that the simulation can decide both. It is not the clock that
//! waits and leases are measured with: that is tokio's, which a simulation can pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use uuid::{Builder, Uuid};

/// The surroundings of a process. Cheap to clone; clones draw from the same source.
#[derive(Debug, Clone, Default)]
pub struct Ambient(Option<Arc<Simulated>>);

#[derive(Debug)]
struct Simulated {
    /// The reading of the wall clock, in milliseconds, at an instant of tokio's time.
    set: (Instant, i64),
    seed: u64,
    drawn: AtomicU64,
}

impl Ambient {
    /// The surroundings of the machine: its own clock and random source.
    pub fn system() -> Self {
        Self(None)
    }

    /// Simulated surroundings: a wall clock that shows `wall_millis` now and goes on with tokio's time, and ids that
    /// follow from `seed`.
    pub fn simulated(wall_millis: i64, seed: u64) -> Self {
        let set = (Instant::now(), wall_millis);
        Self(Some(Arc::new(Simulated { set, seed, drawn: AtomicU64::new(0) })))
    }

    /// The local wall clock, in milliseconds since the epoch.
    pub fn wall_millis(&self) -> i64 {
        match &self.0 {
            None => wall_millis(),
            Some(simulated) => {
                let (then, millis) = simulated.set;
                millis.saturating_add(i64::try_from(then.elapsed().as_millis()).unwrap_or(i64::MAX))
            }
        }
    }

    /// A random id.
    pub fn random_id(&self) -> Uuid {
        match &self.0 {
            None => Uuid::new_v4(),
            Some(simulated) => Builder::from_random_bytes(simulated.draw()).into_uuid(),
        }
    }

    /// A random id that sorts by the time at which it was made.
    pub fn ordered_id(&self) -> Uuid {
        match &self.0 {
            None => Uuid::now_v7(),
            Some(simulated) => {
                let millis = u64::try_from(self.wall_millis()).unwrap_or(0);
                let random = simulated.draw();
                let bytes = std::array::from_fn(|at| random[at]);
                Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
            }
        }
    }
}

impl Simulated {
    fn draw(&self) -> [u8; 16] {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        let (high, low) = (self.mixed(2 * number), self.mixed(2 * number + 1));
        (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
    }

    /// The number after mixing, by SplitMix64: <https://prng.di.unimi.it/splitmix64.c>.
    fn mixed(&self, number: u64) -> u64 {
        let mut z = self.seed.wrapping_add((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// The local wall clock, in milliseconds since the epoch.
pub fn wall_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_simulated_clock_goes_on_with_the_time_of_tokio_and_ids_follow_from_the_seed() {
        let (one, same, other) =
            (Ambient::simulated(1_000, 7), Ambient::simulated(1_000, 7), Ambient::simulated(1_000, 8));
        tokio::time::advance(Duration::from_millis(234)).await;
        assert_eq!(one.wall_millis(), 1_234);
        let ids = |ambient: &Ambient| [ambient.random_id(), ambient.ordered_id(), ambient.random_id()];
        let drawn = ids(&one);
        assert_eq!(drawn, ids(&same));
        assert_ne!(drawn, ids(&other));
        assert_ne!(drawn, ids(&one), "no id comes twice");
        assert_eq!((drawn[0].get_version_num(), drawn[1].get_version_num()), (4, 7));
    }
}
