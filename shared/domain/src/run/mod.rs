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
//! A unit with `repeat` that succeeded goes to backoff too, until its condition is true; one whose retries are used up and
//! whose policy says so is *asking*, until somebody says what is to become of it, or nobody has in time. So is one that is there
//! to ask, for approval or for values: it makes no attempt.
//! A unit that needs locks is *locking* before each attempt, until they are granted; one that was lost goes on with them.
//! A unit that is a run of another workflow is a *child*: the end of that run ends it as a result does.
//! A step that fans out is *fanned* between waiting and ended, and each of its items goes from dispatched to ended as a
//! step does; the last of them ends the step.
//!
//! What each event makes of a step, by where the step stands; of an item, it makes the same. In a stopping run a step is
//! dispatched, a child, fanned or ended: the stop ended all others. What is written as `code` is the [`Refusal`], and nothing changes; a test reads
//! these tables.
//!
//! | step                      | waiting        | dispatched     | backoff        | fanned         | asking         | ended          | stopping: dispatched | stopping: ended |
//! |---------------------------|----------------|----------------|----------------|----------------|----------------|----------------|----------------|----------------|
//! | result: succeeded         | `StaleAttempt` | succeeded      | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | succeeded      | `StaleAttempt` |
//! | result: failed            | `StaleAttempt` | failed         | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | failed         | `StaleAttempt` |
//! | result: timed_out         | `StaleAttempt` | timed_out      | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | timed_out      | `StaleAttempt` |
//! | result: cancelled         | `StaleAttempt` | cancelled      | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | cancelled      | `StaleAttempt` |
//! | result: skipped           | `StaleAttempt` | failed         | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | failed         | `StaleAttempt` |
//! | result: lost              | `StaleAttempt` | dispatched     | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | cancelled      | `StaleAttempt` |
//! | result, retries left      | `StaleAttempt` | backoff        | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | failed         | `StaleAttempt` |
//! | result, not enough yet    | `StaleAttempt` | backoff        | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | succeeded      | `StaleAttempt` |
//! | result, somebody is asked | `StaleAttempt` | asking         | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | failed         | `StaleAttempt` |
//! | result, another attempt   | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` |
//! | result, unknown step      | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   |
//! | lost                      | `StaleAttempt` | dispatched     | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | cancelled      | `StaleAttempt` |
//! | lost once too often       | `StaleAttempt` | failed         | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | cancelled      | `StaleAttempt` |
//! | lost, another attempt     | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` |
//! | lost, unknown step        | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   |
//! | revoked                   | `StaleAttempt` | `NotExpected`  | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | cancelled      | `StaleAttempt` |
//! | revoked, nobody had claimed it | `StaleAttempt` | dispatched | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | cancelled | `StaleAttempt` |
//! | revoked, another attempt  | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` |
//! | revoked, unknown step     | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   |
//! | child ended: succeeded   | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` |
//! | retry due                 | `NotExpected`  | `NotExpected`  | dispatched     | `NotExpected`  | failed         | `NotExpected`  | `NotExpected`  | `NotExpected`  |
//! | retry due, unknown step   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   |
//! | act: retry                | `Act`          | `Act`          | dispatched     | `Act`          | dispatched     | `Act`          | `Act`          | `Act`          |
//! | act: skip                 | `Act`          | `Act`          | skipped        | `Act`          | skipped        | `Act`          | `Act`          | `Act`          |
//! | act: mark succeeded       | `Act`          | `Act`          | succeeded      | `Act`          | succeeded      | `Act`          | `Act`          | `Act`          |
//! | act: mark failed          | `Act`          | `Act`          | failed         | `Act`          | failed         | `Act`          | `Act`          | `Act`          |
//! | act, another attempt      | `Act`          | `Act`          | `StaleAttempt` | `Act`          | `StaleAttempt` | `Act`          | `Act`          | `Act`          |
//! | act, unknown step         | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   |
//!
//! What each event makes of a child. Where the run is being stopped it is told to end, and waited for; a second cancel of the run
//! tells it to end its hooks as well.
//!
//! | child                        | child          | stopping: child |
//! |------------------------------|----------------|-----------------|
//! | child ended: succeeded       | succeeded      | succeeded       |
//! | child ended: failed          | failed         | failed          |
//! | child ended: timed_out       | timed_out      | timed_out       |
//! | child ended: cancelled       | cancelled      | cancelled       |
//! | child ended: skipped         | skipped        | skipped         |
//! | child ended, retries left    | backoff        | failed          |
//! | child ended, another attempt | `StaleAttempt` | `StaleAttempt`  |
//! | child ended, unknown step    | `NoSuchUnit`   | `NoSuchUnit`    |
//! | result: succeeded            | `StaleAttempt` | `StaleAttempt`  |
//! | lost                         | `StaleAttempt` | `StaleAttempt`  |
//! | revoked                      | `StaleAttempt` | `StaleAttempt`  |
//! | retry due                    | child          | `NotExpected`   |
//! | act: skip                    | `Act`          | `Act`           |
//!
//! What each event makes of a step that needs locks: it asks for them, and starts when they are granted. What has happened to its attempt is as above, but
//! that one which waits for the next has given them back, and asks anew.
//!
//! | locks                             | locks: locking | locks: held    | locks: backoff |
//! |-----------------------------------|----------------|----------------|----------------|
//! | granted                           | dispatched     | dispatched     | `StaleAttempt` |
//! | granted, another attempt          | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` |
//! | granted, unknown step             | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   |
//! | lock refused                      | failed         | `NotExpected`  | `StaleAttempt` |
//! | lock refused, unknown step        | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   |
//! | lock taken                        | locking        | dispatched     | `StaleAttempt` |
//! | lock taken, unknown step          | `NoSuchUnit`   | `NoSuchUnit`   | `NoSuchUnit`   |
//! | retry due                         | locking        | `NotExpected`  | locking        |
//! | result: succeeded                 | `StaleAttempt` | succeeded      | `StaleAttempt` |
//! | result, retries left              | `StaleAttempt` | backoff        | `StaleAttempt` |
//! | lost                              | `StaleAttempt` | dispatched     | `StaleAttempt` |
//! | revoked                           | `StaleAttempt` | `NotExpected`  | `StaleAttempt` |
//! | act: skip                         | `StaleAttempt` | `Act`          | skipped        |
//! | act on what had no attempt: skip  | skipped        | `Act`          | `StaleAttempt` |
//! | act on what had no attempt: retry | `Act`          | `Act`          | `StaleAttempt` |
//!
//! What each event makes of a step that asks people: for the approval of one, of two of whom one has approved, or for values.
//!
//! | people                        | asks: approval | asks: one more | asks: input    | asks: waiting |
//! |-------------------------------|----------------|----------------|----------------|----------------|
//! | act: approve                  | succeeded      | succeeded      | `Act`          | `Act`          |
//! | act: approve, the same person | succeeded      | `Act`          | `Act`          | `Act`          |
//! | act: approve, without a name  | succeeded      | `Act`          | `Act`          | `Act`          |
//! | act: reject                   | failed         | failed         | `Act`          | `Act`          |
//! | act: supply                   | `Act`          | `Act`          | succeeded      | `Act`          |
//! | act: supply nothing           | `Act`          | `Act`          | `Act`          | `Act`          |
//! | act on a question: retry      | `Act`          | `Act`          | `Act`          | `Act`          |
//! | act on a question: skip       | skipped        | skipped        | skipped        | `Act`          |
//! | retry due                     | timed_out      | timed_out      | timed_out      | `NotExpected`  |
//! | result: succeeded             | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` |
//!
//! What each event makes of a run. When all its steps have ended, its hooks have their turn, and then it ends. A stop ends it at once when nothing is with the fleet. An ended run refuses
//! the events of its steps too.
//!
//! | run              | waiting         | running         | running, nothing dispatched | hooks           | stopping        | ended      |
//! |------------------|-----------------|-----------------|-----------------|-----------------|-----------------|------------|
//! | start due        | running         | `RunNotWaiting` | `RunNotWaiting` | `RunNotWaiting` | `RunNotWaiting` | `RunEnded` |
//! | cancel           | cancelled       | stopping        | cancelled       | stopping        | `RunNotWaiting` | `RunEnded` |
//! | timed out        | `RunNotWaiting` | stopping        | timed_out       | `RunNotWaiting` | `RunNotWaiting` | `RunEnded` |
//! | poisoned         | failed          | stopping        | failed          | stopping        | `RunNotWaiting` | `RunEnded` |
//! | cancel check due | `RunNotWaiting` | `RunNotWaiting` | `RunNotWaiting` | `RunNotWaiting` | stopping        | `RunEnded` |
//!
//! What each event makes of a run whose workflow allows only so many at a time: it waits for a slot before it starts. What is not
//! here is as above. A run that has no slot answers none of these events; of one that nobody limits, the same is true.
//!
//! | slots        | slots: waiting  | slots: running  | slots: hooks    | slots: stopping | slots: taken    | ended      |
//! |--------------|-----------------|-----------------|-----------------|-----------------|-----------------|------------|
//! | slot granted | running         | running         | hooks           | stopping        | `RunNotWaiting` | `RunEnded` |
//! | slot refused | skipped         | `RunNotWaiting` | `RunNotWaiting` | `RunNotWaiting` | `RunNotWaiting` | `RunEnded` |
//! | displaced    | cancelled       | stopping        | hooks           | stopping        | `RunNotWaiting` | `RunEnded` |
//! | slot taken   | waiting         | running         | hooks           | stopping        | `RunNotWaiting` | `RunEnded` |
//! | start due    | waiting         | `RunNotWaiting` | `RunNotWaiting` | `RunNotWaiting` | `RunNotWaiting` | `RunEnded` |
//! | cancel       | cancelled       | stopping        | stopping        | `RunNotWaiting` | stopping        | `RunEnded` |
//! | timed out    | `RunNotWaiting` | stopping        | `RunNotWaiting` | `RunNotWaiting` | stopping        | `RunEnded` |
//!
//! What each event makes of a step while its run is paused: nothing of it begins, and whatever would waits in backoff, or stays as it
//! is, until the run is resumed. What waits for locks gives back what it has asked for. What is under way goes on: an attempt that
//! somebody runs, a child, and what is asked of people.
//!
//! | paused                           | waiting        | ready          | dispatched     | held           | fanned         | locks          | asking         | child          |
//! |----------------------------------|----------------|----------------|----------------|----------------|----------------|----------------|----------------|----------------|
//! | result: succeeded                | `StaleAttempt` | `StaleAttempt` | succeeded      | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` |
//! | result, retries left             | `StaleAttempt` | `StaleAttempt` | backoff        | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` |
//! | lost                             | `StaleAttempt` | `StaleAttempt` | backoff        | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` |
//! | revoked                          | `StaleAttempt` | `StaleAttempt` | `NotExpected`  | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` |
//! | revoked, nobody had claimed it   | `StaleAttempt` | `StaleAttempt` | backoff        | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` |
//! | retry due                        | `NotExpected`  | `NotExpected`  | `NotExpected`  | `NotExpected`  | `NotExpected`  | `NotExpected`  | timed_out      | child          |
//! | act: retry                       | `Act`          | `StaleAttempt` | `Act`          | backoff        | `Act`          | backoff        | `StaleAttempt` | `Act`          |
//! | act: skip                        | `Act`          | `StaleAttempt` | `Act`          | skipped        | `Act`          | skipped        | `StaleAttempt` | `Act`          |
//! | act on what had no attempt: skip | `Act`          | skipped        | `Act`          | `StaleAttempt` | `Act`          | `StaleAttempt` | skipped        | `Act`          |
//! | granted                          | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` | `StaleAttempt` |
//! | resume                           | waiting        | dispatched     | dispatched     | dispatched     | fanned         | locking        | asking         | child          |
//!
//! What each event makes of a run that somebody pauses, or has paused. A stop ends the pause; so does the end of the run.
//!
//! | pauses            | waiting         | running         | stopping        | paused: waiting | paused: its turn | paused: running | paused: hooks   | ended      |
//! |-------------------|-----------------|-----------------|-----------------|-----------------|------------------|-----------------|-----------------|------------|
//! | pause             | paused          | paused          | `RunAct`        | `RunAct`        | `RunAct`         | `RunAct`        | `RunAct`        | `RunEnded` |
//! | the same pause    | paused          | paused          | `RunAct`        | paused          | paused           | paused          | paused          | `RunEnded` |
//! | resume            | `RunAct`        | `RunAct`        | `RunAct`        | waiting         | waiting          | running         | hooks           | `RunEnded` |
//! | priority          | waiting         | running         | `RunAct`        | paused          | paused           | paused          | paused          | `RunEnded` |
//! | the same priority | `RunAct`        | `RunAct`        | `RunAct`        | `RunAct`        | `RunAct`         | `RunAct`        | `RunAct`        | `RunEnded` |
//! | start due         | running         | `RunNotWaiting` | `RunNotWaiting` | `RunNotWaiting` | paused           | `RunNotWaiting` | `RunNotWaiting` | `RunEnded` |
//! | slot granted      | `RunNotWaiting` | `RunNotWaiting` | `RunNotWaiting` | `RunNotWaiting` | paused           | `RunNotWaiting` | `RunNotWaiting` | `RunEnded` |
//! | cancel            | cancelled       | stopping        | `RunNotWaiting` | cancelled       | cancelled        | stopping        | cancelled       | `RunEnded` |
//! | timed out         | `RunNotWaiting` | stopping        | `RunNotWaiting` | `RunNotWaiting` | `RunNotWaiting`  | stopping        | `RunNotWaiting` | `RunEnded` |
//! | cancel check due  | `RunNotWaiting` | `RunNotWaiting` | stopping        | `RunNotWaiting` | `RunNotWaiting`  | paused          | `RunNotWaiting` | `RunEnded` |
//!
//! What moves them on: the [`Mover`] that each state names, and none when it has ended.
//!
//! | mover of a step | waiting | dispatched | backoff     | fanned | asking      | asks: one more | child       | locks: locking | ended | stopping: dispatched | stopping: child    | stopping: ended |
//! |-----------------|---------|------------|-------------|--------|-------------|----------------|-------------|----------------|-------|----------------------|--------------------|-----------------|
//! | moved on by     | steps   | attempt    | retry timer | items  | retry timer | retry timer    | retry timer | retry timer    | none  | attempt              | cancel check timer | none            |
//!
//! | mover of a run | waiting     | slots: waiting | running | running, nothing dispatched | hooks           | stopping           | ended |
//! |----------------|-------------|----------------|---------|-----------------------------|-----------------|--------------------|-------|
//! | moved on by    | start timer | start timer    | steps   | steps                       | steps           | cancel check timer | none  |
//!
//! The first steps of a run that waits are moved on by its start timer too. So are steps of one that runs which became
//! ready beside thousands of others: an advance begins some, and leaves the rest to that timer. It also ends a run whose
//! outputs are made of what is kept apart, which is read for that.
//!
//! [`state`] and `step_state` say what there is, [`event`] what can happen, [`act`](mod@act) what people do, [`action`] what the shell must then do, and
//! [`advance`](mod@advance) is the total function between them (a file for each part of it).
//! [`dispatch`] renders the task of an attempt, [`child`] is what runs that are steps of others are told and tell, `children` how a run asks for them, [`continuation`] is a run that begins where another one has failed, `retry` what the two know of each other, [`record`] is how a run is stored and comes back, `horizon` how far
//! ahead it can be waiting, `mover` what it waits for, `blocker` the same in full, for people, `asks` what it asks them, `wanted` how that is told, `verdict` how it ends,
//! `declared` what its attempts must give. [`fan`] is a step with items, `units` how steps and items stand, [`large`] how
//! large outputs may be, `lent` those that are not in memory, `hold` what its units hold of locks, `lock` how they ask for them, `run_act` what people do to a run as a whole, `slot` what a run has of the limit of its workflow, `limit` how it asks for that, `plan` what a run would come to if all went well, [`history`] what has happened to it.

pub mod act;
pub mod action;
pub mod advance;
mod asks;
mod blocker;
pub mod child;
mod children;
pub mod continuation;
mod declared;
pub mod dispatch;
#[cfg(test)]
mod doc_table;
pub mod event;
pub mod fan;
pub mod history;
mod hold;
mod horizon;
pub mod large;
mod lent;
mod limit;
mod lock;
mod mover;
mod plan;
pub mod record;
mod retry;
mod run_act;
pub mod slot;
mod spec;
pub mod state;
mod step_state;
#[cfg(test)]
mod transitions;
mod units;
mod verdict;
mod wanted;

pub use act::{Act, Deed, Done};
pub use action::{Action, Advanced, RunTimer};
pub use advance::{advance, create, create_continuation};
pub use asks::{Approval, Asked, Asks, Vote};
pub use blocker::Blocker;
pub use child::{Ancestor, ChildStart, Parent};
pub use event::{Event, Refusal};
pub use hold::{Hold, Holds};
pub use lent::Apart;
pub use mover::Mover;
pub use plan::{Fate, Plan, PlannedStep, plan};
pub use retry::{Continuation, RetryOf};
pub use run_act::{Paused, RunAct, RunDeed};
pub use slot::Slot;
pub use spec::{Source, Spec, Trigger};
pub use state::{Carried, Head, Run, RunState};
pub use step_state::{Attempts, Ended, Fan, Fanned, ItemCounts, StepState};
pub use wanted::{ApprovalWanted, FieldWanted, InputWanted};
