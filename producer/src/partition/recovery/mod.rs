//! What gets lost is found here: attempts whose worker is gone, outcomes that nobody reported, tasks that the broker or
//! the store has lost, letters that have not arrived, keys that somebody has damaged.

pub(crate) mod damaged;
pub(crate) mod findings;
pub(crate) mod letters;
pub(crate) mod orphan;
pub(crate) mod outcome;
pub(crate) mod queues;
pub(crate) mod republish;
pub(crate) mod sessions;
pub(crate) mod stop;
pub(crate) mod watch;
pub(crate) mod watched;
