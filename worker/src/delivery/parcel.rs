//! A delivery that holds one task or several: it is settled once, for all of them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use millrace_broker::Delivery;

/// A delivery, shared by its tasks. Dropped with a task undone, it goes back.
#[derive(Debug)]
pub(crate) struct Parcel {
    delivery: Mutex<Option<Delivery>>,
    undone: AtomicUsize,
}

impl Parcel {
    /// A delivery of so many tasks.
    pub(crate) fn new(delivery: Delivery, tasks: usize) -> Self {
        Self { delivery: Mutex::new(Some(delivery)), undone: AtomicUsize::new(tasks) }
    }

    /// One of its tasks needs no delivery any more. With the last of them it is acked.
    pub(crate) fn done(&self) {
        if self.undone.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(delivery) = self.take()
        {
            delivery.ack();
        }
    }

    /// One of its tasks is for somebody else: it goes back whole and at once. The claims of the others decide
    /// what a second delivery of them means, as ever.
    pub(crate) fn give_back(&self) {
        if let Some(delivery) = self.take() {
            delivery.requeue();
        }
    }

    /// Did it go back already?
    pub(crate) fn is_back(&self) -> bool {
        self.delivery.lock().is_ok_and(|delivery| delivery.is_none())
    }

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

    fn parcel(tasks: usize) -> (Parcel, mpsc::UnboundedReceiver<Settle>) {
        let (settle, settled) = mpsc::unbounded_channel();
        (Parcel::new(Delivery::new(Bytes::new(), Properties::default(), false, 7, settle), tasks), settled)
    }

    #[test]
    fn it_is_acked_with_the_last_of_its_tasks() {
        let (parcel, mut settled) = parcel(2);
        parcel.done();
        assert!(settled.try_recv().is_err());
        parcel.done();
        assert_eq!(settled.try_recv(), Ok(Settle::Ack(7)));
    }

    #[test]
    fn one_task_that_is_for_somebody_else_takes_it_back_once() {
        let (parcel, mut settled) = parcel(3);
        parcel.done();
        parcel.give_back();
        assert_eq!(settled.try_recv(), Ok(Settle::Requeue(7)));
        assert!(parcel.is_back());
        parcel.done();
        parcel.done();
        drop(parcel);
        assert!(settled.try_recv().is_err());
    }

    #[test]
    fn a_task_that_is_never_done_lets_it_go_back() {
        let (parcel, mut settled) = parcel(2);
        parcel.done();
        drop(parcel);
        assert_eq!(settled.try_recv(), Ok(Settle::Requeue(7)));
    }
}
