//! The guardian: `millrace guardian FOLDER`, started by a worker only. It starts keepers, kills what a dead keeper
//! leaves behind, and removes the worker's folder at the end. Standard input is the conversation with the worker,
//! standard output its lease.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::prctl;
use nix::sys::signal::Signal as Kill;
use rustix::io::Errno;
use rustix::process::{WaitOptions, wait};
use tokio::signal::unix::{Signal, SignalKind, signal as listen};
use tokio::time::{Instant, sleep, timeout_at};

use super::wire::Wire;
use super::{KILL_LIMIT, LOOK_AGAIN, on_one_thread};
use crate::census;
use crate::tree::signal;

/// How often a folder is removed in which something still appears.
const REMOVALS: usize = 3;

/// Guards until the worker is gone.
pub(super) fn guard(folder: &Path) -> io::Result<()> {
    prctl::set_child_subreaper(true)?;
    on_one_thread(async {
        let mut worker = Wire::new(io::stdin().as_fd().try_clone_to_owned()?)?;
        let mut post = Post { keepers: HashMap::new(), deaths: listen(SignalKind::child())? };
        loop {
            tokio::select! {
                biased;
                _ = post.deaths.recv() => post.bury().await,
                said = worker.receive() => match said {
                    Ok(Some(frame)) => frame.files.into_iter().for_each(|socket| post.hire(socket)),
                    // What cannot be understood is no better than an end.
                    Ok(None) | Err(_) => break,
                },
            }
        }
        drop(worker);
        post.end().await;
        // The worker may never have made it, or a cleaner of temporary files has been here.
        let _ = (0..REMOVALS).try_for_each(|_| match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Ok(()),
            removed => Err(removed),
        });
        Ok(())
    })
}

/// The keepers that live.
#[derive(Debug)]
struct Post {
    /// By process id: the keeper's end of its conversation with the worker. The worker sees the end of that only once
    /// it is closed here too, which is when nothing is left of the keeper's task.
    keepers: HashMap<i32, OwnedFd>,
    deaths: Signal,
}

impl Post {
    /// Starts a keeper that talks through `socket`. When that fails, the worker sees the end of the conversation.
    fn hire(&mut self, socket: OwnedFd) {
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
            self.keepers.insert(keeper.id().cast_signed(), socket);
        }
    }

    /// Takes note of deaths. What fell to us is killed before anybody learns of it.
    async fn bury(&mut self) {
        let mut dead = self.reap();
        if dead.is_empty() {
            return;
        }
        let me = std::process::id().cast_signed();
        let deadline = Instant::now() + KILL_LIMIT;
        while Instant::now() < deadline {
            let left = census::read();
            let strays = left.iter().filter(|process| process.parent == me);
            let strays: Vec<i32> =
                strays.map(|process| process.pid).filter(|pid| !self.keepers.contains_key(pid)).collect();
            if strays.is_empty() {
                break;
            }
            strays.into_iter().for_each(|pid| signal(pid, Kill::SIGKILL));
            let _ = timeout_at(Instant::now() + LOOK_AGAIN, self.deaths.recv()).await;
            dead.extend(self.reap());
        }
    }

    /// The conversations of keepers that died before their tasks did.
    fn reap(&mut self) -> Vec<OwnedFd> {
        let mut dead = Vec::new();
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    let socket = self.keepers.remove(&pid.as_raw_nonzero().get());
                    dead.extend(socket.filter(|_| status.exit_status() != Some(0)));
                }
                Err(Errno::INTR) => {}
                Ok(None) | Err(_) => return dead,
            }
        }
    }

    /// The worker is gone. Keepers see that as well: they end their tasks, then themselves.
    async fn end(mut self) {
        let deadline = Instant::now() + KILL_LIMIT + KILL_LIMIT / 2;
        while !self.keepers.is_empty() && Instant::now() < deadline {
            let _ = timeout_at(deadline, self.deaths.recv()).await;
            self.bury().await;
        }
        // Only one that is frozen, or whose task is stuck in the kernel.
        for pid in std::mem::take(&mut self.keepers).into_keys() {
            signal(pid, Kill::SIGKILL);
        }
        sleep(LOOK_AGAIN).await;
        self.bury().await;
    }
}
