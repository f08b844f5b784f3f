//! A keeper: `millrace keeper GUARDIAN`, started by a guardian only. It runs one task at a time, and answers when
//! nothing of it is left. Standard input is the conversation with the worker, standard output its lease.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::prctl;
use nix::sys::signal::Signal as Kill;
use nix::unistd::{Pid, getppid};
use rustix::io::Errno;
use rustix::process::{WaitOptions, wait};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::signal::unix::{Signal, SignalKind, signal as listen};
use tokio::time::{Instant, timeout_at};

use super::event_loop::on_one_thread;
use super::lease::{Boottime, Lease};
use super::order::{Answer, Order, Start};
use super::wire::{Frame, Wire};
use crate::process::census;
use crate::process::tree::{KILL_LIMIT, LOOK_AGAIN, descendants, signal, signal_group};

/// The signal that tells a keeper of its guardian's death.
const ORPHANED: Kill = Kill::SIGUSR1;

/// Keeps tasks until worker or guardian is gone.
pub(super) fn keep(guardian: i32) -> io::Result<()> {
    prctl::set_name(c"task-keeper")?;
    prctl::set_child_subreaper(true)?;
    on_one_thread(async {
        let mut keeper = KeeperProcess {
            worker: Wire::new(io::stdin().as_fd().try_clone_to_owned()?)?,
            lease: Lease::new(io::stdout().as_fd().try_clone_to_owned()?),
            deaths: listen(SignalKind::child())?,
            orphaned: listen(SignalKind::user_defined1())?,
            alarm: Alarm::new()?,
        };
        prctl::set_pdeathsig(ORPHANED)?;
        // It may have died before that.
        if getppid() != Pid::from_raw(guardian) {
            return Ok(());
        }
        let pid = std::process::id().cast_signed();
        keeper.worker.send(&Answer::Ready { pid }.text(), &[]).await?;
        while let Some(answer) = keeper.serve().await {
            keeper.worker.send(&answer.text(), &[]).await?;
        }
        match keeper.clear(None).await {
            true => Ok(()),
            // The guardian looks for what is left.
            false => Err(io::Error::other("processes of a task do not die after SIGKILL")),
        }
    })
}

/// The state of a keeper.
struct KeeperProcess {
    worker: Wire,
    lease: Lease,
    deaths: Signal,
    orphaned: Signal,
    alarm: Alarm,
}

/// What is known of the children after a reading: how the task's own process ended, and whether any is left.
#[derive(Debug, Default, Clone, Copy)]
struct Reaped {
    status: Option<i32>,
    left: bool,
}

impl KeeperProcess {
    /// Waits for a task and runs it to its end; `None` when there is nobody any more to answer.
    async fn serve(&mut self) -> Option<Answer> {
        loop {
            let said = tokio::select! {
                biased;
                _ = self.orphaned.recv() => return None,
                said = self.worker.receive() => said.ok()??,
            };
            let Frame { body, files } = said;
            match Order::read(&body)? {
                Order::Start(start) => return self.run(start, files).await,
                // It has crossed with the end of the task.
                Order::Stop { .. } => {}
            }
        }
    }

    /// Runs a task to its end; `None` when there is nobody any more to answer.
    async fn run(&mut self, start: Start, files: Vec<OwnedFd>) -> Option<Answer> {
        if self.is_lapsed() {
            return Some(Answer::Lapsed { clear: true });
        }
        let task = match spawn(start, files) {
            Ok(task) => task,
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(Errno::INVAL.raw_os_error());
                return Some(Answer::NotStarted { errno });
            }
        };
        let end = loop {
            self.alarm.set(self.lease.ends(Boottime::now()));
            tokio::select! {
                biased;
                _ = self.orphaned.recv() => break None,
                _ = self.deaths.recv() => {
                    if let Some(status) = reap(task).status {
                        break Some(Answer::Exited { status, clear: true });
                    }
                }
                said = self.worker.receive() => match said.ok().flatten().and_then(|said| Order::read(&said.body)) {
                    Some(Order::Stop { grace }) => {
                        self.ask(task, grace).await;
                        break Some(Answer::Stopped { clear: true });
                    }
                    Some(Order::Start(_)) | None => break None,
                },
                () = self.alarm.rings() => {
                    if self.is_lapsed() {
                        break Some(Answer::Lapsed { clear: true });
                    }
                }
            }
        };
        let clear = self.clear(Some(task)).await;
        Some(match end? {
            Answer::Exited { status, .. } => Answer::Exited { status, clear },
            Answer::Lapsed { .. } => Answer::Lapsed { clear },
            _ => Answer::Stopped { clear },
        })
    }

    /// Whether the worker's lease is over.
    fn is_lapsed(&self) -> bool {
        let now = Boottime::now();
        self.lease.ends(now) <= now
    }

    /// Asks all processes of the task to end, and gives them time.
    async fn ask(&mut self, task: i32, grace: Duration) {
        if grace.is_zero() {
            return;
        }
        let deadline = Instant::now() + grace;
        let me = std::process::id().cast_signed();
        for pid in descendants(me, &census::read()) {
            signal(pid, Kill::SIGTERM);
        }
        while reap(task).left {
            self.alarm.set(self.lease.ends(Boottime::now()));
            tokio::select! {
                biased;
                _ = self.orphaned.recv() => return,
                died = timeout_at(deadline, self.deaths.recv()) => if died.is_err() { return },
                // It has nothing more to say but that it is gone.
                _ = self.worker.receive() => return,
                () = self.alarm.rings() => if self.is_lapsed() { return },
            }
        }
    }

    /// Kills what is left: children until there are none. Theirs become ours, and no process id can be mistaken, since
    /// nobody else reaps them. Answers whether nothing is left.
    async fn clear(&mut self, task: Option<i32>) -> bool {
        let me = std::process::id().cast_signed();
        let deadline = Instant::now() + KILL_LIMIT;
        // At once, and in nearly all cases all of it.
        if let Some(task) = task {
            signal_group(task, Kill::SIGKILL);
        }
        let mut known = task.is_some();
        loop {
            if !reap(task.unwrap_or_default()).left {
                return true;
            }
            if !known {
                for child in census::read().iter().filter(|process| process.parent == me) {
                    signal(child.pid, Kill::SIGKILL);
                }
            }
            known = false;
            if Instant::now() > deadline {
                return false;
            }
            let _ = timeout_at(Instant::now() + LOOK_AGAIN, self.deaths.recv()).await;
        }
    }
}

/// Starts the first process of a task, in a group of its own.
fn spawn(start: Start, files: Vec<OwnedFd>) -> io::Result<i32> {
    // No hook between fork and exec, no search of PATH: the standard library then uses posix_spawn, which does not
    // copy page tables.
    let mut command = Command::new(&start.program);
    if let Some((name, rest)) = start.arguments.split_first() {
        command.arg0(name).args(rest);
    }
    command.current_dir(&start.directory).env_clear().envs(start.environment).stdin(Stdio::null());
    let mut files = files.into_iter().map(Stdio::from);
    command.stdout(files.next().unwrap_or_else(Stdio::null)).stderr(files.next().unwrap_or_else(Stdio::null));
    Ok(command.process_group(0).spawn()?.id().cast_signed())
}

/// Reaps all children that have died, and answers what became of the one that is `task`.
fn reap(task: i32) -> Reaped {
    let mut reaped = Reaped::default();
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid.as_raw_nonzero().get() == task => {
                reaped.status = Some(status.as_raw());
            }
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return Reaped { left: true, ..reaped },
            Err(_) => return reaped,
        }
    }
}

/// A timer that goes on while the machine is suspended.
struct Alarm {
    timer: OwnedFd,
    /// The same timer, to wait for: it reads as a pipe does.
    bell: Receiver,
}

impl Alarm {
    fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Boottime, flags)?;
        let bell = Receiver::from_owned_fd_unchecked(timer.try_clone()?)?;
        Ok(Self { timer, bell })
    }

    /// Sets the time at which the alarm rings, in place of the one before.
    fn set(&self, at: Boottime) {
        let wait = Boottime::now().until(at).max(Duration::from_millis(1));
        let it_value = Timespec::try_from(wait).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        // It can only refuse what is no time.
        let _ = timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once);
    }

    /// Waits until the alarm rings.
    async fn rings(&mut self) {
        let _ = self.bell.read_u64().await;
    }
}
