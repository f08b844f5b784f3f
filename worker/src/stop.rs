//! Why a task must end before its time, and how its executor learns of it. Not a timer: whoever decides (the
//! timeout, a cancel, the drain, the lease) fires the handle.

use millrace_domain::Outcome;
use tokio::sync::watch;

/// The reason why a task must end before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// It took longer than its timeout.
    TimedOut,
    /// Somebody asked for its end.
    Cancelled,
    /// The worker is going and its grace is over.
    Draining,
    /// The worker could not renew its session for a whole lease: the task is not the worker's any more.
    LeaseLost,
}

impl StopReason {
    /// The outcome of an attempt that ended for this reason.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::TimedOut => Outcome::TimedOut,
            Self::Cancelled => Outcome::Cancelled,
            Self::Draining | Self::LeaseLost => Outcome::Lost,
        }
    }

    /// Whether processes are asked to end (SIGTERM) before they are killed. After a lost lease somebody else
    /// may start the task at any moment, so there is no time for that.
    pub fn has_grace(self) -> bool {
        self != Self::LeaseLost
    }
}

/// The handle that ends one task. The first reason holds; later ones change nothing.
#[derive(Debug, Clone)]
pub struct StopHandle(watch::Sender<Option<StopReason>>);

impl StopHandle {
    /// Makes a handle, and the signal that the executor of the task watches.
    pub fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), Stop(receiver))
    }

    /// Asks the task to end. `false` when it was asked before.
    pub fn stop(&self, reason: StopReason) -> bool {
        self.0.send_if_modified(|held| {
            let first = held.is_none();
            if first {
                *held = Some(reason);
            }
            first
        })
    }
}

/// The signal to end, which an executor watches. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<Option<StopReason>>);

impl Stop {
    /// The reason, if the task must end already.
    pub fn now(&self) -> Option<StopReason> {
        *self.0.borrow()
    }

    /// Waits until the task must end; for ever when nobody can ask for that any more.
    pub async fn reason(&self) -> StopReason {
        let mut receiver = self.0.clone();
        if let Ok(held) = receiver.wait_for(Option::is_some).await
            && let Some(reason) = *held
        {
            return reason;
        }
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_first_reason_wins() {
        let (handle, stop) = StopHandle::new();
        assert_eq!(stop.now(), None);
        assert!(handle.stop(StopReason::Cancelled));
        assert!(!handle.stop(StopReason::TimedOut));
        assert_eq!(stop.reason().await, StopReason::Cancelled);
        assert_eq!(stop.now(), Some(StopReason::Cancelled));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_handle_never_stops_a_task() {
        let (handle, stop) = StopHandle::new();
        drop(handle);
        assert!(tokio::time::timeout(Duration::from_secs(60), stop.reason()).await.is_err());
    }
}
