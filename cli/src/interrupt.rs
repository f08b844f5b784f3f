//! Ctrl-C and SIGTERM, for commands that wait. The first process of a container gets no signal that it does not ask
//! for, so that commands there would not end at all.

use tokio::signal::unix::{SignalKind, signal};

/// Waits until the process is asked to end, from the first poll on. For ever when that cannot be heard.
pub(crate) async fn asked() {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else { return std::future::pending().await };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
