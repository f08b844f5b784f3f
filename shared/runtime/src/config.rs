//! The configuration: flags over environment over `millrace.toml` over defaults. Flags and environment are read
//! by the command line; this module reads the file, fills in the defaults and checks the result once.

use std::net::SocketAddr;
use std::path::Path;

use serde::Deserialize;

use crate::secret::mask_url;

/// The commented defaults, as `millrace config` prints them.
pub const DEFAULT_FILE: &str = include_str!("default.toml");

/// The settings that a file (or flags, or the environment) may give; all optional. Keys are the names of the
/// environment variables without `MILLRACE_`, in lower case.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address of the broker: `amqp://` or `amqps://`.
    pub amqp_url: Option<String>,
    /// The address of the store: `redis://` or `rediss://`.
    pub redis_url: Option<String>,
    /// The prefix of every name on the broker and in the store.
    pub prefix: Option<String>,
    /// The address where a producer listens.
    pub listen: Option<String>,
    /// The address where a worker listens.
    pub worker_listen: Option<String>,
    /// The address of the producer that the command line talks to.
    pub server: Option<String>,
    /// The token that the API asks for.
    pub token: Option<String>,
    /// The names by which a producer is reached, comma separated.
    pub allowed_hosts: Option<String>,
    /// The number of partitions of a new cluster.
    pub partitions: Option<u16>,
    /// The filter of log lines, as tracing reads it.
    pub log: Option<String>,
    /// The format of log lines: `text` or `json`.
    pub log_format: Option<String>,
    /// Whether to start on a store that may lose data.
    pub allow_unsafe_store: Option<bool>,
    /// The number of replicas of the store that must have a write before it counts.
    pub wait_replicas: Option<u32>,
    /// The type of durable queues: `classic` or `quorum`.
    pub queue_type: Option<String>,
}

/// The error of a setting that cannot be used: which one, what was expected, and the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

impl Settings {
    /// Reads `millrace.toml` (or the file named). A missing default file is fine, a missing named one is not.
    ///
    /// # Errors
    /// When it cannot be read, or says what is not known.
    pub fn from_file(named: Option<&Path>) -> Result<Self, ConfigError> {
        let path = named.unwrap_or(Path::new("millrace.toml"));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
                return Ok(Self::default());
            }
            Err(e) if e.kind() == std::io::ErrorKind::InvalidData => {
                return Err(ConfigError(format!("{}: not UTF-8: save the file as UTF-8", path.display())));
            }
            Err(e) => return Err(ConfigError(format!("{}: {e}", path.display()))),
        };
        // Editors on Windows begin a file with a byte order mark.
        toml::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|e| ConfigError(format!("{}: {e}", path.display())))
    }

    /// These settings, completed by those of `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            amqp_url: self.amqp_url.or(other.amqp_url),
            redis_url: self.redis_url.or(other.redis_url),
            prefix: self.prefix.or(other.prefix),
            listen: self.listen.or(other.listen),
            worker_listen: self.worker_listen.or(other.worker_listen),
            server: self.server.or(other.server),
            token: self.token.or(other.token),
            allowed_hosts: self.allowed_hosts.or(other.allowed_hosts),
            partitions: self.partitions.or(other.partitions),
            log: self.log.or(other.log),
            log_format: self.log_format.or(other.log_format),
            allow_unsafe_store: self.allow_unsafe_store.or(other.allow_unsafe_store),
            wait_replicas: self.wait_replicas.or(other.wait_replicas),
            queue_type: self.queue_type.or(other.queue_type),
        }
    }

    /// The prefix, checked: it becomes part of queue names and keys.
    ///
    /// # Errors
    /// When it has other characters than `[a-zA-Z0-9_.-]`, or none.
    pub fn prefix(&self) -> Result<String, ConfigError> {
        let prefix = self.prefix.clone().unwrap_or_else(|| "millrace".to_owned());
        let fine = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if prefix.is_empty() || prefix.len() > 64 || !prefix.chars().all(fine) {
            return Err(ConfigError(format!(
                "MILLRACE_PREFIX: {prefix:?} must match [a-zA-Z0-9_.-]{{1,64}}"
            )));
        }
        Ok(prefix)
    }

    /// The number of partitions of a new cluster.
    ///
    /// # Errors
    /// When it is not in 1..=1024.
    pub fn partitions(&self) -> Result<u16, ConfigError> {
        match self.partitions.unwrap_or(64) {
            partitions @ 1..=1024 => Ok(partitions),
            other => {
                Err(ConfigError(format!("MILLRACE_PARTITIONS: {other} is out of range: expected 1 to 1024")))
            }
        }
    }

    /// The number of replicas that must have what is committed, claimed and finished before it counts.
    ///
    /// # Errors
    /// When it is more than 10: somebody meant something else.
    pub fn wait_replicas(&self) -> Result<u32, ConfigError> {
        match self.wait_replicas.unwrap_or(0) {
            count @ 0..=10 => Ok(count),
            other => {
                Err(ConfigError(format!("MILLRACE_WAIT_REPLICAS: {other} is out of range: expected 0 to 10")))
            }
        }
    }

    /// Whether durable queues are quorum queues.
    ///
    /// # Errors
    /// When it is neither `classic` nor `quorum`.
    pub fn has_quorum_queues(&self) -> Result<bool, ConfigError> {
        match self.queue_type.as_deref().unwrap_or("classic") {
            "classic" => Ok(false),
            "quorum" => Ok(true),
            other => Err(ConfigError(format!(
                "MILLRACE_QUEUE_TYPE: {other:?} is none: expected classic or quorum"
            ))),
        }
    }

    /// The address of the broker.
    ///
    /// # Errors
    /// When its scheme is not `amqp` or `amqps`.
    pub fn amqp_url(&self) -> Result<String, ConfigError> {
        let url = self.amqp_url.clone().unwrap_or_else(|| "amqp://guest:guest@127.0.0.1:5672/%2f".to_owned());
        check_scheme("MILLRACE_AMQP_URL", &url, &["amqp", "amqps"], "amqp://user:password@host:5672/%2f")?;
        Ok(url)
    }

    /// The address of the store.
    ///
    /// # Errors
    /// When its scheme is not one of `redis`, `rediss`, `redis+sentinel`, `rediss+sentinel`.
    pub fn redis_url(&self) -> Result<String, ConfigError> {
        let url = self.redis_url.clone().unwrap_or_else(|| "redis://127.0.0.1:6379/0".to_owned());
        let schemes = ["redis", "rediss", "redis+sentinel", "rediss+sentinel"];
        check_scheme("MILLRACE_REDIS_URL", &url, &schemes, "redis://:password@host:6379/0")?;
        Ok(url)
    }

    /// The address where a producer listens. Anything but loopback needs a token.
    ///
    /// # Errors
    /// When it is not `address:port`, or would let anybody in.
    pub fn listen(&self) -> Result<SocketAddr, ConfigError> {
        let text = self.listen.as_deref().unwrap_or("127.0.0.1:7070");
        let address = socket_address("MILLRACE_LISTEN", text)?;
        if !address.ip().is_loopback() && self.token.as_deref().unwrap_or_default().is_empty() {
            return Err(ConfigError(format!(
                "MILLRACE_LISTEN: {address} can be reached by others, who could then run commands: \
                 set MILLRACE_TOKEN, or listen on 127.0.0.1"
            )));
        }
        Ok(address)
    }

    /// The names with dots by which a producer is reached, in lower case. Addresses and names without dots need not
    /// be among them.
    ///
    /// # Errors
    /// When one of them is no host name: a URL, a pattern.
    pub fn allowed_hosts(&self) -> Result<Vec<String>, ConfigError> {
        let hosts = self.allowed_hosts.as_deref().unwrap_or_default().split(',');
        let hosts = hosts.map(str::trim).filter(|host| !host.is_empty());
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

    /// The address of a worker's health and metrics; none when unset.
    ///
    /// # Errors
    /// When it is not `address:port`.
    pub fn worker_listen(&self) -> Result<Option<SocketAddr>, ConfigError> {
        self.worker_listen.as_deref().map(|text| socket_address("MILLRACE_WORKER_LISTEN", text)).transpose()
    }
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
    fn the_printed_default_file_is_a_valid_one_with_all_settings_commented() {
        assert_eq!(toml::from_str::<Settings>(DEFAULT_FILE).unwrap(), Settings::default());
        let uncommented: String = DEFAULT_FILE
            .lines()
            .filter_map(|line| line.strip_prefix("# ").filter(|l| l.contains(" = ")))
            .map(|l| format!("{l}\n"))
            .collect();
        let settings: Settings = toml::from_str(&uncommented).unwrap();
        assert_eq!(settings.partitions, Some(64));
    }

    #[test]
    fn an_amqp_url_with_an_http_scheme_says_what_is_expected_and_hides_the_password() {
        let settings =
            Settings { amqp_url: Some("http://me:s3cret@host:5672".into()), ..Settings::default() };
        let error = settings.amqp_url().unwrap_err().to_string();
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
        assert!(several.amqp_url().is_ok() && several.redis_url().is_ok());
        let cluster =
            with("amqp://a", "redis+cluster://me:s3cret@a:1,b:2").redis_url().unwrap_err().to_string();
        assert!(cluster.contains("redis+sentinel://") && !cluster.contains("s3cret"), "{cluster}");
        for url in ["amqp://me:s3cret@a:1,b:2/%2f", "redis+sentinel://me:s3cret@a:1,b:2/main"] {
            let shown = mask_url(url);
            assert!(shown.contains("a:1,b:2") && !shown.contains("s3cret"), "{shown}");
        }
    }

    #[test]
    fn a_listen_address_that_is_not_loopback_needs_a_token() {
        let open = Settings { listen: Some("0.0.0.0:7070".into()), ..Settings::default() };
        assert!(open.listen().unwrap_err().to_string().contains("MILLRACE_TOKEN"));
        assert!(Settings { token: Some("t".into()), ..open }.listen().is_ok());
    }

    #[test]
    fn allowed_hosts_are_plain_names() {
        let hosts =
            |text: &str| Settings { allowed_hosts: Some(text.into()), ..Settings::default() }.allowed_hosts();
        assert_eq!(hosts("a.example, B.Example.,"), Ok(vec!["a.example".to_owned(), "b.example".to_owned()]));
        assert_eq!(Settings::default().allowed_hosts(), Ok(Vec::new()));
        for wrong in ["*", "*.example", ".example", "https://a.example", "a.example:7070", "a.example/x"] {
            let error = hosts(wrong).unwrap_err().to_string();
            assert!(error.contains("MILLRACE_ALLOWED_HOSTS") && error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn flags_win_over_the_file() {
        let flags = Settings { prefix: Some("flag".into()), ..Settings::default() };
        let file = Settings { prefix: Some("file".into()), partitions: Some(8), ..Settings::default() };
        let both = flags.or(file);
        assert_eq!((both.prefix().unwrap().as_str(), both.partitions().unwrap()), ("flag", 8));
    }

    #[test]
    fn a_byte_order_mark_is_passed_over_and_another_encoding_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("millrace.toml");
        std::fs::write(&path, "\u{feff}prefix = 'x'\n").unwrap();
        assert_eq!(Settings::from_file(Some(&path)).unwrap().prefix.as_deref(), Some("x"));
        std::fs::write(&path, b"\xff\xfep\0r\0").unwrap();
        let error = Settings::from_file(Some(&path)).unwrap_err().to_string();
        assert!(error.ends_with("not UTF-8: save the file as UTF-8"), "{error}");
    }

    #[test]
    fn an_unknown_setting_in_the_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("millrace.toml");
        std::fs::write(&path, "amqp_ulr = 'x'\n").unwrap();
        let error = Settings::from_file(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("amqp_ulr") && error.contains("millrace.toml"), "{error}");
    }
}
