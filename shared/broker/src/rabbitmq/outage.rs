//! An outage as the log tells it: what is wrong at once, then again now and then, and nothing in between.

use std::time::Duration;

use tokio::time::Instant;

/// The interval at which what is still wrong is logged again.
const SAY_AGAIN: Duration = Duration::from_secs(30);

/// An outage: a time without a connection.
#[derive(Debug)]
pub(crate) struct Outage {
    began: Instant,
    /// The reasons that were logged lately: nodes of one cluster may be away for different ones, in turn.
    said: Vec<String>,
    since: Instant,
}

impl Outage {
    /// Begins an outage, now.
    pub(crate) fn begin() -> Self {
        let now = Instant::now();
        Self { began: now, said: Vec::new(), since: now }
    }

    /// Whether this reason is to be logged now, and then for how many seconds the outage has lasted.
    pub(crate) fn tells(&mut self, reason: &str) -> Option<u64> {
        if self.since.elapsed() >= SAY_AGAIN {
            self.said.clear();
            self.since = Instant::now();
        }
        if self.said.iter().any(|said| said == reason) {
            return None;
        }
        self.said.push(reason.to_owned());
        Some(self.began.elapsed().as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_told_once_for_each_reason_and_again_every_half_minute() {
        let mut outage = Outage::begin();
        let mut told = Vec::new();
        for second in 0..65 {
            for reason in ["refused", "no such host"] {
                told.extend(outage.tells(reason).map(|for_s| (second, reason, for_s)));
            }
            sleep(Duration::from_secs(1)).await;
        }
        let expected = [0, 30, 60].map(|at| [(at, "refused", at), (at, "no such host", at)]);
        assert_eq!(told, expected.concat());
    }
}
