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

mod event_loop;
mod handle;
mod keeper_handle;
mod keeper_process;
mod lease;
mod order;
mod process;
mod role;
mod sweep;
mod wire;

pub use handle::Guardian;
pub use lease::Boottime;
pub(crate) use order::{Answer, Launch};
pub use role::as_helper;
