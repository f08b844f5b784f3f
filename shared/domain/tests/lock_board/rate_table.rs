//! A board of rates with the rows that are written down of it, beside its model.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_domain::lock::{Ask, Asker, Board, Effect, Holder, LockName, Row, Used, Want};
use millrace_domain::{TaskId, Timestamp};

use crate::rate_model::{Model, Why};
use crate::table::{self, START, run, unit};

/// The grants of one event, beyond which the others may have to wait for the next look.
const GRANTED_AT_ONCE: usize = 500;

#[derive(Debug, Default)]
pub(crate) struct RateTable {
    pub(crate) board: Board,
    pub(crate) model: Model,
    pub(crate) now: Timestamp,
    /// Whether the clock was set back.
    pub(crate) clock_was_set: bool,
    /// All that were granted what they want, in order.
    pub(crate) granted: Vec<(Timestamp, Asker)>,
    /// All that were refused it, and what they were told.
    pub(crate) refused: Vec<(Asker, String)>,
    token: u64,
    rows: BTreeMap<String, String>,
}

pub(crate) fn rate(key: &str) -> LockName {
    LockName::of_rate("api", Some(key)).unwrap()
}

pub(crate) fn asker(n: usize, attempt: u32) -> Asker {
    TaskId { run: run(n), unit: unit(0), attempt }.into()
}

/// The ask of an attempt of the first step of a run. The lower its number, the longer it has waited.
pub(crate) fn ask(n: usize, attempt: u32, want: &Want) -> Ask {
    Ask { asker: asker(n, attempt), ..table::ask(n, std::slice::from_ref(want), &[]) }
}

/// That so much was used at an instant.
pub(crate) fn used(cost: u64, at: Timestamp) -> Option<Used> {
    Some(Used { cost, at, retry_after_ms: None })
}

impl RateTable {
    pub(crate) fn new() -> Self {
        Self { now: START, ..Self::default() }
    }

    /// Takes in an ask: whether whoever asks has what it wants then.
    pub(crate) fn ask(&mut self, ask: &Ask) -> bool {
        let before = self.model.clone();
        let refusal = self.model.ask(ask, self.now);
        self.token += 1;
        let effects = self.board.ask(ask.clone(), self.now, self.token);
        let told = |effect: &&Effect| matches!(effect, Effect::Refuse { asker, .. } if *asker == ask.asker);
        match (refusal, effects.iter().find(told)) {
            (Some(why), Some(Effect::Refuse { why: text, .. })) => check_text(why, text, ask, &before),
            (Some(why), _) => panic!("{:?} is not refused: {why:?}", ask.asker),
            _ => {}
        }
        let is_known = |model: &Model| {
            let one = model.ones.get(&ask.asker.holder());
            one.filter(|one| one.ask.asker.attempt <= ask.asker.attempt).map(|one| one.want().lock.clone())
        };
        let rates = [is_known(&before), is_known(&self.model)];
        self.check(effects, refusal.map(|_| ask.asker), &rates);
        self.model.ones.get(&ask.asker.holder()).is_some_and(|one| one.granted.is_some())
    }

    /// Somebody asks for the first time: whether it has what it wants then.
    pub(crate) fn asks(&mut self, n: usize, want: &Want) -> bool {
        self.ask(&ask(n, 1, want))
    }

    pub(crate) fn started(&mut self, asker: Asker) {
        self.token += 1;
        let effects = self.board.started(asker, self.now, self.token);
        let rate = self.model.started(asker, self.now);
        self.check(effects, None, &[rate]);
    }

    pub(crate) fn release(&mut self, asker: Asker, used: Option<Used>) {
        self.token += 1;
        let effects = self.board.release(asker, used, self.now, self.token);
        let rate = self.model.release(asker, used, self.now);
        self.check(effects, None, &[rate]);
    }

    /// Lets so much time pass, in which nobody looks at the board.
    pub(crate) fn pass(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
        self.check_due();
    }

    /// Does once what is due, at most so much of each.
    pub(crate) fn tell_due(&mut self, limit: usize) {
        self.token += 1;
        let effects = self.board.tell_due(self.now, limit, self.token);
        self.check(effects, None, &[]);
    }

    /// Does what is due until nothing is: nobody is left then who could have what it waits for.
    pub(crate) fn settle(&mut self) {
        for _ in 0..self.model.ones.len() + 2 * self.model.keys.len() + 10 {
            if self.board.due().is_none_or(|at| at > self.now) {
                self.model.keys.keys().for_each(|rate| self.check_served(rate));
                return;
            }
            self.tell_due(100);
        }
        panic!("something is due again and again: {:?}", self.board);
    }

    /// Lets time pass until that instant; whatever is due meanwhile is done when it is.
    pub(crate) fn pass_until(&mut self, end: Timestamp) {
        while let Some(at) = self.board.due().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.settle();
        }
        self.now = self.now.max(end);
        self.check_due();
    }

    /// Replaces the board by one of what is written down, which is all that there is.
    pub(crate) fn restore(&mut self) {
        self.check_rows();
        let rows = self.rows.values().rev();
        self.board = Board::of(rows.map(|row| serde_json::from_str::<Row>(row).unwrap()), self.now);
        self.check_rows();
        self.check_due();
    }

    /// Holds what a change came to against the model: an ask that is refused, if one is, and the rates that it is about.
    fn check(&mut self, effects: Vec<Effect>, refused: Option<Asker>, rates: &[Option<LockName>]) {
        let before = self.granted.len();
        for effect in effects {
            match effect {
                Effect::Put(holder) => self.put(&holder.to_string(), self.board.row(holder)),
                Effect::PutRate(rate) => {
                    let window = self.board.window(&rate).cloned();
                    self.put(rate.as_str(), window.map(|window| Row::Window(Box::new(window))));
                }
                Effect::Delete(holder) => drop(self.rows.remove(&holder.to_string())),
                Effect::DeleteRate(rate) => drop(self.rows.remove(rate.as_str())),
                Effect::Grant { asker, token } => self.note_grant(asker, token),
                Effect::Refuse { asker, why, .. } => {
                    if Some(asker) != refused {
                        self.note_refusal(asker.holder());
                    }
                    self.refused.push((asker, why));
                }
                Effect::Displace { asker, .. } => panic!("{asker:?} is displaced by a rate"),
            }
        }
        if self.granted.len() - before < GRANTED_AT_ONCE {
            rates.iter().flatten().for_each(|rate| self.check_served(rate));
        }
        self.check_due();
    }

    fn put(&mut self, key: &str, row: Option<Row>) {
        let row = row.unwrap_or_else(|| panic!("{key} is not there"));
        self.rows.insert(key.to_owned(), serde_json::to_string(&row).unwrap());
    }

    /// Whoever is granted what it wants is the first that waits for it, and there is room.
    fn note_grant(&mut self, asker: Asker, token: u64) {
        let one = &self.model.ones[&asker.holder()];
        assert_eq!(one.ask.asker, asker, "an attempt that is over is told");
        if let Some((_, before)) = one.granted {
            return assert_eq!(before, token, "{asker:?} has another token");
        }
        let rate = one.want().lock.clone();
        let first = self.model.first(&rate).unwrap().ask.asker;
        assert_eq!(first, asker, "somebody is passed");
        let free_at = self.model.free_at(&rate, self.now, false);
        assert_eq!(free_at, Some(self.now), "{asker:?} is served too early: {:?}", self.model.keys[&rate]);
        assert!(token >= self.token, "{asker:?}: a token that falls");
        self.token = token;
        self.model.ones.get_mut(&asker.holder()).unwrap().granted = Some((self.now, token));
        self.granted.push((self.now, asker));
    }

    /// Whoever is refused that waits is the first, and wants more than there is by now.
    fn note_refusal(&mut self, holder: Holder) {
        let one = &self.model.ones[&holder];
        let rate = one.want().lock.clone();
        assert_eq!(self.model.first(&rate).unwrap().ask.asker, one.ask.asker, "another is refused");
        assert!(one.want().weight > self.model.limit(&rate), "{holder} is refused what it could have");
        self.model.ones.remove(&holder);
    }

    /// The first that waits for a rate cannot have it yet.
    fn check_served(&self, rate: &LockName) {
        let free_at = self.model.free_at(rate, self.now, true);
        let first = self.model.first(rate);
        assert!(free_at.is_none_or(|at| at > self.now), "{first:?} waits in vain: {:?}", self.board);
    }

    /// The board wants to be looked at no later than the first of those that wait for each rate can have it.
    fn check_due(&self) {
        let due = self.board.due().map_or(i64::MAX, Timestamp::as_millis);
        for rate in self.model.keys.keys() {
            let Some(free_at) = self.model.free_at(rate, self.now, true) else { continue };
            assert!(due <= free_at.max(self.now).as_millis(), "{rate}: {free_at}, and due {due}");
        }
    }

    /// What is written down is what there is: of those that hold and wait, and of each rate that is used.
    pub(crate) fn check_rows(&self) {
        let mut there: BTreeMap<String, Row> = BTreeMap::new();
        for (holder, one) in &self.model.ones {
            let Some(Row::Entry(entry)) = self.board.row(*holder) else { panic!("{holder} is not there") };
            assert_eq!(entry.ask, one.ask);
            assert_eq!(entry.grant.map(|grant| (grant.at, grant.token)), one.granted);
            there.insert(holder.to_string(), Row::Entry(entry));
        }
        assert_eq!(self.board.entries().count(), self.model.ones.len());
        for (rate, key) in &self.model.keys {
            let window = self.board.window(rate);
            there.extend(window.map(|one| (rate.to_string(), Row::Window(Box::new(one.clone())))));
            let noted = window.map_or(0, |window| u128::from(window.used(self.now)));
            let (least, most) = (key.used(self.now, false), key.used(self.now, true));
            // What a clock has noted that was ahead is corrected when somebody asks.
            let is_corrected =
                !self.clock_was_set || self.model.ones.values().any(|one| one.want().lock == *rate);
            assert!(least <= noted, "{rate}: {least} <= {noted}");
            assert!(noted <= most || !is_corrected, "{rate}: {noted} <= {most}");
        }
        let rows = self.rows.iter().map(|(key, row)| (key.clone(), serde_json::from_str(row).unwrap()));
        assert_eq!(
            rows.collect::<BTreeMap<String, Row>>(),
            there,
            "what is written down is not what there is"
        );
    }

    /// Everybody gives back what it has, and what waits is served, until nobody is left; and then nothing is written down.
    pub(crate) fn drain(&mut self) {
        while !self.model.ones.is_empty() {
            let held = self.model.ones.values().filter(|one| one.granted.is_some());
            let held: Vec<Asker> = held.map(|one| one.ask.asker).collect();
            held.into_iter().for_each(|asker| self.release(asker, None));
            if let Some(at) = self.board.due() {
                self.now = self.now.max(at);
            }
            self.settle();
        }
        self.check_rows();
        while let Some(at) = self.board.due() {
            self.now = self.now.max(at);
            self.settle();
        }
        assert!(self.rows.is_empty(), "{:?} is left for ever", self.rows);
    }
}

/// The text of a refusal names who asks and the rate, and where another is in the way, that one as well.
fn check_text(why: Why, text: &str, ask: &Ask, before: &Model) {
    let own = format!("step {} of {}", ask.step.as_ref().unwrap(), ask.workflow);
    let what = ask.wants[0].lock.in_words();
    let is_named = |other: &Ask| {
        other.asker.holder() != ask.asker.holder()
            && text.contains(&format!("step {} of {}", other.step.as_ref().unwrap(), other.workflow))
    };
    let is_right = match why {
        Why::TooMuch => text.contains("costs"),
        Why::Conflict => text.contains(&own) && before.ones.values().any(|one| is_named(&one.ask)),
    };
    assert!(is_right && text.contains(&what), "{text}");
}
