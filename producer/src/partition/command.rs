//! Everything that can be asked of a partition. A command arrives in an inbox, through the API, or from the loop itself;
//! its file in [`commands`](super::commands) carries it out. What is the same for all is here: how one is read, where it
//! belongs, and what it needs in memory.

use millrace_domain::lock::{Asker, Need};
use millrace_domain::message::{InboxBody, Reply};
use millrace_domain::run::{Event, Trigger};
use millrace_domain::{Code, PartitionId, RunId, SessionId, TaskId, WorkflowId};

use super::answer::refusal;
use super::commands::apply::{self, Apply};
use super::commands::child::{self, Fate, Order, Wish};
use super::commands::event::{self, Applied, Broke};
use super::commands::lock::{self, Wish as LockWish};
use super::commands::replan::{self, Planned};
use super::commands::retry::{self, Retried, Retry};
use super::commands::submit::{self, Created, Submit};
use super::commands::{delete, fire, pause, secret};
use super::fired::Fire;
use super::memory::load::Needs;
use super::turn::Turn;
use crate::link;

/// A command.
pub(crate) enum Command {
    /// A run is wanted.
    Submit(Box<Submit>),
    /// A run is wanted that the store has lost.
    Restore(Box<Submit>),
    /// A run that is a step of another is to start, or to end.
    Child(Box<Order>),
    /// Locks or slots of this partition are asked for, or released.
    Lock(Box<lock::Order>),
    /// A run that has ended is to go on from where it failed.
    Retry(Box<Retry>),
    /// The secret is wanted with which links are signed.
    MakeSecret,
    /// Something happened to a run.
    Event(RunId, Event),
    /// Attempts ended, all of one partition.
    Results(Vec<(RunId, Event)>),
    /// A worker found a task that is held by another session.
    Held(TaskId, SessionId),
    /// A definition is to be stored.
    Apply(Box<Apply>),
    /// The schedules of a workflow are to rest, or to go on.
    Pause(WorkflowId, bool),
    /// A workflow is to be forgotten.
    Delete(WorkflowId),
    /// A schedule is due.
    Fire(Fire),
    /// A part of the partition that a clock planned which was ahead is to be planned anew.
    Replan(PartitionId, Planned),
}

/// The fate of a command.
pub(crate) enum Handled {
    /// The command holds once the commit does; then whoever waits gets this reply.
    Done(Option<Reply>),
    /// The command creates this run. When the store has that already, the reply says so.
    Created(RunId),
    /// The command is a submission that is refused with this reply.
    Refused(Reply, Box<Submit>),
    /// The command is about runs that only a newer version can read, and is kept for that. Holds why.
    Kept(String),
    /// The command must wait for the verdict on the commit that is in the making.
    Later(Command),
    /// The command broke this run.
    Broke(RunId, Command),
}

impl Command {
    /// Reads what an inbox was sent.
    ///
    /// # Errors
    /// A refusal, for whoever waits.
    pub(crate) fn read(body: InboxBody, partitions: u16) -> Result<Self, Reply> {
        Ok(match body {
            InboxBody::Results { results } => {
                Self::Results(results.into_iter().map(|result| (result.run, Event::Result(result))).collect())
            }
            InboxBody::Submit { submission } => {
                Self::Submit(Box::new(Submit::of(*submission, Trigger::Message, partitions)))
            }
            InboxBody::StartChild { start, again } => {
                Self::Child(Box::new(Order::of(*start, Wish::Start { again }, partitions)))
            }
            InboxBody::StopChild { start, reason, hooks } => {
                Self::Child(Box::new(Order::of(*start, Wish::Stop { reason, hooks }, partitions)))
            }
            InboxBody::AskLocks { ask } => match lock::Order::ask(ask, partitions) {
                Some(order) => Self::Lock(Box::new(order)),
                None => return Err(refusal(Code::BadLetter, "expected at least one lock that is wanted")),
            },
            InboxBody::ReleaseLocks { asker, group, used } => {
                Self::Lock(Box::new(lock::Order::of(group, LockWish::Release(asker, used), partitions)))
            }
            InboxBody::RateStarted { task, group } => Self::Lock(Box::new(lock::Order::of(
                group,
                LockWish::Started(Asker::of_task(task, Need::Rate)),
                partitions,
            ))),
            InboxBody::TakeLocks { asker, group, by, why } => {
                let wish = LockWish::Take { asker, by, why };
                Self::Lock(Box::new(lock::Order::of(group, wish, partitions)))
            }
            InboxBody::LocksGranted { task, locks, token } => {
                let TaskId { run, unit, attempt } = task;
                Self::Event(run, Event::Granted { unit, attempt, locks, token })
            }
            InboxBody::LocksRefused { task, reason } => {
                let TaskId { run, unit, attempt } = task;
                Self::Event(run, Event::LockRefused { unit, attempt, reason })
            }
            InboxBody::LocksTaken { task, locks, by, why } => {
                let TaskId { run, unit, attempt } = task;
                Self::Event(run, Event::LockTaken { unit, attempt, locks, by, why })
            }
            InboxBody::SlotGranted { run, slots } => Self::Event(run, Event::SlotGranted { slots }),
            InboxBody::SlotRefused { run, outcome, reason } => {
                Self::Event(run, Event::SlotRefused { outcome, reason })
            }
            InboxBody::Displace { run, slots, reason } => {
                Self::Event(run, Event::Displaced { slots, reason })
            }
            InboxBody::SlotTaken { run, slots, by, why } => {
                Self::Event(run, Event::SlotTaken { slots, by, why })
            }
            InboxBody::ChildEnded { result } => Self::Event(result.run, Event::ChildEnded(*result)),
            InboxBody::Act { run, act } => Self::Event(run, Event::Act(act)),
            InboxBody::MakeLinkSecret => Self::MakeSecret,
            InboxBody::Retry { run, id, by, why } => {
                Self::Retry(Box::new(Retry { run, id, by, why, last: None }))
            }
            InboxBody::RunAct { run, act } => Self::Event(run, Event::RunAct(act)),
            InboxBody::Cancel { run, reason } => Self::Event(run, Event::Cancel { reason }),
            InboxBody::Held { task, session } => Self::Held(task, session),
            InboxBody::Pause { workflow, paused } => Self::Pause(workflow, paused),
            InboxBody::Delete { workflow } => Self::Delete(workflow),
            InboxBody::Apply { source, base_dir } => match Apply::read(source, base_dir) {
                Ok(apply) => Self::Apply(Box::new(apply)),
                Err(problems) => return Err(refusal(Code::InvalidDefinition, problems)),
            },
            // Who sent it, and when, is for people who look at the queue: what it says is applied as it would be without.
            InboxBody::Letter { body, .. } => match *body {
                InboxBody::Letter { .. } => {
                    return Err(refusal(Code::BadLetter, "expected what a letter says, got another letter"));
                }
                InboxBody::Submit { submission } if submission.idempotency_key.is_none() => {
                    return Err(refusal(
                        Code::BadLetter,
                        "expected an idempotency_key: a letter may come twice, and this would start two runs",
                    ));
                }
                body => return Self::read(body, partitions),
            },
            // Only the store can tell what is to become of it.
            InboxBody::Orphan { task, .. } => {
                return Err(refusal(Code::LostRun, format!("run {} is not stored", task.run)));
            }
        })
    }

    /// The partition that it belongs to; `None` for what may go anywhere.
    pub(crate) fn partition(&self, partitions: u16) -> Option<PartitionId> {
        match self {
            Self::Submit(submit) | Self::Restore(submit) => submit.run.map(RunId::partition),
            Self::Child(order) => Some(order.child.partition()),
            Self::Lock(order) => Some(order.home),
            Self::Retry(retry) => Some(retry.run.partition()),
            Self::MakeSecret => Some(link::HOME),
            Self::Event(run, _) => Some(run.partition()),
            Self::Results(results) => results.first().map(|(run, _)| run.partition()),
            Self::Held(task, _) => Some(task.run.partition()),
            Self::Replan(partition, _) => Some(*partition),
            Self::Apply(apply) => Some(PartitionId::home_of(&apply.workflow.id, partitions)),
            Self::Pause(name, _) | Self::Delete(name) | Self::Fire((name, ..)) => {
                Some(PartitionId::home_of(name, partitions))
            }
        }
    }

    /// Another partition than `partition` that it is about as well: such a command was sent to the wrong inbox.
    pub(crate) fn stray(&self, partition: PartitionId, partitions: u16) -> Option<PartitionId> {
        match self {
            Self::Results(results) => {
                results.iter().map(|(run, _)| run.partition()).find(|other| *other != partition)
            }
            other => other.partition(partitions).filter(|other| *other != partition),
        }
    }

    /// Adds what the command needs in memory.
    pub(crate) fn add_needs(&self, partition: PartitionId, needs: &mut Needs) {
        match self {
            Self::Submit(submit) | Self::Restore(submit) => {
                needs.started.extend(submit.submission.workflow.clone());
            }
            Self::Child(order) => {
                needs.started.insert(order.start.workflow.clone());
                needs.runs.extend(order.needs_run().then_some(order.child));
            }
            Self::Lock(order) => drop(needs.locks.insert(order.home)),
            Self::MakeSecret => needs.secret = true,
            Self::Retry(retry) => {
                needs.runs.extend([retry.run].into_iter().chain(retry.last));
                needs.continued.push(retry.run);
            }
            Self::Event(run, _) => needs.runs.push(*run),
            Self::Results(results) => needs.runs.extend(results.iter().map(|(run, _)| *run)),
            Self::Held(..) => {}
            Self::Apply(apply) => needs.at_home.push((partition, apply.workflow.id.clone())),
            Self::Pause(name, _) | Self::Delete(name) | Self::Fire((name, ..)) => {
                needs.at_home.push((partition, name.clone()));
            }
            Self::Replan(_, Planned::Workflows(names)) => {
                needs.at_home.extend(names.iter().map(|name| (partition, name.clone())));
            }
            Self::Replan(_, Planned::Timers(timers)) => {
                needs.runs.extend(timers.iter().filter_map(|(_, timer)| timer.run()));
            }
        }
    }

    /// The events of runs that it brings.
    pub(crate) fn events(&self) -> impl Iterator<Item = (RunId, &Event)> {
        let (one, many) = match self {
            Self::Event(run, event) => (Some((*run, event)), &[][..]),
            Self::Results(results) => (None, &results[..]),
            _ => (None, &[][..]),
        };
        one.into_iter().chain(many.iter().map(|(run, event)| (*run, event)))
    }

    /// Whether the command is an event of one of these runs, or may become one.
    pub(crate) fn is_event_of(&self, is_one: impl Fn(&RunId) -> bool) -> bool {
        match self {
            Self::Event(run, _) => is_one(run),
            Self::Child(order) => is_one(&order.child),
            Self::Results(results) => results.iter().any(|(run, _)| is_one(run)),
            _ => false,
        }
    }

    /// Carries it out, as far as memory and the next commit are concerned.
    pub(crate) fn handle(self, turn: &mut Turn<'_>) -> Handled {
        Handled::Done(match self {
            Self::Submit(submit) => return submitted(turn, submit),
            Self::Restore(submit) => {
                turn.draft.then.doubtful = true;
                return submitted(turn, submit);
            }
            Self::Child(order) => {
                let run = order.child;
                match child::handle(turn, order) {
                    Fate::New => return Handled::Created(run),
                    Fate::Done => Some(Reply::Run { run_id: run, duplicate: true }),
                    Fate::Stop(reason) => return Self::Event(run, Event::Cancel { reason }).handle(turn),
                    Fate::Later(order) => return Handled::Later(Self::Child(order)),
                    Fate::Kept => return kept(turn, run),
                }
            }
            Self::MakeSecret => Some(secret::handle(turn)),
            Self::Retry(retry) => {
                let run = retry.run;
                match retry::handle(turn, retry) {
                    Retried::New(run) => return Handled::Created(run),
                    Retried::Known(run) => Some(Reply::Run { run_id: run, duplicate: true }),
                    Retried::Refused(reply) => Some(reply),
                    Retried::Later(retry) => return Handled::Later(Self::Retry(retry)),
                    Retried::Kept => return kept(turn, run),
                }
            }
            Self::Lock(order) => lock::handle(turn, *order),
            // What happens to a run that this very commit creates must wait for the commit's verdict.
            Self::Event(run, event) if turn.draft.creates(run) => {
                return Handled::Later(Self::Event(run, event));
            }
            Self::Event(run, event) => match event::apply(turn, run, &event) {
                Ok(Applied::Done) => Some(Reply::Run { run_id: run, duplicate: false }),
                Ok(Applied::Refused(reply)) => Some(reply),
                Ok(Applied::Kept) => return kept(turn, run),
                Err(Broke) => return Handled::Broke(run, Self::Event(run, event)),
            },
            Self::Results(results) => {
                let mut foreign = None;
                let broken = results.iter().find(|(run, event)| match event::apply(turn, *run, event) {
                    Ok(Applied::Done | Applied::Refused(_)) => false,
                    Ok(Applied::Kept) => {
                        foreign = Some(*run);
                        false
                    }
                    Err(Broke) => true,
                });
                if let Some(run) = broken.map(|(run, _)| *run) {
                    return Handled::Broke(run, Self::Results(results));
                }
                // Those of other runs are applied, and do no harm when they come again.
                if let Some(run) = foreign {
                    return kept(turn, run);
                }
                None
            }
            Self::Held(task, session) => {
                turn.draft.then.suspects.push((task, session));
                None
            }
            Self::Apply(apply) => Some(apply::handle(turn, *apply)),
            Self::Pause(name, paused) => Some(pause::handle(turn, &name, paused)),
            Self::Delete(name) => Some(delete::handle(turn, &name)),
            Self::Fire(fire) => {
                fire::handle(turn, fire);
                None
            }
            Self::Replan(_, planned) => {
                replan::handle(turn, &planned);
                Some(Reply::Many(Vec::new()))
            }
        })
    }
}

fn submitted(turn: &mut Turn<'_>, submit: Box<Submit>) -> Handled {
    match submit::create(turn, submit) {
        Created::New(run) => Handled::Created(run),
        Created::Known(run) => Handled::Done(Some(Reply::Run { run_id: run, duplicate: true })),
        Created::Refused(reply, submit) => Handled::Refused(reply, submit),
    }
}

/// The fate of a command that is about a run which cannot be read here: it is kept.
fn kept(turn: &Turn<'_>, run: RunId) -> Handled {
    let why = turn.loaded.foreign.get(&run).map_or("it cannot be read here", String::as_str);
    Handled::Kept(format!("run {run}: {why}"))
}

#[cfg(test)]
mod tests {
    use millrace_domain::submission::{IdempotencyKey, Submission};
    use millrace_domain::{Epoch, Seq};

    use super::*;

    fn letter(body: InboxBody) -> Result<Command, Reply> {
        let body = Box::new(body);
        let letter = InboxBody::Letter { from: PartitionId(1), epoch: Epoch(2), seq: Seq(3), n: 0, body };
        Command::read(letter, 8)
    }

    fn submit(key: Option<&str>) -> InboxBody {
        let idempotency_key = key.and_then(|key| IdempotencyKey::given(key.as_bytes()).unwrap());
        let submission = Submission { run: Some("true".into()), idempotency_key, ..Submission::default() };
        InboxBody::Submit { submission: Box::new(submission) }
    }

    #[test]
    fn a_letter_asks_for_what_its_body_would_without_an_envelope() {
        let run = RunId::of_key(&WorkflowId::adhoc(), "key", 8);
        let cancel = InboxBody::Cancel { run, reason: "by hand".into() };
        let read = letter(cancel).ok();
        assert!(
            matches!(read, Some(Command::Event(of, Event::Cancel { reason })) if of == run && reason == "by hand")
        );
        let read = letter(submit(Some("key"))).ok();
        assert!(matches!(read, Some(Command::Submit(submit)) if submit.run == Some(run)));
    }

    #[test]
    fn a_letter_that_could_take_effect_twice_or_holds_another_is_refused() {
        let pause = InboxBody::Pause { workflow: "w".parse().unwrap(), paused: true };
        let within = InboxBody::Letter {
            from: PartitionId(1),
            epoch: Epoch(2),
            seq: Seq(3),
            n: 0,
            body: Box::new(pause),
        };
        for bad in [submit(None), within] {
            let refused = letter(bad).err();
            assert!(
                matches!(&refused, Some(Reply::Error { error }) if error.code == Code::BadLetter),
                "{refused:?}"
            );
        }
    }
}
