//! A process that is measured, ended with the bench.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cpu;
use crate::failure::Failure;

const STOP_BOUND: Duration = Duration::from_secs(30);

/// A running process, which is killed when dropped.
pub(crate) struct Program {
    child: Child,
}

impl Program {
    /// Starts the binary that was built beside this one.
    pub(crate) fn start(arguments: &[&str], environment: &[(&str, String)]) -> Result<Self, Failure> {
        let mut command = Command::new(binary()?);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).env("MILLRACE_LOG", "warn");
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        Self::spawn(command)
    }

    /// Starts another program.
    pub(crate) fn spawn(mut command: Command) -> Result<Self, Failure> {
        Ok(Self { child: command.spawn()? })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The resident memory now, in megabytes.
    pub(crate) fn resident_mb(&self) -> f64 {
        self.status_mb("VmRSS:")
    }

    /// The most resident memory so far, in megabytes.
    pub(crate) fn peak_mb(&self) -> f64 {
        self.status_mb("VmHWM:")
    }

    fn status_mb(&self, field: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
    }

    /// Asks the process to end, and waits until it has. One that does not end within a bound is killed.
    pub(crate) async fn stop(mut self) -> Result<(), Failure> {
        kill(Pid::from_raw(i32::try_from(self.pid())?), Signal::SIGTERM)?;
        let deadline = Instant::now() + STOP_BOUND;
        while self.child.try_wait()?.is_none() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // What it started does not always end with it.
        let started =
            if matches!(self.child.try_wait(), Ok(None)) { cpu::tree(self.pid()) } else { Vec::new() };
        let _ = self.child.kill();
        for pid in started.into_iter().filter_map(|pid| i32::try_from(pid).ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

fn binary() -> Result<PathBuf, Failure> {
    let path = std::env::current_exe()?.with_file_name("millrace");
    match path.exists() {
        true => Ok(path),
        false => {
            let path = path.display();
            Err(format!("{path} is missing: build it first with `cargo build --release`").into())
        }
    }
}
