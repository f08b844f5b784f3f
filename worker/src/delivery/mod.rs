//! How tasks come from the broker: a consumer for each pool ([`consumer`]), as many tasks at once as the pool has slots
//! ([`slots`]), and a delivery that is settled once for all of its tasks ([`shared_delivery`]). A message that holds no
//! task is refused ([`message`]). What becomes of a task is in [`crate::pipeline`].

mod consumer;
mod message;
mod shared_delivery;
mod slots;

pub(crate) use consumer::{ConsumerContext, PoolConsumer};
pub(crate) use shared_delivery::SharedDelivery;
