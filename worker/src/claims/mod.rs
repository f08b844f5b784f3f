//! What a worker asks store and broker for each task: [`trips`] are the round trips, [`batch`] shares one of them
//! between all tasks that ask for it at the same time, [`retries`] repeat it.

mod batch;
mod retries;
mod trips;

pub(crate) use trips::Trips;
