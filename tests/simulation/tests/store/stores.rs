//! The store in memory, for the suite.

use std::sync::Arc;

use millrace_simulation::{Guards, MemoryStore, Shared};

use crate::fixture::Given;

/// Runs each of the named tests.
macro_rules! on_every_store {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::stores::memory()).await;
            })*
        }
    };
}
pub(crate) use on_every_store;

pub(crate) fn memory() -> Given {
    Arc::new(MemoryStore::calm(&Shared::calm(Guards::default())))
}

#[test]
fn random_histories_agree_with_the_model() {
    crate::model::histories_agree(100, || async { memory() });
}
