//! A batch: all commands that came since the last one, one commit a partition, then what the commits allow.

use millrace_domain::message::Reply;
use millrace_domain::{PartitionId, RunId, Timestamp};

use super::actor::{Actor, STORE_PAUSE};
use super::answer::newer_version;
use super::broken::Broken;
use super::command::Handled;
use super::draft::{Draft, Settlement};
use super::mailbox::Work;
use super::memory::load::{Loaded, Needs};
use super::memory::owned::Drafts;
use super::turn::Turn;
use crate::failpoint;

impl Actor {
    /// Works a batch: everything that came, one commit a partition, then what the commits allow.
    pub(super) async fn batch(&mut self, work: Vec<Work>) {
        if work.is_empty() {
            return;
        }
        failpoint::pass("drained");
        metrics::histogram!("millrace_commit_batch_size").record(work.len() as f64);
        let anywhere = self.partitions.next_in_turn();
        let mut placed = Vec::with_capacity(work.len());
        for one in work {
            match one.command.partition(self.context.partitions).or(anywhere) {
                Some(partition) if self.partitions.has(partition) => placed.push((partition, one)),
                _ => one.hand_back(),
            }
        }
        let (suspect, placed) = match self.failures.is_empty() {
            true => (Vec::new(), placed),
            false => placed.into_iter().partition(|(_, work)| self.is_suspect(work)),
        };
        self.together(placed).await;
        for one in suspect {
            self.together(vec![one]).await;
        }
    }

    /// Works what shares its commits.
    async fn together(&mut self, placed: Vec<(PartitionId, Work)>) {
        // Without the store nothing can be done, and timers that were taken out must not be forgotten: wait for it.
        let loaded = loop {
            let mut needs = Needs::default();
            placed.iter().for_each(|(partition, work)| work.command.add_needs(*partition, &mut needs));
            match self.memory.load(&self.context, needs).await {
                Some(loaded) => break loaded,
                None if self.context.shutdown.has_begun() => {
                    return placed.into_iter().for_each(|(_, one)| one.hand_back());
                }
                None => tokio::time::sleep(STORE_PAUSE).await,
            }
        };
        let lent = self.lend(&placed).await;
        let now = self.context.published.begin_commits(|| self.context.now());
        self.commit_together(placed, &loaded, now).await;
        self.memory.take_back(lent);
        self.context.published.end_commits();
    }

    /// Lends runs what the events of a batch need of outputs that are not in memory.
    async fn lend(&mut self, placed: &[(PartitionId, Work)]) -> Vec<RunId> {
        if !self.memory.runs.may_lend() {
            return Vec::new();
        }
        loop {
            let events = placed.iter().flat_map(|(_, work)| work.command.events());
            match self.memory.lend(&self.context, events).await {
                Some(lent) => return lent,
                // What is not lent is asked for again, by a timer.
                None if self.context.shutdown.has_begun() => return Vec::new(),
                None => tokio::time::sleep(STORE_PAUSE).await,
            }
        }
    }

    /// Carries commands out, and commits what they change: in one go, unless that would be too much for one.
    async fn commit_together(&mut self, placed: Vec<(PartitionId, Work)>, loaded: &Loaded, now: Timestamp) {
        let mut drafts = Drafts::new();
        let is_alone = placed.len() == 1;
        for (partition, one) in placed {
            match self.work(partition, one, loaded, &mut drafts, now) {
                Ok(()) => {
                    if drafts.get(&partition).is_some_and(Draft::is_heavy) {
                        self.settle(std::mem::take(&mut drafts), now).await;
                    }
                }
                Err(broken) if is_alone => return self.broke_alone(*broken, &drafts),
                Err(broken) => self.broke_among_others(partition, *broken, &mut drafts),
            }
        }
        self.settle(drafts, now).await;
    }

    /// Carries out one command. An error when it broke a run.
    fn work(
        &mut self,
        partition: PartitionId,
        work: Work,
        loaded: &Loaded,
        drafts: &mut Drafts,
        now: Timestamp,
    ) -> Result<(), Box<Broken>> {
        // A partition may have gone while others of the batch were worked.
        let Some(draft) = self.partitions.draft(drafts, partition) else {
            work.hand_back();
            return Ok(());
        };
        let Work { command, delivery, answer } = work;
        let mut turn = Turn {
            context: &self.context,
            memory: &mut self.memory,
            dispatcher: &mut self.dispatcher,
            partition,
            draft,
            loaded,
            now,
        };
        let handled = command.handle(&mut turn);
        let mut done =
            Settlement { delivery, answer, reply: None, rejected: None, parked: None, created: None };
        match handled {
            Handled::Done(reply) => done.reply = reply,
            Handled::Created(run_id) => {
                done.created = Some(run_id);
                done.reply = Some(Reply::Run { run_id, duplicate: false });
            }
            Handled::Refused(reply, submit) => {
                done.rejected = submit.rejected(done.delivery.as_ref());
                done.reply = Some(reply);
            }
            Handled::Kept(why) => {
                done.reply = done.delivery.is_none().then(|| newer_version(&why));
                done.parked = Some((partition, why));
            }
            Handled::Later(command) => {
                let Settlement { delivery, answer, .. } = done;
                self.deferred.push_back(Work { command, delivery, answer });
                return Ok(());
            }
            Handled::Broke(run, command) => {
                let Settlement { delivery, answer, .. } = done;
                return Err(Box::new(Broken { run, work: Work { command, delivery, answer } }));
            }
        }
        draft.then.done.push(done);
        Ok(())
    }
}
