//! Connections between one process and one server that swallow, end, delay, or lose acks: done by their proxies.

use std::time::Duration;

use super::begun::{Begun, Hits};
use crate::incident::Epoch;
use crate::kind::Kind;
use crate::plan::Fault;
use crate::proxy::{Mode, Protocol, Way};
use crate::stage::{Role, Stage};

/// The delay of each answer: half of it on the way there, half on the way back.
const SLOW: Duration = Duration::from_secs(5);

/// The bytes that a cut connection carries, at most.
const CUT_BYTES: usize = 20_000;

/// Chooses whose connections are hit, to which server, and what happens to them.
fn choose(fault: &Fault, stage: &Stage) -> (Option<usize>, Protocol, Mode) {
    let everyone = (0..stage.members.len()).collect();
    let to = if fault.choice.is_multiple_of(2) { Protocol::Amqp } else { Protocol::Bytes };
    let way = if (fault.choice / 2).is_multiple_of(2) { Way::Up } else { Way::Down };
    let (places, to, mode): (Vec<usize>, _, _) = match fault.kind {
        Kind::SlowStore => return (None, Protocol::Bytes, Mode::Delay(SLOW / 2)),
        Kind::HalfOpen => (everyone, to, Mode::Hole(Some(way))),
        Kind::Cut => (everyone, to, Mode::Cut(CUT_BYTES)),
        Kind::EatConfirms => (everyone, Protocol::Amqp, Mode::Eat(Way::Down)),
        Kind::EatAcks => (everyone, Protocol::Amqp, Mode::Eat(Way::Up)),
        // As a firewall does it: silently, or with a refusal.
        _ if (fault.choice / 4).is_multiple_of(3) => (everyone, to, Mode::Refuse),
        _ => (everyone, to, Mode::Hole(None)),
    };
    (Some(places[fault.target % places.len()]), to, mode)
}

/// Tells the proxies what to do.
pub(super) fn inject(fault: &Fault, stage: &mut Stage, epoch: Epoch) -> Result<Begun, String> {
    let (place, to, mode) = choose(fault, stage);
    let began = epoch.now();
    set(stage, place, to, mode)?;
    let server = if to == Protocol::Amqp { "rabbitmq" } else { "redis" };
    let Some(index) = place else {
        return Ok(Begun { target: server.to_owned(), index: 0, hits: Hits::All, is_gone: false, began });
    };
    let member = &stage.members[index];
    // A worker that does not reach the broker keeps its claims.
    let hits = match (member.role, to) {
        (Role::Worker, Protocol::Bytes) => Hits::Away(member.pid()),
        _ => Hits::Nobody,
    };
    let target = format!("{} - {server}, {mode:?}", member.name());
    Ok(Begun { target, index, hits, is_gone: false, began })
}

/// Lets all pass again. Half of the connections that lost acks are cut, as whoever loses packets would; the others go
/// on with what was lost.
pub(super) fn heal(fault: &Fault, stage: &mut Stage) -> Result<(), String> {
    let (place, to, mode) = choose(fault, stage);
    set(stage, place, to, Mode::Pass)?;
    if matches!(mode, Mode::Eat(_))
        && fault.choice.is_multiple_of(2)
        && let Some(proxy) = place.and_then(|place| stage.members[place].proxy(to))
    {
        proxy.cut();
    }
    Ok(())
}

fn set(stage: &Stage, place: Option<usize>, to: Protocol, mode: Mode) -> Result<(), String> {
    let members = stage.members.iter().enumerate();
    for (_, member) in members.filter(|(index, _)| place.is_none_or(|place| place == *index)) {
        member.proxy(to).ok_or("there is no proxy")?.set(mode);
    }
    Ok(())
}
