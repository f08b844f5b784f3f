//! What is seen of the slot of a random run: whoever grants it does so late, twice, or not for long, refuses it, or lets
//! another run take its place, and somebody takes it away.

use std::time::Duration;

use millrace_domain::Outcome;
use millrace_domain::lock::{Ask, AtLimit, Holder, LockName, OnFull};
use millrace_domain::run::{Event, RunState, RunTimer, StepState};
use proptest::prelude::*;

use crate::random_cases::Case;
use crate::random_children::parent;
use crate::random_driver::Driver;
use crate::reference::End;
use crate::reference_slots::{Concurrency, Key, Stand, Turn};

pub(crate) fn concurrency() -> impl Strategy<Value = Concurrency> {
    let key = prop_oneof![
        6 => Just(Key::None),
        4 => Just(Key::Text),
        2 => Just(Key::Number),
        1 => Just(Key::Empty),
        1 => Just(Key::Unclear),
        1 => Just(Key::TooLong),
        1 => Just(Key::Lines),
    ];
    let full = proptest::sample::select(vec![OnFull::Reject, OnFull::DropOldest, OnFull::Merge]);
    let queue = |(most, on_full)| AtLimit::Queue { max_queued: Some(most), on_full };
    let at_limit = prop_oneof![
        3 => Just(AtLimit::default()),
        2 => (1u32..9, full).prop_map(queue),
        1 => Just(AtLimit::Skip),
        1 => Just(AtLimit::Fail),
        1 => Just(AtLimit::Replace),
    ];
    (1u32..5, key, at_limit).prop_map(|(limit, key, at_limit)| Concurrency { limit, key, at_limit })
}

/// What a run is told of its slot.
#[derive(Debug, Clone, Copy)]
enum Letter {
    Granted,
    Refused,
    Displaced,
    Taken,
}

/// What is known of the slot of a run.
pub(crate) struct Queued {
    pub(crate) turn: Turn,
    /// How much of what happened is looked at.
    looked_at: usize,
    asked: usize,
}

impl Queued {
    pub(crate) fn of(case: &Case) -> Self {
        let turn = Turn::new(case.workflow.concurrency, case.start_after.is_some_and(|seconds| seconds > 0));
        Self { turn, looked_at: 0, asked: 0 }
    }
}

fn reason() -> String {
    "run 7 is under way".to_owned()
}

impl Driver<'_> {
    fn stands(&self) -> Stand {
        self.queued.turn.stands
    }

    pub(crate) fn waits_for_slot(&self) -> bool {
        self.stands() == Stand::Waits
    }

    /// The slots of the workflow; any others, where it has none.
    fn slots(&self) -> LockName {
        let name = self.case.workflow.concurrency.and_then(|concurrency| concurrency.key.slots());
        name.unwrap_or_else(|| "@w".parse().unwrap())
    }

    /// Says something of the slot that the run waits for, now and then: mostly that it is granted. `false` when it does not.
    pub(crate) fn answers_ask_instead(&mut self, pick: u16) -> bool {
        let answers = self.waits_for_slot() && pick.is_multiple_of(3);
        if answers {
            let what = [0, 4, 0, 7, 0, 5, 0, 4, 0, 0];
            self.slot(pick / 3 / 10, what[usize::from(pick / 3) % what.len()]);
        }
        answers
    }

    /// Whoever keeps the slots says something, or somebody else takes away the one that the run has.
    pub(crate) fn slot(&mut self, pick: u16, what: u8) {
        let (slots, head) = (self.slots(), &self.fleet.run.head);
        let is_over = head.stopping.is_some() || head.hooks_since.is_some();
        let is_stopped = head.stopping.is_some();
        let outcomes = [Outcome::Skipped, Outcome::Failed, Outcome::Cancelled];
        let outcome = outcomes[usize::from(pick) % outcomes.len()];
        let letter = match what {
            0..4 => Letter::Granted,
            4 => Letter::Refused,
            5 | 6 => Letter::Displaced,
            _ => Letter::Taken,
        };
        let event = match letter {
            Letter::Granted => Event::SlotGranted { slots },
            Letter::Refused => Event::SlotRefused { outcome, reason: reason() },
            Letter::Displaced => Event::Displaced { slots, reason: reason() },
            Letter::Taken => Event::SlotTaken { slots, by: "ann".to_owned(), why: None },
        };
        let stands = self.stands();
        self.saw.push(match (stands, letter) {
            (Stand::Waits, Letter::Granted) => "a run got its slot",
            (Stand::Waits, Letter::Refused) if outcome == Outcome::Skipped => {
                "a run was skipped for want of a slot"
            }
            (Stand::Waits, Letter::Refused) if outcome == Outcome::Failed => {
                "a run failed for want of a slot"
            }
            (Stand::Waits, Letter::Refused) => "a run was cancelled for want of a slot",
            (Stand::Waits, Letter::Displaced) => "a run was replaced before its grant came",
            (Stand::Waits, Letter::Taken) => "a run that waits for its slot asked anew",
            (Stand::Has, Letter::Granted) => "a slot was granted twice",
            (Stand::Has, Letter::Refused) => "a run was refused a slot that it has",
            (Stand::Has, Letter::Displaced) if is_stopped => "a run was replaced that is stopped",
            (Stand::Has, Letter::Displaced) if is_over => "a run was replaced whose hooks run",
            (Stand::Has, Letter::Displaced) => "a run was replaced",
            (Stand::Has, Letter::Taken) => "the slot of a run was taken away",
            (Stand::Later, _) => "a run was told of a slot before its start",
            (Stand::Without, _) if !self.fleet.slots.asks.is_empty() => {
                "a run without its slot was told of one"
            }
            (Stand::Without | Stand::Never, _) => "a run that wants no slot was told of one",
        });
        match (stands, letter) {
            (Stand::Waits, Letter::Refused) => self.note_never_started(outcome),
            (Stand::Waits, Letter::Displaced) => self.note_stop(Outcome::Cancelled),
            (Stand::Has, Letter::Displaced) if !is_over => self.note_stop(Outcome::Cancelled),
            (Stand::Waits, _) => {}
            (Stand::Has, Letter::Taken) => return self.goes_on(event),
            (Stand::Has, Letter::Granted | Letter::Displaced) => return self.changes_nothing(event, true),
            _ => return self.changes_nothing(event, false),
        }
        self.happen(event, None);
        if matches!(letter, Letter::Refused | Letter::Displaced) {
            assert_eq!(self.fleet.run.head.reason, Some(reason()));
        }
    }

    /// Another run takes the place of one whose hooks run.
    pub(crate) fn replace_in_hooks(&mut self) {
        self.slot(0, 5);
    }

    /// What happens changes nothing about the steps of the run, nor with what it ends.
    fn goes_on(&mut self, event: Event) {
        let before = self.fleet.run.clone();
        self.happen(event, None);
        let run = &self.fleet.run;
        assert_eq!((&run.steps, &run.head.reason), (&before.steps, &before.head.reason));
        assert_eq!((run.head.stopping, run.head.state), (before.head.stopping, before.head.state));
    }

    /// Notes the end of a run that never starts: its hooks are skipped, and so are its steps where it is.
    pub(crate) fn note_never_started(&mut self, outcome: Outcome) {
        let of_steps = if outcome == Outcome::Skipped { Outcome::Skipped } else { Outcome::Cancelled };
        for (n, step) in self.case.workflow.steps.iter().enumerate() {
            let outcome = if step.is_hook_of_workflow() { Outcome::Skipped } else { of_steps };
            self.stopped.insert(n, End::of(outcome, 0, None));
        }
        self.stopped_with = Some(outcome);
        self.interpret();
    }

    /// Looks at what happened since the last time: what the run took, and how often it has asked.
    pub(crate) fn note_slot(&mut self) {
        let mut wrong = Vec::new();
        for (at, event, answer) in &self.fleet.history[self.queued.looked_at..] {
            let since = self.fleet.slots.asks.first().map_or(*at, |ask| ask.since);
            let takes = self.queued.turn.happens(event, at.since(since));
            if takes.is_some_and(|takes| takes != answer.starts_with("Ok")) {
                wrong.push(format!("{at} {event:?} was answered with {answer}"));
            }
        }
        self.queued.looked_at = self.fleet.history.len();
        let (run, turn, slots) = (&self.fleet.run, &self.queued.turn, &self.fleet.slots);
        let is_untouched =
            self.fleet.made.is_empty() && run.head.started_at.is_none() && self.fleet.locks.asks.is_empty();
        let is_right = match turn.stands {
            Stand::Later | Stand::Waits => {
                is_untouched
                    && run.head.state == RunState::Waiting
                    && run.steps.iter().all(|step| *step == StepState::Waiting)
                    && run.awaited_slot().is_some() == (turn.stands == Stand::Waits)
            }
            Stand::Never => is_untouched && run.head.state.is_terminal(),
            Stand::Has | Stand::Without => {
                run.head.started_at.is_some()
                    && run.head.slot.is_some() == (turn.stands == Stand::Has)
                    && run.awaited_slot().is_none()
            }
        };
        if !is_right || slots.asks.len() != turn.asks {
            let asks = slots.asks.len();
            wrong.push(format!("it stands with {asks} asks as {:?}, and {turn:?}", run.head));
        }
        if turn.stands == Stand::Waits && self.queued.asked < slots.asks.len() {
            let now = self.fleet.now;
            let waited = now.since(slots.asks[0].since) / 4;
            // "It asks again until it is told something": from every half a minute to every ten minutes.
            let wait = waited.clamp(Duration::from_secs(30), Duration::from_secs(600));
            if self.fleet.timers.get(&RunTimer::Start) != Some(&(now + wait)) {
                wrong.push(format!("it asks again at {:?}", self.fleet.timers));
            }
            self.saw.extend((self.queued.asked > 0).then_some("a slot was asked for again"));
            self.saw.extend(self.case.start_after.map(|_| "a slot was asked for when the start was due"));
        }
        self.queued.asked = self.fleet.slots.asks.len();
        let at = self.fleet.now;
        self.wrong.extend(wrong.into_iter().map(|wrong| format!("{at} {wrong}")));
    }

    /// What is wrong with what was asked for and given back, when the run has ended.
    pub(crate) fn wrong_slot(&self) -> Option<String> {
        let (turn, slots) = (&self.queued.turn, &self.fleet.slots);
        if slots.released != u32::from(turn.gives_back) {
            return Some(format!("the slot was released {} times: {turn:?}", slots.released));
        }
        slots.asks.first().and_then(|ask| self.wrong_slot_ask(ask))
    }

    fn wrong_slot_ask(&self, ask: &Ask) -> Option<String> {
        let run = &self.fleet.run;
        let concurrency = self.case.workflow.concurrency?;
        let above = self.case.parent.filter(|above| above.waits).map(parent);
        let above = above.map(|above| above.ancestors).unwrap_or_default();
        let above: Vec<Holder> = above.iter().map(|above| Holder::of_run(above.run)).collect();
        let is_right = ask.asker.holder() == Holder::of_run(run.id)
            && matches!(&ask.wants[..], [want] if want.lock == self.slots()
                && (want.slots, want.weight, want.shared) == (concurrency.limit, 1, false))
            && ask.at_limit == Some(concurrency.at_limit)
            && (ask.priority, &ask.workflow, ask.version) == (run.spec.priority, &run.workflow.id, None)
            && ask.step.is_none()
            && ask.since >= self.case.fire()
            && ask.above == above;
        (!is_right).then(|| format!("this was asked for: {ask:?}"))
    }

    /// Whoever keeps the slots, and does not know that the run has ended, is told so.
    pub(crate) fn tell_of_slots_after_the_end(&mut self) {
        let slots = self.slots();
        let of = |slots: &LockName| slots.clone();
        for event in [
            Event::SlotGranted { slots: of(&slots) },
            Event::SlotRefused { outcome: Outcome::Failed, reason: reason() },
            Event::Displaced { slots: of(&slots), reason: reason() },
            Event::SlotTaken { slots, by: "ann".to_owned(), why: None },
        ] {
            self.changes_nothing(event, false);
        }
    }

    /// Tells what was seen of it.
    pub(crate) fn tell_slot(&self, see: &mut impl FnMut(&str)) {
        let Some(Concurrency { key, .. }) = self.case.workflow.concurrency else { return };
        let (turn, is_cancelled) = (&self.queued.turn, self.stopped_with == Some(Outcome::Cancelled));
        match (turn.stands, turn.asks) {
            (Stand::Never, 0) if !is_cancelled => see("a key could not be told"),
            (Stand::Never, 1..) if is_cancelled && turn.gives_back => {
                see("a run was cancelled that waits for its slot");
            }
            (Stand::Has, _) if key != Key::None => see("a run with a key had a slot"),
            _ => {}
        }
        let ask = self.fleet.slots.asks.first();
        if ask.is_some_and(|ask| !ask.above.is_empty()) {
            see("a run in another asked for a slot");
        }
        if turn.asks > 0 && self.begun_later.contains(&"steps began by and by") {
            see("steps of a run with a slot began by and by");
        }
        if turn.asks > 0 && self.stopped_with == Some(Outcome::TimedOut) {
            see("a run with a slot timed out");
        }
    }
}
