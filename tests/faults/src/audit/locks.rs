//! Nobody is in a step that holds a lock, or in one of a run that has a slot, beside more others than there are slots.

use std::collections::BTreeMap;

use super::check::Check;
use super::evidence::Evidence;
use crate::shape::{ALONE, FEW, LIMITED, SLOTS};
use crate::trail::Mark;

/// Goes through the marks in the order in which they were written. A step of which more than one attempt began is left
/// out: what a frozen worker writes late, it writes with a token that is not the highest any more.
pub(super) fn judge(evidence: &Evidence<'_>) -> Check {
    let mut exclusive = Check::new("locks are held by no more");
    for (step, slots) in [(ALONE, 1), (FEW, SLOTS), (LIMITED, 1)] {
        let mut inside: BTreeMap<usize, (bool, &str)> = BTreeMap::new();
        for (run, marks) in evidence.marks {
            let of: Vec<&Mark> = marks.iter().filter(|mark| mark.step == step).collect();
            if let [start, end] = of[..]
                && (start.is_end, end.is_end, start.attempt) == (false, true, end.attempt)
            {
                inside.extend([(start.line, (true, run.as_str())), (end.line, (false, run.as_str()))]);
            }
        }
        let mut holders: Vec<&str> = Vec::new();
        for (line, (begins, run)) in inside {
            match begins {
                false => holders.retain(|holder| *holder != run),
                true => {
                    holders.push(run);
                    exclusive.expect(holders.len() <= slots, || {
                        format!("step {step}, line {line}: {holders:?} at once, with {slots} slots")
                    });
                }
            }
        }
    }
    exclusive
}
