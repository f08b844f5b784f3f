//! The contract of the broker, on the one of the simulation: the suite of RabbitMQ.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it stands")]

#[path = "../../../../shared/broker/tests/conformance/suite/mod.rs"]
mod suite;

use std::sync::Arc;

use millrace_simulation::{Guards, MemoryBroker, Shared};

macro_rules! on_the_broker {
    ($($behaviour:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $behaviour() {
            let broker = Arc::new(MemoryBroker::calm(&Shared::calm(Guards::default())));
            suite::run(broker, suite::$behaviour).await;
        })*
    };
}

on_the_broker! {
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
    requeued_messages_keep_their_place
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
