//! What is done to processes and servers from outside: killed, stopped, cut off, asked to leave.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::dice::Dice;
use crate::fleet::Fleet;

/// Deals its blows within `window`.
pub(crate) async fn strike(fleet: Arc<Fleet>, mut dice: Dice, window: Duration) {
    let blows = fleet.world.lock().faults.blows;
    let began = Instant::now();
    let mut moments: Vec<_> = (0..blows).map(|_| dice.below(window.as_millis() as u64)).collect();
    moments.sort_unstable();
    for moment in moments {
        tokio::time::sleep_until(began + Duration::from_millis(moment)).await;
        blow(&fleet, &mut dice);
    }
}

fn blow(fleet: &Fleet, dice: &mut Dice) {
    let members = fleet.members();
    let victim = dice.pick(&members).clone();
    let long = dice.millis(100, 25_000);
    match dice.below(12) {
        0..3 => {
            if let Some(victim) = victim {
                victim.process.die("killed");
            }
        }
        3..5 => {
            if let Some(victim) = victim {
                victim.process.hold(long);
            }
        }
        5..7 => {
            if let Some(victim) = victim {
                let mut world = fleet.world.lock();
                let process = &victim.process;
                world.note(process.number, "cut", || format!("{} loses its connection", process.name));
                world.exchange.disconnect(process.number);
            }
        }
        7 => {
            if let Some(victim) = victim {
                let process = &victim.process;
                fleet.world.lock().note(process.number, "leave", || format!("{} is to leave", process.name));
                victim.leave.begin();
            }
        }
        8 => {
            let mut world = fleet.world.lock();
            world.store_back = Instant::now() + long;
            world.note(0, "store", || format!("the store is away for {long:?}"));
        }
        9..11 => set_clock(fleet, dice),
        _ => {
            let mut world = fleet.world.lock();
            world.broker_back = Instant::now() + long / 2;
            world.note(0, "broker", || format!("the broker restarts within {:?}", long / 2));
            for member in members.into_iter().flatten() {
                world.exchange.disconnect(member.process.number);
            }
            // What the broker has not taken yet is lost with whoever has it.
            if dice.chance(500)
                && let Some(victim) = victim
            {
                let moment = dice.millis(0, long.as_millis() as u64 / 2);
                tokio::spawn(async move {
                    tokio::time::sleep(moment).await;
                    victim.process.die("killed while the broker is away");
                });
            }
        }
    }
}

/// Sets the store's clock, for good or for a moment.
fn set_clock(fleet: &Fleet, dice: &mut Dice) {
    let by_ms = clock_step(dice);
    fleet.world.lock().set_clock(by_ms);
    if dice.chance(600) {
        let (world, moment) = (fleet.world.clone(), dice.millis(500, 12_000));
        tokio::spawn(async move {
            tokio::time::sleep(moment).await;
            world.lock().set_clock(-by_ms);
        });
    }
}

/// Draws by how much a clock is set: seconds, minutes or hours, either way.
pub(crate) fn clock_step(dice: &mut Dice) -> i64 {
    let most_ms = *dice.pick(&[10_000, 180_000, 10_000_000]);
    let by_ms = dice.range(1_000, most_ms) as i64;
    if dice.chance(500) { by_ms } else { -by_ms }
}
