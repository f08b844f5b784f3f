//! Random cases: workflows with all that decides when a step starts, what the attempts of their steps do, and what
//! happens around them.

use std::fmt;

use millrace_domain::Outcome;
use proptest::prelude::*;

use crate::random_yaml::yaml;
use crate::reference::{Attempt, Condition, Dependency, Rule, Status, Step, Task, Wait, Work, Workflow};

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
}

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
    /// One of the timers that are set fires.
    Fire(u16),
    /// Something that happened happens again.
    Repeat(u16),
    /// An attempt that is not, or no more, with the fleet ends, or is said to.
    Stray(u16, u32, Outcome),
    /// So many milliseconds pass.
    Pass(u64),
}

/// A step as it is drawn, before it is known which steps there are.
#[derive(Debug, Clone)]
struct Drawn {
    /// It waits for those that are so many places before it.
    back: Vec<(usize, Status)>,
    trigger_rule: Rule,
    condition: Option<DrawnCondition>,
    continue_on_error: bool,
    not_before: Option<u16>,
    wait: Option<Wait>,
    task: Task,
    /// Its environment needs an output of a step before it.
    needs: Option<u16>,
    attempts: Vec<Attempt>,
}

/// An `if` as it is drawn. The number picks the step whose output it reads.
#[derive(Debug, Clone, Copy)]
enum DrawnCondition {
    OfParams(Condition),
    OfOutputs(fn(usize) -> Condition, u16),
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let with = |outcome| Attempt { outcome, output: None };
    prop_oneof![
        60 => (0i64..10).prop_map(|v| Attempt { outcome: Outcome::Succeeded, output: Some(v) }),
        10 => Just(with(Outcome::Succeeded)),
        15 => Just(with(Outcome::Failed)),
        5 => Just(with(Outcome::TimedOut)),
        3 => Just(with(Outcome::Cancelled)),
        10 => Just(with(Outcome::Lost)),
    ]
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![
        8 => Just(Status::Success),
        2 => Just(Status::Finished),
        1 => Just(Status::Failed),
        1 => Just(Status::Skipped),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    prop_oneof![
        6 => Just(Rule::AllSuccess),
        2 => Just(Rule::AllFinished),
        2 => Just(Rule::OneSuccess),
        2 => Just(Rule::OneFailed),
        2 => Just(Rule::NoneFailed),
        1 => Just(Rule::AllFailed),
        1 => Just(Rule::NoneSkipped),
    ]
}

fn condition() -> impl Strategy<Value = DrawnCondition> {
    let of_outputs = |condition: fn(usize) -> Condition| {
        any::<u16>().prop_map(move |pick| DrawnCondition::OfOutputs(condition, pick))
    };
    prop_oneof![
        6 => Just(DrawnCondition::OfParams(Condition::Boolean(true))),
        3 => Just(DrawnCondition::OfParams(Condition::Boolean(false))),
        1 => Just(DrawnCondition::OfParams(Condition::Number)),
        1 => Just(DrawnCondition::OfParams(Condition::Incomparable)),
        3 => of_outputs(Condition::IsDefined),
        3 => of_outputs(Condition::AtLeastFiveOrAbsent),
        2 => of_outputs(Condition::AtLeastFive),
        2 => of_outputs(Condition::BelowFive),
    ]
}

fn wait() -> impl Strategy<Value = Wait> {
    prop_oneof![
        4 => (1u32..200_000).prop_map(Wait::For),
        2 => (-90_000i32..90_000).prop_map(Wait::Until),
        2 => time_of_day().prop_map(Wait::UntilTime),
        1 => Just(Wait::Unclear),
    ]
}

fn time_of_day() -> impl Strategy<Value = u16> {
    (0u16..24 * 4).prop_map(|quarters| quarters * 15)
}

fn task() -> impl Strategy<Value = Task> {
    let retried = prop_oneof![
        2 => Just(vec![Outcome::Failed, Outcome::TimedOut]),
        1 => Just(vec![Outcome::Failed]),
        1 => Just(vec![Outcome::TimedOut]),
    ];
    (0u32..3, retried, proptest::bool::weighted(0.2)).prop_map(|(retries, retried, at_most_once)| Task {
        retries,
        retried,
        at_most_once,
        needs: None,
    })
}

fn drawn() -> impl Strategy<Value = Drawn> {
    use proptest::option::weighted;
    let near = proptest::collection::vec((1usize..8, status()), 0..4);
    let far = proptest::collection::vec((1usize..200, status()), 0..20);
    let waits_for = (prop_oneof![6 => near, 1 => far], rule(), weighted(0.3, condition()));
    let others = (proptest::bool::weighted(0.2), weighted(0.1, time_of_day()), weighted(0.1, wait()));
    let attempts = proptest::collection::vec(attempt(), 1..5);
    (waits_for, others, task(), weighted(0.15, any::<u16>()), attempts).prop_map(
        |((back, trigger_rule, condition), (continue_on_error, not_before, wait), task, needs, attempts)| {
            Drawn {
                back,
                trigger_rule,
                condition,
                continue_on_error,
                not_before,
                wait,
                task,
                needs,
                attempts,
            }
        },
    )
}

impl Drawn {
    /// The step after `before`. What has no meaning there is left out.
    fn step(&self, before: &[Step]) -> Step {
        let place = |back: usize| before.len().checked_sub(back);
        let mut depends_on: Vec<Dependency> = Vec::new();
        for (step, wants) in self.back.iter().filter_map(|(back, wants)| Some((place(*back)?, *wants))) {
            if depends_on.iter().all(|other| other.step != step) {
                depends_on.push(Dependency { step, wants });
            }
        }
        let needs_one = matches!(self.trigger_rule, Rule::OneSuccess | Rule::OneFailed | Rule::AllFailed);
        let trigger_rule =
            if needs_one && depends_on.is_empty() { Rule::AllSuccess } else { self.trigger_rule };
        let read = |pick: u16| readable(before, &depends_on, trigger_rule, usize::from(pick));
        let condition = self.condition.and_then(|condition| match condition {
            DrawnCondition::OfParams(condition) => Some(condition),
            DrawnCondition::OfOutputs(condition, pick) => read(pick).map(condition),
        });
        let task = || Task { needs: self.needs.and_then(read), ..self.task.clone() };
        Step {
            trigger_rule,
            condition,
            continue_on_error: self.continue_on_error,
            not_before: self.not_before,
            work: self.wait.map_or_else(|| Work::Task(task()), Work::Wait),
            depends_on,
        }
    }
}

/// Whether a step with this rule may start before all have ended that it waits for.
pub(crate) fn is_eager(rule: Rule) -> bool {
    matches!(rule, Rule::OneSuccess | Rule::OneFailed)
}

/// A step that has ended for sure when one with these dependencies starts, so that its outputs are known.
fn readable(before: &[Step], depends_on: &[Dependency], rule: Rule, mut pick: usize) -> Option<usize> {
    if is_eager(rule) || depends_on.is_empty() {
        return None;
    }
    let mut found = depends_on[pick % depends_on.len()].step;
    loop {
        pick /= 3;
        let further = &before[found];
        if pick.is_multiple_of(2) || further.depends_on.is_empty() || is_eager(further.trigger_rule) {
            return Some(found);
        }
        found = further.depends_on[pick % further.depends_on.len()].step;
    }
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
        8 => (0u64..40_000_000).prop_map(Move::Pass),
    ];
    proptest::collection::vec(one, 0..150)
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let size = prop_oneof![12 => 1usize..12, 6 => 12usize..50, 2 => 50usize..=200];
    let steps = size.prop_flat_map(|size| proptest::collection::vec(drawn(), 1..=size));
    let zones = [("UTC", 0), ("Asia/Shanghai", 480), ("America/Bogota", -300), ("Asia/Kathmandu", 345)];
    let zone = proptest::sample::select(zones.to_vec()).prop_map(|(name, minutes)| Zone { name, minutes });
    let start_after = proptest::option::weighted(0.2, 0u64..100_000);
    let cancel =
        proptest::option::weighted(0.25, prop_oneof![4 => 0usize..12, 3 => 0usize..60, 1 => 0usize..400]);
    (steps, zone, any::<bool>(), start_after, moves(), cancel).prop_map(
        move |(drawn, zone, backwards, start_after, moves, cancel)| {
            let mut workflow = Workflow::default();
            let mut attempts = Vec::new();
            for one in drawn {
                let step = one.step(&workflow.steps);
                workflow.steps.push(step);
                attempts.push(one.attempts);
            }
            Case { workflow, attempts, zone, backwards, start_after, moves, cancel }
        },
    )
}

impl Case {
    /// The definition of the workflow.
    pub(crate) fn yaml(&self) -> String {
        yaml(&self.workflow, self.zone.name, self.backwards)
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
            "the run starts after: {:?} s; is cancelled after: {:?} moves",
            self.start_after, self.cancel
        )?;
        writeln!(f, "moves: {:?}", self.moves)
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.outcome)?;
        self.output.map_or(Ok(()), |v| write!(f, " with v={v}"))
    }
}
