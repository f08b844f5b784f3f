//! Random steps: with all that decides when a step starts, and what its attempts do.

use millrace_domain::Outcome;
use proptest::prelude::*;

use crate::reference::{
    Ask, Attempt, Child, Condition, Dependency, Fan, Hook, Items, Locks, Name, Needs, Params, Repeat, Rule,
    Status, Step, Task, Tolerance, Until, Wait, When, Work, wanted_by_hook,
};

/// A step as it is drawn, before it is known which steps there are.
#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    /// It is a hook of a step before it.
    hook: Option<(When, u16)>,
    /// It waits for those that are so many places before it.
    back: Vec<(usize, Status)>,
    trigger_rule: Rule,
    condition: Option<DrawnCondition>,
    continue_on_error: bool,
    not_before: Option<u16>,
    wait: Option<Wait>,
    ask: Option<Ask>,
    task: Task,
    /// Its environment needs an output of a step before it.
    needs: Option<u16>,
    /// Where it is no literal, the number picks the step whose outputs are the list.
    fan: Option<(Fan, Option<u16>)>,
    pub(crate) attempts: Vec<Attempt>,
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

/// An attempt of a step in trouble: what is counted of its attempts comes near its limits.
fn troubled() -> impl Strategy<Value = Attempt> {
    let with = |outcome| Attempt { outcome, output: None };
    prop_oneof![
        4 => (0i64..6).prop_map(|v| Attempt { outcome: Outcome::Succeeded, output: Some(v) }),
        4 => Just(with(Outcome::Lost)),
        2 => Just(with(Outcome::Failed)),
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

fn ask() -> impl Strategy<Value = Ask> {
    let approval = (1u32..4, any::<bool>(), proptest::bool::weighted(0.3))
        .prop_map(|(of, is_named, by_default)| Ask::Approval { of, is_named, by_default });
    let input = (any::<bool>(), proptest::option::weighted(0.4, 0i64..8))
        .prop_map(|(is_named, by_default)| Ask::Input { is_named, by_default });
    prop_oneof![8 => approval, 6 => input, 1 => Just(Ask::Unclear)]
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
    let limits = (0u32..3, retried, proptest::bool::weighted(0.2), proptest::bool::weighted(0.15));
    let others = (
        proptest::bool::weighted(0.2),
        proptest::option::weighted(0.35, child()),
        proptest::option::weighted(0.3, locks()),
    );
    (limits, proptest::option::weighted(0.15, repeat()), others).prop_map(
        |((retries, retried, at_most_once, asks), repeat, (declares, child, locks))| Task {
            retries,
            retried,
            asks,
            at_most_once: at_most_once && child.is_none(),
            repeat,
            declares,
            child,
            locks,
            ..Task::default()
        },
    )
}

fn locks() -> impl Strategy<Value = Locks> {
    prop_oneof![
        4 => Just(Locks::Literal),
        2 => Just(Locks::Weighted),
        2 => Just(Locks::Shared),
        4 => Just(Locks::Two),
        4 => Just(Locks::OfItem),
        1 => proptest::sample::select(vec![Locks::Words, Locks::TwoGroups, Locks::Twice]),
    ]
}

fn child() -> impl Strategy<Value = Child> {
    let name = prop_oneof![
        6 => Just(Name::Literal),
        4 => Just(Name::Param),
        1 => Just(Name::Number),
        1 => Just(Name::TwoWords),
    ];
    let params = prop_oneof![2 => Just(Params::Map), 1 => Just(Params::Outputs)];
    (name, params, proptest::bool::weighted(0.8)).prop_map(|(name, params, waits)| Child {
        name,
        params,
        waits,
        is_too_deep: false,
    })
}

fn repeat() -> impl Strategy<Value = Repeat> {
    let until = prop_oneof![
        3 => Just(Until::AtLeastFive),
        1 => Just(Until::IsDefined),
        2 => Just(Until::AtLeastFiveWithPlace),
    ];
    (until, 1u32..4).prop_map(|(until, max)| Repeat { until, max })
}

fn fan() -> impl Strategy<Value = Fan> {
    let tolerate = prop_oneof![
        2 => Just(Tolerance::Number(0)),
        2 => (0u32..4).prop_map(Tolerance::Number),
        2 => (0u32..=20).prop_map(|twentieths| Tolerance::Share(twentieths * 50)),
        1 => (0u32..=1000).prop_map(Tolerance::Share),
    ];
    let max_parallel = proptest::option::weighted(0.6, 1u32..4);
    let flags = (proptest::bool::weighted(0.4), proptest::bool::weighted(0.4));
    (0i64..9, max_parallel, tolerate, flags).prop_map(
        |(v, max_parallel, tolerate, (fail_fast, reads_item))| Fan {
            items: Items::Literal(v),
            max_parallel,
            tolerate,
            fail_fast,
            reads_item,
        },
    )
}

fn when() -> impl Strategy<Value = When> {
    proptest::sample::select(vec![When::Success, When::Failure, When::Finish])
}

pub(crate) fn drawn_hook() -> impl Strategy<Value = (When, Drawn)> {
    (when(), drawn())
}

pub(crate) fn drawn() -> impl Strategy<Value = Drawn> {
    use proptest::option::weighted;
    let near = proptest::collection::vec((1usize..8, status()), 0..4);
    let far = proptest::collection::vec((1usize..200, status()), 0..20);
    let waits_for = (prop_oneof![6 => near, 1 => far], rule(), weighted(0.3, condition()));
    let held = (weighted(0.1, wait()), weighted(0.12, ask()));
    let others = (proptest::bool::weighted(0.2), weighted(0.1, time_of_day()), held);
    let attempts = prop_oneof![
        5 => proptest::collection::vec(attempt(), 1..5),
        1 => proptest::collection::vec(troubled(), 3..10),
    ];
    let fan = weighted(0.2, (fan(), weighted(0.7, any::<u16>())));
    let hook = weighted(0.15, (when(), any::<u16>()));
    let tasks = (task(), weighted(0.3, any::<u16>()), fan, attempts);
    (hook, waits_for, others, tasks).prop_map(|(hook, waits_for, others, tasks)| {
        let (back, trigger_rule, condition) = waits_for;
        let (continue_on_error, not_before, (wait, ask)) = others;
        let (task, needs, fan, attempts) = tasks;
        Drawn {
            hook,
            back,
            trigger_rule,
            condition,
            continue_on_error,
            not_before,
            wait,
            ask,
            task,
            needs,
            fan,
            attempts,
        }
    })
}

impl Drawn {
    /// The step after `before`. What has no meaning there is left out.
    pub(crate) fn step(&self, before: &[Step]) -> Step {
        let can_have_hooks: Vec<usize> = (0..before.len()).filter(|n| before[*n].hook.is_none()).collect();
        let hook = self.hook.filter(|_| !can_have_hooks.is_empty());
        let hook = hook.map(|(when, pick)| (when, can_have_hooks[usize::from(pick) % can_have_hooks.len()]));
        let own = hook.map(|(when, step)| Dependency { step, wants: wanted_by_hook(when) });
        let depends_on = self.depends_on(own, before, |_| true);
        let hook = hook.map(|(when, step)| Hook::OfStep(when, step));
        let sees_none = is_eager(self.rule(hook, &depends_on)) || depends_on.is_empty();
        let readable = |pick| (!sees_none).then(|| readable(before, &depends_on, pick));
        self.made(hook, depends_on.clone(), before, readable)
    }

    /// The hook of the workflow after `before`. It waits for hooks of the same list only, and sees the outputs of all steps.
    pub(crate) fn hook_of_workflow(&self, when: When, before: &[Step]) -> Step {
        let hook = Some(Hook::OfWorkflow(when));
        let depends_on = self.depends_on(None, before, |step| step.hook == hook);
        let steps = before.iter().filter(|step| !step.is_hook_of_workflow()).count();
        self.made(hook, depends_on, before, |pick| Some(usize::from(pick) % steps))
    }

    fn depends_on(
        &self,
        own: Option<Dependency>,
        before: &[Step],
        may: impl Fn(&Step) -> bool,
    ) -> Vec<Dependency> {
        let place = |back: usize| before.len().checked_sub(back);
        let mut depends_on: Vec<Dependency> = own.into_iter().collect();
        for (step, wants) in self.back.iter().filter_map(|(back, wants)| Some((place(*back)?, *wants))) {
            if depends_on.iter().all(|other| other.step != step) && may(&before[step]) {
                depends_on.push(Dependency { step, wants });
            }
        }
        depends_on
    }

    /// `validate` counts the dependencies as they are written, without that of a hook on its step.
    fn rule(&self, hook: Option<Hook>, depends_on: &[Dependency]) -> Rule {
        let is_alone = depends_on.len() <= usize::from(matches!(hook, Some(Hook::OfStep(..))));
        let needs_one = matches!(self.trigger_rule, Rule::OneSuccess | Rule::OneFailed | Rule::AllFailed);
        if needs_one && is_alone { Rule::AllSuccess } else { self.trigger_rule }
    }

    fn made(
        &self,
        hook: Option<Hook>,
        depends_on: Vec<Dependency>,
        before: &[Step],
        readable: impl Fn(u16) -> Option<usize>,
    ) -> Step {
        let readable = |pick| readable(pick).filter(|step: &usize| before[*step].gives_number());
        let fans_out = |step: usize| before[step].fan().is_some();
        let condition = self.condition.and_then(|condition| match condition {
            DrawnCondition::OfParams(condition) => Some(condition),
            DrawnCondition::OfOutputs(condition, pick) => readable(pick)
                .map(|step| if fans_out(step) { Condition::HasTwoItems(step) } else { condition(step) }),
        });
        let mut task = self.task.clone();
        // Only its number is known of a run that is not waited for.
        let is_known = |step: usize| before[step].task().is_none_or(Task::waits);
        let needs = self.needs.and_then(&readable).filter(|step| is_known(*step) || !fans_out(*step));
        task.needs = needs.map(|step| Needs { step, is_key: !fans_out(step) });
        match (&mut task.child, &mut task.needs) {
            (Some(child), Some(needs)) if child.params == Params::Outputs => {
                child.params = if needs.is_key { Params::Outputs } else { Params::List };
                needs.is_key = false;
            }
            (Some(child), _) => child.params = Params::Map,
            (None, _) => {}
        }
        let list = |pick: Option<u16>| pick.and_then(&readable).filter(|step| is_known(*step));
        task.fan = self.fan.map(|(fan, pick)| match list(pick) {
            Some(step) if fans_out(step) => Fan { items: Items::GivenBy(step), ..fan },
            Some(step) => Fan { items: Items::Output(step), ..fan },
            None => fan,
        });
        if let (Some(child), Some(fan)) = (&task.child, &mut task.fan) {
            fan.reads_item &= child.params == Params::Map;
        }
        task.locks = task.locks.map(|locks| match locks {
            Locks::OfItem if task.fan.is_none() => Locks::Literal,
            other => other,
        });
        if let (Some(repeat), None) = (&mut task.repeat, &task.fan)
            && repeat.until == Until::AtLeastFiveWithPlace
        {
            repeat.until = Until::AtLeastFive;
        }
        Step {
            hook,
            trigger_rule: self.rule(hook, &depends_on),
            condition,
            continue_on_error: self.continue_on_error,
            not_before: self.not_before,
            work: match (self.wait, self.ask) {
                (Some(wait), _) => Work::Wait(wait),
                (None, Some(ask)) => Work::Ask(ask),
                (None, None) => Work::Task(task),
            },
            depends_on,
        }
    }
}

/// Whether a step with this rule may start before all have ended that it waits for.
pub(crate) fn is_eager(rule: Rule) -> bool {
    matches!(rule, Rule::OneSuccess | Rule::OneFailed)
}

/// A step that has ended for sure when one with these dependencies has waited for all of them, so that its outputs are
/// known.
fn readable(before: &[Step], depends_on: &[Dependency], pick: u16) -> usize {
    let mut pick = usize::from(pick);
    let mut found = depends_on[pick % depends_on.len()].step;
    loop {
        pick /= 3;
        let further = &before[found];
        if pick.is_multiple_of(2) || further.depends_on.is_empty() || is_eager(further.trigger_rule) {
            return found;
        }
        found = further.depends_on[pick % further.depends_on.len()].step;
    }
}
