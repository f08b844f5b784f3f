//! Hearing the store's clock. It is a loop of its own, so that nothing else that waits keeps it from noticing that
//! the clock was set, or that this machine was suspended: on Linux, the clock that sleeps are measured with stands
//! still meanwhile, so whoever sleeps until an instant is late until this has looked again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::context::Context;

/// How often it is asked: what falls due is late by so much at most after the clock was set.
const EVERY: Duration = Duration::from_secs(1);

/// Runs until the shutdown.
pub(crate) async fn run(context: Arc<Context>) {
    loop {
        let asked = Instant::now();
        // Without the store nothing can be due: it is waited for elsewhere, with a word.
        if let Ok(now) = context.store.now().await {
            context.clock.heard(now.as_millis(), asked);
        }
        tokio::select! {
            biased;
            () = context.shutdown.begun() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
