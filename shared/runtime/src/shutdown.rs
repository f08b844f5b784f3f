//! An orderly end: one signal asks for a drain, a second one ends the process. A part that breaks asks as well, since
//! a process that is started anew is better than one that is half alive.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use futures_util::FutureExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The shutdown of a process. It is cloned into every part, which looks here whether the end was asked for.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    asked: CancellationToken,
    broken: Arc<AtomicBool>,
    failure: Arc<OnceLock<String>>,
}

impl Shutdown {
    /// A shutdown that nobody has asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for the end.
    pub fn begin(&self) {
        self.asked.cancel();
    }

    /// Whether the end was asked for.
    pub fn has_begun(&self) -> bool {
        self.asked.is_cancelled()
    }

    /// Waits until the end is asked for.
    pub async fn begun(&self) {
        self.asked.cancelled().await;
    }

    /// A shutdown that begins with this one, or earlier by itself.
    pub fn child(&self) -> Self {
        Self { asked: self.asked.child_token(), ..self.clone() }
    }

    /// Runs a part that the process cannot do without: when it panics, the end is asked for.
    pub fn vital<W: Future<Output = ()>>(
        &self,
        part: &'static str,
        work: W,
    ) -> impl Future<Output = ()> + use<W> {
        let shutdown = self.clone();
        // Combinators hold the work once; an `async` block that awaits it would hold it twice, and there is one a task.
        AssertUnwindSafe(work).catch_unwind().map(move |ended| {
            if ended.is_err() {
                tracing::error!(
                    part,
                    "this part has broken, which is a bug: the process ends, to be started anew"
                );
                shutdown.broken.store(true, Ordering::Release);
                shutdown.begin();
            }
        })
    }

    /// Asks for the end because the process cannot do its work: what is wrong, and what to do.
    pub fn fail(&self, why: &str) {
        let _ = self.failure.set(why.to_owned());
        self.begin();
    }

    /// Why the process cannot do its work, when the end was asked for because of that.
    pub fn why_failed(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// Whether a vital part broke.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// Asks for the end on SIGTERM and SIGINT. The second signal ends the process with the status shells use for it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_panics_asks_for_the_end_and_one_that_ends_does_not() {
        let shutdown = Shutdown::new();
        shutdown.vital("a part that ends", async {}).await;
        assert!(!shutdown.has_begun() && !shutdown.is_broken());
        shutdown.vital("a part that breaks", async { panic!("it breaks") }).await;
        assert!(shutdown.has_begun() && shutdown.is_broken() && shutdown.child().is_broken());
    }
}
