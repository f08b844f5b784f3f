//! Runs that people pause, resume and give another priority, at random, and the pool of all of them; in the end they see to it that
//! nothing stays paused.

use serde_json::json;

use crate::dice::Dice;
use crate::workload::{WantedAct, Workload};

impl Workload {
    /// Has somebody pause runs of some seeds, and let them go on. With dice of its own, as for letters.
    pub(crate) fn pausing(mut self, dice: &mut Dice) -> Self {
        if dice.chance(400) {
            for one in &mut self.wanted {
                if dice.chance(600) {
                    for _ in 0..dice.range(1, 6) {
                        let place = dice.below(one.acts.len() as u64 + 1) as usize;
                        one.acts.insert(place, steer(dice));
                    }
                    one.is_paused = true;
                }
            }
        }
        if dice.chance(200) {
            self.pool_acts = (0..dice.range(1, 4)).map(|_| (dice.below(20_000), dice.chance(700))).collect();
        }
        self
    }
}

/// Draws what somebody does to a run.
fn steer(dice: &mut Dice) -> WantedAct {
    let deed = match dice.below(8) {
        0..4 => ("pause", json!({"by": "ann", "why": "to see"})),
        4..7 => ("resume", json!({"by": "bob"})),
        _ => ("priority", json!({"priority": dice.range(0, 9), "by": "ann"})),
    };
    WantedAct { after_ms: dice.below(4_000), step: "", deed }
}
