//! The one way in which a process consumes a queue: declare it, consume it, and begin again when that ends.

use std::sync::Arc;
use std::time::Duration;

use millrace_broker::{Broker, BrokerError, Consumer, Queue};

use crate::{Attendance, Post, Shutdown};

/// The pause after a try that failed.
const PAUSE: Duration = Duration::from_millis(300);

/// A subscription to a queue, through all losses of the connection. Whoever has it is expected to consume: it shows in the
/// process's [`Attendance`].
pub struct Subscription {
    broker: Arc<dyn Broker>,
    queue: Queue,
    /// What is declared with it.
    beside: Vec<Queue>,
    post: Post,
    over: Shutdown,
}

impl Subscription {
    /// A subscription that lasts until `over` begins. Nothing is consumed yet.
    pub fn new(broker: &Arc<dyn Broker>, queue: Queue, attendance: &Attendance, over: Shutdown) -> Self {
        let post = attendance.post(match &queue {
            // There is one of each in a process, and its id says nothing to anybody.
            Queue::Control(_) => "control".to_owned(),
            Queue::Replies(_) => "replies".to_owned(),
            queue => queue.routing_key(),
        });
        Self { broker: Arc::clone(broker), queue, beside: Vec::new(), post, over }
    }

    /// Has another queue declared whenever this one is.
    #[must_use]
    pub fn declaring(mut self, queue: Queue) -> Self {
        self.beside.push(queue);
        self
    }

    /// Declares the queue and begins to consume it, with at most `prefetch` deliveries that are not settled. `None` when it
    /// is over, or when that failed, which `tell` is told, and a pause has passed: then it is to be tried again.
    pub async fn begin(&self, prefetch: u16, tell: impl FnOnce(&BrokerError)) -> Option<Consumer> {
        self.post.wanted();
        let beginning = async {
            for queue in [&self.queue].into_iter().chain(&self.beside) {
                self.broker.declare(queue).await?;
            }
            self.broker.consume(&self.queue, prefetch).await
        };
        let begun = tokio::select! {
            biased;
            () = self.over.begun() => return None,
            begun = beginning => begun,
        };
        match begun {
            Ok(consumer) => {
                self.post.began();
                Some(consumer)
            }
            Err(error) => {
                tell(&error);
                tokio::select! {
                    biased;
                    () = self.over.begun() => {}
                    () = tokio::time::sleep(PAUSE) => {}
                }
                None
            }
        }
    }

    /// Whether nothing is to be consumed any more.
    pub fn is_over(&self) -> bool {
        self.over.has_begun()
    }

    /// Notes that the consumer ended, and not because it should.
    pub fn ended(&self) {
        self.post.ended();
    }

    /// Notes that nothing need be consumed for now.
    pub fn rests(&self) {
        self.post.rests();
    }
}

#[cfg(test)]
mod tests {
    use millrace_broker::memory::MemoryBroker;
    use millrace_broker::{Outgoing, Route};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_queue_is_declared_and_consumed_until_it_is_over_and_its_absence_is_told() {
        let broker: Arc<dyn Broker> = Arc::new(MemoryBroker::new("mill"));
        let (attendance, over) = (Attendance::default(), Shutdown::new());
        let inbox =
            Subscription::new(&broker, Queue::Inbox(3), &attendance, over.clone()).declaring(Queue::Rejected);
        let mut consumer = inbox.begin(10, |error| panic!("{error}")).await.unwrap();
        for queue in [Queue::Inbox(3), Queue::Rejected] {
            let sent = broker.publish(vec![Outgoing::new(Route::Queue(queue), "{}")]).await;
            assert!(sent.iter().all(Result::is_ok), "{sent:?}");
        }
        consumer.recv().await.unwrap().ack();
        inbox.ended();
        tokio::time::advance(Duration::from_secs(20)).await;
        let complaint = attendance.complaint().unwrap();
        assert!(complaint.contains("inbox.3"), "{complaint}");
        over.begin();
        assert!(inbox.is_over() && inbox.begin(10, |error| panic!("{error}")).await.is_none());
        drop(inbox);
        assert_eq!(attendance.complaint(), None);
    }
}
