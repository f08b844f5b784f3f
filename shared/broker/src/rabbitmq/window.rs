//! The messages that were written and not confirmed yet, in the order of writing.
//!
//! lapin hands a message that came back (nobody takes it) to whichever confirm it completes next, not to its own.
//! So results are given in order, and only after every later confirm was looked at as well: by the time a message
//! and all before it are confirmed, the confirm that carries its return is complete, since the server returns in
//! order and returns before it confirms.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use lapin::Confirmation;
use tokio::time::Instant;

use super::message;
use crate::BrokerError;

/// A publish in flight. It is polled once at once, which is what writes it.
pub(crate) type Publish = Pin<Box<dyn Future<Output = lapin::Result<Confirmation>> + Send>>;

/// The window: messages in flight. The sequence of the first is `first`.
#[derive(Default)]
pub(crate) struct Window {
    first: u64,
    entries: VecDeque<Entry>,
    /// The number of messages at the front that were answered already, since they were late.
    late: usize,
}

struct Entry {
    state: State,
    /// The routing key with which the message came back.
    returned: Option<String>,
    deadline: Instant,
}

enum State {
    Waiting(Publish),
    Confirmed(bool),
    Lost(String),
    /// The message was never written.
    Invalid(BrokerError),
}

impl Window {
    /// The number of messages in flight.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is in flight.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The sequence of the next message.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Writes a message.
    pub(crate) fn push(&mut self, mut publish: Publish, deadline: Instant) {
        let polled = publish.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let mut entry = Entry { state: State::Waiting(publish), returned: None, deadline };
        if let Poll::Ready(result) = polled {
            let returned = entry.complete(result);
            self.entries.push_back(entry);
            self.mark(returned);
        } else {
            self.entries.push_back(entry);
        }
    }

    /// Takes the place of a message that cannot be written.
    pub(crate) fn push_invalid(&mut self, error: BrokerError, deadline: Instant) {
        self.entries.push_back(Entry { state: State::Invalid(error), returned: None, deadline });
    }

    /// Waits until the first message has a result, and puts the results there are to `results`. An error says that
    /// the channel is lost, and with it all that is still in the window.
    pub(crate) fn poll_results(
        &mut self,
        context: &mut Context<'_>,
        results: &mut Vec<Result<(), BrokerError>>,
    ) -> Poll<Result<(), String>> {
        let mut ready = 0;
        while ready < self.entries.len() && self.poll_at(ready, context) {
            ready += 1;
        }
        if ready == 0 {
            return Poll::Pending;
        }
        let mut passing = Context::from_waker(Waker::noop());
        for at in ready + 1..self.entries.len() {
            self.poll_at(at, &mut passing);
        }
        for _ in 0..ready {
            if let Some(Entry { state: State::Lost(reason), .. }) = self.entries.front() {
                return Poll::Ready(Err(reason.clone()));
            }
            let Some(entry) = self.entries.pop_front() else { break };
            self.first += 1;
            match self.late.checked_sub(1) {
                Some(late) => self.late = late,
                None => results.push(entry.result()),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The deadline of the first message that was not answered.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.entries.get(self.late).map(|entry| entry.deadline)
    }

    /// Counts the messages that became late by now. They are the caller's to answer, and stay in the window until the
    /// broker confirms them.
    pub(crate) fn expire(&mut self, now: Instant) -> usize {
        let became = self.entries.iter().skip(self.late).take_while(|entry| entry.deadline <= now).count();
        self.late += became;
        became
    }

    /// Gives up everything in flight, and says how much of it was not answered.
    pub(crate) fn clear(&mut self) -> usize {
        let unanswered = self.entries.len() - self.late;
        self.first += self.entries.len() as u64;
        self.entries.clear();
        self.late = 0;
        unanswered
    }

    /// Whether the message at this place is complete.
    fn poll_at(&mut self, at: usize, context: &mut Context<'_>) -> bool {
        let Some(entry) = self.entries.get_mut(at) else { return false };
        let State::Waiting(publish) = &mut entry.state else { return true };
        let Poll::Ready(result) = publish.as_mut().poll(context) else { return false };
        let returned = entry.complete(result);
        self.mark(returned);
        true
    }

    fn mark(&mut self, returned: Option<(u64, String)>) {
        if let Some((sequence, routing_key)) = returned
            && let Some(at) = sequence.checked_sub(self.first).and_then(|at| usize::try_from(at).ok())
            && let Some(entry) = self.entries.get_mut(at)
        {
            entry.returned = Some(routing_key);
        }
    }
}

impl Entry {
    /// Takes the outcome of a message; answers the message that it carried back, which may be another, if any.
    fn complete(&mut self, result: lapin::Result<Confirmation>) -> Option<(u64, String)> {
        let (state, carried) = match result {
            Ok(Confirmation::Ack(carried)) => (State::Confirmed(true), carried),
            Ok(Confirmation::Nack(carried)) => (State::Confirmed(false), carried),
            Ok(Confirmation::NotRequested) => (State::Lost("confirms are not on".to_owned()), None),
            Err(error) => (State::Lost(error.to_string()), None),
        };
        self.state = state;
        let carried = carried?;
        Some((message::sequence(&carried.properties)?, carried.routing_key.as_str().to_owned()))
    }

    fn result(self) -> Result<(), BrokerError> {
        match (self.state, self.returned) {
            (State::Invalid(error), _) => Err(error),
            (_, Some(routing_key)) => Err(BrokerError::Unroutable(routing_key)),
            (State::Confirmed(true), None) => Ok(()),
            (State::Confirmed(false) | State::Waiting(_) | State::Lost(_), None) => Err(BrokerError::Refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::batches::Answer;
    use crate::rabbitmq::message::{Exchanges, envelope};
    use crate::{Outgoing, Queue, Route};
    use lapin::message::{BasicReturnMessage, Delivery};
    use tokio::sync::oneshot;

    fn push(window: &mut Window, deadline: Instant) -> oneshot::Sender<lapin::Result<Confirmation>> {
        let (confirm, confirmed) = oneshot::channel();
        window.push(Box::pin(async { confirmed.await.unwrap() }), deadline);
        confirm
    }

    fn results(window: &mut Window) -> Option<(Answer, Result<(), String>)> {
        let mut results = Answer::new();
        match window.poll_results(&mut Context::from_waker(Waker::noop()), &mut results) {
            Poll::Ready(polled) => Some((results, polled)),
            Poll::Pending => None,
        }
    }

    fn came_back(sequence: u64) -> BasicReturnMessage {
        let message = Outgoing::new(Route::Queue(Queue::Submit), "");
        let sent = envelope(&message, &Exchanges::new("mill", false).unwrap(), sequence, 4096).unwrap();
        let mut delivery = Delivery::mock(0, "mill".into(), "submit".into(), false, Vec::new());
        delivery.properties = sent.properties;
        BasicReturnMessage { delivery, reply_code: 312, reply_text: "NO_ROUTE".into() }
    }

    #[test]
    fn a_message_that_came_back_with_a_later_confirm_is_the_unroutable_one() {
        let mut window = Window::default();
        let [first, second, third] = [(); 3].map(|()| push(&mut window, Instant::now()));
        third.send(Ok(Confirmation::Ack(Some(came_back(0))))).unwrap();
        assert!(results(&mut window).is_none());
        first.send(Ok(Confirmation::Ack(None))).unwrap();
        let (answered, _) = results(&mut window).unwrap();
        assert!(matches!(&answered[..], [Err(BrokerError::Unroutable(key))] if key == "submit"));
        second.send(Ok(Confirmation::Nack(None))).unwrap();
        let (answered, _) = results(&mut window).unwrap();
        assert!(matches!(answered[..], [Err(BrokerError::Refused), Ok(())]), "{answered:?}");
        assert!(window.is_empty());
        assert_eq!(window.next_sequence(), 3);
    }

    #[test]
    fn what_was_confirmed_before_the_channel_was_lost_counts() {
        let mut window = Window::default();
        let [first, second, _third] = [(); 3].map(|()| push(&mut window, Instant::now()));
        first.send(Ok(Confirmation::Ack(None))).unwrap();
        second.send(Err(std::io::Error::other("gone").into())).unwrap();
        let (answered, polled) = results(&mut window).unwrap();
        assert!(matches!(answered[..], [Ok(())]) && polled.is_err(), "{answered:?} {polled:?}");
        assert_eq!(window.clear(), 2);
    }

    #[test]
    fn a_late_message_is_answered_once_and_keeps_its_place_until_it_is_confirmed() {
        let now = Instant::now();
        let mut window = Window::default();
        let late = push(&mut window, now);
        let timely = push(&mut window, now + std::time::Duration::from_secs(9));
        assert_eq!((window.expire(now), window.expire(now), window.len()), (1, 0, 2));
        late.send(Ok(Confirmation::Ack(None))).unwrap();
        timely.send(Ok(Confirmation::Ack(None))).unwrap();
        let (answered, _) = results(&mut window).unwrap();
        assert!(matches!(answered[..], [Ok(())]), "{answered:?}");
    }
}
