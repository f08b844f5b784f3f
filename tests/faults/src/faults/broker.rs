//! One RabbitMQ that ends, dies, or has no memory left.

use tokio::task::block_in_place;

use super::begun::{Begun, Hits};
use crate::incident::Epoch;
use crate::kind::Kind;
use crate::plan::Fault;
use crate::stage::{Servers, Stage};

/// The share of memory at which the alarm goes off during the fault, and the default.
const ALARMED: &str = "0.000001";
const CALM: &str = "0.4";

/// Ends or kills RabbitMQ, or sets off its memory alarm.
pub(super) fn inject(fault: &Fault, stage: &mut Stage, epoch: Epoch) -> Result<Begun, String> {
    let Servers::Single(servers) = &mut stage.servers else { return Err("there are many".to_owned()) };
    let broker = &mut servers.0;
    let began = epoch.now();
    block_in_place(|| match fault.kind {
        Kind::RestartBroker => broker.stop(),
        Kind::KillBroker => broker.kill(),
        _ => drop(broker.ctl(&["set_vm_memory_high_watermark", ALARMED])),
    });
    Ok(Begun { target: "rabbitmq".to_owned(), index: 0, hits: Hits::Nobody, is_gone: false, began })
}

/// Starts RabbitMQ again, or ends the alarm.
pub(super) fn heal(fault: &Fault, stage: &mut Stage) -> Result<(), String> {
    let Servers::Single(servers) = &mut stage.servers else { return Err("there are many".to_owned()) };
    let broker = &mut servers.0;
    block_in_place(|| match fault.kind {
        Kind::AlarmBroker => drop(broker.ctl(&["set_vm_memory_high_watermark", CALM])),
        _ => broker.start_again(),
    });
    Ok(())
}
