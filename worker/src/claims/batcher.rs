//! Group commit for the worker's round trips: what is asked for while one is under way goes out together with the
//! next. Idle, nothing waits; under load, the cost of a trip is shared.

use std::future::Future;
use std::sync::Arc;

use millrace_runtime::Shutdown;
use tokio::sync::{mpsc, oneshot};

/// How many requests share one trip at most.
const BATCH: usize = 256;

/// The requests of one kind, which go out in batches.
pub(crate) struct Batcher<Q, A> {
    requests: mpsc::UnboundedSender<(Q, oneshot::Sender<A>)>,
}

impl<Q, A> Clone for Batcher<Q, A> {
    fn clone(&self) -> Self {
        Self { requests: self.requests.clone() }
    }
}

impl<Q: Send + 'static, A: Send + 'static> Batcher<Q, A> {
    /// Starts a batcher whose batches are answered by `answer`: an answer for each request in order; fewer answers mean
    /// that the others are given up. How many requests wait is bounded by the worker's slots.
    pub(crate) fn start<F, Fut>(shutdown: &Shutdown, answer: F) -> Self
    where
        F: Fn(Vec<Q>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Vec<A>> + Send + 'static,
    {
        let (requests, mut waiting) = mpsc::unbounded_channel::<(Q, oneshot::Sender<A>)>();
        let answer = Arc::new(answer);
        let trips = async move {
            let mut batch = Vec::with_capacity(BATCH);
            while waiting.recv_many(&mut batch, BATCH).await > 0 {
                let (questions, senders): (Vec<Q>, Vec<_>) = batch.drain(..).unzip();
                for (sender, answer) in senders.into_iter().zip(answer(questions).await) {
                    let _ = sender.send(answer);
                }
            }
        };
        tokio::spawn(shutdown.vital("trips", trips));
        Self { requests }
    }

    /// Asks for the answer to one request. `None` when it was given up.
    pub(crate) async fn ask(&self, request: Q) -> Option<A> {
        let (sender, receiver) = oneshot::channel();
        self.requests.send((request, sender)).ok()?;
        receiver.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn what_is_asked_for_during_a_trip_shares_the_next_one() {
        let trips = Arc::new(Mutex::new(Vec::new()));
        let gate = Arc::new(Semaphore::new(0));
        let (seen, closed) = (Arc::clone(&trips), Arc::clone(&gate));
        let batcher = Batcher::start(&Shutdown::new(), move |requests: Vec<u32>| {
            seen.lock().unwrap().push(requests.len());
            let closed = Arc::clone(&closed);
            async move {
                closed.acquire().await.unwrap().forget();
                requests
            }
        });
        let ask = |request| {
            let batcher = batcher.clone();
            tokio::spawn(async move { batcher.ask(request).await })
        };
        let mut asked = vec![ask(0)];
        while trips.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        asked.extend((1..5).map(ask));
        tokio::task::yield_now().await;
        gate.add_permits(2);
        for (request, answer) in (0..).zip(asked) {
            assert_eq!(answer.await.unwrap(), Some(request));
        }
        assert_eq!(*trips.lock().unwrap(), [1, 4]);
    }
}
