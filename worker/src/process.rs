//! One process of a task, with everything it starts: its own group, its output captured, ended whole. It knows
//! nothing of scripts, outputs or outcomes.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::census::CENSUS;
use crate::environment::Environment;
use crate::guardian::{Guarded, Guardian};
use crate::log::LogWriter;
use crate::output::Capture;
use crate::stop::{Stop, StopReason};
use crate::tree::{Tree, signal, signal_group};

/// How long output may still come when the process has ended and its group was killed.
const OUTPUT_GRACE: Duration = Duration::from_secs(1);
/// How long a tree may take to vanish after SIGKILL: only a process inside a stuck system call takes long.
const KILL_LIMIT: Duration = Duration::from_secs(5);
/// Between looks while a tree is dying of SIGKILL, and while it may still end by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const ASK_AGAIN: Duration = Duration::from_millis(25);

/// What to start, and how.
#[derive(Debug)]
pub(crate) struct Launch {
    /// A complete path, so that the start needs no fork: see [`crate::program`].
    pub(crate) program: PathBuf,
    /// From the name on.
    pub(crate) arguments: Vec<OsString>,
    pub(crate) directory: PathBuf,
    pub(crate) environment: Environment,
}

/// What surrounds it.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) log: &'a LogWriter,
    pub(crate) stop: &'a Stop,
    pub(crate) guardian: Option<&'a Guardian>,
    pub(crate) kill_grace: Duration,
    /// The worker's session and the attempt, as every process of the task has them in its environment.
    pub(crate) mark: (String, String),
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum End {
    /// By itself.
    Exited {
        /// Its status.
        status: ExitStatus,
        /// The last line it wrote to standard error.
        last_error: Option<String>,
    },
    /// It was stopped, and nothing of it is left.
    Stopped(StopReason),
}

/// Runs a process to its end. An error means that it did not start.
pub(crate) async fn run(launch: &Launch, around: &Surroundings<'_>) -> io::Result<End> {
    // No hook between fork and exec, no search of PATH: the standard library then uses posix_spawn, which
    // does not copy the worker's page tables.
    let mut command = Command::new(&launch.program);
    if let Some((name, rest)) = launch.arguments.split_first() {
        command.arg0(name).args(rest);
    }
    command.current_dir(&launch.directory).env_clear().envs(launch.environment.variables());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.process_group(0).kill_on_drop(true).spawn()?;
    let pid = child.id().map_or(0, u32::cast_signed);
    let mut group =
        Group { id: pid, alive: true, _guarded: around.guardian.map(|guardian| guardian.guard(pid)) };

    let mut capture = Capture::new(child.stdout.take(), child.stderr.take(), around.log.clone());
    let mut open = true;
    let end = {
        let mut watch = std::pin::pin!(watch(&mut child, pid, around));
        loop {
            tokio::select! {
                biased;
                end = &mut watch => break end,
                () = capture.pump(), if open => open = false,
            }
        }
    };
    group.kill();
    if open {
        // Whoever holds the pipes now has left the group: it does not keep the task waiting.
        let _ = timeout(OUTPUT_GRACE, capture.pump()).await;
    }
    let last_error = capture.finish();
    Ok(match end? {
        Watched::Exited(status) => End::Exited { status, last_error },
        Watched::Stopped(reason) => End::Stopped(reason),
    })
}

/// The process group of a task. What is left of it is killed when this goes, whatever the way.
#[derive(Debug)]
struct Group {
    id: i32,
    alive: bool,
    _guarded: Option<Guarded>,
}

impl Group {
    fn kill(&mut self) {
        if std::mem::take(&mut self.alive) {
            signal_group(self.id, Signal::SIGKILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

enum Watched {
    Exited(ExitStatus),
    Stopped(StopReason),
}

async fn watch(child: &mut Child, pid: i32, around: &Surroundings<'_>) -> io::Result<Watched> {
    tokio::select! {
        biased;
        status = child.wait() => status.map(Watched::Exited),
        reason = around.stop.reason() => {
            end(child, pid, reason, around).await;
            Ok(Watched::Stopped(reason))
        }
    }
}

/// Ends the process and all that belongs to it: asks, waits, kills, and looks until nothing is left.
async fn end(child: &mut Child, group: i32, reason: StopReason, around: &Surroundings<'_>) {
    let (session, task) = around.mark.clone();
    let mut tree = Tree::new([group].into(), session, Some(task));
    // Before any of them dies: children of the dead cannot be traced to their parents.
    let members = tree.find(&CENSUS.take().await);
    if reason.has_grace() {
        for pid in members {
            signal(pid, Signal::SIGTERM);
        }
        let deadline = Instant::now() + around.kill_grace;
        let _ = timeout(around.kill_grace, child.wait()).await;
        // The census, not a signal to the group: zombies that nobody reaps would still count as a group.
        while Instant::now() < deadline && !tree.find(&CENSUS.take().await).is_empty() {
            sleep(ASK_AGAIN).await;
        }
    }
    let deadline = Instant::now() + KILL_LIMIT;
    loop {
        signal_group(group, Signal::SIGKILL);
        let members = tree.find(&CENSUS.take().await);
        if members.is_empty() {
            break;
        }
        for &pid in &members {
            signal(pid, Signal::SIGKILL);
        }
        if Instant::now() > deadline {
            tracing::error!(?members, "processes of a task do not die after SIGKILL");
            break;
        }
        sleep(LOOK_AGAIN).await;
    }
    let _ = timeout(KILL_LIMIT, child.wait()).await;
}

/// What a status says, when it is not success: `(code, words)`.
pub(crate) fn describe(status: ExitStatus) -> (Option<i32>, String) {
    match (status.code(), status.signal()) {
        (Some(code), _) => (Some(code), format!("exit code {code}")),
        (None, Some(number)) => {
            let name = Signal::try_from(number).map_or("unknown", Signal::as_str);
            (None, format!("killed by signal {number} ({name})"))
        }
        (None, None) => (None, format!("ended with {status}")),
    }
}
