//! A RabbitMQ cluster that loses a node, and a Redis under Sentinel that loses its primary.

use std::time::Duration;

use tokio::task::block_in_place;

use super::begun::{Begun, Hits};
use crate::incident::Epoch;
use crate::kind::Kind;
use crate::plan::Fault;
use crate::stage::{Servers, Stage};

/// The longest that Sentinels may take to agree on a primary.
const FAILOVER_BOUND: Duration = Duration::from_secs(30);

/// Kills, ends or freezes a node, the primary, or a Sentinel.
pub(super) fn inject(fault: &Fault, stage: &mut Stage, epoch: Epoch) -> Result<Begun, String> {
    let Servers::Cluster(servers) = &mut stage.servers else { return Err("there is one only".to_owned()) };
    let (cluster, sentinel) = &mut **servers;
    let one = fault.target % 3;
    let began = epoch.now();
    let (target, index, hits) = block_in_place(|| match fault.kind {
        Kind::KillNode => {
            cluster.node(one).kill();
            Ok((format!("rabbitmq {one}"), one, Hits::Nobody))
        }
        Kind::RestartNode => {
            cluster.node(one).stop();
            Ok((format!("rabbitmq {one}"), one, Hits::Nobody))
        }
        Kind::KillSentinel => {
            sentinel.kill_sentinel(one);
            Ok((format!("sentinel {one}"), one, Hits::Nobody))
        }
        _ => {
            let primary = sentinel.primary().ok_or("the sentinels do not agree on a primary")?;
            let redis = sentinel.redis(primary);
            if fault.kind == Kind::KillPrimary {
                redis.kill();
            } else {
                redis.freeze();
            }
            // Until the failover nobody can renew.
            Ok((format!("redis {primary}"), primary, Hits::All))
        }
    })
    .map_err(|error: &str| error.to_owned())?;
    // The rest of the cluster goes on by itself.
    let is_gone = matches!(fault.kind, Kind::KillNode | Kind::RestartNode | Kind::KillSentinel);
    Ok(Begun { target, index, hits, is_gone, began })
}

/// Starts again what was ended, or lets it go on. A new primary is there by then.
pub(super) fn heal(fault: &Fault, begun: &Begun, stage: &mut Stage) -> Result<(), String> {
    let Servers::Cluster(servers) = &mut stage.servers else { return Err("there is one only".to_owned()) };
    let (cluster, sentinel) = &mut **servers;
    block_in_place(|| match fault.kind {
        Kind::KillNode | Kind::RestartNode => {
            cluster.node(begun.index).start_again();
            Ok(())
        }
        Kind::KillSentinel => {
            sentinel.start_sentinel_again(begun.index);
            Ok(())
        }
        _ => {
            let deadline = std::time::Instant::now() + FAILOVER_BOUND;
            while sentinel.primary().is_none_or(|primary| primary == begun.index) {
                if std::time::Instant::now() > deadline {
                    return Err("the sentinels made no other primary".to_owned());
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            let redis = sentinel.redis(begun.index);
            if fault.kind == Kind::KillPrimary {
                redis.start_again();
            } else {
                redis.thaw();
            }
            Ok(())
        }
    })
}
