//! One Redis that ends, dies, is full, or does not answer.

use millrace_servers::Redis;
use tokio::task::block_in_place;

use super::begun::{Begun, Hits};
use crate::incident::Epoch;
use crate::kind::Kind;
use crate::plan::Fault;
use crate::stage::{Servers, Stage};

/// Ends, kills, fills or stalls Redis.
pub(super) fn inject(fault: &Fault, stage: &mut Stage, epoch: Epoch) -> Result<Begun, String> {
    let Servers::Single(servers) = &mut stage.servers else { return Err("there are many".to_owned()) };
    let redis = &mut servers.1;
    let began = epoch.now();
    block_in_place(|| match fault.kind {
        Kind::FillStore => fill(redis),
        Kind::StallStore => ask(redis, &format!("CLIENT PAUSE {} ALL", fault.lasts.as_millis())),
        Kind::KillStore => {
            redis.kill();
            Ok(())
        }
        _ => {
            redis.stop();
            Ok(())
        }
    })?;
    // A full store renews sessions still.
    let hits = if fault.kind == Kind::FillStore { Hits::Nobody } else { Hits::All };
    Ok(Begun { target: "redis".to_owned(), index: 0, hits, is_gone: false, began })
}

/// Starts Redis again, or gives it memory. A stall ends by itself.
pub(super) fn heal(fault: &Fault, stage: &mut Stage) -> Result<(), String> {
    let Servers::Single(servers) = &mut stage.servers else { return Err("there are many".to_owned()) };
    let redis = &mut servers.1;
    block_in_place(|| match fault.kind {
        Kind::FillStore => ask(redis, "CONFIG SET maxmemory 0"),
        Kind::StallStore => Ok(()),
        _ => {
            redis.start_again();
            Ok(())
        }
    })
}

/// Bounds the memory of Redis to what it uses now.
fn fill(redis: &Redis) -> Result<(), String> {
    let memory = redis.ask("INFO memory").map_err(|error| error.to_string())?;
    let used = memory.lines().find_map(|line| line.strip_prefix("used_memory:"));
    let used = used.ok_or("redis does not say how much memory it uses")?;
    ask(redis, &format!("CONFIG SET maxmemory {used}"))
}

fn ask(redis: &Redis, command: &str) -> Result<(), String> {
    match redis.ask(command) {
        Ok(answer) if answer.starts_with('+') => Ok(()),
        Ok(answer) => Err(format!("{command}: {answer}")),
        Err(error) => Err(format!("{command}: {error}")),
    }
}
