//! The implementations that the suite runs on here. Another crate with another store has a file of its own in
//! place of this one.

use std::sync::Arc;

use millrace_store::redis::{Options, RedisStore};
use millrace_store::sqlite::SqliteStore;
use uuid::Uuid;

use crate::fixture::Given;

/// Runs each of the named tests on every implementation.
macro_rules! on_every_store {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::stores::sqlite()).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::stores::redis().await).await;
            })*
        }
    };
}
pub(crate) use on_every_store;

pub(crate) fn sqlite() -> Given {
    Arc::new(SqliteStore::memory().unwrap())
}

pub(crate) async fn redis() -> Given {
    let options = Options {
        prefix: format!("test-{}", Uuid::new_v4().simple()),
        ..Options::new(&millrace_servers::shared().redis_url)
    };
    let store = RedisStore::connect(options).await.unwrap();
    let reachable = store.ready().wait_for(|ready| *ready).await.is_ok();
    assert!(reachable, "the store gave up");
    Arc::new(store)
}

mod histories {
    use crate::model::histories_agree;

    #[test]
    fn random_histories_on_sqlite_agree_with_the_model() {
        histories_agree(200, || async { super::sqlite() });
    }

    #[test]
    fn random_histories_on_redis_agree_with_the_model() {
        histories_agree(40, super::redis);
    }
}
