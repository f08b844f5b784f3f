//! The history of a run: every event that changed it, in order, so that it can be told and replayed.
//!
//! A result that ended its unit is told by the stored end, which has the number of the advance, the instant, and every field of
//! the result. Each other event is an entry ([`entry`]), written in the commit of its advance. [`merge`] puts both into one
//! order again, [`words`] tells them to people, and [`replay`](mod@replay) applies them once more.

mod entry;
mod merge;
mod replay;
mod words;

pub use entry::{Entry, advance_noting};
pub use merge::{Happened, History, What};
pub use replay::{as_created, replay};
pub use words::Told;
