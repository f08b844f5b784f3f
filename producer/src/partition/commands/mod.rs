//! What can be asked of a partition, a file for each: its arguments, and what it changes.

pub(crate) mod apply;
pub(crate) mod child;
pub(crate) mod delete;
pub(crate) mod event;
pub(crate) mod fire;
pub(crate) mod lock;
pub(crate) mod pause;
pub(crate) mod replan;
pub(crate) mod retry;
pub(crate) mod secret;
pub(crate) mod submit;
