//! Where the broker is and what is ours on it. A password is never shown.

use std::fmt;
use std::time::Duration;

use lapin::uri::AMQPUri;
use url::Url;

use crate::BrokerError;

/// The longest frame, in bytes, unless the address says another: lapin keeps two buffers of 32 frames for each
/// connection, so that the default of 128 KiB costs 16 MB of memory a process. Longer messages take several frames.
const FRAME_MAX: u32 = 32 * 1024;

/// The AMQP heartbeat, in seconds: a dead peer is noticed within two.
const HEARTBEAT: u16 = 5;

/// A kind of queue. All of a cluster must say the same, and what is there cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueueType {
    /// Classic queues: on one node, with priorities, the fastest.
    #[default]
    Classic,
    /// Quorum queues: replicated over the nodes of a cluster, one for each priority of a pool.
    Quorum,
}

impl QueueType {
    /// The word for the type in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
        }
    }
}

/// The options of a connection to RabbitMQ.
#[derive(Clone)]
pub struct Options {
    /// The address: `amqp://user:password@host:5672/vhost` or `amqps://...`; no vhost, or `/`, is the default one.
    /// Several nodes of a cluster are `host:5672,host:5672`: they are tried in turn.
    pub url: String,
    /// The prefix of the names of our exchanges and queues.
    pub prefix: String,
    /// The type of the durable queues.
    pub queue_type: QueueType,
    /// The name of the connections in RabbitMQ's management.
    pub name: String,
    /// The bound on every wait: for the connection, for an answer, and for a confirm.
    pub bound: Duration,
}

impl Options {
    /// Options for this address and prefix, with a bound of 30 s.
    pub fn new(url: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: prefix.into(),
            queue_type: QueueType::default(),
            name: "millrace".to_owned(),
            bound: Duration::from_secs(30),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Options")
            .field("url", &mask(&self.url))
            .field("prefix", &self.prefix)
            .field("queue_type", &self.queue_type)
            .field("name", &self.name)
            .field("bound", &self.bound)
            .finish()
    }
}

/// Checks an address of a RabbitMQ: [`BrokerError::Configuration`] says what is wrong with it.
pub fn validate_url(url: &str) -> Result<(), BrokerError> {
    parse(url).map(drop)
}

/// Masks the password and the query of an address with `***`. One that is not quite a URL is not shown at all: a
/// password with an unescaped `/` or `#` would be in a place where it is not looked for.
pub fn mask(url: &str) -> String {
    masked(url).unwrap_or_else(|| "(not a url)".to_owned())
}

fn masked(url: &str) -> Option<String> {
    let shown: Option<Vec<String>> = nodes(url).iter().map(|url| masked_one(url)).collect();
    Some(shown?.join(", "))
}

/// The addresses of all nodes that one address names.
fn nodes(url: &str) -> Vec<String> {
    let whole = || vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return whole() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, hosts) = authority.rfind('@').map_or(("", authority), |at| authority.split_at(at + 1));
    hosts.split(',').map(|host| format!("{scheme}://{user}{host}{path}")).collect()
}

fn masked_one(url: &str) -> Option<String> {
    let mut parsed = Url::parse(url).ok()?;
    if parsed.cannot_be_a_base() || parsed.fragment().is_some() || parsed.path().contains('@') {
        return None;
    }
    if parsed.password().is_some() {
        parsed.set_password(Some("***")).ok()?;
    }
    if parsed.query().is_some() {
        parsed.set_query(Some("***"));
    }
    Some(parsed.to_string())
}

/// Reads the nodes to try, in turn: one at least.
pub(crate) fn parse(url: &str) -> Result<Vec<AMQPUri>, BrokerError> {
    nodes(url).iter().map(|url| parse_one(url)).collect()
}

fn parse_one(url: &str) -> Result<AMQPUri, BrokerError> {
    let expected = "expected a broker address like amqp://user:password@host:5672/%2f";
    let wrong = |what: String| BrokerError::Configuration(format!("{expected}, {what}"));
    let scheme = match Url::parse(url) {
        Ok(parsed) if parsed.cannot_be_a_base() => {
            return Err(wrong("found no :// in it".to_owned()));
        }
        Ok(parsed) => parsed.scheme().to_owned(),
        Err(reason) => return Err(wrong(format!("found one that cannot be read: {reason}"))),
    };
    if scheme != "amqp" && scheme != "amqps" {
        return Err(wrong(format!("found the scheme {scheme:?}")));
    }
    let mut uri: AMQPUri = url.parse().map_err(|reason| wrong(format!("found {}: {reason}", mask(url))))?;
    if uri.vhost.is_empty() {
        "/".clone_into(&mut uri.vhost);
    }
    uri.query.heartbeat = Some(HEARTBEAT);
    uri.query.frame_max = uri.query.frame_max.or(Some(FRAME_MAX));
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_scheme_says_what_an_address_looks_like() {
        let error = validate_url("http://user:hidden@host:15672").unwrap_err().to_string();
        assert_eq!(
            error,
            "expected a broker address like amqp://user:password@host:5672/%2f, found the scheme \"http\""
        );
        assert!(matches!(validate_url("host:5672"), Err(BrokerError::Configuration(_))));
        assert!(matches!(validate_url("host"), Err(BrokerError::Configuration(_))));
        validate_url("amqps://host").unwrap();
    }

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(mask("amqp://user:hidden@host:5672/%2f"), "amqp://user:***@host:5672/%2f");
        assert!(!mask("amqps://user@host?password=hidden").contains("hidden"));
        for odd in ["user:hidden@host", "amqp://user:1/hidden@host", "amqp://user:1#hidden@host"] {
            assert_eq!(mask(odd), "(not a url)");
        }
        let options = Options::new("amqp://user:hidden@host", "millrace");
        assert!(!format!("{options:?}").contains("hidden"));
        let odd = validate_url("amqp://user:hidden@host:5672/%2f?heartbeat=often").unwrap_err();
        assert!(!odd.to_string().contains("hidden"));
    }

    #[test]
    fn no_vhost_and_a_slash_are_the_default_vhost() {
        for url in ["amqp://host", "amqp://host/", "amqp://host/%2f"] {
            assert_eq!(parse(url).unwrap()[0].vhost, "/");
        }
        assert_eq!(parse("amqp://host/team").unwrap()[0].vhost, "team");
    }

    #[test]
    fn several_nodes_share_user_vhost_and_query() {
        let parsed = parse("amqp://me:hid,den@a:1,b,10.0.0.3:3/team?connection_timeout=7").unwrap();
        let places: Vec<(&str, u16)> =
            parsed.iter().map(|uri| (uri.authority.host.as_str(), uri.authority.port)).collect();
        assert_eq!(places, [("a", 1), ("b", 5672), ("10.0.0.3", 3)]);
        for uri in &parsed {
            assert_eq!((uri.vhost.as_str(), uri.authority.userinfo.password.as_str()), ("team", "hid,den"));
        }
        assert_eq!(mask("amqp://me:hidden@a:1,b/team"), "amqp://me:***@a:1/team, amqp://me:***@b/team");
        assert!(validate_url("amqp://me:hidden@a,,b").is_err());
    }
}
