//! The worker's end of its guardian: it starts the guardian, has keepers started, and replaces a guardian that dies.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use millrace_domain::SessionId;
use millrace_runtime::Backoff;
use nix::sys::signal::Signal;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use super::keeper_handle::Keeper;
use super::lease::{Boottime, Folder};
use super::sweep;
use super::wire;
use crate::process::tree::signal;

/// The first wait before a guardian that died is replaced again.
const FIRST_WAIT: Duration = Duration::from_millis(10);
/// The longest of these waits. A guardian that lives for longer has not failed to start.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long a keeper may take to be there. A guardian that takes longer is frozen.
const KEEPER_LIMIT: Duration = Duration::from_secs(10);
/// How long a keeper waits for another task. There are never more than tasks have run at once.
const IDLE_LIMIT: Duration = Duration::from_secs(10);
/// How many keepers may be starting at once. To start one takes longer than many a task: where hundreds of short tasks
/// begin together, the first keepers are free again before the others would be there.
const STARTED_AT_ONCE: usize = 4;
/// How long after the start what dead workers have left is looked for once more: where a worker is started as soon as
/// all of another's processes were killed, the last of these may not have let go of their lease yet.
const SECOND_SWEEP: Duration = Duration::from_secs(5);

/// The guardian of one worker session. When the last clone is dropped, what is left of the worker's tasks is killed,
/// and the guardian ends.
#[derive(Debug, Clone)]
pub struct Guardian(Arc<Inner>);

/// What all clones of a [`Guardian`] share.
#[derive(Debug)]
struct Inner {
    program: PathBuf,
    folder: Folder,
    state: Mutex<State>,
    starting: Semaphore,
    /// Notified when a keeper has become idle.
    returned: Notify,
}

/// The guardian's process and the keepers that it has started.
#[derive(Debug, Default)]
struct State {
    process: Option<GuardianProcess>,
    /// How many guardians there were before this one.
    count: u64,
    /// Keepers without a task, and since when. The last one that came is the first to go.
    idle: Vec<(Keeper, Instant)>,
}

/// A guardian's process, and the socket on which it is asked for keepers.
#[derive(Debug)]
struct GuardianProcess {
    pid: i32,
    socket: UnixStream,
}

impl Guardian {
    /// Starts a guardian, after [what dead workers left](sweep) was swept away, and starts it again when it dies. What
    /// is dying meanwhile is swept some seconds later.
    /// `program` must begin with [`super::as_helper`]. Needs a Tokio runtime.
    pub fn start(program: impl Into<PathBuf>, session: SessionId) -> io::Result<Self> {
        let temporary = std::env::temp_dir();
        sweep::sweep(&temporary);
        let folder = Folder::create(session).map_err(|error| {
            let shown = temporary.display();
            io::Error::new(
                error.kind(),
                format!(
                    "no folder could be made in {shown} ({error}): set TMPDIR to one that can be written"
                ),
            )
        })?;
        let guardian = Self(Arc::new(Inner {
            program: program.into(),
            folder,
            state: Mutex::default(),
            starting: Semaphore::new(STARTED_AT_ONCE),
            returned: Notify::new(),
        }));
        let child = guardian.0.start_process()?;
        tokio::spawn(replace(child, Arc::downgrade(&guardian.0)));
        tokio::spawn(async move {
            sleep(SECOND_SWEEP).await;
            tokio::task::spawn_blocking(move || sweep::sweep(&temporary));
        });
        Ok(guardian)
    }

    /// Tells the keepers that a renewal of the session, which was sent at that time, has succeeded. From the first time
    /// on, tasks are killed when this was not told for a whole lease.
    pub fn renewed(&self, sent: Boottime) {
        if let Err(error) = self.0.folder.lease().renew(sent) {
            tracing::warn!(%error, "the lease cannot be written: tasks will be killed when it is over");
        }
        self.0.lock().idle.retain(|(_, since)| since.elapsed() < IDLE_LIMIT);
    }

    /// The worker's private folder. It is removed after the worker's end.
    pub(crate) fn folder(&self) -> &Path {
        self.0.folder.path()
    }

    /// Finds a keeper for one task: one that is idle or becomes so, or else a new one.
    pub(crate) async fn keeper(&self) -> io::Result<Keeper> {
        loop {
            let mut returned = std::pin::pin!(self.0.returned.notified());
            returned.as_mut().enable();
            if let Some(keeper) = self.0.take_idle() {
                return Ok(keeper);
            }
            tokio::select! {
                biased;
                () = returned => {}
                // It is never closed.
                _starting = self.0.starting.acquire() => return self.start_keeper().await,
            }
        }
    }

    /// Has a keeper started, and waits until it is there.
    async fn start_keeper(&self) -> io::Result<Keeper> {
        let deadline = Instant::now() + KEEPER_LIMIT;
        loop {
            let keeper = match self.0.request_keeper() {
                Ok((socket, guardian)) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    timeout(left, Keeper::meet(socket, guardian)).await.unwrap_or_else(|_| {
                        self.0.kill_frozen(guardian);
                        Err(ErrorKind::TimedOut.into())
                    })
                }
                Err(error) => Err(error),
            };
            match keeper {
                Err(_) if Instant::now() < deadline => sleep(FIRST_WAIT).await,
                keeper => return keeper,
            }
        }
    }

    /// Takes back a keeper of whose last task nothing is left.
    pub(crate) fn take_back(&self, keeper: Keeper) {
        let mut state = self.0.lock();
        if keeper.guardian == state.count {
            state.idle.push((keeper, Instant::now()));
            drop(state);
            self.0.returned.notify_one();
        }
    }

    /// The process id of the guardian; none while it is being replaced.
    pub fn pid(&self) -> Option<i32> {
        self.0.lock().process.as_ref().map(|process| process.pid)
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the keeper that became idle last, of those that live.
    fn take_idle(&self) -> Option<Keeper> {
        let mut state = self.lock();
        std::iter::from_fn(|| state.idle.pop()).map(|(keeper, _)| keeper).find(|keeper| !keeper.has_ended())
    }

    /// Starts the guardian's process.
    fn start_process(&self) -> io::Result<Child> {
        let (socket, its_own) = UnixStream::pair()?;
        // A guardian that does not read must not stop the worker.
        socket.set_nonblocking(true)?;
        let child = Command::new(&self.program)
            .arg("guardian")
            .arg(self.folder.path())
            .env_clear()
            .current_dir("/")
            .stdin(OwnedFd::from(its_own))
            .stdout(self.folder.lease().file().try_clone()?)
            // Of its own: what a terminal sends to the worker's group must not reach it.
            .process_group(0)
            .spawn()?;
        let pid = child.id().map_or(0, u32::cast_signed);
        self.lock().process = Some(GuardianProcess { pid, socket });
        Ok(child)
    }

    /// Asks the guardian for a keeper: our end of the conversation with it, and the number of its guardian.
    fn request_keeper(&self) -> io::Result<(UnixStream, u64)> {
        let (socket, its_own) = UnixStream::pair()?;
        let mut state = self.lock();
        let process = state.process.as_ref().ok_or(ErrorKind::NotConnected)?;
        if let Err(error) = wire::send_file(&process.socket, its_own.as_fd()) {
            tracing::warn!(pid = process.pid, %error, "the guardian does not listen and is replaced");
            signal(process.pid, Signal::SIGKILL);
            state.process = None;
            return Err(error);
        }
        Ok((socket, state.count))
    }

    /// Kills a guardian that is frozen, unless it was replaced already.
    fn kill_frozen(&self, count: u64) {
        let mut state = self.lock();
        if state.count == count
            && let Some(process) = state.process.take()
        {
            tracing::warn!(pid = process.pid, "the guardian does not answer and is replaced");
            signal(process.pid, Signal::SIGKILL);
        }
    }

    /// Forgets a guardian that died, and its keepers, which die with it.
    fn forget_process(&self) {
        let mut state = self.lock();
        state.process = None;
        state.count += 1;
        state.idle.clear();
    }
}

/// Waits for the guardian's death, again and again, and starts another. Its keepers end with it, and their tasks.
async fn replace(mut child: Child, inner: Weak<Inner>) {
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    loop {
        let began = Instant::now();
        let status = child.wait().await;
        if began.elapsed() > LONGEST_WAIT {
            backoff.reset();
        }
        child = loop {
            // Nobody needs a guardian any more.
            let Some(inner) = inner.upgrade() else { return };
            inner.forget_process();
            tracing::warn!(?status, "the guardian died, and its tasks with it; starting another");
            match inner.start_process() {
                Ok(next) => break next,
                Err(error) => {
                    tracing::error!(%error, "no guardian could be started: no task can run");
                }
            }
            drop(inner);
            backoff.wait().await;
        };
        // One that dies again and again is not started in a tight loop.
        backoff.wait().await;
    }
}
