//! The shapes of work that is submitted, and how each of them must end.

use serde_json::{Value, json};

/// A shape of work: what is submitted, and what must become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// An ad-hoc task that leaves its marks and ends.
    Quick,
    /// An ad-hoc task that does nothing, and leaves no marks.
    Noop,
    /// An ad-hoc task of some seconds, which lives through faults.
    Long,
    /// Four steps: a fork and a join.
    Diamond,
    /// A step that fails at first, and another one after it.
    Flaky,
    /// A step that fails, and one that must not start.
    Failing,
    /// A step that lasts too long and is cancelled, and one that must not start.
    Doomed,
    /// A step that hands an output to the next.
    Handover,
    /// A step whose failure is excused, a wait, a branch that is taken and two that are not, a join, and a clean-up.
    Branches,
    /// A step that hands a list on, one with an item for each entry of it, and a join that reads what they gave in order;
    /// hooks of both kinds.
    Items,
    /// A step that fails and asks, and one after it that reads what somebody says it gave.
    Asked,
    /// A step, more waits after it than one advance begins, and a step after all of them.
    Wide,
    /// A step, runs of another workflow for each of three items, and a step that reads what these hand on.
    Nested,
    /// A step that one run may be in at a time, and one that three may.
    Locked,
    /// A step in a run beside which no other of its workflow may be under way.
    Limited,
    /// A run that is an item of [`Shape::Nested`]. It is not submitted.
    Part,
}

/// The number of runs that are items of one of [`Shape::Nested`].
pub(crate) const PARTS: usize = 3;

/// The names of the items of [`Shape::Items`].
const ITEMS: [&str; 12] = [
    "each.0", "each.1", "each.2", "each.3", "each.4", "each.5", "each.6", "each.7", "each.8", "each.9",
    "each.10", "each.11",
];

/// The rule of a step: what must be seen of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepRule {
    /// The name of the step; `*` for the one step of ad-hoc tasks.
    pub name: &'static str,
    /// The steps that must have left their last mark before it starts.
    pub after: &'static [&'static str],
    /// What the step must have done when the run has ended.
    pub must: Must,
    /// The number of attempts that its definition makes when nothing goes wrong.
    pub attempts: usize,
}

/// What a step must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Must {
    /// It must start, and come to its end.
    End,
    /// It may start, and need not.
    May,
    /// It must never start.
    Not,
}

const fn step(name: &'static str, after: &'static [&'static str], must: Must, attempts: usize) -> StepRule {
    StepRule { name, after, must, attempts }
}

impl Shape {
    /// The state in which a run of this shape must end.
    pub fn state(self) -> &'static str {
        match self {
            Self::Failing => "failed",
            Self::Doomed => "cancelled",
            _ => "succeeded",
        }
    }

    /// What a run of this shape hands on.
    pub fn outputs(self) -> Option<Value> {
        match self {
            Self::Items => Some(json!({"all": "0,1,2,3,4,5,6,7,8,9,10,11", "large": LARGE})),
            Self::Nested => Some(json!({"parts": "0,1,2"})),
            _ => None,
        }
    }

    /// The number of tasks that a run of this shape makes, as a load.
    pub fn tasks(self) -> usize {
        match self {
            Self::Quick
            | Self::Noop
            | Self::Long
            | Self::Failing
            | Self::Doomed
            | Self::Part
            | Self::Limited => 1,
            Self::Nested => 2 + PARTS,
            Self::Handover | Self::Asked | Self::Locked => 2,
            Self::Flaky => 3,
            Self::Branches => 4,
            Self::Items => 16,
            // Its waits are no tasks, and yet as much work for producers and store as so many.
            Self::Wide => 100,
            Self::Diamond => 4,
        }
    }

    /// The rules of the steps.
    pub fn steps(self) -> &'static [StepRule] {
        const ONE: &[StepRule] = &[step("*", &[], Must::End, 1)];
        const DIAMOND: &[StepRule] = &[
            step("top", &[], Must::End, 1),
            step("left", &["top"], Must::End, 1),
            step("right", &["top"], Must::End, 1),
            step("bottom", &["left", "right"], Must::End, 1),
        ];
        const FLAKY: &[StepRule] =
            &[step("first", &[], Must::End, 2), step("second", &["first"], Must::End, 1)];
        const FAILING: &[StepRule] = &[step("first", &[], Must::May, 1), step("second", &[], Must::Not, 0)];
        const DOOMED: &[StepRule] = &[step("first", &[], Must::May, 1), step("second", &[], Must::Not, 0)];
        const ASKED_STEPS: &[StepRule] =
            &[step("first", &[], Must::May, 1), step("second", &[], Must::End, 1)];
        const HANDOVER: &[StepRule] =
            &[step("first", &[], Must::End, 1), step("second", &["first"], Must::End, 1)];
        const BRANCHES: &[StepRule] = &[
            step("first", &[], Must::May, 1),
            step("taken", &[], Must::End, 1),
            step("not_taken", &[], Must::Not, 0),
            step("unwanted", &[], Must::Not, 0),
            step("join", &["taken"], Must::End, 1),
            step("clean", &["join"], Must::End, 1),
        ];
        const FIRST_AND_SECOND: &[StepRule] =
            &[step("first", &[], Must::End, 1), step("second", &["first"], Must::End, 1)];
        const OF_ITEMS: &[StepRule] = &{
            let mut rules = [step("list", &[], Must::End, 1); 17];
            let mut item = 0;
            while item < ITEMS.len() {
                rules[item + 1] = step(ITEMS[item], &["list"], Must::End, 1);
                item += 1;
            }
            rules[13] = step("join", &ITEMS, Must::End, 1);
            rules[14] = step("after_list", &["list"], Must::End, 1);
            rules[15] = step("tell", &[], Must::Not, 0);
            rules[16] = step("done", &["join", "after_list"], Must::End, 1);
            rules
        };
        const LOCKED_STEPS: &[StepRule] =
            &[step(ALONE, &[], Must::End, 1), step(FEW, &[ALONE], Must::End, 1)];
        const LIMITED_STEPS: &[StepRule] = &[step(LIMITED, &[], Must::End, 1)];
        match self {
            Self::Locked => LOCKED_STEPS,
            Self::Limited => LIMITED_STEPS,
            Self::Quick | Self::Long | Self::Part => ONE,
            Self::Noop => &[],
            Self::Diamond => DIAMOND,
            Self::Flaky => FLAKY,
            Self::Failing => FAILING,
            Self::Doomed => DOOMED,
            Self::Handover => HANDOVER,
            Self::Branches => BRANCHES,
            Self::Items => OF_ITEMS,
            Self::Asked => ASKED_STEPS,
            Self::Wide | Self::Nested => FIRST_AND_SECOND,
        }
    }

    /// Is the end of this step the end of its run?
    pub fn last_step(name: &str) -> bool {
        !matches!(name, "top" | "left" | "right" | "first" | "taken" | "join" | "list" | "after_list")
            && name != PART
            && name != ALONE
            && !name.starts_with("each.")
    }

    /// The submission of the shape, without its key. `script` leaves the marks.
    pub(crate) fn submission(self, script: &str) -> Value {
        // A full disk makes attempts fail; these are on record, and the retries outlast it.
        let retry = json!({"limit": 30, "delay": "500ms", "backoff": 1.0});
        match self {
            Self::Quick => json!({"run": script, "retry": retry}),
            Self::Noop => json!({"uses": "noop"}),
            Self::Long => {
                json!({"run": script.replacen('\n', "\nsleep 4\n", 1), "retry": retry, "priority": "P1"})
            }
            Self::Diamond => json!({"workflow": "diamond"}),
            Self::Flaky => json!({"workflow": "flaky"}),
            Self::Failing => json!({"workflow": "failing"}),
            Self::Doomed => json!({"workflow": "doomed"}),
            Self::Handover => json!({"workflow": "handover"}),
            Self::Branches => json!({"workflow": BRANCHES}),
            Self::Items => json!({"workflow": MANY}),
            Self::Asked => json!({"workflow": ASKED}),
            Self::Wide => json!({"workflow": WIDE}),
            Self::Nested => json!({"workflow": NESTED}),
            Self::Locked => json!({"workflow": LOCKED}),
            Self::Limited => json!({"workflow": LIMITED}),
            Self::Part => json!({"workflow": PART}),
        }
    }
}

/// The workflows of which version 0.1 knows nothing, or not all that they are about.
pub(crate) const NEWER: [&str; 8] = [BRANCHES, MANY, WIDE, ASKED, NESTED, PART, LOCKED, LIMITED];

const BRANCHES: &str = "branches";
const MANY: &str = "many";
const WIDE: &str = "wide";
const ASKED: &str = "asked";
const NESTED: &str = "nested";
const LOCKED: &str = "locked";

/// The steps of [`Shape::Locked`]: the first has a lock that one may hold, the second one with so many slots.
pub(crate) const ALONE: &str = "alone";
pub(crate) const FEW: &str = "few";
pub(crate) const SLOTS: usize = 3;

/// The name of the workflow of [`Shape::Limited`], and of its one step.
pub(crate) const LIMITED: &str = "limited";

/// The name of the workflow that [`Shape::Nested`] runs, and of its one step.
pub(crate) const PART: &str = "part";

/// The length of a text that is kept apart from its run.
const LARGE: usize = 80_000;

/// The number of waits in [`Shape::Wide`]: an advance begins no further step after 2,500 actions.
const WIDTH: u32 = 2_600;

/// The stored workflows of the shapes, and `schedules` of them that fire every second. `start` and `end` leave the
/// marks.
pub(crate) fn workflows(start: &str, end: &str, schedules: usize) -> Vec<Value> {
    let retry = json!({"retry": {"limit": 30, "delay": "500ms", "backoff": 1.0}});
    let both = format!("{start}\n{end}");
    let step = |name: &str, after: &[&str], run: &str| json!({"name": name, "depends_on": after, "run": run});
    let unretried = |name: &str, run: &str| json!({"name": name, "run": run, "retry": {"limit": 0}});
    let reads = json!({"name": "second", "depends_on": ["first"], "env": {"HANDED": "${{ outputs.first.value }}"},
        "run": format!("{start}\ntest \"$HANDED\" = \"of $MILLRACE_RUN_ID\"\n{end}")});
    let writes = format!("{start}\necho \"value=of $MILLRACE_RUN_ID\" > \"$MILLRACE_OUTPUT\"\n{end}");
    let fails_first = format!("{start}\ntest \"$MILLRACE_ATTEMPT\" -ge 2\n{end}");
    let mut all = vec![
        json!({"name": "diamond", "defaults": retry, "steps": [step("top", &[], &both),
            step("left", &["top"], &both), step("right", &["top"], &both),
            step("bottom", &["left", "right"], &both)]}),
        json!({"name": "flaky", "defaults": retry, "steps": [step("first", &[], &fails_first),
            step("second", &["first"], &both)]}),
        json!({"name": "failing", "steps": [unretried("first", &format!("{start}\nexit 1")),
            step("second", &["first"], &both)]}),
        json!({"name": "doomed", "steps": [step("first", &[], &format!("{start}\nsleep 60")),
            step("second", &["first"], &both)]}),
        json!({"name": "handover", "defaults": retry, "steps": [step("first", &[], &writes), reads]}),
        json!({"name": BRANCHES, "defaults": retry, "steps": [
            json!({"name": "first", "run": format!("{start}\nexit 1"), "retry": {"limit": 0}, "continue_on_error": true}),
            json!({"name": "pause", "uses": "wait", "with": {"for": "1s"}}),
            step("taken", &["first", "pause"], &both),
            json!({"name": "not_taken", "depends_on": [{"step": "first", "status": "failed"}], "run": both}),
            json!({"name": "unwanted", "depends_on": ["taken"], "if": "run.id == 'none'", "run": both}),
            json!({"name": "join", "depends_on": ["taken", "not_taken", "unwanted"], "trigger_rule": "none_failed",
                "run": both}),
            json!({"name": "clean", "depends_on": ["join"], "trigger_rule": "all_finished", "run": both})]}),
        many(start, end, &retry),
        wide(&both, &retry),
        asked(start, end, &retry),
        locked(start, end, &retry),
        limited(start, end, &retry),
    ];
    all.extend(nested(start, end, &retry));
    all.extend((0..schedules).map(|number| {
        json!({"name": format!("tick{number}"), "defaults": retry, "schedule": [{"every": "1s"}],
            "steps": [step("tick", &[], &both)]})
    }));
    all
}

/// The workflow of which somebody is asked.
fn asked(start: &str, end: &str, retry: &Value) -> Value {
    let reads = format!("{start}\ntest \"$SAID\" = \"of $MILLRACE_RUN_ID\"\n{end}");
    let asks = json!({"limit": 0, "then": "ask", "ask_timeout": "1h"});
    json!({"name": ASKED, "defaults": retry, "steps": [
        {"name": "first", "run": format!("{start}\nexit 1"), "retry": asks},
        {"name": "second", "depends_on": ["first"], "run": reads, "env": {"SAID": "${{ outputs.first.value }}"}}]})
}

/// The workflow whose steps hold locks.
fn locked(start: &str, end: &str, retry: &Value) -> Value {
    let lasts = |time: &str| format!("{start}\nsleep {time}\n{end}");
    let few = json!({"name": "faults/few", "slots": SLOTS});
    json!({"name": LOCKED, "defaults": retry, "steps": [
        {"name": ALONE, "run": lasts("0.2"), "locks": ["faults/alone"]},
        {"name": FEW, "depends_on": [ALONE], "run": lasts("1"), "locks": [few]}]})
}

/// The workflow that allows one run at a time.
fn limited(start: &str, end: &str, retry: &Value) -> Value {
    json!({"name": LIMITED, "defaults": retry, "concurrency": 1,
        "steps": [{"name": LIMITED, "run": format!("{start}\nsleep 0.3\n{end}")}]})
}

/// The workflow that runs another one, and that.
fn nested(start: &str, end: &str, retry: &Value) -> [Value; 2] {
    let both = format!("{start}\n{end}");
    let gives = format!("{start}\necho \"n=$n\" > \"$MILLRACE_OUTPUT\"\n{end}");
    let reads = format!("{start}\ntest \"$ALL\" = '0,1,2'\n{end}");
    let all = "${{ outputs.parts | map(attribute='n') | join(',') }}";
    let parts = json!({"name": "parts", "depends_on": ["first"], "uses": "workflow", "shards": PARTS,
        "with": {"name": PART, "params": {"n": "${{ item_index }}"}}});
    [
        json!({"name": PART, "defaults": retry, "params": [{"name": "n", "type": "int"}],
            "steps": [{"name": PART, "run": gives}], "outputs": {"n": "${{ outputs.part.n }}"}}),
        json!({"name": NESTED, "defaults": retry, "outputs": {"parts": all}, "steps": [
            {"name": "first", "run": both}, parts,
            {"name": "second", "depends_on": ["parts"], "run": reads, "env": {"ALL": all}}]}),
    ]
}

/// The workflow that begins by and by.
fn wide(both: &str, retry: &Value) -> Value {
    let names: Vec<String> = (0..WIDTH).map(|n| format!("w{n}")).collect();
    let wait =
        |name: &String| json!({"name": name, "depends_on": ["first"], "uses": "wait", "with": {"for": "1s"}});
    let mut steps: Vec<Value> = names.iter().map(wait).collect();
    steps.push(json!({"name": "first", "run": both}));
    steps.push(json!({"name": "second", "depends_on": names, "run": both}));
    json!({"name": WIDE, "defaults": retry, "steps": steps})
}

/// The workflow with items and hooks. The outputs of its first step are large.
fn many(start: &str, end: &str, retry: &Value) -> Value {
    let both = format!("{start}\n{end}");
    let lists = format!(
        "{start}\nlarge=$(head -c {LARGE} /dev/zero | tr '\\0' x)\n\
         printf '{{\"all\": [0,1,2,3,4,5,6,7,8,9,10,11], \"large\": \"%s\"}}' \"$large\" > \"$MILLRACE_OUTPUT\"\n{end}"
    );
    let each = format!("{start}\necho \"n=$MILLRACE_ITEM\" > \"$MILLRACE_OUTPUT\"\n{end}");
    let joins = format!("{start}\ntest \"$ALL $LARGE\" = '0,1,2,3,4,5,6,7,8,9,10,11 {LARGE}'\n{end}");
    json!({"name": MANY, "defaults": retry, "steps": [
        {"name": "list", "run": lists, "on_finish": [{"name": "after_list", "run": both}]},
        {"name": "each", "depends_on": ["list"], "run": each,
         "foreach": {"items": "${{ outputs.list.all }}", "max_parallel": 5}},
        {"name": "join", "depends_on": ["each"], "run": joins,
         "env": {"ALL": "${{ outputs.each | map(attribute='n') | join(',') }}",
                 "LARGE": "${{ outputs.list.large | length }}"}}],
        "outputs": {"all": "${{ outputs.each | map(attribute='n') | join(',') }}",
                    "large": "${{ outputs.list.large | length }}"},
        "on_failure": [{"name": "tell", "run": both}],
        "on_finish": [{"name": "done", "run": both}]})
}
