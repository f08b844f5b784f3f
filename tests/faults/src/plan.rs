//! Which faults come, in which order: all of it follows from the seed, and nothing from what happens meanwhile.

use std::time::Duration;

use crate::dice::Dice;
use crate::kind::Kind;

/// A fault to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The number of the fault, from 1.
    pub number: usize,
    /// The kind of the fault.
    pub kind: Kind,
    /// The one that is struck, modulo how many there are.
    pub target: usize,
    /// The choice among what a kind has to choose from, such as broker or store.
    pub choice: usize,
    /// How long the fault lasts.
    pub lasts: Duration,
    /// How long nothing happens before the fault.
    pub gap: Duration,
    /// Another fault in the middle of this one.
    pub within: Option<Box<Fault>>,
}

impl Fault {
    /// A fault that somebody thought of, not dice.
    pub fn of(kind: Kind, lasts: Duration) -> Self {
        let gap = Duration::from_secs(1);
        Self { number: 0, kind, target: 0, choice: 0, lasts, gap, within: None }
    }
}

/// The share of faults that have another one in their middle, in percent.
const PAIRS: usize = 20;

/// The plan: an endless sequence of faults. Each kind comes once in a round, the rounds in ever other orders.
#[derive(Debug)]
pub struct Plan {
    dice: Dice,
    kinds: Vec<Kind>,
    round: Vec<Kind>,
    number: usize,
}

impl Plan {
    /// The plan of a seed, with faults of these kinds.
    pub fn new(seed: u64, kinds: &[Kind]) -> Self {
        Self { dice: Dice::new(seed), kinds: kinds.to_vec(), round: Vec::new(), number: 0 }
    }
}

impl Iterator for Plan {
    type Item = Fault;

    fn next(&mut self) -> Option<Fault> {
        let mut fault = self.one()?;
        if self.dice.percent(PAIRS) {
            let within = self.one()?;
            // Two of a family would be one.
            if within.kind.on_same(fault.kind) {
                self.round.push(within.kind);
                self.number -= 1;
            } else {
                fault.within = Some(Box::new(within));
            }
        }
        Some(fault)
    }
}

impl Plan {
    fn one(&mut self) -> Option<Fault> {
        if self.round.is_empty() {
            self.round.clone_from(&self.kinds);
            self.dice.shuffle(&mut self.round);
        }
        let kind = self.round.pop()?;
        self.number += 1;
        let (from, to) = kind.lasts();
        Some(Fault {
            number: self.number,
            kind,
            target: self.dice.below(1_000),
            choice: self.dice.below(1_000),
            lasts: self.dice.between(from, to),
            gap: self.dice.between(Duration::from_millis(500), Duration::from_secs(3)),
            within: None,
        })
    }
}

/// The plan of an upgrade: an endless sequence that swaps every process for one of the other version, and then all of
/// them back, again and again. First the workers, then the producers; from the way back on, either may come first.
#[derive(Debug)]
pub struct Upgrade {
    dice: Dice,
    members: [(Kind, usize); 2],
    pass: Vec<(Kind, usize)>,
    number: usize,
}

impl Upgrade {
    /// The plan of a seed, for a fleet of so many.
    pub fn new(seed: u64, producers: usize, workers: usize) -> Self {
        let members = [(Kind::SwapWorker, workers), (Kind::SwapProducer, producers)];
        Self { dice: Dice::new(seed), members, pass: Vec::new(), number: 0 }
    }
}

impl Iterator for Upgrade {
    type Item = Fault;

    fn next(&mut self) -> Option<Fault> {
        if self.pass.is_empty() {
            let mut members = self.members;
            if self.number > 0 {
                self.dice.shuffle(&mut members);
            }
            let each = members.into_iter().flat_map(|(kind, count)| (0..count).map(move |at| (kind, at)));
            self.pass = each.collect();
            self.pass.reverse();
        }
        let (kind, target) = self.pass.pop()?;
        self.number += 1;
        let (from, to) = kind.lasts();
        Some(Fault {
            number: self.number,
            kind,
            target,
            choice: self.dice.below(1_000),
            lasts: self.dice.between(from, to),
            gap: self.dice.between(Duration::from_millis(500), Duration::from_secs(3)),
            within: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upgrade_swaps_all_workers_then_all_producers_and_then_each_of_them_back() {
        let swaps: Vec<(Kind, usize)> =
            Upgrade::new(1, 2, 3).take(10).map(|fault| (fault.kind, fault.target)).collect();
        let (worker, producer) = (Kind::SwapWorker, Kind::SwapProducer);
        let forth = [(worker, 0), (worker, 1), (worker, 2), (producer, 0), (producer, 1)];
        assert_eq!(swaps[..5], forth);
        let mut back = swaps[5..].to_vec();
        back.sort();
        assert_eq!(back, [(producer, 0), (producer, 1), (worker, 0), (worker, 1), (worker, 2)]);
    }

    #[test]
    fn a_seed_gives_the_same_faults_and_another_one_others() {
        let first = |seed| Plan::new(seed, Kind::ALL).take(100).collect::<Vec<_>>();
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));
        let mut kinds: Vec<Kind> = first(3)
            .iter()
            .flat_map(|fault| [Some(fault.kind), fault.within.as_ref().map(|within| within.kind)])
            .flatten()
            .collect();
        kinds.truncate(Kind::ALL.len());
        kinds.sort();
        assert_eq!(kinds, Kind::ALL);
    }
}
