//! A process of the other version comes beside one that is there, and takes its place.

use std::time::Duration;

use super::begun::{Begun, Hits};
use crate::incident::Epoch;
use crate::kind::Kind;
use crate::plan::Fault;
use crate::stage::{Role, Stage};
use crate::workload::Around;

/// The longest that a process may take to end when asked to: the grace of a worker, and more.
const END_BOUND: Duration = Duration::from_secs(40);

/// Is the process that goes killed, rather than asked to end?
fn is_killed(fault: &Fault) -> bool {
    fault.choice.is_multiple_of(3)
}

/// Starts a process of the other version, and waits until it is ready: from now on there are two.
pub(super) async fn inject(fault: &Fault, stage: &mut Stage, epoch: Epoch) -> Result<Begun, String> {
    let places = stage.of(if fault.kind == Kind::SwapWorker { Role::Worker } else { Role::Producer });
    let index = places[fault.target % places.len()];
    let pid = stage.members[index].pid();
    let began = epoch.now();
    stage.start_other(index).await?;
    let hits =
        if fault.kind == Kind::SwapWorker && is_killed(fault) { Hits::Dead(pid) } else { Hits::Nobody };
    let member = &stage.members[index];
    let target = format!("{}, {}", member.name(), if member.is_old { "old for new" } else { "new for old" });
    Ok(Begun { target, index, hits, is_gone: false, began })
}

/// Ends the process that was there.
pub(super) async fn heal(
    fault: &Fault,
    begun: &Begun,
    stage: &mut Stage,
    around: &Around,
) -> Result<(), String> {
    let mut ended = Ok(());
    if let Some(process) = &mut stage.members[begun.index].process {
        if is_killed(fault) {
            process.kill9();
        } else {
            process.sigterm();
            let status = process.ends(END_BOUND).await;
            if !status.success() {
                ended = Err(format!("{} ended with {status}", begun.target));
            }
        }
    }
    stage.take_over(begun.index, around);
    ended
}
