//! One suite on every broker there is: what [`suite`] says, the broker in memory and a real RabbitMQ both do.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it stands")]

mod suite;

use std::sync::Arc;

use millrace_broker::Broker;
use millrace_broker::memory::MemoryBroker;
use millrace_broker::rabbitmq::{Options, QueueType, RabbitMqBroker};
use uuid::Uuid;

/// Tests share servers and keep apart by prefix.
fn prefix() -> String {
    format!("test-{}", Uuid::new_v4().simple())
}

fn memory() -> Arc<dyn Broker> {
    Arc::new(MemoryBroker::new(prefix()))
}

fn rabbitmq(queue_type: QueueType) -> Arc<dyn Broker> {
    let url = millrace_servers::shared().amqp_url.clone();
    Arc::new(RabbitMqBroker::connect(Options { queue_type, ..Options::new(url, prefix()) }).unwrap())
}

macro_rules! on_broker {
    ($module:ident, $broker:expr, $($behaviour:ident)*) => {
        mod $module {
            use super::*;

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                suite::run($broker, suite::$behaviour).await;
            })*
        }
    };
}

macro_rules! on_every_broker {
    ($($behaviour:ident)*) => {
        on_broker! { memory_broker, memory(), $($behaviour)* }
        on_broker! { rabbitmq_broker, rabbitmq(QueueType::Classic), $($behaviour)* }
        on_broker! { quorum_rabbitmq_broker, rabbitmq(QueueType::Quorum), $($behaviour)* }
    };
}

on_every_broker! {
    a_confirmed_message_arrives
    headers_and_ids_survive
    one_level_is_first_in_first_out
    a_higher_level_goes_first_when_both_wait
    prefetch_bounds_what_is_unsettled
    acked_messages_are_gone
    a_requeued_message_comes_back_flagged
    what_goes_back_comes_again_though_later_ones_are_acked
    a_delivery_dropped_unsettled_comes_back_flagged
    what_was_received_outlives_its_consumer
    what_was_not_received_goes_at_once_to_another_consumer
    a_drain_starts_each_message_once
    closing_does_not_wait_for_what_was_received
    acks_out_of_order_settle_only_what_was_acked
    acks_told_before_the_drop_count
    a_message_for_a_client_that_is_gone_is_unroutable
    a_durable_queue_that_is_not_there_is_made_by_what_is_published_to_it
    only_the_unroutable_of_a_batch_fail
    a_queue_that_was_not_declared_cannot_be_consumed
    control_reaches_every_worker_and_nobody_is_fine
    a_reply_finds_its_way_with_its_correlation_id
    an_exclusive_queue_goes_with_its_consumer
    an_exclusive_queue_stays_for_its_last_consumer
    depth_counts_what_waits_and_who_consumes
    two_consumers_share_a_queue
    ten_thousand_messages_arrive_exactly_once
    everything_fails_after_close
}

// A quorum queue delivers what came back before the rest, but in the order in which it came back.
on_broker! { memory_broker_order, memory(), requeued_messages_keep_their_place }
on_broker! { rabbitmq_broker_order, rabbitmq(QueueType::Classic), requeued_messages_keep_their_place }
