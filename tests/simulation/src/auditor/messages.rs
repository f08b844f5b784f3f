//! What may be acked: only what is stored.

use millrace_broker::Queue;
use millrace_domain::TaskId;
use millrace_domain::message::{Inbox, InboxBody, MessageError};
use millrace_domain::submission::{IdempotencyKey, Submission};
use millrace_domain::task::Task;

use super::Auditor;
use crate::broker::{Exchange, Message};
use crate::letters::run_of;
use crate::store::Memory;

impl Auditor {
    /// Notes that a process knows that an attempt is not, or no longer, its own to execute.
    pub(crate) fn may_ack(&mut self, process: u16, task: TaskId) {
        *self.may_ack.entry((process, task)).or_default() += 1;
    }

    /// Notes that a message was acked, and holds that against what is stored.
    pub(crate) fn acked(
        &mut self,
        memory: &Memory,
        exchange: &Exchange,
        process: u16,
        queue: &Queue,
        message: &Message,
    ) {
        match queue {
            Queue::Tasks(_) | Queue::Band(..) => self.acked_task(process, message),
            Queue::Inbox(_) => self.acked_inbox(memory, exchange, message),
            Queue::Submit => self.acked_submission(memory, exchange, message),
            Queue::Parked => self.acked_unknown(exchange, message),
            Queue::Rejected | Queue::Control(_) | Queue::Replies(_) => {}
        }
    }

    fn acked_task(&mut self, process: u16, message: &Message) {
        // One task, or a bundle: each of them is settled with the message.
        for task in Task::read(&message.payload).into_iter().flatten().map(|task| task.id()) {
            match self.may_ack.get_mut(&(process, task)) {
                Some(left) if *left > 0 => *left -= 1,
                _ => self.object(8, || format!("{task} was acked with no outcome stored")),
            }
        }
    }

    /// A message that only a newer version can act on is nowhere else than among those.
    fn acked_unknown(&mut self, exchange: &Exchange, message: &Message) {
        let is_unknown = matches!(Inbox::read(&message.payload), Err(MessageError::Unknown { .. }));
        if is_unknown && !exchange.parked().contains(&message.payload) {
            let text = String::from_utf8_lossy(&message.payload).into_owned();
            self.object(11, || format!("{text} was acked, which nobody here knows"));
        }
    }

    fn acked_inbox(&mut self, memory: &Memory, exchange: &Exchange, message: &Message) {
        let Ok(inbox) = Inbox::read(&message.payload) else { return self.acked_unknown(exchange, message) };
        match inbox.body {
            InboxBody::Results { results } => {
                for result in results {
                    let task = result.id();
                    if memory.task(task).is_some() {
                        self.object(8, || format!("the result of {task} was acked and not applied"));
                    }
                }
            }
            InboxBody::Submit { submission } => self.acked_run(memory, &submission, "forwarded"),
            InboxBody::Letter { body, .. } => {
                if let InboxBody::Submit { submission } = *body {
                    self.acked_run(memory, &submission, "told to start");
                }
            }
            _ => {}
        }
    }

    fn acked_submission(&mut self, memory: &Memory, exchange: &Exchange, message: &Message) {
        let Ok(mut parsed) = Submission::parse(&message.payload) else { return };
        let Some(Ok(mut submission)) = parsed.pop() else { return };
        if submission.idempotency_key.is_none() {
            let id = message.properties.message_id.as_deref().unwrap_or_default();
            submission.idempotency_key = IdempotencyKey::given(id.as_bytes()).ok().flatten();
        }
        if exchange.rejected() == 0 {
            self.acked_run(memory, &submission, "submitted");
        }
    }

    fn acked_run(&mut self, memory: &Memory, submission: &Submission, how: &str) {
        let Some(run) = memory.founded().and_then(|partitions| run_of(submission, partitions)) else {
            return;
        };
        if !self.runs.contains_key(&run) {
            self.object(8, || format!("a message that {how} run {run} was acked, and the run is not stored"));
        }
    }
}
