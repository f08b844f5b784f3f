//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Command as Grammar, CommandFactory, Parser, Subcommand, ValueEnum, ValueHint};
use millrace_domain::run::RunState;
use millrace_domain::{PoolName, Priority, WorkflowName};
use millrace_runtime::config::Settings;

use crate::commands::params::{self, Pair};
use crate::duration;

/// The states of a run, as the API has them.
const STATES: [RunState; 6] = [
    RunState::Waiting,
    RunState::Running,
    RunState::Succeeded,
    RunState::Failed,
    RunState::TimedOut,
    RunState::Cancelled,
];

/// A distributed task scheduler: runs tasks and DAGs on this machine, or on a fleet over RabbitMQ and Redis.
#[derive(Debug, Parser)]
#[command(name = "millrace", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// What can be typed, for completion scripts: files are offered for files only.
    pub(crate) fn for_completion() -> Grammar {
        fn hinted(grammar: Grammar) -> Grammar {
            let grammar = grammar.mut_args(|arg| match arg.get_value_hint() {
                ValueHint::Unknown if arg.get_action().takes_values() => arg.value_hint(ValueHint::Other),
                _ => arg,
            });
            grammar.mut_subcommands(hinted)
        }
        hinted(Self::command())
    }
}

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

impl Common {
    /// The settings of flags and environment, then of the file.
    pub(crate) fn settings(
        &self,
        servers: &Servers,
    ) -> Result<Settings, millrace_runtime::config::ConfigError> {
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

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everything in one process, with nothing to install; state in ./.millrace
    Dev(DevArgs),
    /// Run a producer: triggers, DAGs, dispatch, and the API
    Producer(ProducerArgs),
    /// Run a worker: executes tasks of its pools
    Worker(WorkerArgs),
    /// Run a workflow file and wait for its end
    Run(RunArgs),
    /// Submit an ad-hoc task, or many
    Submit(SubmitArgs),
    /// Check workflow files: all problems at once, no server needed
    Validate(FilesArgs),
    /// Store workflow files: each change is a new version
    Apply(FilesArgs),
    /// List, show, trigger, pause, resume and delete stored workflows
    #[command(subcommand, visible_alias = "workflow")]
    Workflows(WorkflowsCommand),
    /// List, show, follow and cancel runs, and read what they printed
    #[command(subcommand)]
    Runs(RunsCommand),
    /// List the workers
    #[command(subcommand)]
    Workers(WorkersCommand),
    /// List the queues of tasks
    #[command(subcommand)]
    Queues(QueuesCommand),
    /// Show the token of a producer
    #[command(subcommand)]
    Token(TokenCommand),
    /// Check the configuration and whether everything can be reached
    Doctor(DoctorArgs),
    /// Ask a producer or a worker whether it is ready: status 0 or 1, for the health checks of containers
    Healthcheck {
        /// Where it listens
        #[arg(value_name = "URL", default_value = "http://127.0.0.1:7070")]
        server: String,
    },
    /// Print the commented default configuration
    Config,
    /// Print a completion script
    Completion {
        /// For which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// Workflow files to store at the start
    pub(crate) files: Vec<PathBuf>,
    /// Where the state is kept
    #[arg(long, env = "MILLRACE_DATA", value_name = "DIR", default_value = ".millrace")]
    pub(crate) data: PathBuf,
    /// Where to serve the API
    #[arg(long, env = "MILLRACE_LISTEN", value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Names with dots by which it is reached, comma separated (default: none)
    #[arg(long, env = "MILLRACE_ALLOWED_HOSTS", value_name = "HOSTS")]
    pub(crate) allowed_hosts: Option<String>,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ProducerArgs {
    #[command(flatten)]
    pub(crate) servers: Servers,
    /// Where to serve the API, health and metrics (default: 127.0.0.1:7070)
    #[arg(long, env = "MILLRACE_LISTEN", value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Names with dots by which it is reached, comma separated (default: none)
    #[arg(long, env = "MILLRACE_ALLOWED_HOSTS", value_name = "HOSTS")]
    pub(crate) allowed_hosts: Option<String>,
    /// How many partitions a new cluster gets (default: 64)
    #[arg(long, env = "MILLRACE_PARTITIONS")]
    pub(crate) partitions: Option<u16>,
    /// Where a token is made and kept when none is set
    #[arg(long, env = "MILLRACE_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    #[command(flatten)]
    pub(crate) servers: Servers,
    /// Pools to serve
    #[arg(long = "pool", env = "MILLRACE_POOL", value_delimiter = ',', default_value = "default")]
    pub(crate) pools: Vec<String>,
    /// Labels, key=value
    #[arg(long = "label", value_name = "KEY=VALUE", value_delimiter = ',', env = "MILLRACE_LABEL", value_parser = label)]
    pub(crate) labels: Vec<String>,
    /// How long running tasks may go on after SIGTERM
    #[arg(long, default_value = "25s", value_parser = duration::parse, env = "MILLRACE_GRACE")]
    pub(crate) grace: Duration,
    /// Where to serve health and metrics (default: nowhere)
    #[arg(long = "listen", env = "MILLRACE_WORKER_LISTEN", value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
}

/// A label, as it will be shown.
fn label(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.is_empty() => Ok(text.to_owned()),
        _ => Err("expected KEY=VALUE".to_owned()),
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

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The workflow file, YAML or JSON
    pub(crate) file: PathBuf,
    /// A param of the run
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = params::pair)]
    pub(crate) params: Vec<Pair>,
    /// Which workflow, when the file has several
    #[arg(long, value_name = "NAME")]
    pub(crate) workflow: Option<String>,
    /// Show the live tree of steps and what they print
    #[arg(long, short)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) patience: PatienceArgs,
    /// Show what they print as it is: a terminal obeys whatever control codes are in it
    #[arg(long, requires = "follow")]
    pub(crate) raw: bool,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
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

#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    /// The pool that executes it
    #[arg(long)]
    pub(crate) pool: Option<PoolName>,
    /// P0 (urgent) to P3 (idle), or 0-9
    #[arg(long)]
    pub(crate) priority: Option<Priority>,
    /// Idempotency key: the same key within 24 h is the same run
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// Start so long from now: 10m
    #[arg(long, value_name = "DURATION", conflicts_with = "at", value_parser = duration::parse)]
    pub(crate) delay: Option<Duration>,
    /// Start at this instant: 2030-01-01T02:00:00+08:00
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub(crate) at: Option<String>,
    /// How long it may take: 30s
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_positive)]
    pub(crate) timeout: Option<Duration>,
    /// How many retries
    #[arg(long, value_name = "COUNT")]
    pub(crate) retries: Option<u32>,
    /// A param, given to the task as an environment variable
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = params::pair)]
    pub(crate) params: Vec<Pair>,
    #[command(flatten)]
    pub(crate) follow: FollowArgs,
    /// Submissions, one JSON object a line (- reads standard input); returns once all are accepted
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["command", "follow"])]
    pub(crate) batch: Option<String>,
    /// The command
    #[arg(last = true, required_unless_present = "batch", value_name = "COMMAND", value_hint = ValueHint::AnyPath)]
    pub(crate) command: Vec<String>,
}

/// An instant, as it will be sent.
fn instant(text: &str) -> Result<String, String> {
    let expected = "expected RFC 3339 with an offset, such as 2030-01-01T02:00:00+08:00";
    text.parse::<jiff::Timestamp>().map(|_| text.to_owned()).map_err(|_| expected.to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct FilesArgs {
    /// Workflow files, YAML or JSON
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkflowsCommand {
    /// List them
    List,
    /// Show one with its definition
    Get {
        name: String,
        /// Another version than the current one
        #[arg(long)]
        version: Option<u32>,
    },
    /// Start a run
    Trigger {
        name: String,
        /// A param of the run
        #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = params::pair)]
        params: Vec<Pair>,
        /// Idempotency key
        #[arg(long)]
        key: Option<String>,
        #[command(flatten)]
        follow: FollowArgs,
    },
    /// Let its schedules rest
    Pause { name: String },
    /// Let its schedules go on
    Resume { name: String },
    /// Forget it; its runs go on
    Delete { name: String },
}

/// Which run.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct RunIdArgs {
    /// Its id, or the beginning of it when no other run's begins so
    pub(crate) id: Option<String>,
    /// The run that was created last
    #[arg(long)]
    pub(crate) last: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// List them, the newest first
    List {
        /// Only of this workflow
        #[arg(long, value_name = "NAME")]
        workflow: Option<WorkflowName>,
        /// Only in this state
        #[arg(long, value_parser = PossibleValuesParser::new(STATES.map(RunState::as_str)))]
        state: Option<String>,
        /// At most so many
        #[arg(long, value_name = "COUNT", default_value_t = 20)]
        limit: usize,
    },
    /// Show one with its steps
    Get {
        #[command(flatten)]
        run: RunIdArgs,
    },
    /// Follow one to its end
    Watch {
        #[command(flatten)]
        run: RunIdArgs,
        #[command(flatten)]
        patience: PatienceArgs,
        /// Show what they print as it is: a terminal obeys whatever control codes are in it
        #[arg(long)]
        raw: bool,
    },
    /// What its tasks printed
    Logs(LogsArgs),
    /// Stop one
    Cancel {
        #[command(flatten)]
        run: RunIdArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pub(crate) run: RunIdArgs,
    /// Only of this step
    #[arg(long, value_name = "NAME")]
    pub(crate) step: Option<String>,
    /// Of this attempt; the last one otherwise
    #[arg(long, value_name = "NUMBER")]
    pub(crate) attempt: Option<u32>,
    /// Go on until the run has ended
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Show it as it is: a terminal obeys whatever control codes are in it
    #[arg(long)]
    pub(crate) raw: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkersCommand {
    /// List them
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QueuesCommand {
    /// List them
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Print it
    Show {
        /// Where the producer keeps it
        #[arg(long, env = "MILLRACE_DATA", value_name = "DIR")]
        data: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) servers: Servers,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
        Cli::for_completion().debug_assert();
    }
}
