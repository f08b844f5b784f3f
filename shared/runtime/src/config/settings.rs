//! The settings as they were read, of which nothing is checked but their form. The command line reads flags and
//! environment, this file `millrace.toml`.

use std::path::Path;

use serde::Deserialize;

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
    fn flags_win_over_the_file() {
        let flags = Settings { prefix: Some("flag".into()), ..Settings::default() };
        let file = Settings { prefix: Some("file".into()), partitions: Some(8), ..Settings::default() };
        let both = flags.or(file);
        assert_eq!((both.prefix.as_deref(), both.partitions), (Some("flag"), Some(8)));
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
