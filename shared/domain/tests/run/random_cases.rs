//! Random cases: workflows with all that decides when a step starts, what the attempts of their steps do, and what
//! happens around them.

use std::fmt;
use std::time::Duration;

use millrace_domain::{Outcome, Timestamp};
use proptest::prelude::*;

use crate::fleet::CREATED;
use crate::random_slots::concurrency;
use crate::random_steps::{drawn, drawn_hook};
use crate::random_yaml::yaml;
use crate::reference::{Attempt, RunOutput, Step, Task, Work, Workflow};
use crate::reference_slots::Concurrency;

/// A workflow, what the attempts of its steps do, and what happens around them.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) workflow: Workflow,
    pub(crate) attempts: Vec<Vec<Attempt>>,
    pub(crate) zone: Zone,
    /// Whether the definition names each step before those that it waits for.
    pub(crate) backwards: bool,
    /// After how many seconds the run starts; at once when absent.
    pub(crate) start_after: Option<u64>,
    pub(crate) moves: Vec<Move>,
    /// After how many moves the run is cancelled.
    pub(crate) cancel: Option<usize>,
    /// After how many moves it is cancelled, counted from when the hooks of the workflow have their turn.
    pub(crate) cancel_hooks: Option<usize>,
    /// The timeout of the workflow, in seconds.
    pub(crate) timeout: Option<u32>,
    /// The run that it is a step of.
    pub(crate) parent: Option<Above>,
    /// The number of actions after which an advance begins no further step, where it is so small that it matters.
    pub(crate) max_actions: Option<usize>,
}

/// What a run is in, that is a step of another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Above {
    /// The number of runs that it is in.
    pub(crate) runs: usize,
    /// Whether its parent waits for it.
    pub(crate) waits: bool,
}

/// The number of runs that one may be in.
pub(crate) const MOST_ABOVE: usize = 16;

/// A zone that is always so many minutes ahead of UTC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Zone {
    pub(crate) name: &'static str,
    pub(crate) minutes: i64,
}

/// Something that happens. The numbers pick one of those to which it can happen.
#[derive(Debug, Clone)]
pub(crate) enum Move {
    /// A current attempt does what the case has for it. It is lost, or taken back from a run that is being stopped,
    /// in one way or otherwise.
    Finish(u16, bool),
    /// One of the timers that are set fires; that of the timeout too.
    Fire(u16),
    /// Something that happened happens again.
    Repeat(u16),
    /// An attempt that is not, or no more, with the fleet ends, or is said to.
    Stray(u16, u32, Outcome),
    /// Somebody does something to a step, or an item, that waits or asks: has it tried again, skips it, or says how it ended.
    Act(u16, u8),
    /// Somebody answers what a step asks, or one that asks for something else, or for nothing.
    Answer(u16, u8, u8),
    /// Whoever keeps the locks grants or refuses them, late or once more, or somebody takes them away.
    Lock(u16, u8),
    /// Whoever keeps the slots of the workflow says something of that of the run, or somebody takes it away.
    Slot(u16, u8),
    /// Somebody pauses the run, or lets it go on.
    Pause(bool),
    /// So many milliseconds pass.
    Pass(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let outcome = prop_oneof![
        Just(Outcome::Succeeded),
        Just(Outcome::Failed),
        Just(Outcome::TimedOut),
        Just(Outcome::Cancelled),
        Just(Outcome::Lost)
    ];
    let one = prop_oneof![
        60 => (any::<u16>(), any::<bool>()).prop_map(|(pick, otherwise)| Move::Finish(pick, otherwise)),
        30 => any::<u16>().prop_map(Move::Fire),
        10 => any::<u16>().prop_map(Move::Repeat),
        8 => (any::<u16>(), 1u32..5, outcome).prop_map(|(pick, attempt, outcome)| Move::Stray(pick, attempt, outcome)),
        20 => (any::<u16>(), 0u8..8).prop_map(|(pick, deed)| Move::Act(pick, deed)),
        30 => (any::<u16>(), 0u8..4, 0u8..12).prop_map(|(pick, who, what)| Move::Answer(pick, who, what)),
        30 => (any::<u16>(), 0u8..12).prop_map(|(pick, what)| Move::Lock(pick, what)),
        20 => (any::<u16>(), 0u8..9).prop_map(|(pick, what)| Move::Slot(pick, what)),
        16 => proptest::bool::weighted(0.6).prop_map(Move::Pause),
        8 => (0u64..40_000_000).prop_map(Move::Pass),
    ];
    proptest::collection::vec(one, 0..150)
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let size = prop_oneof![12 => 1usize..12, 6 => 12usize..50, 2 => 50usize..=200];
    let steps = size.prop_flat_map(|size| proptest::collection::vec(drawn(), 1..=size));
    let hooks = prop_oneof![1 => Just(0usize), 1 => 1usize..8]
        .prop_flat_map(|size| proptest::collection::vec(drawn_hook(), size));
    let zones = [("UTC", 0), ("Asia/Shanghai", 480), ("America/Bogota", -300), ("Asia/Kathmandu", 345)];
    let zone = proptest::sample::select(zones.to_vec()).prop_map(|(name, minutes)| Zone { name, minutes });
    let start_after = proptest::option::weighted(0.2, 0u64..100_000);
    let cancel =
        proptest::option::weighted(0.25, prop_oneof![4 => 0usize..12, 3 => 0usize..60, 1 => 0usize..400]);
    let cancel_hooks = proptest::option::weighted(0.4, 0usize..3);
    let timeout = proptest::option::weighted(0.1, 1u32..200_000);
    let above = prop_oneof![3 => 1usize..MOST_ABOVE, 1 => Just(MOST_ABOVE)];
    let above = (above, proptest::bool::weighted(0.7)).prop_map(|(runs, waits)| Above { runs, waits });
    let stops = (cancel, cancel_hooks, timeout, proptest::option::weighted(0.3, above));
    let max_actions = proptest::option::weighted(0.4, prop_oneof![3 => 1usize..4, 1 => 4usize..20]);
    let limits = (max_actions, proptest::option::weighted(0.35, concurrency()));
    let outputs = prop_oneof![1 => Just(0usize), 1 => 1usize..4]
        .prop_flat_map(|size| proptest::collection::vec((any::<u16>(), any::<bool>(), any::<bool>()), size));
    ((steps, hooks, outputs), zone, any::<bool>(), start_after, moves(), stops, limits).prop_map(
        move |((drawn, hooks, outputs), zone, backwards, start_after, moves, stops, limits)| {
            let (cancel, cancel_hooks, timeout, parent) = stops;
            let (max_actions, concurrency) = limits;
            let mut workflow = Workflow { concurrency, ..Workflow::default() };
            let mut attempts = Vec::new();
            for one in drawn {
                let step = one.step(&workflow.steps);
                workflow.steps.push(step);
                attempts.push(one.attempts);
            }
            workflow.outputs =
                outputs.into_iter().filter_map(|drawn| run_output(drawn, &workflow.steps)).collect();
            for (when, one) in hooks {
                let step = one.hook_of_workflow(when, &workflow.steps);
                workflow.steps.push(step);
                attempts.push(one.attempts);
            }
            let is_too_deep = parent.is_some_and(|above| above.runs == MOST_ABOVE);
            workflow.steps.iter_mut().zip(&mut attempts).for_each(|both| as_child(both, is_too_deep));
            Case {
                workflow,
                attempts,
                zone,
                backwards,
                start_after,
                moves,
                cancel,
                cancel_hooks,
                timeout,
                parent,
                max_actions,
            }
        },
    )
}

/// Where a step is a run of another workflow: what its attempts do. It may be skipped, and is never lost.
fn as_child((step, attempts): (&mut Step, &mut Vec<Attempt>), is_too_deep: bool) {
    let Work::Task(Task { child: Some(child), .. }) = &mut step.work else { return };
    child.is_too_deep = is_too_deep;
    for attempt in attempts.iter_mut().filter(|attempt| attempt.outcome == Outcome::Lost) {
        attempt.outcome = Outcome::Skipped;
    }
}

/// An output of a run, of a step that is picked.
fn run_output((pick, is_all, has_default): (u16, bool, bool), steps: &[Step]) -> Option<RunOutput> {
    let step = usize::from(pick) % steps.len();
    if !steps[step].gives_number() {
        return None;
    }
    // A list of what is not waited for is none that is known.
    let step = if steps[step].key() == "v" || steps[step].fan().is_none() { step } else { return None };
    Some(match (is_all || steps[step].fan().is_some(), has_default) {
        (true, _) => RunOutput::All(step),
        (false, true) => RunOutput::NumberOrZero(step),
        (false, false) => RunOutput::Number(step),
    })
}

impl Case {
    /// The instant for which the run stands.
    pub(crate) fn fire(&self) -> Timestamp {
        CREATED + Duration::from_secs(self.start_after.unwrap_or(0))
    }

    /// The definition of the workflow.
    pub(crate) fn yaml(&self) -> String {
        let yaml = yaml(&self.workflow, self.zone.name, self.timeout, self.backwards);
        self.workflow.concurrency.map(Concurrency::yaml).unwrap_or_default() + &yaml
    }
}

/// What a case is, as it is shown when it fails.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", self.yaml())?;
        for (n, attempts) in self.attempts.iter().enumerate() {
            let words: Vec<String> = attempts.iter().map(Attempt::to_string).collect();
            writeln!(f, "s{n} does: {}", words.join(", "))?;
        }
        writeln!(
            f,
            "the run starts after: {:?} s; is cancelled after: {:?} moves, and {:?} of hooks",
            self.start_after, self.cancel, self.cancel_hooks
        )?;
        writeln!(f, "the run is in: {:?}", self.parent)?;
        writeln!(f, "an advance begins no step after: {:?} actions", self.max_actions)?;
        writeln!(f, "moves: {:?}", self.moves)
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.outcome)?;
        self.output.map_or(Ok(()), |v| write!(f, " with v={v}"))
    }
}
