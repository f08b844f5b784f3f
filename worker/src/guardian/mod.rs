//! What makes tasks die with their worker. A small helper process holds the other end of a pipe: when the worker
//! ends, in whatever way, the pipe closes, and the helper kills what is left of the worker's tasks and exits.
//! It does not judge whether the worker is healthy; that is what leases are for.
//!
//! The pipe carries lines: `session <id>`, `+<group>`, `-<group>`, `remove <directory>`.

mod handle;
mod process;

pub(crate) use handle::Guarded;
pub use handle::Guardian;
pub use process::run;
