//! Processes that are killed, frozen, or asked to end.

use std::time::Duration;

use super::begun::{Begun, Hits};
use crate::incident::Epoch;
use crate::kind::Kind;
use crate::plan::Fault;
use crate::stage::{Role, Stage};
use crate::workload::Around;

/// The longest that a producer may take to end when asked to.
const END_BOUND: Duration = Duration::from_secs(40);

/// Kills or freezes a process, or asks it to end.
pub(super) fn inject(fault: &Fault, stage: &mut Stage, epoch: Epoch) -> Result<Begun, String> {
    let is_worker = matches!(fault.kind, Kind::KillWorker | Kind::PauseWorker | Kind::FreezeWorker);
    let places = stage.of(if is_worker { Role::Worker } else { Role::Producer });
    let index = places[fault.target % places.len()];
    let member = &mut stage.members[index];
    let (target, pid) = (member.name(), member.pid());
    let process = member.process.as_mut().ok_or("there is no process")?;
    let began = epoch.now();
    let is_gone = match fault.kind {
        Kind::KillProducer | Kind::KillWorker => {
            process.kill9();
            true
        }
        Kind::EndProducer => {
            process.sigterm();
            false
        }
        _ => {
            process.sigstop();
            false
        }
    };
    let hits = match fault.kind {
        Kind::KillWorker => Hits::Dead(pid),
        Kind::PauseWorker | Kind::FreezeWorker => Hits::Away(pid),
        _ => Hits::Nobody,
    };
    Ok(Begun { target, index, hits, is_gone, began })
}

/// Starts the process again, or lets it go on.
pub(super) async fn heal(
    fault: &Fault,
    begun: &Begun,
    stage: &mut Stage,
    around: &Around,
) -> Result<(), String> {
    if let Some(process) = &mut stage.members[begun.index].process {
        match fault.kind {
            Kind::EndProducer => {
                process.ends(END_BOUND).await;
            }
            Kind::KillProducer | Kind::KillWorker => {}
            _ => {
                process.sigcont();
                return Ok(());
            }
        }
    }
    stage.start(begun.index, around);
    Ok(())
}
