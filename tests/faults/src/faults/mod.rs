//! What is done to the fleet, a file for each family: how it begins, and how it ends.

mod begun;
pub mod broker;
pub mod clock;
pub mod cluster;
pub mod disk;
pub mod network;
pub mod process;
pub mod store;
pub mod swap;

pub use begun::{Begun, Hits};

use crate::incident::Epoch;
use crate::kind::{Kind, On};
use crate::plan::Fault;
use crate::stage::{Servers, Stage};
use crate::workload::Around;

/// Can a fault of this kind be done to this fleet?
pub fn is_possible(kind: Kind, stage: &Stage) -> bool {
    let fits = matches!(
        (kind.on(), &stage.servers),
        (On::Any, _) | (On::Single, Servers::Single(_)) | (On::Cluster, Servers::Cluster(_))
    );
    fits && match kind {
        Kind::ClockAhead | Kind::ClockBehind => stage.members.iter().any(|member| member.clock.is_some()),
        Kind::FillDisk => stage.members.iter().any(|member| member.disk.is_some()),
        Kind::SwapProducer | Kind::SwapWorker => stage.has_versions(),
        _ => true,
    }
}

/// Begins a fault.
///
/// # Errors
/// When it could not be done, with the reason.
pub async fn inject(fault: &Fault, stage: &mut Stage, epoch: Epoch) -> Result<Begun, String> {
    use Kind as K;
    match fault.kind {
        K::KillProducer | K::PauseProducer | K::FreezeProducer | K::EndProducer => {
            process::inject(fault, stage, epoch)
        }
        K::KillWorker | K::PauseWorker | K::FreezeWorker => process::inject(fault, stage, epoch),
        K::SwapProducer | K::SwapWorker => swap::inject(fault, stage, epoch).await,
        K::RestartBroker | K::KillBroker | K::AlarmBroker => broker::inject(fault, stage, epoch),
        K::RestartStore | K::KillStore | K::LoseStore => store::inject(fault, stage, epoch),
        K::FillStore | K::StallStore => store::inject(fault, stage, epoch),
        K::SlowStore | K::Partition | K::Isolate | K::HalfOpen => network::inject(fault, stage, epoch),
        K::Cut | K::EatConfirms | K::EatAcks => network::inject(fault, stage, epoch),
        K::ClockAhead | K::ClockBehind => clock::inject(fault, stage, epoch),
        K::FillDisk => disk::inject(fault, stage, epoch),
        K::KillNode | K::RestartNode | K::KillPrimary | K::FreezePrimary | K::KillSentinel => {
            cluster::inject(fault, stage, epoch)
        }
    }
}

/// Ends a fault.
///
/// # Errors
/// When it could not be ended, with the reason.
pub async fn heal(fault: &Fault, begun: &Begun, stage: &mut Stage, around: &Around) -> Result<(), String> {
    use Kind as K;
    match fault.kind {
        K::KillProducer | K::PauseProducer | K::FreezeProducer | K::EndProducer => {
            process::heal(fault, begun, stage, around).await
        }
        K::KillWorker | K::PauseWorker | K::FreezeWorker => process::heal(fault, begun, stage, around).await,
        K::SwapProducer | K::SwapWorker => swap::heal(fault, begun, stage, around).await,
        K::RestartBroker | K::KillBroker | K::AlarmBroker => broker::heal(fault, stage),
        K::RestartStore | K::KillStore | K::LoseStore => store::heal(fault, stage),
        K::FillStore | K::StallStore => store::heal(fault, stage),
        K::SlowStore | K::Partition | K::Isolate | K::HalfOpen => network::heal(fault, stage),
        K::Cut | K::EatConfirms | K::EatAcks => network::heal(fault, stage),
        K::ClockAhead | K::ClockBehind => clock::heal(begun, stage),
        K::FillDisk => disk::heal(begun, stage),
        K::KillNode | K::RestartNode | K::KillPrimary | K::FreezePrimary | K::KillSentinel => {
            cluster::heal(fault, begun, stage)
        }
    }
}
