//! What a batch of events changes in one partition, gathered until it is committed; and what is to be done once
//! it holds.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use millrace_broker::{Delivery, Properties};
use millrace_domain::lock::TOKENS;
use millrace_domain::message::{InboxBody, Reply};
use millrace_domain::run::history::Entry;
use millrace_domain::run::{Action, Advanced, Ended, Run, RunTimer};
use millrace_domain::task::Task;
use millrace_domain::{
    Epoch, Outcome, PartitionId, RunId, Seq, SessionId, StepIndex, TaskId, Timestamp, Unit,
};
use millrace_store::{Commit, Dispatched, Letter, NewRun, RowDelta, RunDelta, Timer, WorkflowDelta};

use super::answer::Answer;
use super::fired::{Fire, Fired};
use super::letter::Sent;

/// An unclaimed attempt is looked at after so long.
pub(crate) const FIRST_LOOK: Duration = Duration::from_secs(30);

/// The size of what a commit brings to be kept apart from runs, and of new runs, past which nothing more is added to it: a
/// store has a limit for one command, and Redis takes at most 1 GiB.
const HEAVY_BYTES: usize = 32 * 1024 * 1024;

/// A commit in the making.
pub(crate) struct Draft {
    /// About how many bytes it has of what may be large.
    bytes: usize,
    epoch: Epoch,
    seq: Seq,
    runs: Vec<RunDelta>,
    by_run: HashMap<RunId, Touched>,
    pub(crate) workflows: Vec<WorkflowDelta>,
    pub(crate) timers: Vec<(Timestamp, Timer)>,
    pub(crate) cleared: Vec<Timer>,
    letters: Vec<Letter>,
    /// The number of the next letter.
    next_letter: u32,
    tables: Vec<RowDelta>,
    /// What is to be done once the commit holds.
    pub(crate) then: FollowUp,
}

/// The parts of a run that changed.
struct Touched {
    delta: usize,
    head: bool,
    units: Vec<Unit>,
    created: bool,
}

/// The follow-up of a commit: what is to be done once it holds.
#[derive(Default)]
pub(crate) struct FollowUp {
    pub(crate) tasks: Vec<Task>,
    /// Letters that the commit has sent: known when it holds.
    pub(crate) letters: Vec<Sent>,
    pub(crate) stops: Vec<Stop>,
    /// Attempts that are to be taken back where nobody has claimed them, by their runs.
    pub(crate) take_backs: Vec<(RunId, Vec<(Unit, u32)>)>,
    pub(crate) done: Vec<Settlement>,
    /// Runs that ended: they leave the memory.
    pub(crate) ended: Vec<RunId>,
    /// Attempts that ended, by the step they are of.
    pub(crate) outcomes: Vec<(RunId, StepIndex, Outcome)>,
    /// Fires that were judged: those whose commit does not hold come again.
    pub(crate) fires: Vec<Fired>,
    /// Fires that the store has no room for: they come again.
    pub(crate) held: Vec<Fire>,
    /// Tasks that a worker was handed and another session holds: the watch looks at them.
    pub(crate) suspects: Vec<(TaskId, SessionId)>,
    /// Attempts of runs that only a newer version can read: the watch looks at them more seldom.
    pub(crate) kept: Vec<TaskId>,
    /// The store seems to have lost what the memory holds: a commit has to show that it takes ours, even one that
    /// changes nothing.
    pub(crate) doubtful: bool,
}

/// Attempts of a run that are to be taken back, or told to end.
pub(crate) struct Stop {
    pub(crate) run: RunId,
    pub(crate) tasks: Vec<(Unit, u32)>,
    pub(crate) by_force: bool,
}

/// A piece of work that is done when the commit holds.
pub(crate) struct Settlement {
    pub(crate) delivery: Option<Delivery>,
    pub(crate) answer: Answer,
    pub(crate) reply: Option<Reply>,
    /// The message for the rejected queue when the reply is a refusal.
    pub(crate) rejected: Option<(Bytes, Properties)>,
    /// Why its message is parked, in the inbox of which partition: only a newer version can act on it.
    pub(crate) parked: Option<(PartitionId, String)>,
    /// The run it created: when that existed already, the answer says so.
    pub(crate) created: Option<RunId>,
}

impl Draft {
    /// The draft of the commit after the one numbered `last`.
    pub(crate) fn new(epoch: Epoch, last: Seq) -> Self {
        Self {
            bytes: 0,
            epoch,
            seq: last.next(),
            runs: Vec::new(),
            by_run: HashMap::new(),
            workflows: Vec::new(),
            timers: Vec::new(),
            cleared: Vec::new(),
            letters: Vec::new(),
            next_letter: 0,
            tables: Vec::new(),
            then: FollowUp::default(),
        }
    }

    /// A number that no commit of the partition before this one had: the least of the fencing tokens that it gives. An epoch
    /// is a number of microseconds, of which each commit takes more than one.
    pub(crate) fn least_token(&self) -> u64 {
        (self.epoch.0 + self.seq.0) * TOKENS
    }

    /// Whether it is so large that it is committed before anything is added to it.
    pub(crate) fn is_heavy(&self) -> bool {
        self.bytes > HEAVY_BYTES
    }

    /// Whether the draft creates this run.
    pub(crate) fn creates(&self, run: RunId) -> bool {
        self.by_run.get(&run).is_some_and(|touched| touched.created)
    }

    /// Whether a commit is needed.
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
            && self.workflows.is_empty()
            && self.timers.is_empty()
            && self.cleared.is_empty()
            && self.letters.is_empty()
            && self.tables.is_empty()
            && !self.then.doubtful
    }

    /// Sends a letter to a partition. What a run sends is left out with the run, when that exists already or there is no
    /// room for it; what belongs to none (`of`) goes with the commit in any case.
    pub(crate) fn send(&mut self, of: Option<RunId>, to: PartitionId, body: &InboxBody, now: Timestamp) {
        let body = serde_json::to_string(body).unwrap_or_default();
        let letter = Letter { n: self.next_letter, at: now, to, body };
        self.next_letter += 1;
        self.bytes += letter.body.len();
        match of {
            Some(run) => self.delta(run).letters.push(letter),
            None => self.letters.push(letter),
        }
    }

    /// Changes a row of the partition's tables, which is left out as a letter is.
    pub(crate) fn change_row(&mut self, of: Option<RunId>, row: RowDelta) {
        match of {
            Some(run) => self.delta(run).tables.push(row),
            None => self.tables.push(row),
        }
    }

    /// The delta of a run, for what is not the run's own doing.
    pub(crate) fn delta(&mut self, run: RunId) -> &mut RunDelta {
        let index = self.touch(run).delta;
        &mut self.runs[index]
    }

    fn touch(&mut self, run: RunId) -> &mut Touched {
        let runs = &mut self.runs;
        self.by_run.entry(run).or_insert_with(|| {
            runs.push(RunDelta::new(run));
            Touched { delta: runs.len() - 1, head: false, units: Vec::new(), created: false }
        })
    }

    /// A new run.
    pub(crate) fn create(&mut self, run: RunId, new: NewRun) {
        let touched = self.touch(run);
        touched.created = true;
        let index = touched.delta;
        self.bytes += new.definition.len();
        self.runs[index].create = Some(new);
    }

    /// Takes over what an advance changed and wants done, in a cluster that keeps ended runs for so long and has so many
    /// partitions.
    pub(crate) fn take(
        &mut self,
        run: RunId,
        advanced: Advanced,
        now: Timestamp,
        (retention, partitions): (Duration, u16),
    ) {
        let (epoch, seq) = (self.epoch, self.seq);
        let touched = self.touch(run);
        touched.head |= advanced.head;
        touched.units.extend(advanced.units);
        let index = touched.delta;
        let delta = &mut self.runs[index];
        let end = |(unit, end)| (unit, serde_json::to_string::<Ended>(&end).unwrap_or_default());
        let ended = advanced.ended_items.into_iter().map(|(unit, end)| (unit, *end));
        let ended: Vec<(Unit, String)> = ended.map(end).collect();
        let ended_bytes: usize = ended.iter().map(|(_, end)| end.len()).sum();
        self.bytes += ended_bytes + advanced.apart.iter().map(|(_, apart)| apart.len()).sum::<usize>();
        delta.ended_items.extend(ended);
        delta.apart.extend(advanced.apart);
        let mut letters = Vec::new();
        for action in advanced.actions {
            match action {
                Action::Dispatch(mut task) => {
                    task.epoch = epoch;
                    task.seq = seq;
                    let look_at = now + FIRST_LOOK;
                    delta.dispatched.push(Dispatched {
                        unit: task.id().unit,
                        attempt: task.attempt,
                        at: now,
                        look_at,
                        lane: task.lane(),
                    });
                    self.then.tasks.push(*task);
                }
                Action::Retire { unit, attempt, outcome } => {
                    delta.retired.push((unit, attempt));
                    self.then.outcomes.push((run, unit.step, outcome));
                }
                Action::Set(due, timer) => delta.timers.push((due, stored_timer(run, timer))),
                Action::Clear(timer) => {
                    // A commit clears timers before it sets any: what an event before this one has set is not set.
                    let timer = stored_timer(run, timer);
                    delta.timers.retain(|(_, set)| *set != timer);
                    delta.cleared.push(timer);
                }
                Action::Stop { tasks, by_force } => self.then.stops.push(Stop { run, tasks, by_force }),
                Action::TakeBack { tasks } => self.then.take_backs.push((run, tasks)),
                Action::StartChild { start, again } => {
                    let child = start.parent.attempt.child(partitions);
                    letters.push((child.partition(), InboxBody::StartChild { start, again }));
                }
                Action::StopChild { start, reason, hooks } => {
                    let child = start.parent.attempt.child(partitions);
                    letters.push((child.partition(), InboxBody::StopChild { start, reason, hooks }));
                }
                Action::TellParent(result) => {
                    letters.push((result.run.partition(), InboxBody::ChildEnded { result }));
                }
                Action::AskLocks(ask) => {
                    let home = ask.group().map(|group| group.home(partitions));
                    letters.extend(home.map(|home| (home, InboxBody::AskLocks { ask })));
                }
                Action::ReleaseLocks { asker, group, used } => {
                    letters.push((group.home(partitions), InboxBody::ReleaseLocks { asker, group, used }));
                }
                Action::End => {
                    delta.expires_at = Some(now + retention);
                    self.then.ended.push(run);
                }
            }
        }
        letters.iter().for_each(|(to, body)| self.send(Some(run), *to, body, now));
    }

    /// Keeps apart from a run what another has kept apart before.
    pub(crate) fn keep_apart(
        &mut self,
        run: RunId,
        apart: Option<(StepIndex, String)>,
        items: Vec<(Unit, String)>,
    ) {
        let items_bytes: usize = items.iter().map(|(_, end)| end.len()).sum();
        self.bytes += items_bytes + apart.iter().map(|(_, apart)| apart.len()).sum::<usize>();
        let delta = self.delta(run);
        delta.apart.extend(apart);
        delta.ended_items.extend(items);
    }

    /// Adds an entry to the history of a run.
    pub(crate) fn note(&mut self, run: RunId, entry: &Entry) {
        let text = serde_json::to_string(entry).unwrap_or_default();
        self.delta(run).history.push((entry.n, text));
    }

    /// The runs it changes.
    pub(crate) fn touched(&self) -> Vec<RunId> {
        self.by_run.keys().copied().collect()
    }

    /// Writes down how a run that it changes stands now.
    pub(crate) fn record(&mut self, run: &Run) {
        let Some(touched) = self.by_run.get_mut(&run.id) else { return };
        let delta = &mut self.runs[touched.delta];
        if touched.head {
            delta.head = Some(run.head_record());
        }
        touched.units.sort_unstable();
        touched.units.dedup();
        delta.steps = touched
            .units
            .iter()
            .filter_map(|unit| run.unit_record(*unit).map(|record| (*unit, record)))
            .collect();
    }

    /// The commit.
    pub(crate) fn commit(&mut self, partition: PartitionId, published_until: Timestamp) -> Commit {
        Commit {
            partition,
            epoch: self.epoch,
            seq: self.seq,
            published_until,
            runs: std::mem::take(&mut self.runs),
            workflows: std::mem::take(&mut self.workflows),
            timers: std::mem::take(&mut self.timers),
            cleared: std::mem::take(&mut self.cleared),
            letters: std::mem::take(&mut self.letters),
            tables: std::mem::take(&mut self.tables),
        }
    }
}

/// A run's timer as it is stored.
fn stored_timer(run: RunId, timer: RunTimer) -> Timer {
    match timer {
        RunTimer::Start => Timer::Start(run),
        RunTimer::Retry(unit) => Timer::Retry(run, unit),
        RunTimer::Timeout => Timer::RunTimeout(run),
        RunTimer::CancelCheck => Timer::CancelCheck(run),
    }
}

#[cfg(test)]
mod tests {
    use millrace_domain::WorkflowId;
    use millrace_store::Table;

    use super::*;

    #[test]
    fn what_is_kept_apart_and_what_new_runs_bring_make_a_draft_heavy() {
        let run = RunId::of_key(&WorkflowId::adhoc(), "key", 8);
        let mut draft = Draft::new(Epoch(7), Seq(3));
        let large = "x".repeat(HEAVY_BYTES / 2);
        let advanced = Advanced { apart: vec![(StepIndex(0), large.clone())], ..Advanced::default() };
        draft.take(run, advanced, Timestamp::default(), (Duration::from_secs(1), 8));
        assert!(!draft.is_heavy());
        let (created_at, workflow) = (Timestamp::default(), WorkflowId::adhoc());
        draft.create(run, NewRun { created_at, workflow, keyed: false, definition: format!("{large}x") });
        assert!(draft.is_heavy());
    }

    #[test]
    fn a_timer_that_one_event_has_set_and_the_next_has_cleared_is_not_set() {
        let run = RunId::of_key(&WorkflowId::adhoc(), "key", 8);
        let mut draft = Draft::new(Epoch(7), Seq(3));
        let (at, timer) = (Timestamp::default(), RunTimer::Retry(StepIndex(2).into()));
        let actions = [Action::Set(at, timer), Action::Set(at, RunTimer::Start), Action::Clear(timer)];
        for action in actions {
            let advanced = Advanced { actions: vec![action], ..Advanced::default() };
            draft.take(run, advanced, at, (Duration::from_secs(1), 8));
        }
        let delta = draft.commit(PartitionId(1), at).runs.remove(0);
        assert_eq!(delta.timers, [(at, Timer::Start(run))]);
        assert_eq!(delta.cleared, [Timer::Retry(run, StepIndex(2).into())]);
    }

    #[test]
    fn what_a_run_sends_and_writes_is_left_out_with_it_and_the_rest_is_not() {
        let (at, to) = (Timestamp::from_millis(5), PartitionId(2));
        let mut draft = Draft::new(Epoch(7), Seq(3));
        assert!(draft.is_empty());
        let run = RunId::of_key(&WorkflowId::adhoc(), "key", 8);
        let body = InboxBody::Cancel { run, reason: "by hand".into() };
        draft.send(None, to, &body, at);
        assert!(!draft.is_empty());
        draft.send(Some(run), to, &body, at);
        draft.change_row(Some(run), RowDelta::put(Table("test"), "of the run", "1"));
        draft.change_row(None, RowDelta::delete(Table("test"), "of none"));
        let mut commit = draft.commit(PartitionId(1), at);
        let numbers = |commit: &Commit, left_out: &[RunId]| -> Vec<u32> {
            commit.letters_without(left_out).map(|letter| letter.n).collect()
        };
        assert_eq!(numbers(&commit, &[]), [1, 0]);
        assert_eq!(numbers(&commit, &[run]), [0]);
        commit.runs.clear();
        assert_eq!((numbers(&commit, &[]), commit.tables.len()), (vec![0], 1));
        assert_eq!(serde_json::from_str::<InboxBody>(&commit.letters[0].body).unwrap(), body);
    }
}
