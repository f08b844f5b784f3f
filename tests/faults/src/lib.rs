//! The fault suite: a fleet of real processes on real servers under a steady load, faults from a seed, and an auditor
//! that judges what came out, from outside.
//!
//! ```text
//! seed ──▶ Plan ──▶ faults/ ──▶ Stage (servers, proxies, producers, workers)
//!            Workload ──▶ Doors ──▶ │          │
//!               │                   │          ▼
//!             Ledger            States      Trail        accepted · what the API says · what tasks wrote down
//!               └───────────────────┴──────────┴──▶ audit/ ──▶ Report
//! ```
//!
//! It knows Millrace as a stranger does: by its processes, its API and its messages. No crate of the product is used
//! here, and nothing is simulated. What cannot be started is a panic, since nothing can go on without it; what the
//! fleet does wrong is in the report.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod aftermath;
pub mod audit;
pub mod dice;
pub mod doors;
pub mod faults;
pub mod incident;
pub mod kind;
pub mod ledger;
pub mod plan;
pub mod proxy;
pub mod recovery;
pub mod report;
pub mod shape;
pub mod stage;
pub mod states;
pub mod suite;
pub mod trail;
pub mod workload;
