//! Servers that are not used: those that would lose data, and those that do not let us in.

use millrace_servers::Redis;
use millrace_store::redis::{Options, RedisStore};
use millrace_store::{ClusterStore, StoreError};

use crate::fixture::{ask, connect, until};

#[tokio::test]
async fn a_server_that_evicts_or_forgets_is_refused_with_the_fix_unless_told_otherwise() {
    for (arguments, fix) in [
        (
            ["--maxmemory-policy", "allkeys-lru", "--maxmemory", "100mb"].as_slice(),
            "maxmemory-policy noeviction",
        ),
        (["--appendonly", "no"].as_slice(), "appendonly yes"),
    ] {
        let server = Redis::start(arguments);
        match RedisStore::connect(Options::new(server.url())).await {
            Err(StoreError::Unsafe(text)) => assert!(text.contains(fix), "{text}"),
            other => panic!("expected a refusal, got {other:?}"),
        }
        let told = Options { allow_unsafe: true, ..Options::new(server.url()) };
        RedisStore::connect(told).await.unwrap().now().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_turns_unsafe_while_away_is_refused_after_the_reconnection() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    ask(&server, &["CONFIG", "SET", "appendonly", "no"]).await;
    ask(&server, &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    until("the refusal", || async { matches!(store.now().await, Err(StoreError::Unsafe(_))) }).await;
    ask(&server, &["CONFIG", "SET", "appendonly", "yes"]).await;
    until("the store is back", || async { store.now().await.is_ok() }).await;
}

#[tokio::test]
async fn a_wrong_password_is_told_at_once_and_not_shown() {
    let server = Redis::start(&[]);
    ask(&server, &["CONFIG", "SET", "requirepass", "right"]).await;
    let with = |user: &str| Options::new(server.url().replace("redis://", &format!("redis://{user}")));
    for user in ["", ":s3cret@"] {
        match RedisStore::connect(with(user)).await {
            Err(StoreError::Configuration(text)) => {
                assert!(text.contains("password") && !text.contains("s3cret"), "{text}");
            }
            other => panic!("expected a refusal, got {other:?}"),
        }
    }
    RedisStore::connect(with(":right@")).await.unwrap().now().await.unwrap();
}
