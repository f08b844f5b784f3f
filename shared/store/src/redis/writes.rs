//! What a commit writes, composed into as few commands as there can be: a run costs one HSET, the indexes of a
//! partition one ZADD each. `commit.lua` carries it out, after its checks.

use std::collections::{BTreeMap, HashMap, HashSet};

use millrace_domain::{RunId, TaskId, Unit, WorkflowId};
use redis::Cmd;

use super::keys::Keys;
use super::{letter, task};
use crate::{Commit, Dispatched, Letter, NewRun, RowDelta, RunDelta, Table, WorkflowDelta};

/// The number of words that Lua's `unpack` is given at once (its limit is near 8,000). Even, so that pairs stay
/// together.
const PIECE: usize = 4_000;

/// The number of attempts that a dispatch clears before it, in case that one of them was never retired: there is one
/// current attempt. Attempts rise by one, and each dispatch clears, so one before would do.
const CLEARED_BEFORE: u32 = 8;

/// A word of a command.
enum Word<'a> {
    Text(&'a str),
    Owned(String),
    Number(i64),
}

/// The key of a command: its place among those of its kind.
#[derive(Clone, Copy)]
enum Key {
    Absent(usize),
    Present(usize),
    Other(usize),
}

/// A command: its name, the key that it writes to, and the words that follow.
struct Command<'a> {
    name: &'static str,
    key: Key,
    words: Vec<Word<'a>>,
}

/// The rows of tables as a commit leaves them: the value of each that it puts, nothing for each that it deletes.
type Rows<'a> = BTreeMap<Table, HashMap<&'a str, Option<&'a str>>>;

/// The writes of a commit: all keys that it touches, and the commands.
#[derive(Default)]
pub(super) struct Writes<'a> {
    /// The runs that are created: their keys must be absent.
    pub(super) absent: Vec<(RunId, String)>,
    /// The runs that are changed: their keys must be there.
    pub(super) present: Vec<(RunId, String)>,
    /// The other keys.
    others: Vec<String>,
    commands: Vec<Command<'a>>,
}

/// All that a commit does to one run.
#[derive(Default)]
struct RunWrites<'a> {
    create: Option<&'a NewRun>,
    fields: Vec<Word<'a>>,
    retired: Vec<(Unit, u32)>,
    dispatched: Vec<&'a Dispatched>,
    expires_at: Option<i64>,
    /// Items that have ended: their records go.
    ended_items: Vec<Unit>,
    /// What is kept apart from the run.
    items: Vec<Word<'a>>,
    /// The entries of its history.
    history: Vec<Word<'a>>,
}

impl<'a> Writes<'a> {
    /// Composes a commit without the runs in `left_out`. Runs that it creates twice are added to `twice`: the
    /// first creation holds.
    pub(super) fn of(
        commit: &'a Commit,
        keys: &Keys,
        left_out: &HashSet<RunId>,
        twice: &mut Vec<RunId>,
    ) -> Self {
        let mut writes = Self::default();
        let mut runs: Vec<(RunId, RunWrites<'a>)> = Vec::with_capacity(commit.runs.len());
        let mut places: HashMap<RunId, usize> = HashMap::with_capacity(commit.runs.len());
        let mut timers: HashMap<String, Option<i64>> = HashMap::new();
        let (mut letters, mut rows) = (Vec::new(), Rows::new());

        for delta in commit.runs.iter().filter(|delta| !left_out.contains(&delta.run)) {
            let known = places.len();
            let place = *places.entry(delta.run).or_insert(known);
            if place == known {
                runs.push((delta.run, RunWrites::default()));
            } else if delta.create.is_some() {
                twice.push(delta.run);
                continue;
            }
            runs[place].1.add(delta);
            for timer in &delta.cleared {
                timers.insert(timer.to_string(), None);
            }
            for (due, timer) in &delta.timers {
                timers.insert(timer.to_string(), Some(due.as_millis()));
            }
            letters.extend(&delta.letters);
            change_rows(&mut rows, &delta.tables);
        }
        letters.extend(&commit.letters);
        change_rows(&mut rows, &commit.tables);
        for timer in &commit.cleared {
            timers.insert(timer.to_string(), None);
        }
        for (due, timer) in &commit.timers {
            timers.insert(timer.to_string(), Some(due.as_millis()));
        }

        writes.runs(commit, keys, runs);
        writes.timers(commit, keys, timers);
        writes.letters(commit, keys, letters);
        writes.tables(commit, keys, rows);
        for delta in &commit.workflows {
            writes.workflow(commit, keys, delta);
        }
        writes
    }

    fn runs(&mut self, commit: &Commit, keys: &Keys, runs: Vec<(RunId, RunWrites<'a>)>) {
        let (mut looks, mut unwatched) = (Vec::new(), Vec::new());
        let (mut created, mut ended) = (Vec::new(), Vec::new());
        let mut by_workflow: HashMap<&'a WorkflowId, Vec<Word<'a>>> = HashMap::new();
        for (run, mut writes) in runs {
            let name = keys.run(run);
            let key = if let Some(new) = writes.create {
                created.push(Word::Number(new.created_at.as_millis()));
                created.push(Word::Owned(Keys::listed(run, &new.workflow)));
                if new.workflow != WorkflowId::adhoc() {
                    let list = by_workflow.entry(&new.workflow).or_default();
                    list.push(Word::Number(new.created_at.as_millis()));
                    list.push(Word::Owned(run.to_string()));
                }
                self.absent.push((run, name));
                Key::Absent(self.absent.len() - 1)
            } else {
                self.present.push((run, name));
                Key::Present(self.present.len() - 1)
            };

            let mut over = Vec::new();
            for &(unit, attempt) in &writes.retired {
                over.push((unit, attempt));
                unwatched.push(Word::Owned(TaskId { run, unit, attempt }.to_string()));
            }
            for new in &writes.dispatched {
                over.extend(
                    (new.attempt.saturating_sub(CLEARED_BEFORE).max(1)..new.attempt)
                        .map(|attempt| (new.unit, attempt)),
                );
                looks.push(Word::Number(new.look_at.as_millis()));
                looks.push(Word::Owned(TaskId { run, unit: new.unit, attempt: new.attempt }.to_string()));
                writes.fields.push(Word::Owned(Keys::attempt(new.unit, new.attempt)));
                writes.fields.push(Word::Owned(task::queued(new.at, &new.lane)));
            }
            if let Some(expires_at) = writes.expires_at {
                ended.push(Word::Number(expires_at));
                ended.push(Word::Owned(run.to_string()));
            }
            over.sort_unstable();
            over.dedup();
            let over = over.into_iter().map(|(unit, attempt)| Word::Owned(Keys::attempt(unit, attempt)));
            let records = writes.ended_items.iter().map(|unit| Word::Owned(Keys::record(*unit)));
            self.push("HDEL", key, over.chain(records).collect());
            self.push("HSET", key, writes.fields);
            self.write("HSET", || keys.items(run), writes.items);
            self.write("ZADD", || keys.history(run), writes.history);
        }
        let partition = commit.partition;
        self.write("ZADD", || keys.runs(partition), created);
        for (workflow, list) in by_workflow {
            self.write("ZADD", || keys.runs_of(partition, workflow.as_str()), list);
        }
        self.write("ZREM", || keys.watch(partition), unwatched);
        self.write("ZADD", || keys.watch(partition), looks);
        self.write("ZADD", || keys.ended(partition), ended);
    }

    fn letters(&mut self, commit: &Commit, keys: &Keys, letters: Vec<&'a Letter>) {
        let words = |letter: &Letter| {
            let member = letter::member(commit.epoch, commit.seq, letter);
            [Word::Number(letter.at.as_millis()), Word::Owned(member)]
        };
        let words = letters.into_iter().flat_map(words).collect();
        self.write("ZADD", || keys.letters(commit.partition), words);
    }

    fn tables(&mut self, commit: &Commit, keys: &Keys, tables: Rows<'a>) {
        for (table, rows) in tables {
            let (mut put, mut deleted) = (Vec::new(), Vec::new());
            for (row, value) in rows {
                match value {
                    Some(value) => put.extend([Word::Text(row), Word::Text(value)]),
                    None => deleted.push(Word::Text(row)),
                }
            }
            self.write("HDEL", || keys.table(commit.partition, table), deleted);
            self.write("HSET", || keys.table(commit.partition, table), put);
        }
    }

    fn timers(&mut self, commit: &Commit, keys: &Keys, timers: HashMap<String, Option<i64>>) {
        let (mut set, mut cleared) = (Vec::new(), Vec::new());
        for (timer, due) in timers {
            match due {
                Some(due) => set.extend([Word::Number(due), Word::Owned(timer)]),
                None => cleared.push(Word::Owned(timer)),
            }
        }
        self.write("ZREM", || keys.timers(commit.partition), cleared);
        self.write("ZADD", || keys.timers(commit.partition), set);
    }

    fn workflow(&mut self, commit: &Commit, keys: &Keys, delta: &'a WorkflowDelta) {
        let list = || keys.workflows(commit.partition);
        match delta {
            WorkflowDelta::Put { workflow, version, source, head } => {
                let key = self.declare(keys.workflow(commit.partition, workflow));
                // A version, once written, stays as it is.
                self.push("HSETNX", key, vec![Word::Owned(format!("v{version}")), Word::Text(source)]);
                let current = [Word::Text("current"), Word::Number(i64::from(*version))];
                self.push(
                    "HSET",
                    key,
                    [Word::Text("head"), Word::Text(head)].into_iter().chain(current).collect(),
                );
                self.write("SADD", list, vec![Word::Text(workflow.as_str())]);
            }
            WorkflowDelta::Head { workflow, head } => {
                let key = || keys.workflow(commit.partition, workflow);
                self.write("HSET", key, vec![Word::Text("head"), Word::Text(head)]);
            }
            WorkflowDelta::Unlist { workflow, head } => {
                let key = || keys.workflow(commit.partition, workflow);
                self.write("HSET", key, vec![Word::Text("head"), Word::Text(head)]);
                self.write("SREM", list, vec![Word::Text(workflow.as_str())]);
            }
        }
    }

    /// Adds a command on a key that is no run's, unless it has no words.
    fn write(&mut self, name: &'static str, key: impl FnOnce() -> String, words: Vec<Word<'a>>) {
        if !words.is_empty() {
            let key = self.declare(key());
            self.push(name, key, words);
        }
    }

    /// Adds a key that is no run's, unless it was added last.
    fn declare(&mut self, key: String) -> Key {
        if self.others.last() != Some(&key) {
            self.others.push(key);
        }
        Key::Other(self.others.len() - 1)
    }

    fn push(&mut self, name: &'static str, key: Key, words: Vec<Word<'a>>) {
        if words.len() <= PIECE {
            if !words.is_empty() {
                self.commands.push(Command { name, key, words });
            }
            return;
        }
        let mut words = words.into_iter();
        loop {
            let piece: Vec<_> = words.by_ref().take(PIECE).collect();
            if piece.is_empty() {
                return;
            }
            self.commands.push(Command { name, key, words: piece });
        }
    }

    /// Whether a commit adds what should be refused when memory is full.
    pub(super) fn creates(&self, commit: &Commit) -> bool {
        !self.absent.is_empty()
            || commit.workflows.iter().any(|delta| matches!(delta, WorkflowDelta::Put { .. }))
    }

    /// The keys of `commit.lua`, of which the first is `own`.
    pub(super) fn keys<'k>(&'k self, own: &'k str) -> Vec<&'k str> {
        let runs = self.absent.iter().chain(&self.present).map(|(_, key)| key.as_str());
        std::iter::once(own).chain(runs).chain(self.others.iter().map(String::as_str)).collect()
    }

    /// The place of a key among those of `commit.lua`, from 1.
    fn place(&self, key: Key) -> usize {
        match key {
            Key::Absent(place) => 2 + place,
            Key::Present(place) => 2 + self.absent.len() + place,
            Key::Other(place) => 2 + self.absent.len() + self.present.len() + place,
        }
    }

    /// Adds the writes to a call, as the arguments of `commit.lua` from the fifth on.
    pub(super) fn arguments(&self, call: &mut Cmd) {
        call.arg(self.absent.len()).arg(self.present.len());
        for Command { name, key, words } in &self.commands {
            call.arg(words.len()).arg(*name).arg(self.place(*key));
            for word in words {
                match word {
                    Word::Text(text) => call.arg(*text),
                    Word::Owned(text) => call.arg(text),
                    Word::Number(number) => call.arg(*number),
                };
            }
        }
    }
}

/// Adds changes to those of rows; later ones win.
fn change_rows<'a>(rows: &mut Rows<'a>, changes: &'a [RowDelta]) {
    for RowDelta { table, key, value } in changes {
        rows.entry(*table).or_default().insert(key, value.as_deref());
    }
}

impl<'a> RunWrites<'a> {
    /// Adds a change to those of the run; later ones win.
    fn add(&mut self, delta: &'a RunDelta) {
        if let Some(new) = &delta.create {
            self.create = Some(new);
            self.fields.extend([Word::Text("def"), Word::Text(&new.definition)]);
            if new.workflow != WorkflowId::adhoc() {
                self.fields.extend([Word::Text("w"), Word::Text(new.workflow.as_str())]);
            }
            if new.keyed {
                self.fields.extend([Word::Text("k"), Word::Number(new.created_at.as_millis())]);
            }
        }
        if let Some(head) = &delta.head {
            self.fields.extend([Word::Text("head"), Word::Text(head)]);
        }
        for (unit, record) in &delta.steps {
            self.fields.extend([Word::Owned(Keys::record(*unit)), Word::Text(record)]);
        }
        for (unit, end) in &delta.ended_items {
            self.ended_items.push(*unit);
            self.items.extend([Word::Owned(unit.to_string()), Word::Text(end)]);
        }
        for (step, value) in &delta.apart {
            self.items.extend([Word::Owned(Keys::apart(*step)), Word::Text(value)]);
        }
        for (n, entry) in &delta.history {
            let n = i64::try_from(*n).unwrap_or(i64::MAX);
            self.history.extend([Word::Number(n), Word::Text(entry)]);
        }
        for gone in &delta.retired {
            self.dispatched.retain(|new| (new.unit, new.attempt) != *gone);
            self.retired.push(*gone);
        }
        for new in &delta.dispatched {
            self.dispatched.retain(|old| old.unit != new.unit);
            self.retired.retain(|gone| *gone != (new.unit, new.attempt));
            self.dispatched.push(new);
        }
        if let Some(expires_at) = delta.expires_at {
            self.expires_at = Some(expires_at.as_millis());
        }
    }
}
