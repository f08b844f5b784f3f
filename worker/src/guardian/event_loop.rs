//! The event loop of a helper.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Runs a helper on one thread: a keeper is told of the death of the thread that started it.
pub(super) fn on_one_thread(helper: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        // Whatever ends the worker must not end its helpers first. Caught and not ignored: what is ignored would be
        // ignored by tasks as well.
        for kind in [
            SignalKind::hangup(),
            SignalKind::interrupt(),
            SignalKind::quit(),
            SignalKind::terminate(),
            SignalKind::user_defined1(),
            SignalKind::user_defined2(),
            SignalKind::alarm(),
        ] {
            let _caught = signal(kind)?;
        }
        helper.await
    })
}
