//! The contract: the trait [`Store`], and a file for each thing that is agreed on. The implementations have the same
//! files, as far as they need them.

mod catalog;
mod claim;
mod cluster;
mod commit;
mod error;
mod letter;
mod list;
mod log;
mod partition;
mod pool;
mod revoke;
mod run;
mod session;
mod store;
mod table;
mod task;
mod timer;

pub use catalog::*;
pub use claim::*;
pub use cluster::*;
pub use commit::*;
pub use error::*;
pub use letter::*;
pub use list::*;
pub use log::*;
pub use partition::*;
pub use pool::*;
pub use revoke::*;
pub use run::*;
pub use session::*;
pub use store::*;
pub use table::*;
pub use task::*;
pub use timer::*;
