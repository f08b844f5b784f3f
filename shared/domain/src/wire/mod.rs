//! What travels between processes: messages of producers and workers, tasks, and what clients submit. All JSON, with
//! the version in a field `v`. What is stored of a run is in [`run::record`](crate::run::record).

pub mod message;
mod reply;
pub mod submission;
pub mod task;
