//! What becomes of a run whose workflow allows only so many at a time: a part of the [`reference`](crate::reference). It asks
//! before it starts, and what is said to it then decides whether it ever does.

use std::time::Duration;

use millrace_domain::Outcome;
use millrace_domain::lock::{AtLimit, LockName};
use millrace_domain::run::Event;

/// The `concurrency` of a workflow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Concurrency {
    pub(crate) limit: u32,
    pub(crate) key: Key,
    pub(crate) at_limit: AtLimit,
}

/// What tells runs apart that do not limit each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// Nothing: all of them are limited together.
    None,
    Text,
    /// An expression that gives a number, beside text.
    Number,
    /// An expression that gives nothing.
    Empty,
    /// An expression that cannot be rendered.
    Unclear,
    TooLong,
    /// One with a line break.
    Lines,
}

impl Key {
    /// What stands in the definition.
    fn yaml(self) -> Option<String> {
        Some(match self {
            Self::None => return None,
            Self::Text => "${{ params.word }}".to_owned(),
            Self::Number => "eu: ${{ params.count }}/ä".to_owned(),
            Self::Empty => "${{ params.word if params.unwanted else '' }}".to_owned(),
            Self::Unclear => "${{ params.word > 3 }}".to_owned(),
            Self::TooLong => format!("{}${{{{ params.word }}}}", "x".repeat(125)),
            Self::Lines => "a\\n${{ params.word }}".to_owned(),
        })
    }

    /// The name of the slots; `None` where it cannot be told.
    pub(crate) fn slots(self) -> Option<LockName> {
        let name = match self {
            Self::None => "@w",
            Self::Text => "@w:soon",
            Self::Number => "@w:eu: 7/ä",
            Self::Empty => "@w:",
            Self::Unclear | Self::TooLong | Self::Lines => return None,
        };
        Some(name.parse().unwrap())
    }
}

impl Concurrency {
    /// What stands in the definition. What can be written in two ways is written in one or the other by the limit.
    pub(crate) fn yaml(self) -> String {
        let Self { limit, key, at_limit } = self;
        let is_plain = key == Key::None && at_limit == AtLimit::default();
        if is_plain && limit.is_multiple_of(2) {
            return format!("concurrency: {limit}\n");
        }
        let mut fields = vec![format!("limit: {limit}")];
        fields.extend(key.yaml().map(|key| format!("key: \"{key}\"")));
        fields.push(format!("policy: {}", at_limit.as_str()));
        if let AtLimit::Queue { max_queued: Some(most), on_full } = at_limit {
            fields.extend([format!("max_queued: {most}"), format!("on_full: {}", on_full.as_str())]);
        }
        format!("concurrency: {{{}}}\n", fields.join(", "))
    }
}

/// How a run stands with its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
    /// Its start lies ahead.
    Later,
    Waits,
    Has,
    /// It has begun and has none: it needs none, or somebody has taken it.
    Without,
    /// It never begins.
    Never,
}

/// What becomes of a run by what happens to it.
#[derive(Debug)]
pub(crate) struct Turn {
    concurrency: Option<Concurrency>,
    pub(crate) stands: Stand,
    /// How often it asks.
    pub(crate) asks: usize,
    /// Whether it has something to give back when it has ended: "a slot that was granted, or is asked for".
    pub(crate) gives_back: bool,
}

impl Turn {
    pub(crate) fn new(concurrency: Option<Concurrency>, is_later: bool) -> Self {
        let mut turn = Self { concurrency, stands: Stand::Later, asks: 0, gives_back: false };
        if !is_later {
            turn.begin();
        }
        turn
    }

    /// With what a run ends that is due and whose key cannot be told.
    pub(crate) fn fails_when_due(&self) -> Option<Outcome> {
        self.concurrency.filter(|concurrency| concurrency.key.slots().is_none()).map(|_| Outcome::Failed)
    }

    fn begin(&mut self) {
        match self.concurrency.map(|concurrency| concurrency.key.slots()) {
            None => self.stands = Stand::Without,
            Some(None) => self.stands = Stand::Never,
            Some(Some(_)) => {
                (self.stands, self.gives_back) = (Stand::Waits, true);
                self.asks += 1;
            }
        }
    }

    /// Notes what happens to a run that has waited for so long, and says of what is about slots whether the run takes it.
    pub(crate) fn happens(&mut self, event: &Event, waited: Duration) -> Option<bool> {
        match (self.stands, event) {
            (Stand::Later, Event::StartDue) => self.begin(),
            // It asks again until it is told something.
            (Stand::Waits, Event::StartDue) => self.asks += 1,
            (Stand::Later | Stand::Waits, Event::Cancel { .. } | Event::Poisoned { .. }) => {
                self.stands = Stand::Never;
            }
            (Stand::Waits, Event::SlotGranted { .. }) => self.stands = Stand::Has,
            // Whoever refuses keeps nothing of it; but it may be about to be asked again. Whoever replaces does.
            (Stand::Waits, Event::SlotRefused { .. }) => {
                (self.stands, self.gives_back) = (Stand::Never, waited >= Duration::from_secs(30));
            }
            (Stand::Waits, Event::Displaced { .. }) => self.stands = Stand::Never,
            // It wants one still.
            (Stand::Waits, Event::SlotTaken { .. }) => self.asks += 1,
            (Stand::Has, Event::SlotGranted { .. } | Event::Displaced { .. }) => {}
            (Stand::Has, Event::SlotTaken { .. }) => {
                (self.stands, self.gives_back) = (Stand::Without, false);
            }
            (
                _,
                Event::SlotGranted { .. }
                | Event::SlotRefused { .. }
                | Event::Displaced { .. }
                | Event::SlotTaken { .. },
            ) => return Some(false),
            _ => return None,
        }
        let is_of_slots = !matches!(event, Event::StartDue | Event::Cancel { .. } | Event::Poisoned { .. });
        is_of_slots.then_some(true)
    }
}
