//! The client of all requests: it resolves names itself and looks at every address and every redirect, so that
//! a name cannot change its mind between the check and the connection.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;

use super::address::{refuse, refuse_name, refuse_url};
use super::redirects::Redirects;
use crate::settings::HttpSettings;

/// How long an explanation may be.
const EXPLANATION_CHARS: usize = 400;

/// Builds a client that treats redirects in one way.
pub(super) fn build(settings: &HttpSettings, redirects: Redirects) -> Result<Client, String> {
    let allow_private = settings.allow_private;
    let limit = settings.redirect_limit;
    let policy = Policy::custom(move |attempt| {
        if redirects == Redirects::Stop {
            return attempt.stop();
        }
        if attempt.previous().len() > limit {
            return attempt.error(format!("more than {limit} redirects"));
        }
        match redirects.refuse(attempt.status()).and_then(|()| refuse_url(attempt.url(), allow_private)) {
            Ok(()) => attempt.follow(),
            Err(reason) => attempt.error(reason),
        }
    });
    Client::builder()
        .user_agent(concat!("millrace/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(settings.connect_timeout)
        .redirect(policy)
        .dns_resolver(Arc::new(Resolver { allow_private }))
        // A proxy from the environment would be asked to reach what we refuse.
        .no_proxy()
        .referer(false)
        .pool_max_idle_per_host(8)
        .pool_idle_timeout(Duration::from_secs(30))
        .tcp_keepalive(Duration::from_secs(30))
        .build()
        .map_err(|error| format!("the http client could not be built: {}", explain(error)))
}

/// Explains an error with its causes, without the URL (which may hold a password).
pub(super) fn explain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let next = cause.to_string();
        if !words.contains(&next) {
            words.push_str(": ");
            words.push_str(&next);
        }
        source = cause.source();
    }
    words.chars().take(EXPLANATION_CHARS).collect()
}

/// A resolver that answers only addresses that may be reached.
struct Resolver {
    allow_private: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            refuse_name(name.as_str())?;
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(allowed(found, allow_private)?)
        })
    }
}

/// The addresses that may be reached, of those that were found; an error when there were some and none may.
fn allowed(found: impl Iterator<Item = SocketAddr>, allow_private: bool) -> Result<Addrs, String> {
    let mut refusal = None;
    let mut addresses = Vec::new();
    for address in found {
        match refuse(address.ip(), allow_private) {
            Ok(()) => addresses.push(address),
            Err(reason) => refusal = Some(reason),
        }
    }
    match refusal {
        Some(reason) if addresses.is_empty() => Err(reason),
        _ => Ok(Box::new(addresses.into_iter())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_resolves_to_a_metadata_address_leads_nowhere() {
        let addresses =
            |texts: &[&str]| -> Vec<SocketAddr> { texts.iter().map(|t| t.parse().unwrap()).collect() };
        let reason =
            allowed(addresses(&["169.254.169.254:0", "[fe80::1]:0"]).into_iter(), true).err().unwrap();
        assert!(reason.contains("refused"), "{reason}");
        let mixed = allowed(addresses(&["169.254.169.254:0", "10.0.0.1:0"]).into_iter(), true).unwrap();
        assert_eq!(mixed.collect::<Vec<_>>(), addresses(&["10.0.0.1:0"]));
        assert!(allowed(addresses(&["10.0.0.1:0"]).into_iter(), false).is_err());
    }
}
