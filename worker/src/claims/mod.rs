//! What a worker asks and says for each task. [`Claims`] are its round trips to the store: claim, finish, hand back.
//! [`Owners`] are the producers to whom it reports. A [`batcher`] makes one round trip of all that is asked for at the
//! same time, and [`retries`] repeat it until it is answered.

mod batcher;
mod owners;
mod retries;
mod round_trips;

pub(crate) use owners::Owners;
pub(crate) use round_trips::Claims;
