//! How to reach the store. Everything that can be wrong with that is said before the first connection.

use std::time::Duration;

use super::address::Address;
use crate::StoreError;

/// The options of a store on Redis: how to reach it.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address: `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. Port 6379 and database
    /// 0 when not given. Under Sentinel
    /// `redis+sentinel://[user:password@]host[:port],host[:port].../name[/database]`, or `rediss+sentinel://`: hosts
    /// and ports (26379) of the Sentinels, what they call the primary, and what the servers ask for.
    pub url: String,
    /// The prefix of all keys, so that several clusters share a server: 1 to 64 of `A-Z a-z 0-9 _ . -`.
    pub prefix: String,
    /// Whether a server is used even if it would lose data (it evicts, or has no append-only file).
    pub allow_unsafe: bool,
    /// The number of replicas that must have a commit, a claim and an outcome before it counts; 0: the primary alone
    /// decides, and what it had confirmed in its last moments may be lost when another one takes its place.
    pub wait_replicas: u32,
    /// The bound on an answer, after which it is [`StoreError::Unavailable`]; also that of an attempt to connect.
    pub response_timeout: Duration,
}

impl Options {
    /// The default options: prefix `millrace`, nothing unsafe, 5 s.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: "millrace".to_owned(),
            allow_unsafe: false,
            wait_replicas: 0,
            response_timeout: Duration::from_secs(5),
        }
    }

    /// Reads the address, and checks that the prefix can be one.
    pub(super) fn address(&self) -> Result<Address, StoreError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if self.prefix.is_empty() || self.prefix.len() > 64 || !self.prefix.chars().all(allowed) {
            let shown: String = self.prefix.chars().take(70).collect();
            return Err(StoreError::Configuration(format!(
                "prefix {shown:?} must be 1 to 64 of A-Z a-z 0-9 _ . -"
            )));
        }
        Address::parse(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_that_would_break_hash_tags_is_refused() {
        for prefix in ["", "a{b}", "a b", &"x".repeat(65)] {
            let options = Options { prefix: prefix.to_owned(), ..Options::new("redis://host") };
            assert!(matches!(options.address(), Err(StoreError::Configuration(_))), "{prefix}");
        }
    }
}
