//! Where the store is, as it is written: one server, or a primary that Sentinels name.

use redis::{Client, parse_redis_url};
use url::{Host, Url};

use crate::StoreError;

const EXPECTED: &str = "expected redis://[user:password@]host[:port][/database], \
     redis+sentinel://[user:password@]host[:port],host[:port].../name[/database], or rediss for TLS";

/// The port of a Sentinel for which the address names none.
const SENTINEL_PORT: u16 = 26_379;

/// An address that was understood.
#[derive(Debug, Clone)]
pub(super) struct Address {
    /// The address as it may be shown: without its password.
    pub(super) shown: String,
    pub(super) target: Target,
}

/// The target of an address: whom to ask.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// This server.
    Server(Client),
    /// The server that the Sentinels name as the primary.
    Sentinel(Sentinels),
}

/// The Sentinels of a primary, and what they call it.
#[derive(Debug, Clone)]
pub(super) struct Sentinels {
    /// The name of the primary.
    pub(super) name: String,
    /// The clients of each: without a password, and with the one of the address.
    pub(super) clients: Vec<(Client, Option<Client>)>,
    /// The address of a server, with another host and port.
    server: Url,
}

impl Address {
    /// Reads an address. The error does not repeat it: what cannot be read cannot be masked.
    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        match scheme {
            "redis" | "rediss" | "valkey" | "valkeys" => Self::server(text),
            "redis+sentinel" | "rediss+sentinel" => Self::sentinel(text),
            "redis+cluster" | "rediss+cluster" => Err(StoreError::Configuration(
                "a Redis Cluster (redis+cluster://) cannot be the store yet: use one primary, with Sentinels \
                 (redis+sentinel://) where it must be replaced by itself"
                    .to_owned(),
            )),
            _ => Err(wrong("")),
        }
    }

    fn server(text: &str) -> Result<Self, StoreError> {
        let url = parse_redis_url(text).ok_or_else(|| wrong(""))?;
        let shown = masked(&url)?;
        let client = open(url, &shown)?;
        Ok(Self { shown, target: Target::Server(client) })
    }

    fn sentinel(text: &str) -> Result<Self, StoreError> {
        let (scheme, rest) = text.split_once("+sentinel://").ok_or_else(|| wrong(""))?;
        let (authority, path) =
            rest.split_once('/').ok_or_else(|| wrong("the name of the primary is missing"))?;
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (format!("{user}@"), hosts),
            None => (String::new(), authority),
        };
        let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        let (name, database) = path.split_once('/').unwrap_or((path, "0"));
        if name.is_empty() || database.parse::<u32>().is_err() {
            return Err(wrong("the path names the primary, and the database"));
        }
        let server = |user: &str, host: &str, database: &str| {
            let url = Url::parse(&format!("{scheme}://{user}{host}/{database}"));
            url.ok().filter(Url::has_host).ok_or_else(|| wrong("there is a host that is none"))
        };
        let mut clients = Vec::new();
        for host in hosts.split(',') {
            let with_port = |mut url: Url| {
                let port = url.port().unwrap_or(SENTINEL_PORT);
                match url.set_port(Some(port)) {
                    Ok(()) => open(url, host),
                    Err(()) => Err(wrong("there is a port that is none")),
                }
            };
            let known = match user.is_empty() {
                true => None,
                false => Some(with_port(server(&user, host, "")?)?),
            };
            clients.push((with_port(server("", host, "")?)?, known));
        }
        let template = server(&user, "primary", database)?;
        let user = template.username();
        let shown_user = match (user, template.password()) {
            ("", None) => String::new(),
            (user, None) => format!("{user}@"),
            (user, Some(_)) => format!("{user}:***@"),
        };
        let shown = format!("{scheme}+sentinel://{shown_user}{hosts}/{path}");
        let sentinels = Sentinels { name: name.to_owned(), clients, server: template };
        Ok(Self { shown, target: Target::Sentinel(sentinels) })
    }
}

impl Sentinels {
    /// A client of the server at this address.
    pub(super) fn server(&self, host: &str, port: u16) -> Result<Client, StoreError> {
        let bad = || StoreError::Corrupt(format!("expected the address of a primary, got {host:?}"));
        let mut url = self.server.clone();
        match host.parse() {
            Ok(ip) => url.set_ip_host(ip).map_err(|()| bad())?,
            Err(_) => {
                url.set_host(Some(&Host::parse(host).map_err(|_| bad())?.to_string())).map_err(|_| bad())?;
            }
        }
        url.set_port(Some(port)).map_err(|()| bad())?;
        open(url, host)
    }
}

fn open(url: Url, shown: &str) -> Result<Client, StoreError> {
    Client::open(url).map_err(|error| wrong(&format!("{shown}: {error}")))
}

fn masked(url: &Url) -> Result<String, StoreError> {
    let mut shown = url.clone();
    if shown.password().is_some() && shown.set_password(Some("***")).is_err() {
        return Err(wrong("it has no host"));
    }
    shown.set_query(None);
    shown.set_fragment(None);
    Ok(shown.to_string())
}

fn wrong(why: &str) -> StoreError {
    let separator = if why.is_empty() { "" } else { "; " };
    StoreError::Configuration(format!("the store's address is not one: {EXPECTED}{separator}{why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_masked_and_the_rest_is_shown() {
        for (url, shown) in [
            ("redis://me:s3cret@host:6380/2", "redis://me:***@host:6380/2"),
            ("redis://host", "redis://host"),
            ("redis+sentinel://me:s3cret@a:1,b/main/3", "redis+sentinel://me:***@a:1,b/main/3"),
            ("rediss+sentinel://a/main", "rediss+sentinel://a/main"),
        ] {
            assert_eq!(Address::parse(url).unwrap().shown, shown);
        }
    }

    #[test]
    fn sentinels_have_their_own_ports_and_the_primary_has_the_credentials_and_the_database() {
        let address = Address::parse("rediss+sentinel://me:s3cret@a,b:5000,[::1]/main/3").unwrap();
        let Target::Sentinel(sentinels) = address.target else { panic!("{address:?}") };
        assert_eq!(sentinels.name, "main");
        let addresses: Vec<String> = sentinels
            .clients
            .iter()
            .map(|(plain, known)| {
                assert!(plain.get_connection_info().redis_settings().password().is_none());
                assert!(known.is_some());
                plain.get_connection_info().addr().to_string()
            })
            .collect();
        assert_eq!(addresses, ["a:26379", "b:5000", "::1:26379"]);
        for host in ["10.0.0.7", "fd00::7", "redis-0.local"] {
            let client = sentinels.server(host, 6380).unwrap();
            let info = client.get_connection_info();
            assert!(info.addr().to_string().contains(host), "{}", info.addr());
            assert_eq!(info.redis_settings().password(), Some("s3cret"));
            assert_eq!(info.redis_settings().db(), 3);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for url in [
            "amqp://me:s3cret@host",
            "host:6379",
            "http://me:s3cret@host",
            "redis+sentinel://me:s3cret@a,b",
            "redis+sentinel://me:s3cret@a,,b/main",
            "redis+sentinel://me:s3cret@a/main/x",
            "",
        ] {
            let error = Address::parse(url).unwrap_err();
            let StoreError::Configuration(text) = error else { panic!("{error:?}") };
            assert!(text.contains("redis://") && !text.contains("s3cret"), "{text}");
        }
        let cluster = Address::parse("redis+cluster://me:s3cret@a,b").unwrap_err().to_string();
        assert!(cluster.contains("redis+cluster") && !cluster.contains("s3cret"), "{cluster}");
    }
}
