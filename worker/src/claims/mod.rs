//! What a worker asks store and broker for each task: [`trips`] are the round trips, [`batch`] shares one of them
//! between all tasks that ask for it at the same time.

mod batch;
mod trips;

pub(crate) use trips::Trips;
