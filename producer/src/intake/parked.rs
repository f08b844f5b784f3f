//! Messages of an inbox that only a newer version can act on. They wait, whole, in the queue `parked`, out of the way of
//! what comes behind them, until the partition has an owner that can. See
//! `docs/decisions/0018-what-is-not-known-is-left-to-who-knows-it.md`.

use std::sync::Arc;
use std::time::Duration;

use millrace_broker::{Delivery, Outgoing, Properties, Queue, Route};
use millrace_domain::message::Inbox;
use millrace_domain::{PartitionId, ProducerId, Timestamp};

use crate::context::Context;

/// The headers of a parked message: its inbox, who has parked it, when (milliseconds since the epoch), and why.
const FROM: &str = "x-millrace-parked-from";
const BY: &str = "x-millrace-parked-by";
const AT: &str = "x-millrace-parked-at";
const WHY: &str = "x-millrace-parked-why";

/// The greatest length of a reason.
const WHY_BYTES: usize = 500;

/// How often it is tried to park a message, and how long apart.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// How often the queue is looked at, about. A change of what we own is one more reason to look, when it has settled for so
/// long.
const LOOK_EVERY: Duration = Duration::from_secs(60);
const SETTLED: Duration = Duration::from_secs(1);

/// What we have parked ourselves is tried again after so long: somebody else may have owned its partition meanwhile.
const TRY_AGAIN: Duration = Duration::from_secs(600);

/// Messages that are looked at in one pass, at most, and at a time.
const PASS: u64 = 1_000;
const AT_ONCE: u16 = 100;

/// Parks a message of the inbox of a partition, and acks it once it is parked. One that cannot be parked goes back.
pub(crate) fn park(context: &Arc<Context>, partition: PartitionId, delivery: Delivery, why: &str) {
    let message = parked(context, partition, &delivery, why);
    let context = Arc::clone(context);
    // A broker that takes no messages must not hold up what comes behind it.
    tokio::spawn(async move {
        for _ in 0..TRIES {
            if context.broker.publish(vec![message.clone()]).await.into_iter().all(|sent| sent.is_ok()) {
                return delivery.ack();
            }
            tokio::time::sleep(PAUSE).await;
        }
        delivery.requeue();
    });
}

/// The message with which a delivery is parked.
fn parked(context: &Context, partition: PartitionId, delivery: &Delivery, why: &str) -> Outgoing {
    let ours = [
        (FROM, Queue::Inbox(partition.0).routing_key()),
        (BY, context.id.0.simple().to_string()),
        (AT, context.now().as_millis().to_string()),
        (WHY, why[..why.floor_char_boundary(WHY_BYTES)].to_owned()),
    ];
    // First, so that there is room for them.
    let mut headers: Vec<_> = ours.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    headers.extend(own_headers(&delivery.properties));
    let properties = Properties { headers, ..delivery.properties.clone() };
    Outgoing { properties, ..Outgoing::new(Route::Queue(Queue::Parked), delivery.payload.clone()) }
}

/// The headers with which a message was sent at first.
fn own_headers(properties: &Properties) -> impl Iterator<Item = (String, String)> {
    let is_ours = |name: &str| [FROM, BY, AT, WHY].contains(&name);
    properties.headers.iter().filter(move |(name, _)| !is_ours(name)).cloned()
}

/// Takes parked messages back that this producer can act on: when it begins to own partitions, and from time to time.
pub(crate) async fn run(context: Arc<Context>) {
    let mut owned = context.owned.clone();
    loop {
        tokio::select! {
            biased;
            () = context.shutdown.begun() => return,
            changed = owned.changed() => {
                if changed.is_err() {
                    return;
                }
                tokio::select! {
                    biased;
                    () = context.shutdown.begun() => return,
                    () = tokio::time::sleep(SETTLED) => {}
                }
            }
            () = tokio::time::sleep(until_next(&context)) => {}
        }
        if !owned.borrow_and_update().is_empty() {
            tokio::select! {
                biased;
                () = context.shutdown.begun() => return,
                () = pass(&context) => {}
            }
        }
    }
}

/// How long to wait until the next look: half of the time to one and a half of it. Producers that look in step would find
/// the queue in the hands of the same one of them each time.
fn until_next(context: &Context) -> Duration {
    let every = LOOK_EVERY.as_millis();
    let part = context.options.ambient.random_id().as_u128() % every;
    LOOK_EVERY / 2 + Duration::from_millis(u64::try_from(part).unwrap_or(0))
}

/// Goes through the queue once. What we can act on goes back to its inbox, all else to the end of the queue.
async fn pass(context: &Context) {
    let Ok(depth) = context.broker.depth(&Queue::Parked).await else { return };
    // Two at a time would only hide from each other what each could take.
    if depth.ready == 0 || depth.consumers > 0 {
        return;
    }
    let Ok(mut consumer) = context.broker.consume(&Queue::Parked, AT_ONCE).await else { return };
    let mut left = depth.ready.min(PASS);
    while left > 0 {
        let limit = usize::try_from(left).unwrap_or(usize::MAX).min(AT_ONCE.into());
        let received = tokio::time::timeout(PAUSE, consumer.recv_many(limit)).await;
        let Some(batch) = received.ok().filter(|batch| !batch.is_empty()) else { return };
        left = left.saturating_sub(batch.len() as u64);
        let messages = batch.iter().map(|delivery| onward(context, delivery)).collect();
        for (delivery, sent) in batch.into_iter().zip(context.broker.publish(messages).await) {
            match sent {
                Ok(()) => delivery.ack(),
                Err(error) => return tracing::debug!(%error, "what is parked cannot be gone through now"),
            }
        }
    }
}

/// The message with which a parked one goes on its way.
fn onward(context: &Context, delivery: &Delivery) -> Outgoing {
    let inbox = Parked::read(&delivery.properties)
        .filter(|parked| context.owned.borrow().contains(&parked.partition))
        .filter(|parked| parked.by != context.id || context.now().since(parked.at) >= TRY_AGAIN)
        .filter(|_| Inbox::read(&delivery.payload).is_ok());
    let Some(Parked { partition, .. }) = inbox else {
        let message = Outgoing::new(Route::Queue(Queue::Parked), delivery.payload.clone());
        return Outgoing { properties: delivery.properties.clone(), ..message };
    };
    tracing::info!(%partition, "a message that was parked goes back to its inbox");
    let headers = own_headers(&delivery.properties).collect();
    let properties = Properties { headers, ..delivery.properties.clone() };
    let message = Outgoing::new(Route::Queue(Queue::Inbox(partition.0)), delivery.payload.clone());
    Outgoing { properties, ..message }
}

/// What the headers of a parked message say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parked {
    partition: PartitionId,
    by: ProducerId,
    at: Timestamp,
}

impl Parked {
    /// Reads the headers of a message. `None` when it was not parked by a producer.
    fn read(properties: &Properties) -> Option<Self> {
        let header = |name: &str| {
            properties.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
        };
        Some(Self {
            partition: PartitionId(header(FROM)?.strip_prefix("inbox.")?.parse().ok()?),
            by: header(BY)?.parse().ok()?,
            at: Timestamp::from_millis(header(AT)?.parse().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "9de6b497-4996-8dc2-a5cc-615a89fa003f";

    fn with(headers: &[(&str, &str)]) -> Properties {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Properties { headers, ..Properties::default() }
    }

    #[test]
    fn a_parked_message_says_where_it_is_from_and_keeps_its_own_headers() {
        let properties =
            with(&[(FROM, "inbox.7"), (BY, BEFORE), ("note", "kept"), (AT, "1700"), (WHY, "newer")]);
        let expected = Parked {
            partition: PartitionId(7),
            by: BEFORE.parse().unwrap(),
            at: Timestamp::from_millis(1_700),
        };
        assert_eq!(Parked::read(&properties), Some(expected));
        assert_eq!(own_headers(&properties).collect::<Vec<_>>(), [("note".to_owned(), "kept".to_owned())]);
        for missing in [FROM, BY, AT] {
            let mut others = properties.clone();
            others.headers.retain(|(name, _)| name != missing);
            assert_eq!(Parked::read(&others), None, "without {missing}");
        }
        assert_eq!(Parked::read(&with(&[(FROM, "tasks.gpu"), (BY, BEFORE), (AT, "1")])), None);
    }
}
