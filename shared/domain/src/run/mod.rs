//! One execution of a workflow: its state, and the one function that moves it.
//!
//! ```text
//!                 ┌────────── retry due ───────────┐
//!                 ▼                                │
//! waiting ──▶ dispatched ──▶ (failed, timed out) ──▶ backoff
//!    │            │  ▲
//!    │            │  └── lost: a new attempt at once, until the limit of lost attempts
//!    │            ▼
//!    └──────▶   ended   (succeeded, failed, timed_out, cancelled, skipped): never left
//! ```
//!
//! [`state`] says what there is, [`event`] what can happen, [`action`] what the shell must then do, and
//! [`advance`](mod@advance) is the total function between them. [`dispatch`] renders the task of an attempt,
//! [`record`] is how a run is stored and comes back.

pub mod action;
pub mod advance;
pub mod dispatch;
pub mod event;
pub mod record;
pub mod spec;
pub mod state;

pub use action::{Action, Advanced, RunTimer};
pub use advance::{advance, create};
pub use event::{Event, Refusal};
pub use spec::{Source, Spec, Trigger};
pub use state::{Attempts, Ended, Head, Run, RunState, StepState};
