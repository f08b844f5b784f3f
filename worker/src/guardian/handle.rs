//! The worker's end of its guardian: starts it, has keepers started, and replaces it when it dies.

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

const FIRST_WAIT: Duration = Duration::from_millis(10);
const LAST_WAIT: Duration = Duration::from_secs(5);
/// How long a keeper may take to be there. A guardian that takes longer is frozen.
const KEEPER_LIMIT: Duration = Duration::from_secs(10);
/// How long a keeper waits for another task. There are never more than tasks have run at once.
const IDLE_LIMIT: Duration = Duration::from_secs(10);
/// How many keepers are being started at once, at most. To start one takes longer than many a task: where hundreds of
/// short tasks begin together, the first keepers are free again before the others would be there.
const STARTED_AT_ONCE: usize = 4;

/// A guardian of one worker session. When the last clone is dropped, what is left of the worker's tasks is killed, and
/// the guardian ends.
#[derive(Debug, Clone)]
pub struct Guardian(Arc<Post>);

#[derive(Debug)]
struct Post {
    program: PathBuf,
    folder: Folder,
    watch: Mutex<Watch>,
    starting: Semaphore,
    /// A keeper has become idle.
    returned: Notify,
}

#[derive(Debug, Default)]
struct Watch {
    helper: Option<Helper>,
    /// How many guardians there were before this one.
    count: u64,
    /// And since when. The last one that came is the first to go.
    idle: Vec<(Keeper, Instant)>,
}

#[derive(Debug)]
struct Helper {
    pid: i32,
    socket: UnixStream,
}

impl Guardian {
    /// Starts a guardian, after [what dead workers left](sweep) was swept away, and starts it again when it dies.
    /// `program` must begin with [`super::as_helper`]. Needs a Tokio runtime.
    pub fn start(program: impl Into<PathBuf>, session: SessionId) -> io::Result<Self> {
        let temporary = std::env::temp_dir();
        let swept = sweep::sweep(&temporary);
        if swept.folders > 0 {
            let sweep::Swept { folders, processes } = swept;
            tracing::warn!(
                folders,
                processes,
                "swept what dead workers had left: folders, and processes of tasks"
            );
        }
        let folder = Folder::create(session).map_err(|error| {
            let shown = temporary.display();
            io::Error::new(
                error.kind(),
                format!(
                    "no folder could be made in {shown} ({error}): set TMPDIR to one that can be written"
                ),
            )
        })?;
        let guardian = Self(Arc::new(Post {
            program: program.into(),
            folder,
            watch: Mutex::default(),
            starting: Semaphore::new(STARTED_AT_ONCE),
            returned: Notify::new(),
        }));
        let child = guardian.0.launch()?;
        tokio::spawn(replace(child, Arc::downgrade(&guardian.0)));
        Ok(guardian)
    }

    /// Tells that a renewal of the session, which was sent at that time, has succeeded. From the first time on, tasks
    /// are killed when this was not told for a whole lease.
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

    /// A keeper for one task: one that is idle or becomes so, or else a new one.
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

    async fn start_keeper(&self) -> io::Result<Keeper> {
        let deadline = Instant::now() + KEEPER_LIMIT;
        loop {
            let hired = match self.0.hire() {
                Ok((socket, guardian)) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    timeout(left, Keeper::meet(socket, guardian)).await.unwrap_or_else(|_| {
                        self.0.discharge(guardian);
                        Err(ErrorKind::TimedOut.into())
                    })
                }
                Err(error) => Err(error),
            };
            match hired {
                Err(_) if Instant::now() < deadline => sleep(FIRST_WAIT).await,
                hired => return hired,
            }
        }
    }

    /// Takes back a keeper of whose last task nothing is left.
    pub(crate) fn take_back(&self, keeper: Keeper) {
        let mut watch = self.0.lock();
        if keeper.guardian == watch.count {
            watch.idle.push((keeper, Instant::now()));
            drop(watch);
            self.0.returned.notify_one();
        }
    }

    /// The process id of the helper; none while it is being replaced.
    pub fn pid(&self) -> Option<i32> {
        self.0.lock().helper.as_ref().map(|helper| helper.pid)
    }
}

impl Post {
    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keeper that became idle last, of those that live.
    fn take_idle(&self) -> Option<Keeper> {
        let mut watch = self.lock();
        std::iter::from_fn(|| watch.idle.pop()).map(|(keeper, _)| keeper).find(|keeper| !keeper.has_ended())
    }

    /// Starts a helper.
    fn launch(&self) -> io::Result<Child> {
        let (socket, its_own) = UnixStream::pair()?;
        // A helper that does not read must not stop the worker.
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
        self.lock().helper = Some(Helper { pid, socket });
        Ok(child)
    }

    /// Has a keeper started: our end of the conversation with it, and whose it is.
    fn hire(&self) -> io::Result<(UnixStream, u64)> {
        let (socket, its_own) = UnixStream::pair()?;
        let mut watch = self.lock();
        let helper = watch.helper.as_ref().ok_or(ErrorKind::NotConnected)?;
        if let Err(error) = wire::send_file(&helper.socket, its_own.as_fd()) {
            tracing::warn!(pid = helper.pid, %error, "the guardian does not listen and is replaced");
            signal(helper.pid, Signal::SIGKILL);
            watch.helper = None;
            return Err(error);
        }
        Ok((socket, watch.count))
    }

    /// Kills a helper that does nothing.
    fn discharge(&self, count: u64) {
        let mut watch = self.lock();
        if watch.count == count
            && let Some(helper) = watch.helper.take()
        {
            tracing::warn!(pid = helper.pid, "the guardian does not answer and is replaced");
            signal(helper.pid, Signal::SIGKILL);
        }
    }

    fn bury(&self) {
        let mut watch = self.lock();
        watch.helper = None;
        watch.count += 1;
        watch.idle.clear();
    }
}

/// Waits for the helper's death, again and again, and starts another. Its keepers end with it, and their tasks.
async fn replace(mut child: Child, post: Weak<Post>) {
    let mut backoff = Backoff::new(FIRST_WAIT, LAST_WAIT);
    loop {
        let began = Instant::now();
        let status = child.wait().await;
        if began.elapsed() > LAST_WAIT {
            backoff.reset();
        }
        child = loop {
            // Nobody needs a guardian any more.
            let Some(post) = post.upgrade() else { return };
            post.bury();
            tracing::warn!(?status, "the guardian died, and its tasks with it; starting another");
            match post.launch() {
                Ok(next) => break next,
                Err(error) => {
                    tracing::error!(%error, "no guardian could be started: no task can run");
                }
            }
            drop(post);
            backoff.wait().await;
        };
        // One that dies again and again is not started in a tight loop.
        backoff.wait().await;
    }
}
