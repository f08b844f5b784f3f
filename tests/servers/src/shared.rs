//! One pair of servers for a whole test process. Tests keep apart by prefix.

use std::env;
use std::sync::OnceLock;

use crate::{RabbitMq, Redis};

/// The addresses of broker and store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Servers {
    /// The URL of RabbitMQ: `amqp://...`
    pub amqp_url: String,
    /// The URL of Redis: `redis://...`
    pub redis_url: String,
}

static SHARED: OnceLock<(Servers, Option<RabbitMq>, Option<Redis>)> = OnceLock::new();

/// The servers that `MILLRACE_TEST_AMQP_URL` and `MILLRACE_TEST_REDIS_URL` name; each that is not named is
/// started at the first call and ends with this process.
pub fn shared() -> &'static Servers {
    let (servers, _, _) = SHARED.get_or_init(|| {
        let (amqp_url, rabbitmq) = match named("MILLRACE_TEST_AMQP_URL") {
            Some(url) => (url, None),
            None => {
                let server = RabbitMq::start(&[]);
                (server.url(), Some(server))
            }
        };
        let (redis_url, redis) = match named("MILLRACE_TEST_REDIS_URL") {
            Some(url) => (url, None),
            None => {
                let server = Redis::start(&[]);
                (server.url(), Some(server))
            }
        };
        (Servers { amqp_url, redis_url }, rabbitmq, redis)
    });
    servers
}

fn named(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|value| !value.is_empty())
}
