//! The auditor: it sees every call that the store and the broker carry out and every start of a task, keeps books of
//! its own, and holds them against the invariants of the design, by their numbers. It never asks the store whether
//! the store was right.
//!
//! | file | invariants |
//! |---|---|
//! | `runs` | 2 to 5, 7, 9, 10: what commits may change |
//! | `children` | 3, 4, 8, 10: one run for each attempt that is one, which ends before that does |
//! | `history` | 3: every change of a run is told, and its history makes the run again |
//! | `claims` | 3, 5, 7: who may hold, start and finish an attempt; how often it starts |
//! | `schedules` | 1: every fire exactly once |
//! | `messages` | 8, 11: what may be acked; nothing vanishes |
//! | `pauses` | 7: nothing of a paused run begins |
//! | `people` | 3: whose answers count, and what they come to |
//! | `retries` | 2, 3, 10: what a run that goes on with another carries over; one for each request |
//! | `locks` | 6: who may hold locks, and in which order they are granted |
//! | `rates` | 6: how much tasks use in a period |
//! | `letters` | 2, 8: what was sent with a commit arrives, and nothing else; tables are as they were written |
//! | `sessions` | 5: when a worker may be given up |
//!
//! What is not there: 12 (secrets never enter a simulation).

mod books;
mod children;
mod claims;
mod history;
mod letters;
mod locks;
mod messages;
mod pauses;
mod people;
mod rates;
mod retries;
mod runs;
mod schedules;
mod sessions;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use millrace_domain::lock::{Holder, LockName};
use millrace_domain::run::RunState;
use millrace_domain::{Epoch, PartitionId, RunId, Seq, SessionId, TaskId, Timestamp};
use millrace_store::Table;

use books::{Book, Fires, Held, Presence};

/// A violation: an invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its number in section 6 of the design.
    pub invariant: u8,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invariant {}: {}", self.invariant, self.what)
    }
}

/// The counts of what a simulation is for, as far as it came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// The runs that were created.
    pub runs: u64,
    /// The attempts that were started.
    pub started: u64,
    /// The attempts that were lost.
    pub lost: u64,
    /// The runs that were cancelled.
    pub cancelled: u64,
    /// The runs that took too long.
    pub timed_out: u64,
    /// The processes that died or left.
    pub died: u64,
    /// The partitions that changed hands.
    pub takeovers: u64,
    /// The instants at which a schedule fired or was missed.
    pub fires: u64,
    /// The letters that were sent.
    pub letters: u64,
    /// What people did to steps.
    pub acts: u64,
    /// The runs that were steps of others.
    pub children: u64,
    /// The grants of locks.
    pub grants: u64,
    /// The grants of slots to runs.
    pub slots: u64,
    /// The runs that others took the place of while they ran.
    pub replaced: u64,
    /// The answers of people to what steps ask.
    pub answers: u64,
    /// The tasks that took from a rate.
    pub reserves: u64,
    /// The runs that went on with others.
    pub retries: u64,
    /// The pauses of runs.
    pub pauses: u64,
}

impl Seen {
    /// The sum of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            runs: self.runs + other.runs,
            started: self.started + other.started,
            lost: self.lost + other.lost,
            cancelled: self.cancelled + other.cancelled,
            timed_out: self.timed_out + other.timed_out,
            died: self.died + other.died,
            takeovers: self.takeovers + other.takeovers,
            fires: self.fires + other.fires,
            letters: self.letters + other.letters,
            acts: self.acts + other.acts,
            children: self.children + other.children,
            grants: self.grants + other.grants,
            slots: self.slots + other.slots,
            replaced: self.replaced + other.replaced,
            answers: self.answers + other.answers,
            reserves: self.reserves + other.reserves,
            retries: self.retries + other.retries,
            pauses: self.pauses + other.pauses,
        }
    }

    /// Did each come about at least once?
    pub fn is_complete(&self) -> bool {
        let Self {
            runs,
            started,
            lost,
            cancelled,
            timed_out,
            died,
            takeovers,
            fires,
            letters,
            acts,
            children,
            grants,
            slots,
            replaced,
            answers,
            reserves,
            retries,
            pauses,
        } = *self;
        let counts = [
            runs, started, lost, cancelled, timed_out, died, takeovers, fires, letters, acts, children,
            grants, slots, replaced, answers, reserves, retries, pauses,
        ];
        counts.iter().all(|count| *count > 0)
    }
}

/// The auditor, with its books.
#[derive(Default)]
pub(crate) struct Auditor {
    awake: bool,
    violation: Option<Violation>,
    /// The last epoch of each partition, and the last commit of that.
    partitions: BTreeMap<PartitionId, (Epoch, Seq)>,
    pub(crate) runs: BTreeMap<RunId, Book>,
    claims: BTreeMap<TaskId, Held>,
    /// How often each attempt may still be started without a new claim.
    starts: BTreeMap<TaskId, u32>,
    handed_back: BTreeMap<TaskId, u32>,
    revoked: BTreeSet<TaskId>,
    sessions: BTreeMap<SessionId, Presence>,
    dead: BTreeSet<u16>,
    takeovers: u64,
    fires: u64,
    letters: u64,
    /// The rows of tables, as they were committed.
    rows: BTreeMap<(PartitionId, Table, String), String>,
    /// The deliveries of an attempt that a process may ack.
    may_ack: BTreeMap<(u16, TaskId), u32>,
    heads: BTreeMap<(PartitionId, millrace_domain::WorkflowId), Fires>,
    /// The earliest that an owner may have believed it to be when it made a commit that has not been applied yet: it may be
    /// sent again for a long time.
    made: BTreeMap<(PartitionId, Epoch, Seq), millrace_domain::Timestamp>,
    /// The runs that somebody was promised.
    pub(crate) promised: BTreeSet<RunId>,
    /// The retries that runs know of, by the requests that brought them about; and which run each is the retry of.
    retries: BTreeMap<(RunId, String), RunId>,
    retry_of: BTreeMap<RunId, RunId>,
    /// What somebody was told that was done to a step of a run, by the ids of the acts.
    acted: BTreeMap<String, RunId>,
    /// The attempts for which a child was asked, and whether they wait for its end.
    asked: BTreeMap<TaskId, bool>,
    /// The runs that are steps of others, by the attempts that they are.
    children: BTreeMap<TaskId, RunId>,
    /// The fencing tokens of units that have an attempt under way with locks.
    holds: BTreeMap<Holder, u64>,
    /// The runs that are under way with a slot of their workflow.
    slots: BTreeSet<RunId>,
    /// The keys of rows to which the commit that is being looked at has granted locks.
    granted: Vec<String>,
    /// Those by which it has taken in an ask.
    just_asked: Vec<String>,
    grants: u64,
    granted_slots: u64,
    replaced: u64,
    answers: u64,
    /// What tasks have used of each rate, and when.
    uses: BTreeMap<LockName, Vec<(Timestamp, TaskId, u32)>>,
    reserves: u64,
    /// Whether the store's clock was set.
    pub(crate) clock_was_set: bool,
    pauses: u64,
    /// Since when workers know that their pool is paused.
    told_of_pause: BTreeMap<SessionId, Timestamp>,
}

impl Auditor {
    /// An auditor that looks.
    pub(crate) fn awake() -> Self {
        Self { awake: true, ..Self::default() }
    }

    /// An auditor that does not look: for a store and a broker by themselves.
    pub(crate) fn asleep() -> Self {
        Self::default()
    }

    /// The first invariant that did not hold.
    pub(crate) fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// Notes that an invariant does not hold. What comes after the first is of no interest.
    pub(crate) fn object(&mut self, invariant: u8, what: impl FnOnce() -> String) {
        if self.awake && self.violation.is_none() {
            self.violation = Some(Violation { invariant, what: what() });
        }
    }

    /// Notes that somebody was told that a run is accepted.
    pub(crate) fn promise(&mut self, run: RunId, by: &str) {
        self.promised.insert(run);
        if !self.runs.contains_key(&run) {
            self.object(2, || format!("{by} promised run {run}, which is not stored"));
        }
    }

    /// Notes that somebody was told whether an act was done.
    pub(crate) fn acted(&mut self, run: RunId, act: String, is_done: bool) {
        let is_told = self.runs.get(&run).is_some_and(|book| book.tells_of(&act) > 0);
        if is_told != is_done {
            self.object(2, || {
                format!("act {act} was said to be done: {is_done}; run {run} tells of it: {is_told}")
            });
        }
        if is_done {
            self.acted.insert(act, run);
        }
    }

    /// Finds a run that was promised and has not come to its end, and an act that was not done exactly once.
    pub(crate) fn unfinished(&self) -> Option<String> {
        let times = |(act, run): (&String, &RunId)| self.runs.get(run).map_or(0, |book| book.tells_of(act));
        if let Some((act, run)) = self.acted.iter().find(|one| times(*one) != 1) {
            return Some(format!("act {act} was done {} times to run {run}", times((act, run))));
        }
        let absent = self.promised.iter().find(|run| !self.runs.contains_key(run));
        if let Some(run) = absent {
            return Some(format!("run {run} was promised and is not there"));
        }
        let open = self.runs.iter().find(|(_, book)| !book.has_ended());
        open.map(|(run, book)| format!("run {run} has not ended: {book:?}")).or_else(|| self.left_locked())
    }

    /// The counts of what there was to look at.
    pub(crate) fn all_seen(&self) -> Seen {
        let ended_as = |state| self.runs.values().filter(|book| book.ended_as(state)).count() as u64;
        Seen {
            runs: self.runs.len() as u64,
            started: self.starts.len() as u64,
            lost: self.runs.values().map(Book::lost).sum(),
            cancelled: ended_as(RunState::Cancelled),
            timed_out: ended_as(RunState::TimedOut),
            died: self.dead.len() as u64,
            takeovers: self.takeovers,
            fires: self.fires,
            letters: self.letters,
            acts: self.acted.len() as u64,
            children: self.children.len() as u64,
            grants: self.grants,
            slots: self.granted_slots,
            replaced: self.replaced,
            answers: self.answers,
            reserves: self.reserves,
            retries: self.retry_of.len() as u64,
            pauses: self.pauses,
        }
    }
}
