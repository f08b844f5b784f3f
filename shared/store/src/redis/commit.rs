//! The owner's one way to write: a script call per commit, all in one round trip.

use std::collections::{HashMap, HashSet};

use millrace_domain::{Epoch, PartitionId, RunId, Seq};
use redis::{Cmd, Value, cmd};

use super::connection::Connection;
use super::keys::Keys;
use super::reply::{array, int, maybe_text, parsed, text, unexpected};
use super::script::Script;
use super::writes::Writes;
use crate::{Commit, StoreError, Verdict};

/// The number of times that a commit is sent. One that meets runs that are there already (or gone) is sent again
/// without them. Under its fence nobody else creates any, so once more is enough, and once more again if some were
/// forgotten in between.
const ROUNDS: usize = 4;

/// A commit, and which runs it goes without.
struct Pending<'a> {
    commit: &'a Commit,
    left_out: HashSet<RunId>,
    duplicates: Vec<RunId>,
    verdict: Option<Verdict>,
}

/// The answer to the call of a commit.
enum Answer {
    Settled(Verdict),
    Conflict(Vec<usize>),
}

/// Carries out commits, each atomically, all in one round trip when no run is there already.
pub(super) async fn commit(
    connection: &Connection,
    keys: &Keys,
    commits: &[Commit],
) -> Result<Vec<Verdict>, StoreError> {
    let mut pending: Vec<Pending<'_>> = commits.iter().map(Pending::new).collect();
    for _ in 0..ROUNDS {
        let mut calls = Vec::new();
        let mut expected = Vec::new();
        for (place, one) in pending.iter().enumerate().filter(|(_, one)| one.verdict.is_none()) {
            let mut twice = Vec::new();
            let writes = Writes::of(one.commit, keys, &one.left_out, &mut twice);
            calls.push(one.call(keys, &writes, &twice));
            expected.push((place, writes.checked()));
        }
        // A commit that follows an unsettled one of its partition was refused for that reason only.
        let mut unsettled: HashSet<PartitionId> = HashSet::new();
        let mut full: HashMap<PartitionId, Verdict> = HashMap::new();
        for (answer, (place, checked)) in connection.ask_each(calls).await?.into_iter().zip(expected) {
            let one = &mut pending[place];
            if unsettled.contains(&one.commit.partition) {
                continue;
            }
            if let Some(verdict) = full.get(&one.commit.partition) {
                one.verdict = Some(verdict.clone());
                continue;
            }
            let answer = match answer {
                Err(StoreError::Full(why)) => match sent_before(connection, keys, one.commit).await? {
                    None => {
                        full.insert(one.commit.partition, Verdict::Full { why });
                        one.verdict = full.get(&one.commit.partition).cloned();
                        continue;
                    }
                    Some(verdict) => Answer::Settled(verdict),
                },
                answer => read(one.commit, answer?)?,
            };
            match answer {
                Answer::Settled(verdict) => one.verdict = Some(verdict),
                Answer::Conflict(places) => {
                    unsettled.insert(one.commit.partition);
                    one.leave_out(&places, &checked)?;
                }
            }
        }
        if unsettled.is_empty() {
            break;
        }
    }
    pending
        .into_iter()
        .map(|one| {
            one.verdict.ok_or_else(|| {
                StoreError::Corrupt(format!(
                    "runs of {} come and go under its owner's fence",
                    one.commit.partition
                ))
            })
        })
        .collect()
}

impl<'a> Pending<'a> {
    fn new(commit: &'a Commit) -> Self {
        Self { commit, left_out: HashSet::new(), duplicates: Vec::new(), verdict: None }
    }

    fn call(&self, keys: &Keys, writes: &Writes<'_>, twice: &[RunId]) -> Cmd {
        let commit = self.commit;
        let script = if writes.creates(commit) { Script::CommitCreating } else { Script::Commit };
        let duplicates: Vec<String> = self.duplicates.iter().chain(twice).map(RunId::to_string).collect();
        let own = keys.own(commit.partition);
        let mut call = script.on(&writes.keys(&own));
        call.arg(commit.epoch.0).arg(commit.seq.0).arg(commit.published_until.as_millis());
        call.arg(duplicates.join(","));
        writes.arguments(&mut call);
        call
    }

    /// Leaves out all changes to these runs: those after a creation that did not happen were made for another run.
    fn leave_out(&mut self, places: &[usize], checked: &[(RunId, bool)]) -> Result<(), StoreError> {
        for place in places {
            let (run, created) = checked
                .get(place.wrapping_sub(1))
                .ok_or_else(|| StoreError::Corrupt(format!("expected the place of a key, got {place}")))?;
            self.left_out.insert(*run);
            if *created {
                self.duplicates.push(*run);
            }
        }
        Ok(())
    }
}

impl Writes<'_> {
    /// The runs whose keys are checked, in order, and whether they are created.
    fn checked(&self) -> Vec<(RunId, bool)> {
        let created = self.absent.iter().map(|(run, _)| (*run, true));
        created.chain(self.present.iter().map(|(run, _)| (*run, false))).collect()
    }
}

/// The verdict on a commit that is refused for full memory, whose script does not begin: it may have been applied by
/// an earlier sending, whose answer was lost.
async fn sent_before(
    connection: &Connection,
    keys: &Keys,
    commit: &Commit,
) -> Result<Option<Verdict>, StoreError> {
    let mut command = cmd("HMGET");
    command.arg(keys.own(commit.partition)).arg("epoch").arg("seq").arg("last");
    let own = array(connection.ask(command).await?)?;
    let own = own.into_iter().map(maybe_text).collect::<Result<Vec<_>, _>>()?;
    match own.as_slice() {
        [Some(epoch), Some(seq), last]
            if *epoch == commit.epoch.0.to_string() && *seq == commit.seq.0.to_string() =>
        {
            Ok(Some(applied(last.as_deref().unwrap_or_default())?))
        }
        _ => Ok(None),
    }
}

/// The verdict on a commit that holds; these runs existed.
fn applied(duplicates: &str) -> Result<Verdict, StoreError> {
    let runs = duplicates.split(',').filter(|run| !run.is_empty());
    let duplicates = runs.map(|run| parsed(run, "a run id")).collect::<Result<_, _>>()?;
    Ok(Verdict::Applied { duplicates })
}

fn read(commit: &Commit, answer: Value) -> Result<Answer, StoreError> {
    let shown = answer.clone();
    let mut parts = array(answer)?.into_iter();
    let mut next = || parts.next().ok_or_else(|| unexpected("a verdict", &shown));
    match int(&next()?)? {
        1 => {
            let verdict = applied(&text(next()?)?)?;
            for key in parts {
                tracing::error!(partition = %commit.partition, key = text(key)?, "this key was spoiled by somebody: nothing can be written to it");
            }
            Ok(Answer::Settled(verdict))
        }
        0 => {
            let epoch = Epoch(parsed(&text(next()?)?, "an epoch")?);
            let seq = Seq(parsed(&text(next()?)?, "a seq")?);
            Ok(Answer::Settled(Verdict::Fenced { epoch, seq }))
        }
        2 => {
            let places = parts.map(|place| int(&place).map(|place| usize::try_from(place).unwrap_or(0)));
            Ok(Answer::Conflict(places.collect::<Result<_, _>>()?))
        }
        _ => Err(unexpected("a verdict", &shown)),
    }
}
