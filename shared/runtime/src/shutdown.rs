//! An orderly end: one signal asks for a drain, a second one ends the process.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Asked to end? Cloned into every part of the process.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// Not asked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks.
    pub fn begin(&self) {
        self.0.cancel();
    }

    /// Was it asked?
    pub fn has_begun(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until it is asked.
    pub async fn begun(&self) {
        self.0.cancelled().await;
    }

    /// One that ends with this one, or earlier by itself.
    pub fn child(&self) -> Self {
        Self(self.0.child_token())
    }

    /// Asks on SIGTERM and SIGINT. The second signal ends the process with the status shells use for it.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn on_signals(&self) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = self.clone();
        tokio::spawn(async move {
            for asked in 0.. {
                let status = tokio::select! {
                    _ = terminate.recv() => 143,
                    _ = interrupt.recv() => 130,
                };
                if asked > 0 {
                    std::process::exit(status);
                }
                shutdown.begin();
            }
        });
        Ok(())
    }
}
