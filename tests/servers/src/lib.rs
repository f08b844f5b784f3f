//! Private RabbitMQ and Redis servers for tests, alone or as a cluster: on loopback, on free ports, in a temporary folder, gone with
//! the process that started them, however that process ends.
//!
//! Starting, stopping and waiting block the calling thread. A server that cannot be started is a panic with
//! the reason, since no test can go on without it. This crate is not for production use, and it never touches
//! servers that it did not start.

mod cluster;
mod foreign;
mod port;
mod process;
mod rabbitmq;
mod redis;
mod sentinel;
mod shared;

pub use cluster::RabbitMqCluster;
pub use foreign::{ForeignClient, ForeignProperties, header, long, nested_header, text_header};
pub use port::free as free_port;
pub use rabbitmq::RabbitMq;
pub use redis::Redis;
pub use sentinel::Sentinel;
pub use shared::{Servers, shared};
