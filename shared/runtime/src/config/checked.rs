//! The configuration of each role: the settings that it needs, checked in one pass, with the defaults filled in. Whoever
//! has one reads plain fields. A role is not refused for a setting that it does not need.

use std::net::SocketAddr;

use super::settings::{ConfigError, Settings};
use crate::secret::mask_url;

/// The configuration of a producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerConfig {
    /// The API that the producer serves.
    pub api: ApiConfig,
    /// The store of the fleet.
    pub store: StoreConfig,
    /// The broker of the fleet.
    pub broker: BrokerConfig,
    /// The number of partitions of a new cluster, 1 to 1024.
    pub partitions: u16,
    /// Whether somebody asked for that number, so that a cluster with another one is refused.
    pub explicit_partitions: bool,
}

/// The configuration of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerConfig {
    /// The address of the worker's health and metrics; none when unset.
    pub listen: Option<SocketAddr>,
    /// The store of the fleet.
    pub store: StoreConfig,
    /// The broker of the fleet.
    pub broker: BrokerConfig,
}

/// The configuration of an API: where it is served, and whom it lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// The address where the API is served. Anything but loopback has a token.
    pub listen: SocketAddr,
    /// The names with dots by which the API is reached, in lower case. Addresses and names without dots need not be among
    /// them.
    pub allowed_hosts: Vec<String>,
    /// The token that the API asks for.
    pub token: Option<String>,
}

/// The configuration of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The address of the store.
    pub url: String,
    /// The prefix of every key.
    pub prefix: String,
    /// The number of replicas that must have what is committed, claimed and finished before it counts, 0 to 10.
    pub wait_replicas: u32,
    /// Whether to start on a store that may lose data.
    pub allow_unsafe: bool,
}

/// The configuration of the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerConfig {
    /// The address of the broker.
    pub url: String,
    /// The prefix of every name on the broker.
    pub prefix: String,
    /// Whether durable queues are quorum queues.
    pub has_quorum_queues: bool,
}

impl Settings {
    /// Checks the settings that a producer needs.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub fn producer(&self) -> Result<ProducerConfig, ConfigError> {
        Ok(ProducerConfig {
            api: self.api()?,
            partitions: partitions(self.partitions)?,
            explicit_partitions: self.partitions.is_some(),
            broker: self.broker()?,
            store: self.store()?,
        })
    }

    /// Checks the settings that a worker needs.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub fn worker(&self) -> Result<WorkerConfig, ConfigError> {
        let listen = self.worker_listen.as_deref();
        Ok(WorkerConfig {
            listen: listen.map(|text| socket_address("MILLRACE_WORKER_LISTEN", text)).transpose()?,
            broker: self.broker()?,
            store: self.store()?,
        })
    }

    /// Checks the settings of an API.
    ///
    /// # Errors
    /// When one of them cannot be used, or would let anybody in.
    pub fn api(&self) -> Result<ApiConfig, ConfigError> {
        Ok(ApiConfig {
            listen: listen(self.listen.as_deref(), self.token.as_deref())?,
            allowed_hosts: allowed_hosts(self.allowed_hosts.as_deref())?,
            token: self.token.clone(),
        })
    }

    /// Checks the settings of the store.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub fn store(&self) -> Result<StoreConfig, ConfigError> {
        let url = self.redis_url.clone().unwrap_or_else(|| "redis://127.0.0.1:6379/0".to_owned());
        let schemes = ["redis", "rediss", "redis+sentinel", "rediss+sentinel"];
        check_scheme("MILLRACE_REDIS_URL", &url, &schemes, "redis://:password@host:6379/0")?;
        Ok(StoreConfig {
            url,
            prefix: prefix(self.prefix.as_deref())?,
            wait_replicas: wait_replicas(self.wait_replicas)?,
            allow_unsafe: self.allow_unsafe_store.unwrap_or(false),
        })
    }

    /// Checks the settings of the broker.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub fn broker(&self) -> Result<BrokerConfig, ConfigError> {
        let url = self.amqp_url.clone().unwrap_or_else(|| "amqp://guest:guest@127.0.0.1:5672/%2f".to_owned());
        check_scheme("MILLRACE_AMQP_URL", &url, &["amqp", "amqps"], "amqp://user:password@host:5672/%2f")?;
        Ok(BrokerConfig {
            url,
            prefix: prefix(self.prefix.as_deref())?,
            has_quorum_queues: self.has_quorum_queues()?,
        })
    }

    /// Checks whether durable queues are to be quorum queues. A cluster in a store has a type of queues as well.
    ///
    /// # Errors
    /// When the type is neither `classic` nor `quorum`.
    pub fn has_quorum_queues(&self) -> Result<bool, ConfigError> {
        match self.queue_type.as_deref().unwrap_or("classic") {
            "classic" => Ok(false),
            "quorum" => Ok(true),
            other => Err(ConfigError(format!(
                "MILLRACE_QUEUE_TYPE: {other:?} is none: expected classic or quorum"
            ))),
        }
    }
}

/// Checks the prefix, which becomes part of queue names and keys.
fn prefix(given: Option<&str>) -> Result<String, ConfigError> {
    let prefix = given.unwrap_or("millrace");
    let fine = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if prefix.is_empty() || prefix.len() > 64 || !prefix.chars().all(fine) {
        return Err(ConfigError(format!("MILLRACE_PREFIX: {prefix:?} must match [a-zA-Z0-9_.-]{{1,64}}")));
    }
    Ok(prefix.to_owned())
}

fn partitions(given: Option<u16>) -> Result<u16, ConfigError> {
    match given.unwrap_or(64) {
        partitions @ 1..=1024 => Ok(partitions),
        other => {
            Err(ConfigError(format!("MILLRACE_PARTITIONS: {other} is out of range: expected 1 to 1024")))
        }
    }
}

/// Checks the number of replicas. Who asks for more than 10 means something else.
fn wait_replicas(given: Option<u32>) -> Result<u32, ConfigError> {
    match given.unwrap_or(0) {
        count @ 0..=10 => Ok(count),
        other => {
            Err(ConfigError(format!("MILLRACE_WAIT_REPLICAS: {other} is out of range: expected 0 to 10")))
        }
    }
}

/// Checks the address of an API, which needs a token unless it is on loopback.
fn listen(given: Option<&str>, token: Option<&str>) -> Result<SocketAddr, ConfigError> {
    let address = socket_address("MILLRACE_LISTEN", given.unwrap_or("127.0.0.1:7070"))?;
    if !address.ip().is_loopback() && token.unwrap_or_default().is_empty() {
        return Err(ConfigError(format!(
            "MILLRACE_LISTEN: {address} can be reached by others, who could then run commands: \
             set MILLRACE_TOKEN, or listen on 127.0.0.1"
        )));
    }
    Ok(address)
}

/// Checks that the names of an API are host names, and neither URLs nor patterns.
fn allowed_hosts(given: Option<&str>) -> Result<Vec<String>, ConfigError> {
    let hosts = given.unwrap_or_default().split(',').map(str::trim).filter(|host| !host.is_empty());
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    hosts
        .map(|host| match host.chars().all(fine) && !host.starts_with('.') {
            true => Ok(host.trim_end_matches('.').to_ascii_lowercase()),
            false => Err(ConfigError(format!(
                "MILLRACE_ALLOWED_HOSTS: {host:?} is no host name: expected names such as millrace.example.com, \
                 without scheme, port or pattern, separated by commas"
            ))),
        })
        .collect()
}

fn socket_address(name: &str, text: &str) -> Result<SocketAddr, ConfigError> {
    let text = text.replace("localhost:", "127.0.0.1:");
    text.parse().map_err(|_| {
        ConfigError(format!("{name}: {text:?} is not an address and port such as 127.0.0.1:7070"))
    })
}

/// The address with the first host of those that it names.
fn first_of(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, hosts) = authority.rfind('@').map_or(("", authority), |at| authority.split_at(at + 1));
    format!("{scheme}://{user}{}{path}", hosts.split(',').next().unwrap_or_default())
}

fn check_scheme(name: &str, text: &str, schemes: &[&str], example: &str) -> Result<(), ConfigError> {
    let shown = mask_url(text);
    let url = url::Url::parse(&first_of(text))
        .map_err(|e| ConfigError(format!("{name}: {shown} is not a URL ({e}); expected {example}")))?;
    if schemes.contains(&url.scheme()) {
        return Ok(());
    }
    Err(ConfigError(format!(
        "{name}: {shown} has the scheme {:?}; expected {}:// as in {example}",
        url.scheme(),
        schemes.join(":// or ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amqp_url_with_an_http_scheme_says_what_is_expected_and_hides_the_password() {
        let settings =
            Settings { amqp_url: Some("http://me:s3cret@host:5672".into()), ..Settings::default() };
        let error = settings.broker().unwrap_err().to_string();
        assert!(
            error.contains("MILLRACE_AMQP_URL") && error.contains("amqp://") && !error.contains("s3cret"),
            "{error}"
        );
    }

    #[test]
    fn several_hosts_are_fine_and_a_cluster_of_redis_is_not() {
        let with = |amqp: &str, redis: &str| Settings {
            amqp_url: Some(amqp.into()),
            redis_url: Some(redis.into()),
            ..Settings::default()
        };
        let several = with("amqp://me:s3cret@a:1,b:2/%2f", "redis+sentinel://me:s3cret@a:1,b:2/main");
        assert!(several.broker().is_ok() && several.store().is_ok());
        let cluster = with("amqp://a", "redis+cluster://me:s3cret@a:1,b:2").store().unwrap_err().to_string();
        assert!(cluster.contains("redis+sentinel://") && !cluster.contains("s3cret"), "{cluster}");
        for url in ["amqp://me:s3cret@a:1,b:2/%2f", "redis+sentinel://me:s3cret@a:1,b:2/main"] {
            let shown = mask_url(url);
            assert!(shown.contains("a:1,b:2") && !shown.contains("s3cret"), "{shown}");
        }
    }

    #[test]
    fn a_listen_address_that_is_not_loopback_needs_a_token() {
        let open = Settings { listen: Some("0.0.0.0:7070".into()), ..Settings::default() };
        assert!(open.api().unwrap_err().to_string().contains("MILLRACE_TOKEN"));
        assert!(Settings { token: Some("t".into()), ..open }.api().is_ok());
    }

    #[test]
    fn allowed_hosts_are_plain_names() {
        let hosts = |text: &str| {
            let settings = Settings { allowed_hosts: Some(text.into()), ..Settings::default() };
            settings.api().map(|api| api.allowed_hosts)
        };
        assert_eq!(hosts("a.example, B.Example.,"), Ok(vec!["a.example".to_owned(), "b.example".to_owned()]));
        assert_eq!(Settings::default().api().unwrap().allowed_hosts, Vec::<String>::new());
        for wrong in ["*", "*.example", ".example", "https://a.example", "a.example:7070", "a.example/x"] {
            let error = hosts(wrong).unwrap_err().to_string();
            assert!(error.contains("MILLRACE_ALLOWED_HOSTS") && error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn a_role_is_refused_only_for_what_it_needs() {
        let settings = Settings {
            partitions: Some(1_025),
            worker_listen: Some("nowhere".into()),
            wait_replicas: Some(11),
            ..Settings::default()
        };
        assert!(settings.api().is_ok() && settings.broker().is_ok());
        let refused = |error: ConfigError, name: &str| assert!(error.0.starts_with(name), "{error}");
        refused(settings.producer().unwrap_err(), "MILLRACE_PARTITIONS: 1025 is out of range");
        refused(settings.worker().unwrap_err(), "MILLRACE_WORKER_LISTEN: \"nowhere\" is not an address");
        refused(settings.store().unwrap_err(), "MILLRACE_WAIT_REPLICAS: 11 is out of range");
        let queues = Settings { queue_type: Some("fast".into()), ..Settings::default() };
        refused(queues.broker().unwrap_err(), "MILLRACE_QUEUE_TYPE: \"fast\" is none");
        let prefix = Settings { prefix: Some("a b".into()), ..queues };
        refused(prefix.store().unwrap_err(), "MILLRACE_PREFIX: \"a b\" must match");
    }

    #[test]
    fn a_number_of_partitions_that_was_asked_for_is_told_from_the_default() {
        let partitions = |settings: Settings| {
            let config = settings.producer().unwrap();
            (config.partitions, config.explicit_partitions)
        };
        assert_eq!(partitions(Settings::default()), (64, false));
        assert_eq!(partitions(Settings { partitions: Some(64), ..Settings::default() }), (64, true));
    }
}
