//! Waits between tries that grow: what is away may be back at once, so it is asked again soon; what stays away is asked
//! seldom, so that it is not held down by those who wait for it. Not for the retries of tasks, whose policy stands in
//! their definition.

use std::time::Duration;

/// An exponential backoff: each wait is twice the one before it, up to a bound. From 20 ms up to 1 s, the waits are
/// 20, 40, 80, 160, 320, 640 ms, and then 1 s each.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// A backoff that begins with the wait `first` and never waits for more than `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// Waits, and makes the next wait longer.
    pub async fn wait(&mut self) {
        let wait = self.next;
        self.next = (wait * 2).min(self.longest);
        tokio::time::sleep(wait).await;
    }

    /// Begins again with the first wait: what was away has been there.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// How long the next wait takes, in milliseconds.
    async fn waited(backoff: &mut Backoff) -> u128 {
        let began = Instant::now();
        backoff.wait().await;
        began.elapsed().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn each_wait_is_twice_the_last_up_to_the_bound_until_it_begins_again() {
        let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1));
        for expected in [20, 40, 80, 160, 320, 640, 1_000, 1_000] {
            assert_eq!(waited(&mut backoff).await, expected);
        }
        backoff.reset();
        assert_eq!(waited(&mut backoff).await, 20);
    }
}
