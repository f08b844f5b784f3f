//! What a task can be. [`Executor`] is the contract; each file beside it is one kind; [`Registry`] knows them
//! by the name that definitions use (`run` is `shell`, `uses` names any). What is not here: claims, timeouts
//! and reports, which are the same for all kinds.

mod contract;
mod http;
mod noop;
mod registry;
mod shell;

pub use contract::{Ended, Execution, Executor};
pub use http::Http;
pub use noop::Noop;
pub use registry::Registry;
pub use shell::Shell;
