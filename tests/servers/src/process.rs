//! One server process with everything that it started, as a process group that cannot outlive us.
//!
//! Beside each server runs a reaper: a shell that reads a pipe whose other end is ours. When we die, by whatever
//! signal, the pipe closes, and the reaper kills the group and removes the folder.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// The longest that a server may take until it answers, and until it has ended gracefully.
const START_BOUND: Duration = Duration::from_secs(60);
const STOP_BOUND: Duration = Duration::from_secs(30);
/// The interval at which a condition of another process is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A line on stdin says that there is nothing to reap; its end without one says that we died.
const REAPER: &str = r#"
read -r _ && exit 0
kill -s KILL -- "-$1"
for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$2" && exit 0; sleep 0.1; done
"#;

/// A running server.
#[derive(Debug)]
pub(crate) struct Process {
    leader: Child,
    reaper: Child,
    folder: PathBuf,
}

impl Process {
    /// Starts `command` as the leader of its own group. It must write its server's pid to [`pid_file`] of
    /// `folder`; what it prints goes to [`log_file`].
    pub(crate) fn start(command: &mut Command, folder: &Path) -> io::Result<Self> {
        let _ = fs::remove_file(pid_file(folder));
        let log = File::options().create(true).append(true).open(log_file(folder))?;
        let mut leader = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()?;
        let group = leader.id().to_string();
        let reaper = Command::new("sh")
            .args(["-c", REAPER, "reaper", &group])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        match reaper {
            Ok(reaper) => Ok(Self { leader, reaper, folder: folder.to_owned() }),
            Err(error) => {
                kill_group(&leader);
                leader.wait()?;
                Err(error)
            }
        }
    }

    /// Waits until `answers` says yes.
    pub(crate) fn wait_until(&mut self, mut answers: impl FnMut() -> bool) -> io::Result<()> {
        let deadline = Instant::now() + START_BOUND;
        while !answers() {
            if let Some(status) = self.leader.try_wait()? {
                return Err(io::Error::other(format!("it ended with {status} while starting")));
            }
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("it did not answer within {START_BOUND:?}")));
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Sends a signal to the process that was started, and not to what it started.
    pub(crate) fn signal(&self, signal: Signal) {
        // Not waited for yet, so that the number is still its own.
        if let Ok(pid) = i32::try_from(self.leader.id()) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Asks the server to end and waits until it has; one that does not within the bound is killed.
    pub(crate) fn stop(mut self) {
        let pid = pid(&self.folder).and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid
            && kill(Pid::from_raw(pid), Signal::SIGTERM).is_ok()
        {
            let deadline = Instant::now() + STOP_BOUND;
            while matches!(self.leader.try_wait(), Ok(None)) && Instant::now() < deadline {
                thread::sleep(LOOK);
            }
        }
        // What is left is ended by `drop`.
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.leader.try_wait(), Ok(None)) {
            kill_group(&self.leader);
            let _ = self.leader.wait();
        }
        if let Some(mut pipe) = self.reaper.stdin.take() {
            let _ = pipe.write_all(b"ended\n");
        }
        let _ = self.reaper.wait();
    }
}

/// The file to which a server's pid is written.
pub(crate) fn pid_file(folder: &Path) -> PathBuf {
    folder.join("server.pid")
}

/// The pid that a server wrote to its file.
pub(crate) fn pid(folder: &Path) -> Option<u32> {
    fs::read_to_string(pid_file(folder)).ok()?.trim().parse().ok()
}

/// The file to which what a server prints is written.
pub(crate) fn log_file(folder: &Path) -> PathBuf {
    folder.join("server.log")
}

/// The last lines of what the server printed, for a message.
pub(crate) fn last_lines(folder: &Path) -> String {
    let text = fs::read_to_string(log_file(folder)).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// Kills a group of processes. Its leader was not waited for yet, so that the group still has its number.
fn kill_group(leader: &Child) {
    if let Ok(group) = i32::try_from(leader.id()) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
}
