//! How full the store is, asked for again and again: backpressure begins before its memory is full.

use std::sync::Arc;
use std::time::Duration;

use crate::context::Context;

/// How often the store is asked while it has a limit, and while it has none (somebody may set one).
const ASK_EVERY: Duration = Duration::from_secs(1);
const ASK_SELDOM: Duration = Duration::from_secs(10);

/// Asks the store until the shutdown.
pub(crate) async fn run(context: Arc<Context>) {
    loop {
        let wait = match context.store.fullness().await {
            Ok(fullness) => {
                context.backpressure.heard(fullness);
                let watched = fullness.limit_bytes.is_some() || context.backpressure.why_stopped().is_some();
                if watched { ASK_EVERY } else { ASK_SELDOM }
            }
            Err(_) => ASK_EVERY,
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = context.backpressure.stops(), if wait == ASK_SELDOM => tokio::time::sleep(ASK_EVERY).await,
            () = context.shutdown.begun() => return,
        }
    }
}
