//! The REST API of a producer, `/api/v1`, with health and metrics beside it.
//!
//! [`routes`] is the map; a file for each resource; [`access`] decides who may come in, [`error`] is how it says
//! no, [`key`] reads idempotency keys, [`view`] is how a run looks from outside, [`parent`] from its children, [`newer`] one that a newer version has written, [`submit`] how one is started, [`pools`] which pools are served,
//! [`startup`] what answers before the store does.

mod access;
mod acts;
mod children;
mod error;
mod events;
mod health;
mod home;
mod items;
mod key;
mod links;
mod locks;
mod newer;
mod outputs;
mod page;
mod parent;
mod pool_acts;
mod pools;
mod routes;
mod run_acts;
mod runs;
mod sessions;
mod simple;
mod startup;
mod state;
mod submit;
mod summary;
mod tasks;
mod view;
mod waits;
mod why;
mod workers;
mod workflows;

pub use access::Access;
pub(crate) use routes::router;
pub use startup::{Front, serve};
