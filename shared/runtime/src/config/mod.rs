//! The configuration: flags over environment over `millrace.toml` over defaults. [`Settings`] are what was read of these;
//! each role checks those that it needs once, and has a configuration of plain fields from then on.

mod checked;
mod settings;

pub use checked::{ApiConfig, BrokerConfig, ProducerConfig, StoreConfig, WorkerConfig};
pub use settings::{ConfigError, DEFAULT_FILE, Settings};
