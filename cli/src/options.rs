//! Options that several commands share: those of every command, where the servers are, how tasks are executed, how to
//! wait.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use millrace_domain::PoolName;
use millrace_runtime::config::{ConfigError, Settings};

use crate::duration;
use crate::error::CliError;

/// Options of every command. Each is also MILLRACE_NAME in the environment and name in millrace.toml.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// Configuration file (default: millrace.toml, if there is one)
    #[arg(long, global = true, env = "MILLRACE_CONFIG", value_name = "FILE", help_heading = "Configuration")]
    pub(crate) config: Option<PathBuf>,
    /// The producer to talk to (default: http://127.0.0.1:7070)
    #[arg(long, global = true, env = "MILLRACE_SERVER", value_name = "URL", help_heading = "Client")]
    pub(crate) server: Option<String>,
    /// The bearer token: a server asks for it, a client shows it
    #[arg(long, global = true, env = "MILLRACE_TOKEN", hide_env_values = true, help_heading = "Client")]
    pub(crate) token: Option<String>,
    /// How to print results on standard output; all else goes to standard error
    #[arg(long, short, global = true, value_enum, value_name = "FORMAT", default_value_t = Output::Table, help_heading = "Client")]
    pub(crate) output: Output,
    /// What to log, a tracing filter (default: info for servers, warn elsewhere)
    #[arg(long, global = true, env = "MILLRACE_LOG", value_name = "FILTER", help_heading = "Configuration")]
    pub(crate) log: Option<String>,
    /// How to log: text or json
    #[arg(
        long,
        global = true,
        env = "MILLRACE_LOG_FORMAT",
        value_name = "FORMAT",
        help_heading = "Configuration"
    )]
    pub(crate) log_format: Option<String>,
}

impl Common {
    /// The settings: those of flags and environment, then those of the file.
    pub(crate) fn settings(&self, servers: &Servers) -> Result<Settings, ConfigError> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let flags = Settings {
            amqp_url: given(&servers.amqp_url),
            redis_url: given(&servers.redis_url),
            prefix: given(&servers.prefix),
            allow_unsafe_store: servers.allow_unsafe_store,
            wait_replicas: servers.wait_replicas,
            queue_type: given(&servers.queue_type),
            server: given(&self.server),
            token: given(&self.token),
            log: given(&self.log),
            log_format: given(&self.log_format),
            ..Settings::default()
        };
        Ok(flags.or(Settings::from_file(self.config.as_deref())?))
    }
}

/// How results are printed: for people, as one JSON document, or as one a line. (What stands above a variant would
/// make every help text twice as long.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Table,
    Json,
    Jsonl,
}

/// Where the servers are.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Servers {
    /// RabbitMQ, amqp:// or amqps://, several nodes as host:port,host:port (default: amqp://guest:guest@127.0.0.1:5672/%2f)
    #[arg(long, env = "MILLRACE_AMQP_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) amqp_url: Option<String>,
    /// Redis, redis:// or rediss://, under Sentinel redis+sentinel://host:port,.../name (default: redis://127.0.0.1:6379/0)
    #[arg(long, env = "MILLRACE_REDIS_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) redis_url: Option<String>,
    /// Before every queue name and key (default: millrace)
    #[arg(long, env = "MILLRACE_PREFIX")]
    pub(crate) prefix: Option<String>,
    /// Start even on a Redis that may evict or forget
    #[arg(long, env = "MILLRACE_ALLOW_UNSAFE_STORE", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) allow_unsafe_store: Option<bool>,
    /// How many replicas of Redis must have what is committed, claimed and finished before it counts (default: 0)
    #[arg(long, env = "MILLRACE_WAIT_REPLICAS", value_name = "COUNT")]
    pub(crate) wait_replicas: Option<u32>,
    /// What durable queues are: classic, or quorum (replicated over the nodes of a RabbitMQ cluster)
    #[arg(long, env = "MILLRACE_QUEUE_TYPE", value_name = "TYPE")]
    pub(crate) queue_type: Option<String>,
}

/// Which tasks are executed.
#[derive(Debug, Clone, Args)]
pub(crate) struct PoolArgs {
    /// Pools to serve
    #[arg(
        long = "pool",
        env = "MILLRACE_POOL",
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "default"
    )]
    pub(crate) pools: Vec<String>,
}

impl PoolArgs {
    /// The pools by their names.
    pub(crate) fn named(&self) -> Result<Vec<PoolName>, CliError> {
        let pools: Result<_, _> = self.pools.iter().map(|name| name.parse()).collect();
        pools.map_err(|error| CliError::Usage(format!("--pool: {error}")))
    }
}

/// How tasks are executed.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExecutionArgs {
    /// How many tasks at once (default: 4 for each processor, at least 8)
    #[arg(long, env = "MILLRACE_CONCURRENCY")]
    pub(crate) concurrency: Option<u32>,
    /// Where shell tasks start (default: the current directory)
    #[arg(long, env = "MILLRACE_WORK_DIR", value_name = "DIR")]
    pub(crate) work_dir: Option<PathBuf>,
    /// Environment variables of the worker that tasks get too
    #[arg(long, env = "MILLRACE_PASS_ENV", value_name = "NAME", value_delimiter = ',')]
    pub(crate) pass_env: Vec<String>,
}

/// How long to wait.
#[derive(Debug, Args)]
pub(crate) struct PatienceArgs {
    /// Give up waiting after so long (status 124)
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) wait_timeout: Option<Duration>,
}

/// Whether to wait for the end of what was started.
#[derive(Debug, Args)]
pub(crate) struct FollowArgs {
    /// Wait for its end, and show its steps and what they print
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Give up waiting after so long (status 124)
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, requires = "follow")]
    pub(crate) wait_timeout: Option<Duration>,
    /// Show what they print as it is: a terminal obeys whatever control codes are in it
    #[arg(long, requires = "follow")]
    pub(crate) raw: bool,
}
