//! How tasks come from the broker: a consumer for each pool ([`consume`]), as many tasks at once as the pool has slots
//! ([`slots`]), and a delivery that is settled once for all of its tasks ([`parcel`]). What becomes of a task is in
//! [`crate::pipeline`].

mod consume;
mod parcel;
mod slots;

pub(crate) use consume::Intake;
pub(crate) use parcel::Parcel;
