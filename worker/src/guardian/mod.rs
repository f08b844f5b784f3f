//! What makes tasks end with their worker, and with their attempt. Four kinds of processes, each the child of the one
//! before it:
//!
//! - The **worker** asks its guardian for keepers, and hands each task to one of them.
//! - The **guardian** starts keepers. Whatever a dead keeper leaves behind falls to it, and is killed.
//! - A **keeper** has one task at a time. Whatever the task starts stays below it, however it tries to get away
//!   (`PR_SET_CHILD_SUBREAPER`), so it knows exactly when nothing is left. It ends the task when worker or guardian
//!   is gone, or when the worker's lease is over, which it reads from the [`lease`] itself.
//! - The **task**.
//!
//! So any one of the three that lives ends the task when it must end. What is left when all of them are killed at
//! once is found by the next worker: see [`sweep`]. All of it is for Linux only.

mod handle;
mod keeper;
mod keeping;
mod lease;
mod order;
mod process;
pub(crate) mod sweep;
mod wire;

pub use handle::Guardian;
pub use lease::Boottime;
pub(crate) use lease::{FOLDER_PREFIX, LEASE_NAME, place};
pub(crate) use order::{Answer, Launch};

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

/// How long killed processes may take to vanish. Longer only helps against those that are stuck in the kernel, and
/// these die as soon as they leave it.
pub(crate) const KILL_LIMIT: Duration = Duration::from_secs(5);
/// Between looks at what is dying.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Is a helper, if that is what the arguments of this process ask for (`guardian FOLDER`, `keeper GUARDIAN`), until
/// it is not needed any more. Call it first in `main` of the program that is named to [`Guardian::start`].
pub fn as_helper(arguments: impl Iterator<Item = OsString>) -> Option<io::Result<()>> {
    let arguments: Vec<OsString> = arguments.skip(1).collect();
    let [role, of] = arguments.as_slice() else { return None };
    match role.to_str()? {
        "guardian" => Some(process::guard(of.as_ref())),
        "keeper" => Some(keeping::keep(of.to_str()?.parse().ok()?)),
        _ => None,
    }
}

/// Runs a helper's loop on one thread: a keeper is told of the death of the thread that started it.
fn on_one_thread(helper: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        // Whatever ends the worker must not end its helpers first. Caught and not ignored: what is ignored would be
        // ignored by tasks as well.
        for kind in [
            SignalKind::hangup(),
            SignalKind::interrupt(),
            SignalKind::quit(),
            SignalKind::terminate(),
            SignalKind::user_defined1(),
            SignalKind::user_defined2(),
            SignalKind::alarm(),
        ] {
            let _caught = signal(kind)?;
        }
        helper.await
    })
}
