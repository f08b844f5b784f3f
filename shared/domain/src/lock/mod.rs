//! Locks and semaphores over all runs. A step asks for what it wants of them before it starts, and has it until it has ended.
//! The slot that it has is a grant with a holder, which is written down, and never a counter.
//!
//! All locks of a group have one home: the partition that keeps who holds them and who waits, on a [`Board`]. A step asks
//! for locks of one group only, so that it gets all of them or none, in one commit of one owner. Three letters pass between
//! the two: the [`Ask`], the grant, and the release; each may come twice, late, or in another order, and is told apart by the
//! attempt that it names.
//!
//! The runs of a workflow that allows only so many at a time are limited by the same machine: what they want is a slot of
//! their workflow, which is a lock whose group is the workflow. A run asks as a whole, and has the slot until it has ended.
//!
//! A rate, which allows so much in any period, is a lock as well: what is taken of it comes back a period after it was used
//! ([`Window`]). Each of its keys is a group of its own.

mod ask;
mod board;
mod effect;
mod entry;
mod gone;
mod holder;
mod limit;
mod name;
mod policy;
mod queue;
mod rate;
mod rates;
mod refusal;
mod serve;
mod standing;
mod verdict;
mod window;

pub use ask::{Ask, Want, in_words};
pub(crate) use ask::{check_wants, rate_in_words, size_in_words};
pub use board::Board;
pub use effect::Effect;
pub use entry::{Entry, Grant};
pub use gone::{Gone, Row};
pub use holder::{Asker, Holder, Need};
pub use name::{LockGroup, LockName};
pub use policy::{AtLimit, OnFull};
pub use standing::Standing;
pub use window::{Pause, Used, Window, used_at};

/// The number of tokens that a grant has: the first attempt gets the first, and each one that goes on with the grant the next.
pub const TOKENS: u64 = 16;

/// The most locks that a step may want.
pub const MAX_LOCKS: usize = 16;

/// The most that a rate may allow in its period.
pub const MAX_RATE: u32 = 1_000_000_000;

/// The most slots that a lock may have.
pub const MAX_SLOTS: u32 = 1_000_000;
