//! Locks whose home is here: they are asked for, granted in order, and released.

use millrace_domain::lock::{Ask, Board, Effect, Entry, Holder, LockGroup, LockName};
use millrace_domain::message::{InboxBody, Reply};
use millrace_domain::{Code, PartitionId, TaskId};
use millrace_store::RowDelta;

use crate::failpoint;
use crate::lock_table::{LOCKS, TOKEN};
use crate::partition::answer::refusal;
use crate::partition::turn::Turn;

/// Holders that are told again in one commit, at most.
const TOLD_AT_ONCE: usize = 512;

/// What is wanted of the locks of a partition.
pub(crate) struct Order {
    /// The partition where they are at home.
    pub(crate) home: PartitionId,
    pub(crate) wish: Wish,
}

/// The wish of a step, of somebody, or of the time.
pub(crate) enum Wish {
    /// A step wants locks.
    Ask(Box<Ask>),
    /// A step does not want any more what it asked for with this attempt.
    Release(TaskId),
    /// Somebody takes away from a step what it holds.
    Take { task: TaskId, by: String, why: Option<String> },
    /// Those that have held theirs for a while are told again.
    Tell,
}

impl Order {
    /// An order for the locks of a group.
    pub(crate) fn of(group: LockGroup, wish: Wish, partitions: u16) -> Self {
        Self { home: group.home(partitions), wish }
    }

    /// The order of a step that wants locks; `None` for one that wants none.
    pub(crate) fn ask(ask: Box<Ask>, partitions: u16) -> Option<Self> {
        Some(Self { home: ask.group()?.home(partitions), wish: Wish::Ask(ask) })
    }
}

/// Carries an order out. Whoever waits for an answer gets one when somebody takes locks away.
pub(crate) fn handle(turn: &mut Turn<'_>, order: Order) -> Option<Reply> {
    let (now, least) = (turn.now, turn.draft.least_token());
    let board = turn.memory.locks.board(turn.partition);
    if failpoint::is_removed("lock") && matches!(order.wish, Wish::Ask(_)) {
        *board = Board::default();
    }
    let last_token = board.last_token();
    let mut reply = None;
    let effects = match order.wish {
        Wish::Ask(ask) => board.ask(*ask, now, least),
        Wish::Release(task) => board.release(task, now, least),
        Wish::Tell => board.tell_due(now, TOLD_AT_ONCE),
        Wish::Take { task, by, why } => {
            let holder = Holder { run: task.run, unit: task.unit };
            let held = board.entry(holder).filter(|held| held.grant.is_some() && held.ask.task == task);
            let Some(locks) = held.map(locks_of) else {
                return Some(refusal(Code::WrongState, format!("{holder} holds no locks (any more)")));
            };
            let taken = InboxBody::LocksTaken { task, locks, by, why };
            turn.draft.send(None, task.run.partition(), &taken, now);
            reply = Some(Reply::Run { run_id: task.run, duplicate: false });
            board.release(task, now, least)
        }
    };
    for effect in effects {
        match effect {
            Effect::Put(holder) => {
                let Some(entry) = board.entry(holder) else { continue };
                let row = serde_json::to_string(entry).unwrap_or_default();
                turn.draft.change_row(None, RowDelta::put(LOCKS, holder.to_string(), row));
                if let Some(grant) = entry.grant {
                    let waited = grant.at.since(entry.ask.since).as_secs_f64();
                    metrics::histogram!("millrace_lock_wait_seconds").record(waited);
                }
            }
            Effect::Delete(holder) => {
                turn.draft.change_row(None, RowDelta::delete(LOCKS, holder.to_string()));
            }
            Effect::Grant { task, token } => {
                let holder = Holder { run: task.run, unit: task.unit };
                let locks = board.entry(holder).map(locks_of).unwrap_or_default();
                let granted = InboxBody::LocksGranted { task, locks, token };
                turn.draft.send(None, task.run.partition(), &granted, now);
            }
            Effect::Refuse { task, why } => {
                metrics::counter!("millrace_locks_refused_total").increment(1);
                let refused = InboxBody::LocksRefused { task, reason: why };
                turn.draft.send(None, task.run.partition(), &refused, now);
            }
        }
    }
    if board.last_token() != last_token {
        turn.draft.change_row(None, RowDelta::put(LOCKS, TOKEN, board.last_token().to_string()));
    }
    turn.memory.locks.note_change();
    reply
}

fn locks_of(entry: &Entry) -> Vec<LockName> {
    entry.ask.wants.iter().map(|want| want.lock.clone()).collect()
}
