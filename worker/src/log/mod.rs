//! The logs of tasks. [`LogWriter`] takes what a task writes and keeps a part of it: the head goes to the [`backlog`]
//! as it comes, the newest of the rest waits in the [`tail`] until the task ends. [`LogShipper`] brings the backlog to
//! the store, behind the tasks' backs.

mod backlog;
mod shipper;
mod tail;
mod writer;

pub use shipper::{BACKLOG_LIMIT_BYTES, LogShipper};
pub use writer::{CHUNK_LIMIT_BYTES, LogWriter};
