//! What callers asked to be published, and the answers they are owed.
//!
//! Messages are written in the order of their batches, and their results come in the order in which they were
//! written, so that a result always belongs to the first batch that still waits for one.

use std::collections::VecDeque;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::{BrokerError, Outgoing};

/// The results of the messages of a batch, in order.
pub(crate) type Answer = Vec<Result<(), BrokerError>>;

/// The answer to a caller: its messages, and the result of each.
pub(crate) type Answered = (Vec<Outgoing>, Answer);

/// A batch: what one caller asked for.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) messages: Vec<Outgoing>,
    /// The instant from which it is too late to write.
    pub(crate) deadline: Instant,
    pub(crate) answer: oneshot::Sender<Answered>,
}

/// The batches in the order in which they came: fully written ones, at most one that is being written, unwritten
/// ones.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    queue: VecDeque<Progress>,
    /// The number of batches at the front that are fully written.
    written: usize,
}

#[derive(Debug)]
struct Progress {
    messages: Vec<Outgoing>,
    /// The number of its messages that were written, or given up.
    begun: usize,
    results: Answer,
    /// The results of what was too late to write: the last ones.
    given_up: Answer,
    deadline: Instant,
    answer: oneshot::Sender<Answered>,
}

impl Batches {
    /// Adds a batch after the others.
    pub(crate) fn push(&mut self, batch: Batch) {
        self.queue.push_back(Progress {
            results: Vec::with_capacity(batch.messages.len()),
            messages: batch.messages,
            begun: 0,
            given_up: Vec::new(),
            deadline: batch.deadline,
            answer: batch.answer,
        });
    }

    /// Whether there are no batches.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The number of batches that are not fully written.
    pub(crate) fn unwritten(&self) -> usize {
        self.queue.len() - self.written
    }

    /// The next message to write.
    pub(crate) fn next(&mut self) -> Option<&Outgoing> {
        let progress = self.queue.get_mut(self.written)?;
        let message = progress.messages.get(progress.begun);
        progress.begun += 1;
        if progress.begun >= progress.messages.len() {
            self.written += 1;
        }
        message
    }

    /// Records the result of the first message that was written and has none.
    pub(crate) fn record(&mut self, result: Result<(), BrokerError>) {
        let Some(progress) = self.queue.front_mut() else { return };
        progress.results.push(result);
        if progress.is_complete()
            && let Some(done) = self.queue.pop_front()
        {
            self.written = self.written.saturating_sub(1);
            done.finish();
        }
    }

    /// The deadline of the first message that is not written.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.queue.get(self.written).map(|progress| progress.deadline)
    }

    /// Gives up what was not written by now, with this error. A batch of which something was written is answered
    /// when that has its results.
    pub(crate) fn expire(&mut self, now: Instant, error: &BrokerError) {
        while self.deadline().is_some_and(|deadline| deadline <= now) {
            self.give_up_next(error);
        }
    }

    /// Gives up whatever is not written.
    pub(crate) fn give_up(&mut self, error: &BrokerError) {
        while self.unwritten() > 0 {
            self.give_up_next(error);
        }
    }

    fn give_up_next(&mut self, error: &BrokerError) {
        if let Some(progress) = self.queue.get_mut(self.written) {
            progress.given_up = vec![Err(error.clone()); progress.messages.len() - progress.begun];
            progress.begun = progress.messages.len();
            self.written += 1;
            if progress.is_complete()
                && let Some(done) = self.queue.remove(self.written - 1)
            {
                self.written -= 1;
                done.finish();
            }
        }
    }
}

impl Progress {
    fn is_complete(&self) -> bool {
        self.results.len() + self.given_up.len() == self.messages.len()
    }

    /// Answers the caller. When that went away, the messages stay published.
    fn finish(mut self) {
        self.results.append(&mut self.given_up);
        let _ = self.answer.send((self.messages, self.results));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Queue, Route};
    use std::time::Duration;

    fn push(batches: &mut Batches, count: usize, deadline: Instant) -> oneshot::Receiver<Answered> {
        let (answer, answered) = oneshot::channel();
        let messages = vec![Outgoing::new(Route::Queue(Queue::Submit), ""); count];
        batches.push(Batch { messages, deadline, answer });
        answered
    }

    #[test]
    fn results_go_to_the_batches_in_the_order_of_writing() {
        let mut batches = Batches::default();
        let (mut first, mut second) =
            (push(&mut batches, 2, Instant::now()), push(&mut batches, 1, Instant::now()));
        assert_eq!(batches.unwritten(), 2);
        assert_eq!(std::iter::from_fn(|| batches.next().map(drop)).count(), 3);
        assert_eq!(batches.unwritten(), 0);
        batches.record(Ok(()));
        assert!(first.try_recv().is_err());
        batches.record(Err(BrokerError::Refused));
        batches.record(Ok(()));
        assert!(matches!(first.try_recv().unwrap().1[..], [Ok(()), Err(BrokerError::Refused)]));
        assert!(matches!(second.try_recv().unwrap().1[..], [Ok(())]));
        assert!(batches.is_empty());
    }

    #[test]
    fn what_is_not_written_in_time_is_given_up_and_what_was_written_keeps_its_result() {
        let now = Instant::now();
        let mut batches = Batches::default();
        let mut written = push(&mut batches, 1, now);
        let mut begun = push(&mut batches, 3, now);
        let mut waiting = push(&mut batches, 1, now);
        let mut later = push(&mut batches, 1, now + Duration::from_secs(1));
        batches.next();
        batches.next();
        batches.expire(now, &BrokerError::Closed);
        assert!(matches!(waiting.try_recv().unwrap().1[..], [Err(BrokerError::Closed)]));
        assert!(batches.next().is_some());
        for _ in 0..3 {
            batches.record(Ok(()));
        }
        assert!(matches!(written.try_recv().unwrap().1[..], [Ok(())]));
        let (messages, begun) = begun.try_recv().unwrap();
        assert_eq!(messages.len(), 3, "a caller gets its messages back");
        assert!(matches!(begun[..], [Ok(()), Err(BrokerError::Closed), Err(BrokerError::Closed)]));
        assert!(matches!(later.try_recv().unwrap().1[..], [Ok(())]));
        assert!(batches.is_empty());
    }
}
