//! What a worker lets its tasks do, parsed once. Where a value comes from (flags, environment, file) is not
//! known here.

use std::path::PathBuf;
use std::time::Duration;

use millrace_domain::SessionId;
use millrace_domain::run::large::MAX_OUTPUT_BYTES;
use millrace_runtime::Ambient;

use crate::guardian::Guardian;

/// The settings of a worker, as far as its executors need them.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The directory where shell tasks start; a task's own `working_dir` is relative to it.
    pub work_dir: PathBuf,
    /// Names of the worker's own environment variables that tasks get too. Names in `MILLRACE_` are not passed.
    pub pass_env: Vec<String>,
    /// The worker's session. Every process of a task carries it, so that strays can be found.
    pub session: SessionId,
    /// How much output of one attempt is kept, in bytes of text: three quarters of its beginning, a quarter of its end.
    pub log_budget_bytes: u64,
    /// How much a task may write to the file of its outputs, in bytes.
    pub output_limit_bytes: usize,
    /// How long a process may take to end by itself after SIGTERM.
    pub kill_grace: Duration,
    /// The guardian: it starts processes, and sees to it that none outlives its attempt. Without one, no shell task can run.
    pub guardian: Option<Guardian>,
    /// The settings of the `http` executor.
    pub http: HttpSettings,
    /// The source of the time of day and of random ids.
    pub ambient: Ambient,
}

impl Settings {
    /// The defaults: 1 MiB of log, 8 MiB of outputs, 2 s of grace, no guardian.
    pub fn new(work_dir: impl Into<PathBuf>, session: SessionId) -> Self {
        Self {
            work_dir: work_dir.into(),
            pass_env: Vec::new(),
            session,
            log_budget_bytes: 1024 * 1024,
            output_limit_bytes: MAX_OUTPUT_BYTES as usize,
            kill_grace: Duration::from_secs(2),
            guardian: None,
            http: HttpSettings::default(),
            ambient: Ambient::system(),
        }
    }
}

/// What the `http` executor may reach, and how much it reads.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Whether loopback and private addresses may be reached. Link-local and cloud metadata addresses never are.
    pub allow_private: bool,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How many redirects are followed.
    pub redirect_limit: usize,
    /// How much of a response's body becomes an output, in bytes.
    pub body_limit_bytes: usize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            allow_private: true,
            connect_timeout: Duration::from_secs(10),
            redirect_limit: 5,
            body_limit_bytes: 64 * 1024,
        }
    }
}
