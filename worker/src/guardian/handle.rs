//! The worker's end: starts the helper, tells it what to kill, and replaces it when it dies.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{self, PipeWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use millrace_domain::SessionId;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::tree::signal;

/// A write of at most this much to a pipe happens whole or not at all (`PIPE_BUF`, pipe(7)).
const WHOLE_WRITE_BYTES: usize = 4096;
const FIRST_WAIT: Duration = Duration::from_millis(10);
const LAST_WAIT: Duration = Duration::from_secs(5);

/// A guardian of one worker session. When the last clone is dropped, the helper kills what is left and exits.
#[derive(Debug, Clone)]
pub struct Guardian(Arc<Post>);

#[derive(Debug)]
struct Post {
    program: PathBuf,
    arguments: Vec<OsString>,
    session: SessionId,
    watch: Mutex<Watch>,
}

#[derive(Debug, Default)]
struct Watch {
    helper: Option<Helper>,
    groups: HashSet<i32>,
    directories: Vec<PathBuf>,
}

#[derive(Debug)]
struct Helper {
    pid: i32,
    pipe: PipeWriter,
}

impl Guardian {
    /// Starts `program` with `arguments`, which must call [`super::run`], and starts it again when it dies. Needs a
    /// Tokio runtime.
    pub fn start(
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
        session: SessionId,
    ) -> io::Result<Self> {
        let arguments = arguments.into_iter().map(Into::into).collect();
        let post = Post { program: program.into(), arguments, session, watch: Mutex::default() };
        let guardian = Self(Arc::new(post));
        let child = guardian.0.launch()?;
        tokio::spawn(replace(child, Arc::downgrade(&guardian.0)));
        Ok(guardian)
    }

    /// Guards a process group until the answer is dropped.
    pub(crate) fn guard(&self, group: i32) -> Guarded {
        let mut watch = self.0.lock();
        watch.groups.insert(group);
        watch.tell(&format!("+{group}\n"));
        Guarded { post: Arc::clone(&self.0), group }
    }

    /// Removes a directory, with all that is in it, after the worker's end.
    pub(crate) fn remove_afterwards(&self, directory: &Path) {
        let mut watch = self.0.lock();
        watch.directories.push(directory.to_owned());
        watch.tell(&format!("remove {}\n", directory.display()));
    }

    /// The process id of the helper; none while it is being replaced.
    pub fn pid(&self) -> Option<i32> {
        self.0.lock().helper.as_ref().map(|helper| helper.pid)
    }
}

/// A guarded process group.
#[derive(Debug)]
pub(crate) struct Guarded {
    post: Arc<Post>,
    group: i32,
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let mut watch = self.post.lock();
        watch.groups.remove(&self.group);
        watch.tell(&format!("-{}\n", self.group));
    }
}

impl Post {
    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a helper and tells it everything.
    fn launch(&self) -> io::Result<Child> {
        let (reader, pipe) = io::pipe()?;
        // A helper that does not read must not stop the worker.
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .current_dir("/")
            .stdin(reader)
            .stdout(Stdio::null())
            // Of its own: what a terminal sends to the worker's group must not reach it.
            .process_group(0)
            .spawn()?;
        let pid = child.id().map_or(0, u32::cast_signed);
        let mut watch = self.lock();
        watch.helper = Some(Helper { pid, pipe });
        let mut lines = vec![format!("session {}\n", self.session)];
        lines.extend(watch.groups.iter().map(|group| format!("+{group}\n")));
        lines.extend(watch.directories.iter().map(|directory| format!("remove {}\n", directory.display())));
        for lines in lines.chunks(WHOLE_WRITE_BYTES / 128) {
            watch.tell(&lines.concat());
        }
        Ok(child)
    }
}

impl Watch {
    /// Tells the helper. One that cannot be told is of no use: it is killed, and replaced by one that is told
    /// everything.
    fn tell(&mut self, lines: &str) {
        if let Some(helper) = &mut self.helper
            && let Err(error) = helper.pipe.write_all(lines.as_bytes())
        {
            tracing::warn!(pid = helper.pid, %error, "the guardian does not listen and is replaced");
            signal(helper.pid, Signal::SIGKILL);
            self.helper = None;
        }
    }
}

/// Waits for the helper's death, again and again, and starts another.
async fn replace(mut child: Child, post: Weak<Post>) {
    let mut wait = FIRST_WAIT;
    loop {
        let began = Instant::now();
        let status = child.wait().await;
        if began.elapsed() > LAST_WAIT {
            wait = FIRST_WAIT;
        }
        child = loop {
            // Nobody needs a guardian any more.
            let Some(post) = post.upgrade() else { return };
            post.lock().helper = None;
            tracing::warn!(?status, "the guardian died; starting another");
            match post.launch() {
                Ok(next) => break next,
                Err(error) => {
                    tracing::error!(%error, "no guardian could be started: tasks may outlive this worker");
                }
            }
            drop(post);
            sleep(wait).await;
            wait = (wait * 2).min(LAST_WAIT);
        };
        // One that dies again and again is not started in a tight loop.
        sleep(wait).await;
        wait = (wait * 2).min(LAST_WAIT);
    }
}
