//! Locks, slots of workflows and rates whose home is here: they are asked for, granted in order, and released.

use millrace_domain::lock::{Ask, Asker, Board, Effect, Entry, LockGroup, LockName, Row, Used, Want};
use millrace_domain::message::{InboxBody, Reply};
use millrace_domain::{Code, Outcome, PartitionId};
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

/// The wish of a step or a run, of somebody, or of the time.
pub(crate) enum Wish {
    /// A step wants locks, or a run a slot.
    Ask(Box<Ask>),
    /// Whoever asked does not want any more what that was. Of a rate it may have used something.
    Release(Asker, Option<Used>),
    /// An attempt has started that has a reserve of a rate.
    Started(Asker),
    /// Somebody takes away what is held.
    Take { asker: Asker, by: String, why: Option<String> },
    /// Those that have held theirs for a while are told again, and those are served for whom a rate has come back.
    Tell,
}

impl Order {
    /// An order for the locks of a group.
    pub(crate) fn of(group: LockGroup, wish: Wish, partitions: u16) -> Self {
        Self { home: group.home(partitions), wish }
    }

    /// The order of whoever wants locks; `None` for one that wants none.
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
    if failpoint::is_removed("gone") {
        let windows = board.windows().cloned().map(|window| Row::Window(Box::new(window)));
        let entries = board.entries().cloned().map(|entry| Row::Entry(Box::new(entry)));
        *board = Board::of(entries.chain(windows).collect::<Vec<Row>>(), now);
    }
    let mut wish = order.wish;
    if let (Wish::Ask(ask), true) = (&mut wish, failpoint::is_removed("limit")) {
        ask.at_limit = None;
    }
    if let (Wish::Release(_, used), true) = (&mut wish, failpoint::is_removed("rate")) {
        *used = None;
    }
    let last_token = board.last_token();
    let mut reply = None;
    let effects = match wish {
        Wish::Ask(ask) => board.ask(*ask, now, least),
        Wish::Release(asker, used) => board.release(asker, used, now, least),
        Wish::Started(_) if failpoint::is_removed("rate") => Vec::new(),
        Wish::Started(asker) => board.started(asker, now, least),
        Wish::Tell => board.tell_due(now, TOLD_AT_ONCE, least),
        Wish::Take { asker, by, why } => {
            let holder = asker.holder();
            let held = board.entry(holder).filter(|held| held.grant.is_some() && held.ask.asker == asker);
            let Some(held) = held else {
                return Some(refusal(Code::WrongState, format!("{holder} holds no locks (any more)")));
            };
            if let Some(taken) = taken(asker, locks_of(held), by, why) {
                turn.draft.send(None, asker.run.partition(), &taken, now);
            }
            reply = Some(Reply::Run { run_id: asker.run, duplicate: false });
            board.take(asker, now, least)
        }
    };
    for effect in effects {
        let (asker, told) = match effect {
            Effect::Put(holder) => {
                let row = serde_json::to_string(&board.row(holder)).unwrap_or_default();
                turn.draft.change_row(None, RowDelta::put(LOCKS, holder.to_string(), row));
                board.entry(holder).into_iter().for_each(note_wait);
                continue;
            }
            Effect::Delete(holder) => {
                turn.draft.change_row(None, RowDelta::delete(LOCKS, holder.to_string()));
                continue;
            }
            Effect::PutRate(rate) => {
                let row = board.window(&rate).map(|window| Row::Window(Box::new(window.clone())));
                let row = serde_json::to_string(&row).unwrap_or_default();
                turn.draft.change_row(None, RowDelta::put(LOCKS, rate.to_string(), row));
                continue;
            }
            Effect::DeleteRate(rate) => {
                turn.draft.change_row(None, RowDelta::delete(LOCKS, rate.to_string()));
                continue;
            }
            Effect::Grant { asker, token } => {
                let locks = board.entry(asker.holder()).map(locks_of).unwrap_or_default();
                (asker, granted(asker, locks, token))
            }
            Effect::Refuse { asker, outcome, why } => {
                let of = if asker.unit.is_some() { "step" } else { "run" };
                metrics::counter!("millrace_locks_refused_total", "of" => of).increment(1);
                (asker, Some(refused(asker, outcome, why)))
            }
            Effect::Displace { asker, why } => {
                let slots = board.entry(asker.holder()).map(locks_of).unwrap_or_default();
                let slots = slots.into_iter().next();
                (asker, slots.map(|slots| InboxBody::Displace { run: asker.run, slots, reason: why }))
            }
        };
        if let Some(told) = told {
            turn.draft.send(None, asker.run.partition(), &told, now);
        }
    }
    if board.last_token() != last_token {
        turn.draft.change_row(None, RowDelta::put(LOCKS, TOKEN, board.last_token().to_string()));
    }
    turn.memory.locks.note_change();
    reply
}

/// What a step is told that has its locks, or a run that has its slot.
fn granted(asker: Asker, locks: Vec<LockName>, token: u64) -> Option<InboxBody> {
    Some(match asker.task() {
        Some(task) => InboxBody::LocksGranted { task, locks, token },
        None => InboxBody::SlotGranted { run: asker.run, slots: locks.into_iter().next()? },
    })
}

/// What somebody is told who will never have what they asked for.
fn refused(asker: Asker, outcome: Outcome, reason: String) -> InboxBody {
    match asker.task() {
        Some(task) => InboxBody::LocksRefused { task, reason },
        None => InboxBody::SlotRefused { run: asker.run, outcome, reason },
    }
}

/// What somebody is told from whom locks were taken, or a slot.
fn taken(asker: Asker, locks: Vec<LockName>, by: String, why: Option<String>) -> Option<InboxBody> {
    Some(match asker.task() {
        Some(task) => InboxBody::LocksTaken { task, locks, by, why },
        None => InboxBody::SlotTaken { run: asker.run, slots: locks.into_iter().next()?, by, why },
    })
}

/// Notes how long was waited for a grant that was just made.
fn note_wait(entry: &Entry) {
    let Some(grant) = entry.grant.filter(|_| entry.replaced_by.is_none()) else { return };
    let waited = grant.at.since(entry.ask.since).as_secs_f64();
    metrics::histogram!("millrace_lock_wait_seconds", "of" => of(entry)).record(waited);
}

/// What an entry is of, for the metrics.
fn of(entry: &Entry) -> &'static str {
    match entry.ask.asker.unit {
        None => "run",
        Some(_) if entry.ask.wants.iter().any(Want::is_rate) => "rate",
        Some(_) => "step",
    }
}

fn locks_of(entry: &Entry) -> Vec<LockName> {
    entry.ask.wants.iter().map(|want| want.lock.clone()).collect()
}
