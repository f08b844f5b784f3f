//! Runs to whose steps people do something: they have them tried again, skip them, or say how they ended.

use serde_json::json;

use crate::dice::Dice;
use crate::workload::{WantedAct, Workload};

impl Workload {
    /// Has somebody do something to steps of some seeds' runs. With dice of its own, as for letters.
    pub(crate) fn acting(mut self, dice: &mut Dice) -> Self {
        if dice.chance(400) {
            for one in &mut self.wanted {
                let name = one.submission.workflow.as_ref().map(ToString::to_string).unwrap_or_default();
                let steps: &[&'static str] = match name.as_str() {
                    "rules" => &["asks", "asks", "poll", "first", "pause", "repair", "any", "join", "clean"],
                    "items" => &["list", "each", "each", "each", "join"],
                    "diamond" => &["a", "b", "c", "d"],
                    "chain" => &["x", "y", "z"],
                    "fan" => &["left", "right", "other", "join"],
                    _ => continue,
                };
                let act = |dice: &mut Dice| {
                    let deeds = [
                        ("retry", json!({"by": "ann"})),
                        ("skip", json!({"by": "ann", "why": "to see"})),
                        ("mark", json!({"by": "ann", "outcome": "succeeded", "outputs": {"n": 1}})),
                        ("mark", json!({"by": "ann", "outcome": "failed"})),
                    ];
                    let (step, mut deed) = (*dice.pick::<&str>(steps), dice.pick(&deeds).clone());
                    if step == "each" {
                        deed.1["item"] = json!(dice.below(6));
                    }
                    WantedAct { after_ms: dice.below(5_000), step, deed }
                };
                one.acts = (0..dice.range(1, 5)).map(|_| act(dice)).collect();
            }
        }
        self
    }
}
