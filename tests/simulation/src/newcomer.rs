//! A process of a newer version, as far as the fleet notices it: it sends and stores what nobody here knows.

use std::sync::Arc;
use std::time::Duration;

use millrace_broker::{Outgoing, Queue, Route};
use millrace_domain::message::{Inbox, InboxBody};
use millrace_domain::{PartitionId, RunId};
use tokio::time::Instant;
use uuid::Uuid;

use crate::dice::Dice;
use crate::fleet::{Fleet, PARTITIONS};
use crate::world::World;

/// Sends and stores what nobody knows, within `window`.
pub(crate) async fn visit(fleet: Arc<Fleet>, mut dice: Dice, window: Duration) {
    let count = fleet.world.lock().faults.unknown;
    let began = Instant::now();
    for number in 0..count {
        let moment = Duration::from_millis(dice.below(window.as_millis() as u64));
        tokio::time::sleep_until(began + moment).await;
        leave(&mut fleet.world.lock(), &mut dice, number);
    }
}

fn leave(world: &mut World, dice: &mut Dice, number: u64) {
    let partition = PartitionId(dice.below(PARTITIONS.into()) as u16);
    let inbox = Queue::Inbox(partition.0);
    let now = world.now();
    let what = match dice.below(4) {
        0 => {
            let text = format!("lease:{number}");
            world.memory.set_unknown(partition, now + dice.millis(0, 60_000), &text);
            world.left.timers.insert(text.clone());
            text
        }
        1 => {
            // What a producer of an older version did not know, and everybody here knows.
            let run = RunId::new(Uuid::from_u64_pair(dice.roll(), dice.roll()), partition);
            let body = InboxBody::Cancel { run, reason: format!("by a newcomer {number}") };
            let text = serde_json::to_string(&Inbox::new(body)).unwrap_or_default();
            let mut message = Outgoing::new(Route::Queue(Queue::Parked), text.clone());
            message.properties.headers = [
                ("x-millrace-parked-from", inbox.routing_key()),
                ("x-millrace-parked-by", Uuid::from_u128(7).to_string()),
                ("x-millrace-parked-at", now.as_millis().to_string()),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into();
            let _ = world.exchange.publish(&message, 1);
            text
        }
        version => {
            let (v, kind) = if version == 2 { (1, "grant") } else { (2, "cancel") };
            let text = format!(r#"{{"v":{v},"kind":"{kind}","number":{number}}}"#);
            let _ = world.exchange.publish(&Outgoing::new(Route::Queue(inbox), text.clone()), 1);
            world.left.messages.insert(text.clone().into());
            text
        }
    };
    world.note(0, "newcomer", || format!("{partition}: {what}"));
}

impl World {
    /// Finds what a newer version has left behind and would not find again, and what would be left for it though it is
    /// known here.
    pub(crate) fn not_borne(&self) -> Option<String> {
        let parked = self.exchange.parked();
        if let Some(message) = self.left.messages.symmetric_difference(&parked).next() {
            let where_to = if parked.contains(message) { "is" } else { "is not" };
            return Some(format!("{} {where_to} among what waits", String::from_utf8_lossy(message)));
        }
        let timers = self.memory.unknown_timers();
        self.left.timers.difference(&timers).next().map(|timer| format!("the timer {timer} is gone"))
    }
}
