//! Where the store is. Everything that can be wrong with it is said before the first connection.

use std::time::Duration;

use redis::{Client, parse_redis_url};

use crate::StoreError;

/// How to reach the store.
#[derive(Debug, Clone)]
pub struct Options {
    /// `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. Port 6379 and database 0 when
    /// not given.
    pub url: String,
    /// What all keys begin with, so that several clusters share a server: 1 to 64 of `A-Z a-z 0-9 _ . -`.
    pub prefix: String,
    /// Use a server even if it would lose data (it evicts, or has no append-only file).
    pub allow_unsafe: bool,
    /// How many replicas must have a commit, a claim and an outcome before it counts; 0: the primary alone decides,
    /// and what it had confirmed in its last moments may be lost when another one takes its place.
    pub wait_replicas: u32,
    /// No answer within this is [`StoreError::Unavailable`]; also the bound of a connection attempt.
    pub response_timeout: Duration,
}

impl Options {
    /// The defaults: prefix `millrace`, nothing unsafe, 5 s.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: "millrace".to_owned(),
            allow_unsafe: false,
            wait_replicas: 0,
            response_timeout: Duration::from_secs(5),
        }
    }

    /// A client for the address, and the address as it may be shown: without its password.
    pub(super) fn client(&self) -> Result<(Client, String), StoreError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if self.prefix.is_empty() || self.prefix.len() > 64 || !self.prefix.chars().all(allowed) {
            let shown: String = self.prefix.chars().take(70).collect();
            return Err(StoreError::Configuration(format!(
                "prefix {shown:?} must be 1 to 64 of A-Z a-z 0-9 _ . -"
            )));
        }
        let expected = "expected redis://[user:password@]host[:port][/database], or rediss:// for TLS";
        // The address itself is not repeated: what cannot be read cannot be masked.
        let url = parse_redis_url(&self.url)
            .filter(|url| matches!(url.scheme(), "redis" | "rediss" | "valkey" | "valkeys"))
            .ok_or_else(|| {
                StoreError::Configuration(format!("the store's address is not one: {expected}"))
            })?;
        let mut shown = url.clone();
        if shown.password().is_some() && shown.set_password(Some("***")).is_err() {
            return Err(StoreError::Configuration(format!("the store's address has no host: {expected}")));
        }
        shown.set_query(None);
        shown.set_fragment(None);
        let shown = shown.to_string();
        match Client::open(url) {
            Ok(client) => Ok((client, shown)),
            Err(error) => {
                Err(StoreError::Configuration(format!("the store at {shown}: {error}; {expected}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_masked_and_the_rest_is_shown() {
        let (_, shown) = Options::new("redis://me:s3cret@host:6380/2").client().unwrap();
        assert_eq!(shown, "redis://me:***@host:6380/2");
        assert_eq!(Options::new("redis://host").client().unwrap().1, "redis://host");
    }

    #[test]
    fn another_scheme_is_refused_without_repeating_the_address() {
        for url in ["amqp://me:s3cret@host", "host:6379", "http://me:s3cret@host", "redis+cluster://x", ""] {
            let error = Options::new(url).client().unwrap_err();
            let StoreError::Configuration(text) = error else { panic!("{error:?}") };
            assert!(text.contains("redis://") && !text.contains("s3cret"), "{text}");
        }
    }

    #[test]
    fn a_prefix_that_would_break_hash_tags_is_refused() {
        for prefix in ["", "a{b}", "a b", &"x".repeat(65)] {
            let options = Options { prefix: prefix.to_owned(), ..Options::new("redis://host") };
            assert!(matches!(options.client(), Err(StoreError::Configuration(_))), "{prefix}");
        }
    }
}
