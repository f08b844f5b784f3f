//! Random histories of a few attempts, letters and rows, compared step by step with a model that fits on two pages.

use std::collections::BTreeMap;

use millrace_domain::{ClaimToken, Epoch, RunId, Seq, SessionId, TaskId, Unit};
use millrace_store::{
    Claim, ClaimVerdict, Commit, Dispatched, Finish, FinishVerdict, Letter, Revoke, Revoked, RowDelta,
    RunDelta, StoredLetter, TaskRecord, Verdict,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use uuid::Uuid;

use crate::fixture::*;
use crate::letter::{letter, letters, stored};
use crate::table::LOCKS;

const STEPS: u32 = 4;

/// The units of which histories are told: two steps, and two items of the second.
fn unit_of(number: u32) -> Unit {
    match number {
        0 | 1 => unit(number),
        item_after => item(1, item_after - 2),
    }
}

#[derive(Debug, Clone)]
enum Event {
    /// Retires what the step has and dispatches its next attempt.
    Dispatch {
        step: u32,
    },
    Retire {
        step: u32,
    },
    /// The last commit once more.
    Resend,
    /// A commit that must not pass: so far away is its epoch or its seq.
    Stray {
        epoch: i8,
        seq: u8,
    },
    /// `back`: how many attempts before the current one is meant.
    Claim {
        step: u32,
        back: u32,
        token: u8,
    },
    Finish {
        step: u32,
        back: u32,
        token: u8,
    },
    HandBack {
        step: u32,
        back: u32,
        token: u8,
    },
    Revoke {
        step: u32,
        back: u32,
        when: u8,
        stale: bool,
    },
    /// Sends a letter and changes a row: of the run, of none, or of a run that exists and is created again.
    Tell {
        of: Of,
        when: i64,
        row: u8,
        deletes: bool,
    },
    /// The owner, or one before it, renews: all of before this has arrived.
    Renew {
        until: i64,
        stale: bool,
    },
    /// The partition is taken over.
    Take,
}

/// Whom a letter is from.
#[derive(Debug, Clone, Copy)]
enum Of {
    Run,
    Nothing,
    Duplicate,
}

fn event() -> impl Strategy<Value = Event> {
    let task = || (0..STEPS, prop_oneof![5 => Just(0u32), 1 => Just(1)], 0..3u8);
    let of = prop_oneof![2 => Just(Of::Run), 2 => Just(Of::Nothing), 1 => Just(Of::Duplicate)];
    prop_oneof![
        3 => (0..STEPS).prop_map(|step| Event::Dispatch { step }),
        1 => (0..STEPS).prop_map(|step| Event::Retire { step }),
        1 => Just(Event::Resend),
        1 => (-1..=1i8, 0..4u8).prop_map(|(epoch, seq)| Event::Stray { epoch, seq }),
        4 => task().prop_map(|(step, back, token)| Event::Claim { step, back, token }),
        4 => task().prop_map(|(step, back, token)| Event::Finish { step, back, token }),
        2 => task().prop_map(|(step, back, token)| Event::HandBack { step, back, token }),
        2 => (task(), any::<bool>()).prop_map(|((step, back, when), stale)| {
            Event::Revoke { step, back, when, stale }
        }),
        3 => (of, 0..8i64, 0..3u8, any::<bool>()).prop_map(|(of, when, row, deletes)| {
            Event::Tell { of, when, row, deletes }
        }),
        1 => (0..8i64, any::<bool>()).prop_map(|(until, stale)| Event::Renew { until, stale }),
        1 => Just(Event::Take),
    ]
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    Queued,
    Claimed(u8),
    Finished(u8, String),
    /// With whether nobody had claimed it.
    Revoked(bool),
}

/// Each token is of a session of its own.
fn token_of(number: u8) -> ClaimToken {
    ClaimToken(Uuid::from_u128(u128::from(number) + 1))
}

fn session_of(number: u8) -> SessionId {
    SessionId(Uuid::from_u128(u128::from(number) + 101))
}

/// The current attempts, the last attempt of each step, the letters that may not have arrived, and the rows.
#[derive(Default)]
struct Model {
    current: BTreeMap<u32, (u32, State)>,
    last: BTreeMap<u32, u32>,
    letters: Vec<StoredLetter>,
    rows: BTreeMap<String, String>,
}

impl Model {
    fn attempt(&self, step: u32, back: u32) -> u32 {
        (self.last.get(&step).copied().unwrap_or(0) + 1).saturating_sub(back + 1)
    }

    fn state(&mut self, step: u32, attempt: u32) -> Option<&mut State> {
        self.current.get_mut(&step).filter(|(current, _)| *current == attempt).map(|(_, state)| state)
    }

    fn claim(&mut self, step: u32, attempt: u32, token: u8) -> ClaimVerdict {
        match self.state(step, attempt) {
            Some(state @ State::Queued) => {
                *state = State::Claimed(token);
                ClaimVerdict::Granted
            }
            Some(State::Claimed(holder)) if *holder == token => ClaimVerdict::Granted,
            Some(State::Claimed(holder)) => ClaimVerdict::Held { session: session_of(*holder) },
            Some(State::Finished(_, result)) => ClaimVerdict::Finished { result: result.clone() },
            Some(State::Revoked(_)) | None => ClaimVerdict::Stale,
        }
    }

    fn finish(&mut self, step: u32, attempt: u32, token: u8, result: &str) -> FinishVerdict {
        match self.state(step, attempt) {
            Some(state) if *state == State::Claimed(token) => {
                *state = State::Finished(token, result.to_owned());
                FinishVerdict::Stored
            }
            Some(State::Finished(by, _)) if *by == token => FinishVerdict::Stored,
            _ => FinishVerdict::Stale,
        }
    }

    fn hand_back(&mut self, step: u32, attempt: u32, token: u8) {
        if let Some(state) = self.state(step, attempt)
            && *state == State::Claimed(token)
        {
            *state = State::Queued;
        }
    }

    fn revoke(&mut self, step: u32, attempt: u32, when: Revoke) -> Revoked {
        let Some(state) = self.state(step, attempt) else { return Revoked::Gone };
        match state {
            State::Finished(_, result) => return Revoked::Finished { result: result.clone() },
            State::Claimed(holder) => {
                let session = session_of(*holder);
                if when != Revoke::Anyway && when != Revoke::HeldBy(session) {
                    return Revoked::Claimed { session };
                }
            }
            State::Queued | State::Revoked(_) => {}
        }
        let unclaimed = matches!(state, State::Queued | State::Revoked(true));
        *state = State::Revoked(unclaimed);
        if unclaimed { Revoked::Unclaimed } else { Revoked::Done }
    }

    fn agrees(&self, tasks: &[(Unit, u32, TaskRecord)]) -> bool {
        let expected = self.current.iter().map(|(number, current)| (unit_of(*number), current));
        tasks.len() == self.current.len()
            && tasks.iter().zip(expected).all(|((unit, attempt, record), (expected, (current, state)))| {
                let same = match (state, record) {
                    (State::Queued, TaskRecord::Queued { .. }) => true,
                    (State::Revoked(expected), TaskRecord::Revoked { unclaimed, .. }) => {
                        expected == unclaimed
                    }
                    (State::Claimed(holder), TaskRecord::Claimed { session, .. }) => {
                        *session == session_of(*holder)
                    }
                    (State::Finished(_, expected), TaskRecord::Finished { result, .. }) => result == expected,
                    _ => false,
                };
                let is_same_attempt = *unit == expected && current == attempt;
                is_same_attempt && same && record.dispatched_at() == Some(at(2_000))
            })
    }
}

/// One history on an empty store.
struct History {
    owner: Owner,
    run: RunId,
    last: Commit,
    /// How the last commit was answered.
    verdict: Verdict,
    model: Model,
}

impl History {
    async fn begin(store: &Given) -> Self {
        let mut owner = Owner::of(store, 1).await;
        let run = owner.new_run();
        let last = owner.next(vec![created(run)]);
        assert_eq!(owner.send(&last).await, applied());
        Self { owner, run, last, verdict: applied(), model: Model::default() }
    }

    async fn commit(&mut self, delta: RunDelta) -> Result<(), TestCaseError> {
        let commit = self.owner.next(vec![delta]);
        self.send(commit, applied()).await
    }

    async fn send(&mut self, commit: Commit, verdict: Verdict) -> Result<(), TestCaseError> {
        (self.last, self.verdict) = (commit, verdict);
        prop_assert_eq!(&self.owner.send(&self.last).await, &self.verdict);
        Ok(())
    }

    /// Sends a letter and changes a row in one commit.
    async fn tell(&mut self, of: Of, letter: Letter, row: RowDelta) -> Result<(), TestCaseError> {
        let mut commit = self.owner.next(vec![]);
        let (letters, tables) = (vec![letter.clone()], vec![row.clone()]);
        let mut verdict = applied();
        match of {
            Of::Run => commit.runs.push(RunDelta { letters, tables, ..RunDelta::new(self.run) }),
            Of::Nothing => (commit.letters, commit.tables) = (letters, tables),
            Of::Duplicate => {
                commit.runs.push(RunDelta { letters, tables, ..created(self.run) });
                verdict = Verdict::Applied { duplicates: vec![self.run] };
            }
        }
        if !matches!(of, Of::Duplicate) {
            self.model.letters.push(stored(&commit, &letter));
            self.model.letters.sort_by_key(|one| (one.letter.at, one.epoch, one.seq, one.letter.n));
            match row.value {
                Some(value) => self.model.rows.insert(row.key, value),
                None => self.model.rows.remove(&row.key),
            };
        }
        self.send(commit, verdict).await
    }

    /// What leaves the step without an attempt.
    fn retiring(&mut self, step: u32) -> RunDelta {
        let current = self.model.current.remove(&step);
        let retired = current.map(|(attempt, _)| (unit_of(step), attempt)).into_iter().collect();
        RunDelta { retired, ..RunDelta::new(self.run) }
    }

    fn task(&self, step: u32, back: u32) -> TaskId {
        TaskId { run: self.run, unit: unit_of(step), attempt: self.model.attempt(step, back) }
    }

    async fn happen(&mut self, number: usize, event: Event) -> Result<(), TestCaseError> {
        let store = self.owner.store.clone();
        match event {
            Event::Dispatch { step } => {
                let mut delta = self.retiring(step);
                let attempt = self.model.last.get(&step).copied().unwrap_or(0) + 1;
                delta.dispatched.push(Dispatched { unit: unit_of(step), ..dispatched(0, attempt) });
                self.model.last.insert(step, attempt);
                self.model.current.insert(step, (attempt, State::Queued));
                self.commit(delta).await?;
            }
            Event::Retire { step } => {
                let delta = self.retiring(step);
                self.commit(delta).await?;
            }
            // After a takeover, it is of an epoch before.
            Event::Resend if self.last.epoch != self.owner.epoch => {
                let refused = Verdict::Fenced { epoch: self.owner.epoch, seq: self.owner.seq };
                prop_assert_eq!(self.owner.send(&self.last).await, refused);
            }
            Event::Resend => prop_assert_eq!(&self.owner.send(&self.last).await, &self.verdict),
            Event::Stray { epoch, seq } => {
                let mut stray = self.owner.clone().next(vec![]);
                stray.epoch = Epoch(self.owner.epoch.0.saturating_add_signed(epoch.into()));
                // Neither the last one nor the next one, unless the epoch is another.
                let near = (self.owner.seq.0 + u64::from(seq)).saturating_sub(2);
                let passes = epoch == 0 && (near == self.owner.seq.0 || near == self.owner.seq.0 + 1);
                stray.seq = if passes { Seq(near + 2) } else { Seq(near) };
                let refused = Verdict::Fenced { epoch: self.owner.epoch, seq: self.owner.seq };
                prop_assert_eq!(self.owner.send(&stray).await, refused);
            }
            Event::Claim { step, back, token } => {
                let task = self.task(step, back);
                let claim = Claim { task, token: token_of(token), session: session_of(token) };
                let expected = self.model.claim(step, task.attempt, token);
                prop_assert_eq!(claim_one(&store, &claim).await, expected);
            }
            Event::Finish { step, back, token } => {
                let task = self.task(step, back);
                let result = format!("result {number}");
                let expected = self.model.finish(step, task.attempt, token, &result);
                let finish = Finish { task, token: token_of(token), result };
                prop_assert_eq!(store.finish(&[finish]).await.unwrap(), [expected]);
            }
            Event::HandBack { step, back, token } => {
                let task = self.task(step, back);
                self.model.hand_back(step, task.attempt, token);
                store.hand_back(&[(task, token_of(token))]).await.unwrap();
            }
            Event::Revoke { step, back, when, stale } => {
                let task = self.task(step, back);
                let when = match when {
                    0 => Revoke::Unclaimed,
                    1 => Revoke::HeldBy(session_of(1)),
                    _ => Revoke::Anyway,
                };
                let epoch = Epoch(self.owner.epoch.0 - u64::from(stale));
                let expected =
                    if stale { Revoked::Gone } else { self.model.revoke(step, task.attempt, when) };
                let answers = store.revoke(self.owner.partition, epoch, &[(task, when)]).await.unwrap();
                prop_assert_eq!(answers, [expected]);
            }
            Event::Tell { of, when, row, deletes } => {
                let value = (!deletes).then(|| format!("value {number}"));
                let row = RowDelta { table: LOCKS, key: format!("row {row}"), value };
                self.tell(of, letter(number as u32, at(when), 2), row).await?;
            }
            Event::Renew { until, stale } => {
                let epoch = Epoch(self.owner.epoch.0 - u64::from(stale));
                let kept = store.renew(&[(self.owner.partition, epoch)], LONG_MS, at(until)).await.unwrap();
                prop_assert_eq!(kept, [(!stale).then_some(self.owner.seq)]);
                self.model.letters.retain(|one| stale || one.letter.at >= at(until));
            }
            Event::Take => {
                let Owner { partition, id, .. } = self.owner;
                self.owner = Owner::take(&store, partition.0, id, LONG_MS).await;
            }
        }
        prop_assert_eq!(letters(&store, self.owner.partition).await, self.model.letters.clone());
        let rows = store.read_table(self.owner.partition, LOCKS).await.unwrap();
        prop_assert!(
            rows.iter().map(|(key, value)| (key, value)).eq(&self.model.rows),
            "{:?} is stored",
            rows
        );
        let tasks = load(&store, self.run).await.unwrap().tasks;
        prop_assert!(self.model.agrees(&tasks), "{:?} is stored, {:?} expected", tasks, self.model.current);
        let watched = watched(&store, self.owner.partition).await.len();
        prop_assert_eq!(watched, self.model.current.len());
        Ok(())
    }
}

pub(crate) fn histories_agree<F: Future<Output = Given>>(cases: u32, store: impl Fn() -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&vec(event(), 1..60), |events| {
        runtime.block_on(async {
            let mut history = History::begin(&store().await).await;
            for (number, event) in events.into_iter().enumerate() {
                history.happen(number, event).await?;
            }
            Ok(())
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
