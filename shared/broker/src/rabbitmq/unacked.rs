//! Which deliveries of one channel are unsettled, and the fewest acks that say what was settled.
//!
//! AMQP can ack every delivery up to a tag at once. That must never pass over one that is still being worked on, so
//! only the longest finished beginning is acked so; what was finished out of order is acked one by one.

use std::collections::VecDeque;

use crate::Settle;

/// The unsettled deliveries of a channel, from the first on. Tags count up from 1 without gaps.
#[derive(Debug)]
pub(crate) struct Unacked {
    first: u64,
    tags: VecDeque<Tag>,
    /// The tags that were acked since the last flush.
    acked: Vec<u64>,
    requeued: Vec<u64>,
    outstanding: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    /// The delivery is with the consumer.
    Out,
    /// The delivery was acked by the consumer; the server was not told yet.
    Acked,
    /// The server was told of the settlement.
    Settled,
}

/// The acks to send to the server, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Acks {
    /// The tags that go back to the queue, each: before the multiple ack, which would cover those below it, and lose
    /// them.
    pub(crate) requeue: Vec<u64>,
    /// The tag up to which everything is acked.
    pub(crate) up_to: Option<u64>,
    /// The tags that are acked one by one.
    pub(crate) single: Vec<u64>,
}

impl Unacked {
    /// The record of a channel on which nothing was delivered yet.
    pub(crate) fn new() -> Self {
        Self { first: 1, tags: VecDeque::new(), acked: Vec::new(), requeued: Vec::new(), outstanding: 0 }
    }

    /// Notes that a delivery went to the consumer.
    pub(crate) fn delivered(&mut self, tag: u64) {
        let next = self.first + self.tags.len() as u64;
        debug_assert_eq!(tag, next, "the server counts deliveries without gaps");
        for _ in next..tag {
            self.tags.push_back(Tag::Settled);
        }
        if tag >= next {
            self.tags.push_back(Tag::Out);
            self.outstanding += 1;
        }
    }

    /// Notes that the consumer settled a delivery. One that is not out is passed over.
    pub(crate) fn settle(&mut self, told: Settle) {
        let (tag, after) = match told {
            Settle::Ack(tag) => (tag, Tag::Acked),
            Settle::Requeue(tag) => (tag, Tag::Settled),
        };
        let Some(state) = Self::state(&mut self.tags, self.first, tag) else { return };
        if *state != Tag::Out {
            return;
        }
        *state = after;
        self.outstanding -= 1;
        match told {
            Settle::Ack(tag) => self.acked.push(tag),
            Settle::Requeue(tag) => self.requeued.push(tag),
        }
    }

    /// The acks to send now. They count as sent.
    pub(crate) fn flush(&mut self) -> Acks {
        let finished = self.tags.iter().take_while(|state| **state != Tag::Out).count();
        // The tag must be one that the server still waits for, which the requeued ones are not.
        let up_to =
            (0..finished).rev().find(|&at| self.tags[at] == Tag::Acked).map(|at| self.first + at as u64);
        self.tags.drain(..finished);
        self.first += finished as u64;
        let mut single = std::mem::take(&mut self.acked);
        single.retain(|&tag| {
            let state = Self::state(&mut self.tags, self.first, tag);
            state.map(|state| *state = Tag::Settled).is_some()
        });
        Acks { requeue: std::mem::take(&mut self.requeued), up_to, single }
    }

    /// Whether nothing is with the consumer.
    pub(crate) fn is_idle(&self) -> bool {
        self.outstanding == 0
    }

    fn state(tags: &mut VecDeque<Tag>, first: u64, tag: u64) -> Option<&mut Tag> {
        tags.get_mut(usize::try_from(tag.checked_sub(first)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unacked(delivered: u64) -> Unacked {
        let mut unacked = Unacked::new();
        (1..=delivered).for_each(|tag| unacked.delivered(tag));
        unacked
    }

    #[test]
    fn a_finished_beginning_is_one_ack() {
        let mut unacked = unacked(5);
        [2, 1, 3].into_iter().for_each(|tag| unacked.settle(Settle::Ack(tag)));
        assert_eq!(unacked.flush(), Acks { up_to: Some(3), ..Acks::default() });
        assert_eq!(unacked.flush(), Acks::default());
        [4, 5].into_iter().for_each(|tag| unacked.settle(Settle::Ack(tag)));
        assert_eq!(unacked.flush(), Acks { up_to: Some(5), ..Acks::default() });
        assert!(unacked.is_idle());
    }

    #[test]
    fn out_of_order_is_acked_one_by_one_and_only_once() {
        let mut unacked = unacked(5);
        [2, 4].into_iter().for_each(|tag| unacked.settle(Settle::Ack(tag)));
        assert_eq!(unacked.flush(), Acks { single: vec![2, 4], ..Acks::default() });
        unacked.settle(Settle::Ack(1));
        assert_eq!(unacked.flush(), Acks { up_to: Some(1), ..Acks::default() });
        unacked.settle(Settle::Ack(3));
        assert_eq!(unacked.flush(), Acks { up_to: Some(3), ..Acks::default() });
        assert!(!unacked.is_idle());
    }

    #[test]
    fn a_multiple_ack_never_names_a_requeued_tag() {
        let mut unacked = unacked(3);
        unacked.settle(Settle::Ack(1));
        unacked.settle(Settle::Requeue(2));
        assert_eq!(unacked.flush(), Acks { up_to: Some(1), requeue: vec![2], ..Acks::default() });
        unacked.settle(Settle::Requeue(3));
        assert_eq!(unacked.flush(), Acks { requeue: vec![3], ..Acks::default() });
    }

    #[test]
    fn settling_twice_or_what_was_never_delivered_changes_nothing() {
        let mut unacked = unacked(2);
        unacked.settle(Settle::Ack(2));
        unacked.settle(Settle::Requeue(2));
        unacked.settle(Settle::Ack(9));
        unacked.settle(Settle::Ack(0));
        assert_eq!(unacked.flush(), Acks { single: vec![2], ..Acks::default() });
        assert!(!unacked.is_idle());
    }

    /// A server that checks every rule: acks name waiting tags only, and cover finished ones only.
    #[test]
    fn in_any_order_every_ack_is_told_once_and_nothing_else_is() {
        let mut random = 7_u64;
        let mut next = move |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % below
        };
        for _ in 0..500 {
            let mut unacked = Unacked::new();
            let (mut out, mut waiting, mut delivered) = (Vec::new(), Vec::new(), 0);
            for _ in 0..100 {
                match next(3) {
                    0 => {
                        delivered += 1;
                        unacked.delivered(delivered);
                        out.push(delivered);
                        waiting.push(delivered);
                    }
                    1 if !out.is_empty() => {
                        let at = usize::try_from(next(out.len() as u64)).unwrap();
                        let tag = out.swap_remove(at);
                        unacked.settle(if next(5) == 0 { Settle::Requeue(tag) } else { Settle::Ack(tag) });
                    }
                    _ => {
                        let acks = unacked.flush();
                        for tag in acks.requeue {
                            let at = waiting.iter().position(|other| *other == tag).unwrap();
                            waiting.remove(at);
                        }
                        if let Some(up_to) = acks.up_to {
                            assert!(waiting.contains(&up_to));
                            waiting.retain(|tag| *tag > up_to);
                        }
                        for tag in acks.single {
                            let at = waiting.iter().position(|other| *other == tag).unwrap();
                            waiting.remove(at);
                        }
                        out.iter().for_each(|tag| assert!(waiting.contains(tag)));
                        assert_eq!(waiting.len(), out.len());
                    }
                }
            }
        }
    }
}
