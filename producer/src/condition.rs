//! What an operator must know of this producer's place in its cluster, beside whether its servers answer: why it owns
//! nothing, and what the store has lost. For `/readyz`, the log and metrics.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The interval at which a fault that lasts is logged again.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// The condition of a producer.
#[derive(Default)]
pub(crate) struct Condition(Mutex<State>);

#[derive(Default)]
struct State {
    /// Why it owns nothing, and when that was said last.
    unfit: Option<(String, Instant)>,
    /// What the store has lost since this process began.
    lost: Option<String>,
}

impl Condition {
    /// The process may own partitions.
    pub(crate) fn is_fit(&self) {
        if self.with(|state| state.unfit.take()).is_some() {
            tracing::info!("this producer may own partitions again");
        }
        metrics::gauge!("millrace_unfit").set(0.0);
    }

    /// The process may own none, for this reason.
    pub(crate) fn is_unfit(&self, why: &str) {
        let is_news = self.with(|state| match &state.unfit {
            Some((known, said)) if known == why && said.elapsed() < SAY_AGAIN => false,
            _ => {
                state.unfit = Some((why.to_owned(), Instant::now()));
                true
            }
        });
        if is_news {
            tracing::error!(why, "this producer owns no partitions and takes nothing in");
        }
        metrics::gauge!("millrace_unfit").set(1.0);
    }

    /// The store has lost all that it held.
    pub(crate) fn has_lost(&self, what: String) {
        tracing::error!("{what}");
        metrics::counter!("millrace_store_emptied_total").increment(1);
        self.with(|state| state.lost = Some(what));
    }

    /// Why it owns nothing.
    pub(crate) fn why_unfit(&self) -> Option<String> {
        self.with(|state| state.unfit.as_ref().map(|(why, _)| why.clone()))
    }

    /// What the store has lost since this process began.
    pub(crate) fn what_is_lost(&self) -> Option<String> {
        self.with(|state| state.lost.clone())
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
