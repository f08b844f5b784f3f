//! What every process of Millrace needs around its work: configuration, a clock, waits that grow, subscriptions to queues,
//! an orderly end, telemetry, and a server of HTTP that is bounded.

pub mod ambient;
pub mod attendance;
pub mod backoff;
pub mod clock;
pub mod config;
pub mod http;
pub mod secret;
pub mod shutdown;
pub mod subscription;
pub mod telemetry;
pub mod unknown;

pub use ambient::Ambient;
pub use attendance::{Attendance, Post};
pub use backoff::Backoff;
pub use clock::StoreClock;
pub use shutdown::Shutdown;
pub use subscription::Subscription;
pub use unknown::Unknown;
