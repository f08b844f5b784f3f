//! The guardian: `millrace guardian FOLDER`, started by a worker only. It starts keepers, kills what a dead keeper
//! leaves behind, and removes the worker's folder at the end. Standard input is the conversation with the worker,
//! standard output its lease.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::prctl;
use nix::sys::signal::Signal as Kill;
use rustix::io::Errno;
use rustix::process::{WaitOptions, wait};
use tokio::signal::unix::{Signal, SignalKind, signal as listen};
use tokio::time::{Instant, sleep, timeout_at};

use super::event_loop::on_one_thread;
use super::lease::{FOLDER_PREFIX, LEASE_NAME};
use super::wire::Wire;
use crate::process::census;
use crate::process::tree::{KILL_LIMIT, LOOK_AGAIN, signal};

/// How often it is tried to remove a folder in which something still appears.
const REMOVALS: usize = 3;

/// Guards until the worker is gone.
pub(super) fn guard(folder: &Path) -> io::Result<()> {
    if !is_of_a_worker(folder).unwrap_or(false) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a worker starts its guardian itself: `millrace guardian` does nothing for anybody else",
        ));
    }
    prctl::set_child_subreaper(true)?;
    on_one_thread(async {
        let mut worker = Wire::new(io::stdin().as_fd().try_clone_to_owned()?)?;
        let mut keepers =
            Keepers { alive: HashMap::new(), stuck: HashSet::new(), deaths: listen(SignalKind::child())? };
        loop {
            tokio::select! {
                biased;
                _ = keepers.deaths.recv() => keepers.reap_and_kill_strays().await,
                said = worker.receive() => match said {
                    Ok(Some(frame)) => frame.files.into_iter().for_each(|socket| keepers.start(socket)),
                    // What cannot be understood is no better than an end.
                    Ok(None) | Err(_) => break,
                },
            }
        }
        drop(worker);
        keepers.end().await;
        // The worker may never have made it, or a cleaner of temporary files has been here.
        let _ = (0..REMOVALS).try_for_each(|_| match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Ok(()),
            removed => Err(removed),
        });
        Ok(())
    })
}

/// Whether a worker started this process, and the folder is that worker's. At the end the folder is removed, so that
/// nobody else's may be named here.
fn is_of_a_worker(folder: &Path) -> io::Result<bool> {
    let is_named_so =
        folder.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(FOLDER_PREFIX));
    let opened = |file: BorrowedFd<'_>| File::from(file.try_clone_to_owned()?).metadata();
    let (worker, lease) = (opened(io::stdin().as_fd())?, opened(io::stdout().as_fd())?);
    let there = fs::symlink_metadata(folder.join(LEASE_NAME))?;
    Ok(is_named_so
        && worker.file_type().is_socket()
        && (there.dev(), there.ino()) == (lease.dev(), lease.ino()))
}

/// The keepers of one guardian.
#[derive(Debug)]
struct Keepers {
    /// Those that live, by process id, each with its own end of its conversation with the worker. The worker sees the
    /// end of that only once it is closed here too, which is when nothing is left of the keeper's task.
    alive: HashMap<i32, OwnedFd>,
    /// Processes that were killed and do not die: nobody waits for them again.
    stuck: HashSet<i32>,
    deaths: Signal,
}

impl Keepers {
    /// Starts a keeper that talks through `socket`. When that fails, the worker sees the end of the conversation.
    fn start(&mut self, socket: OwnedFd) {
        let Ok(input) = socket.try_clone() else { return };
        // The same program, also when its file was replaced meanwhile. Its name is not the worker's: whatever kills all
        // processes of that name leaves those that end the tasks.
        let keeper = Command::new("/proc/self/exe")
            .arg0("task")
            .args(["keeper", &std::process::id().to_string()])
            .env_clear()
            .stdin(input)
            .stdout(Stdio::inherit())
            .process_group(0)
            .spawn();
        if let Ok(keeper) = keeper {
            self.alive.insert(keeper.id().cast_signed(), socket);
        }
    }

    /// Reaps keepers that died. What fell to us from them is killed before anybody learns of their deaths.
    async fn reap_and_kill_strays(&mut self) {
        let mut dead = self.reap();
        if dead.is_empty() {
            return;
        }
        let me = std::process::id().cast_signed();
        let deadline = Instant::now() + KILL_LIMIT;
        loop {
            let left = census::read();
            let ours: HashSet<i32> =
                left.iter().filter(|process| process.parent == me).map(|process| process.pid).collect();
            self.stuck.retain(|pid| ours.contains(pid));
            let is_stray = |pid: &i32| !self.alive.contains_key(pid) && !self.stuck.contains(pid);
            let strays: Vec<i32> = ours.into_iter().filter(is_stray).collect();
            if strays.is_empty() {
                return;
            }
            if Instant::now() > deadline {
                return self.stuck.extend(strays);
            }
            strays.into_iter().for_each(|pid| signal(pid, Kill::SIGKILL));
            let _ = timeout_at(Instant::now() + LOOK_AGAIN, self.deaths.recv()).await;
            dead.extend(self.reap());
        }
    }

    /// Reaps all children that have died, and answers the conversations of keepers that died before their tasks did.
    fn reap(&mut self) -> Vec<OwnedFd> {
        let mut dead = Vec::new();
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    let socket = self.alive.remove(&pid.as_raw_nonzero().get());
                    dead.extend(socket.filter(|_| status.exit_status() != Some(0)));
                }
                Err(Errno::INTR) => {}
                Ok(None) | Err(_) => return dead,
            }
        }
    }

    /// Waits for the end of all keepers once the worker is gone. They see that as well: they end their tasks, then
    /// themselves.
    async fn end(mut self) {
        let deadline = Instant::now() + KILL_LIMIT + KILL_LIMIT / 2;
        while !self.alive.is_empty() && Instant::now() < deadline {
            let _ = timeout_at(deadline, self.deaths.recv()).await;
            self.reap_and_kill_strays().await;
        }
        // Only one that is frozen, or whose task is stuck in the kernel.
        for pid in std::mem::take(&mut self.alive).into_keys() {
            signal(pid, Kill::SIGKILL);
        }
        sleep(LOOK_AGAIN).await;
        self.reap_and_kill_strays().await;
    }
}
