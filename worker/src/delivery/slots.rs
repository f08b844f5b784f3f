//! The slots of a pool: as many tasks run at once. Whoever waits for one gets it by urgency, then in turn.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millrace_domain::Priority;
use tokio::sync::{Notify, oneshot};

/// The slots of one pool.
#[derive(Debug)]
pub(crate) struct Slots {
    state: Mutex<State>,
    freed: Notify,
}

/// How many slots are free, and who waits for one.
#[derive(Debug)]
struct State {
    free: u32,
    /// Those who wait, by the level of their priority, the most urgent last.
    waiting: [VecDeque<oneshot::Sender<Slot>>; 4],
}

/// A slot that is taken. When it is dropped, it goes to the most urgent one that waits.
#[derive(Debug)]
pub(crate) struct Slot(Arc<Slots>);

impl Slots {
    /// Makes `count` slots, all free.
    pub(crate) fn new(count: u32) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State { free: count, waiting: Default::default() }),
            freed: Notify::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many slots are free now.
    pub(crate) fn free(&self) -> u32 {
        self.lock().free
    }

    /// Waits until a slot is free, without taking it.
    pub(crate) async fn any_free(&self) {
        loop {
            let freed = self.freed.notified();
            if self.free() > 0 {
                return;
            }
            freed.await;
        }
    }

    /// Takes a slot when it is this priority's turn. Who gives up waiting leaves nothing behind.
    pub(crate) async fn take(self: &Arc<Self>, priority: Priority) -> Slot {
        let turn = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Slot(Arc::clone(self));
            }
            let (sender, turn) = oneshot::channel();
            state.waiting[usize::from(priority.level())].push_back(sender);
            turn
        };
        match turn.await {
            Ok(slot) => slot,
            // Whoever frees a slot hands it over or drops it, never the sender alone.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let slots = Arc::clone(&self.0);
        let next = {
            let mut state = slots.lock();
            let next = state.waiting.iter_mut().rev().find_map(|waiting| {
                // Those who gave up are passed over.
                std::iter::from_fn(|| waiting.pop_front()).find(|sender| !sender.is_closed())
            });
            if next.is_none() {
                state.free += 1;
            }
            next
        };
        match next {
            // One that gives up at this very moment drops the slot, which comes back here.
            Some(sender) => drop(sender.send(Slot(Arc::clone(&slots)))),
            None => slots.freed.notify_waiters(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn the_most_urgent_one_that_waits_gets_the_next_slot() {
        let slots = Slots::new(1);
        let held = slots.take(Priority::P2).await;
        let mut idle = Box::pin(slots.take(Priority::P3));
        let mut urgent = Box::pin(slots.take(Priority::P0));
        assert!(idle.as_mut().now_or_never().is_none() && urgent.as_mut().now_or_never().is_none());
        drop(held);
        assert!(idle.as_mut().now_or_never().is_none(), "it is not its turn");
        drop(urgent.as_mut().now_or_never().expect("it is its turn"));
        drop(idle.as_mut().now_or_never().expect("nobody else waits"));
        assert_eq!(slots.free(), 1);
    }

    #[tokio::test]
    async fn who_gives_up_waiting_takes_no_slot_along() {
        let slots = Slots::new(1);
        let held = slots.take(Priority::P2).await;
        let mut before = Box::pin(slots.take(Priority::P2));
        let mut at_once = Box::pin(slots.take(Priority::P2));
        assert!(before.as_mut().now_or_never().is_none() && at_once.as_mut().now_or_never().is_none());
        drop(before);
        drop(held);
        // The slot was handed over, but nobody has looked yet.
        drop(at_once);
        assert_eq!(slots.free(), 1);
    }
}
