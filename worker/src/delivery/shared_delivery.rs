//! A delivery that holds one task or several: it is settled once, for all of them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use millrace_broker::Delivery;

/// A delivery, shared by its tasks. Dropped with a task undone, it goes back.
#[derive(Debug)]
pub(crate) struct SharedDelivery {
    delivery: Mutex<Option<Delivery>>,
    undone: AtomicUsize,
}

impl SharedDelivery {
    /// Shares a delivery between so many tasks.
    pub(crate) fn new(delivery: Delivery, tasks: usize) -> Self {
        Self { delivery: Mutex::new(Some(delivery)), undone: AtomicUsize::new(tasks) }
    }

    /// Marks one of the tasks as done: it needs no delivery any more. With the last of them the delivery is acked.
    pub(crate) fn done(&self) {
        if self.undone.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(delivery) = self.take()
        {
            delivery.ack();
        }
    }

    /// Gives the delivery back, whole and at once, since one of its tasks is for somebody else. The claims of the
    /// others decide what a second delivery of them means, as ever.
    pub(crate) fn give_back(&self) {
        if let Some(delivery) = self.take() {
            delivery.requeue();
        }
    }

    /// Whether the delivery was given back, or acked, already.
    pub(crate) fn is_settled(&self) -> bool {
        self.delivery.lock().is_ok_and(|delivery| delivery.is_none())
    }

    /// Takes the delivery, for the one who settles it.
    fn take(&self) -> Option<Delivery> {
        self.delivery.lock().ok().and_then(|mut delivery| delivery.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use millrace_broker::{Properties, Settle};
    use tokio::sync::mpsc;

    fn shared(tasks: usize) -> (SharedDelivery, mpsc::UnboundedReceiver<Settle>) {
        let (settle, settled) = mpsc::unbounded_channel();
        (
            SharedDelivery::new(Delivery::new(Bytes::new(), Properties::default(), false, 7, settle), tasks),
            settled,
        )
    }

    #[test]
    fn it_is_acked_with_the_last_of_its_tasks() {
        let (delivery, mut settled) = shared(2);
        delivery.done();
        assert!(settled.try_recv().is_err());
        delivery.done();
        assert_eq!(settled.try_recv(), Ok(Settle::Ack(7)));
    }

    #[test]
    fn one_task_that_is_for_somebody_else_takes_it_back_once() {
        let (delivery, mut settled) = shared(3);
        delivery.done();
        delivery.give_back();
        assert_eq!(settled.try_recv(), Ok(Settle::Requeue(7)));
        assert!(delivery.is_settled());
        delivery.done();
        delivery.done();
        drop(delivery);
        assert!(settled.try_recv().is_err());
    }

    #[test]
    fn a_task_that_is_never_done_lets_it_go_back() {
        let (delivery, mut settled) = shared(2);
        delivery.done();
        drop(delivery);
        assert_eq!(settled.try_recv(), Ok(Settle::Requeue(7)));
    }
}
