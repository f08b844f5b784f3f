//! A fleet of its own: a prefix nobody else has, on servers that may be shared, with processes that are real.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use millrace_servers::{Servers, free_port, shared};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{Amqp, Api, Marks, Process, binary, sweep};

/// A fleet. Declare it before its processes: what is declared last is dropped first.
#[derive(Debug)]
pub struct Fleet {
    servers: Servers,
    prefix: String,
    folder: TempDir,
    started: AtomicU32,
    is_private: bool,
}

impl Fleet {
    /// A fleet on the servers that all tests share.
    pub fn new() -> Self {
        Self::with(shared().clone(), false)
    }

    /// A fleet on servers that the test has for itself, to restart them or to set them up otherwise.
    pub fn on(amqp_url: String, redis_url: String) -> Self {
        Self::with(Servers { amqp_url, redis_url }, true)
    }

    fn with(servers: Servers, is_private: bool) -> Self {
        let prefix = format!("e2e-{}", Uuid::new_v4().simple());
        let folder = TempDir::with_prefix("millrace-e2e-").unwrap();
        Self { servers, prefix, folder, started: AtomicU32::new(0), is_private }
    }

    /// The addresses of broker and store.
    pub fn servers(&self) -> &Servers {
        &self.servers
    }

    /// The prefix of all names on the servers.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The folder that goes with the fleet: logs are here, and tests may put files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file for the marks of tasks.
    pub fn marks(&self, name: &str) -> Marks {
        Marks::new(self.folder().join(format!("{name}.marks")))
    }

    /// Starts a producer, and waits until it is ready.
    pub async fn producer(&self) -> Process {
        self.producer_with(&[], &[]).await
    }

    /// Starts a producer with these arguments and variables, and waits until it is ready.
    pub async fn producer_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Process {
        let mut process = self.start_producer(arguments, variables);
        process.is_ready().await;
        process
    }

    /// Starts a worker with these arguments (`&["--concurrency", "4"]`), and waits until it is ready.
    pub async fn worker(&self, arguments: &[&str]) -> Process {
        let mut process = self.start_worker(arguments, &[]);
        process.is_ready().await;
        process
    }

    /// Starts a producer.
    pub fn start_producer(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Process {
        self.start_program(&binary(), self.folder(), "producer", arguments, variables)
    }

    /// Starts a worker that keeps its log in this folder.
    pub fn start_worker_in(&self, log: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Process {
        self.start_program(&binary(), log, "worker", arguments, variables)
    }

    /// Starts a worker.
    pub fn start_worker(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Process {
        self.start_worker_in(self.folder(), arguments, variables)
    }

    /// Starts a `producer`, a `worker` or a `dev` of any program, such as an older version, and keeps its log in a folder.
    pub fn start_program(
        &self,
        program: &Path,
        log: &Path,
        role: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Process {
        let name = format!("{role}-{}", self.started.fetch_add(1, Ordering::Relaxed));
        let address = format!("127.0.0.1:{}", free_port());
        let listen = if role == "worker" { "MILLRACE_WORKER_LISTEN" } else { "MILLRACE_LISTEN" };
        let mut command = self.command(program);
        command.arg(role).args(arguments).env(listen, &address).envs(variables.iter().copied());
        let log = log.join(format!("{name}.log"));
        Process::start(&name, &mut command, log, Api::new(format!("http://{address}")))
    }

    /// A `millrace` command of this fleet, to be given arguments: in a folder of its own, without colours, and
    /// with nothing of this machine's configuration.
    pub fn millrace(&self) -> Command {
        self.command(&binary())
    }

    fn command(&self, program: &Path) -> Command {
        let folder = self.folder().join("work");
        fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MILLRACE_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(folder)
            .env("MILLRACE_AMQP_URL", &self.servers.amqp_url)
            .env("MILLRACE_REDIS_URL", &self.servers.redis_url)
            .env("MILLRACE_PREFIX", &self.prefix)
            .env("NO_COLOR", "1");
        command
    }

    /// A client of the broker.
    pub async fn amqp(&self) -> Amqp {
        Amqp::connect(&self.servers.amqp_url, &self.prefix).await
    }
}

impl Default for Fleet {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // Private servers take everything with them.
        if !self.is_private {
            sweep::sweep(&self.servers, &self.prefix);
        }
    }
}
