//! The clock of one process goes wrong.

use super::begun::{Begun, Hits};
use crate::incident::Epoch;
use crate::kind::Kind;
use crate::plan::Fault;
use crate::stage::Stage;

/// How far the clock is off, in seconds.
const OFF: [(Kind, &str); 2] = [(Kind::ClockAhead, "+90\n"), (Kind::ClockBehind, "-90\n")];

/// Moves the clock of the member that has one of its own.
pub(super) fn inject(fault: &Fault, stage: &mut Stage, epoch: Epoch) -> Result<Begun, String> {
    let index = stage.members.iter().position(|member| member.clock.is_some()).ok_or("there is no clock")?;
    let by = OFF.iter().find(|(kind, _)| *kind == fault.kind).map_or("+0\n", |(_, by)| by);
    let began = epoch.now();
    set(stage, index, by)?;
    let target = stage.members[index].name();
    Ok(Begun { target, index, hits: Hits::Nobody, is_gone: false, began })
}

/// Puts the clock right.
pub(super) fn heal(begun: &Begun, stage: &mut Stage) -> Result<(), String> {
    set(stage, begun.index, "+0\n")
}

fn set(stage: &Stage, index: usize, by: &str) -> Result<(), String> {
    stage.members[index].clock.as_ref().ok_or("there is no clock")?.set(by)
}
