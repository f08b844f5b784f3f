//! One `millrace` process that cannot outlive its test.

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{Api, wait_until};

/// The longest that a process may take until it is ready.
const READY_BOUND: Duration = Duration::from_secs(60);

/// The most bytes that are read of a log.
const LOG_BYTES: u64 = 64 * 1024 * 1024;

/// The lines of a log that are shown when a test fails.
const SHOWN_LINES: usize = 60;

/// Reads a pipe whose other end is the test's: a line says that there is nothing to do, its end without one that
/// the test died.
const REAPER: &str = r#"read -r _ && exit 0; kill -s KILL "$1""#;

/// A running producer or worker.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    reaper: Child,
    status: Option<ExitStatus>,
    log: PathBuf,
    api: Api,
}

impl Process {
    /// Starts `command`, whose health is at `api`; what it prints goes to the file `log`.
    pub(crate) fn start(name: &str, command: &mut Command, log: PathBuf, api: Api) -> Self {
        let file = File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let reaper = Command::new("sh")
            .args(["-c", REAPER, "reaper", &child.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { name: name.to_owned(), child, reaper, status: None, log, api }
    }

    /// Waits until the process says that it is ready.
    pub async fn is_ready(&mut self) {
        let name = self.name.clone();
        wait_until(READY_BOUND, &format!("{name} is ready"), async || {
            if let Some(status) = self.status() {
                panic!("{name} ended with {status} instead of getting ready");
            }
            self.api.try_get("/readyz").await
        })
        .await;
    }

    /// The API of the process; of a worker, health and metrics only.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The pid of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The log so far, at most [`LOG_BYTES`] of it: it may be a device that never ends.
    pub fn log(&self) -> String {
        let mut log = String::new();
        let _ = File::open(&self.log).map(|file| file.take(LOG_BYTES).read_to_string(&mut log));
        log
    }

    /// The status with which the process ended; `None` while it runs.
    pub fn status(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().unwrap();
        }
        self.status
    }

    /// Waits for the end of the process, and returns its status.
    pub async fn ends(&mut self, within: Duration) -> ExitStatus {
        let what = format!("{} has ended", self.name);
        wait_until(within, &what, async || self.status().ok_or_else(|| "it runs".to_owned())).await
    }

    /// Kills the process as `kill -9` does, and waits until it is dead.
    pub fn kill9(&mut self) {
        if self.status().is_none() {
            self.signal(Signal::SIGKILL);
            self.status = Some(self.child.wait().unwrap());
        }
    }

    /// Asks the process to end.
    pub fn sigterm(&mut self) {
        self.signal(Signal::SIGTERM);
    }

    /// Freezes the process.
    pub fn sigstop(&mut self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets the process go on.
    pub fn sigcont(&mut self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&mut self, signal: Signal) {
        // Not waited for yet, so that the number is still its own.
        if self.status().is_none() {
            kill(Pid::from_raw(self.pid().cast_signed()), signal).unwrap();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill9();
        if let Some(mut pipe) = self.reaper.stdin.take() {
            let _ = pipe.write_all(b"ended\n");
        }
        let _ = self.reaper.wait();
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let shown = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
            eprintln!("-- the last lines of {}:\n{shown}", self.name);
        }
    }
}
