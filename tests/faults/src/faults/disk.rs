//! The disk of one worker, with its log and its temporary files, is full.

use super::begun::{Begun, Hits};
use crate::incident::Epoch;
use crate::plan::Fault;
use crate::stage::Stage;

/// Fills the disk of the member that has one of its own.
pub(super) fn inject(_: &Fault, stage: &mut Stage, epoch: Epoch) -> Result<Begun, String> {
    let index = stage.members.iter().position(|member| member.disk.is_some()).ok_or("there is no disk")?;
    let member = &stage.members[index];
    let began = epoch.now();
    member.disk.as_ref().ok_or("there is no disk")?.fill()?;
    // A task that cannot write its outputs has failed.
    Ok(Begun { target: member.name(), index, hits: Hits::Dead(member.pid()), is_gone: false, began })
}

/// Makes room again.
pub(super) fn heal(begun: &Begun, stage: &mut Stage) -> Result<(), String> {
    stage.members[begun.index].disk.as_ref().ok_or("there is no disk")?.clear()
}
