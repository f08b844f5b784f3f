//! What is done to the fleet, a file for each family: how it begins, and how it ends.

pub mod broker;
pub mod clock;
pub mod cluster;
pub mod disk;
pub mod network;
pub mod process;
pub mod store;

use std::time::Duration;

use crate::incident::{Epoch, Excuse};
use crate::kind::{Kind, LEASE};
use crate::plan::Fault;
use crate::stage::Stage;
use crate::workload::Around;

/// How long before a lease is over it may have been renewed for the last time: cut off for longer than the rest, a
/// worker may lose it.
const RENEWED: Duration = Duration::from_secs(3);

/// A fault that has begun.
#[derive(Debug)]
pub struct Begun {
    /// To whom it was done.
    pub target: String,
    /// The place of that, among members or nodes.
    pub index: usize,
    /// Work of which workers may be repeated: one process, all, or none.
    pub hits: Hits,
    /// Recovery is counted from its beginning, since the process is gone for good: not from its end.
    pub is_gone: bool,
    /// When it began.
    pub began: Duration,
}

/// Whose work may have to be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hits {
    /// Nobody's.
    Nobody,
    /// That of one process, at once.
    Dead(u32),
    /// That of one process, when this lasts longer than its lease.
    Away(u32),
    /// Everybody's, when this lasts longer than a lease.
    All,
}

impl Begun {
    /// What this excuses, ended at `over`.
    pub fn excuse(&self, kind: Kind, over: Duration) -> Option<Excuse> {
        let long = over.saturating_sub(self.began) > LEASE.saturating_sub(RENEWED);
        let pid = match self.hits {
            Hits::Dead(pid) => Some(pid),
            Hits::Away(pid) if long => Some(pid),
            Hits::All if long => None,
            _ => return None,
        };
        Some(Excuse { pid, from: self.began, until: over, why: kind })
    }
}

/// Can it be done here?
pub fn is_possible(kind: Kind, stage: &Stage) -> bool {
    use crate::kind::On;
    use crate::stage::Servers;
    let fits = matches!(
        (kind.on(), &stage.servers),
        (On::Any, _) | (On::Single, Servers::Single(_)) | (On::Cluster, Servers::Cluster(_))
    );
    fits && match kind {
        Kind::ClockAhead | Kind::ClockBehind => stage.members.iter().any(|member| member.clock.is_some()),
        Kind::FillDisk => stage.members.iter().any(|member| member.disk.is_some()),
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
