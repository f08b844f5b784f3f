//! A delivery that holds one task or several: it is settled once, for all of them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use millrace_broker::Delivery;
use millrace_domain::task::Task;
use serde_json::value::{RawValue, to_raw_value};

/// A delivery, shared by its tasks. Dropped with a task undone, it goes back.
#[derive(Debug)]
pub(crate) struct SharedDelivery {
    delivery: Mutex<Option<Delivery>>,
    tasks: Vec<Task>,
    undone: AtomicUsize,
}

impl SharedDelivery {
    /// Shares a delivery between the tasks that were read from it.
    pub(crate) fn new(delivery: Delivery, tasks: Vec<Task>) -> Self {
        let undone = AtomicUsize::new(tasks.len());
        Self { delivery: Mutex::new(Some(delivery)), tasks, undone }
    }

    /// The tasks of the delivery.
    pub(crate) fn tasks(&self) -> &[Task] {
        &self.tasks
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

    /// The text of one of the tasks, word for word as it was delivered, or else as it is known here. `None` when it
    /// cannot be JSON.
    pub(crate) fn text_of(&self, task: &Task) -> Option<Box<RawValue>> {
        let payload = self.delivery.lock().ok()?.as_ref().map(|delivery| delivery.payload.clone());
        let is_it = |text: &RawValue| {
            serde_json::from_str::<Task>(text.get()).is_ok_and(|other| other.id() == task.id())
        };
        let delivered = payload.and_then(|payload| {
            let texts = Task::texts(&payload).ok()?;
            texts.into_iter().find(|(_, text)| is_it(text)).map(|(_, text)| text.to_owned())
        });
        delivered.or_else(|| to_raw_value(task).ok())
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

    const TASK: &str = r#"{"v":1,"run":"0192f3c1-7a7b-7000-8000-0000000e0011","workflow":"adhoc","step":"task",
        "index":0,"attempt":1,"epoch":1,"seq":1,"pool":"default","priority":"P2","uses":"noop","gpus":[0.10,1],
        "scheduled_at":1772407800000,"dispatched_at":1772407800000}"#;

    #[test]
    fn a_task_is_handed_on_word_for_word_with_what_is_not_known_of_it() {
        let second = TASK.replace("\"attempt\":1", "\"attempt\":2");
        for payload in [TASK.to_owned(), format!("[{second}, {TASK}]")] {
            let task = Task::read(TASK.as_bytes()).unwrap().remove(0);
            let (settle, _settled) = mpsc::unbounded_channel();
            let delivery = Delivery::new(payload.into(), Properties::default(), false, 7, settle);
            let shared = SharedDelivery::new(delivery, vec![task.clone()]);
            assert_eq!(shared.text_of(&task).unwrap().get(), TASK);
            shared.done();
            let known = shared.text_of(&task).unwrap();
            assert_eq!(serde_json::from_str::<Task>(known.get()).unwrap(), task);
        }
    }

    fn shared(tasks: usize) -> (SharedDelivery, mpsc::UnboundedReceiver<Settle>) {
        let (settle, settled) = mpsc::unbounded_channel();
        let delivery = Delivery::new(Bytes::new(), Properties::default(), false, 7, settle);
        let task = Task::read(TASK.as_bytes()).unwrap().remove(0);
        (SharedDelivery::new(delivery, vec![task; tasks]), settled)
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
