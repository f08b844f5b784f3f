//! How a plan looks: wave by wave, each step with its settings. What is shown of a step is said in one place, `settings`,
//! for people and for programs.

use millrace_domain::child::WORKFLOW;
use millrace_domain::definition::{Params, SHELL, Step, Tolerance, Workflow};
use millrace_domain::quantity::format_duration;
use millrace_domain::rule::Status;
use millrace_domain::run::{Fate, Plan, PlannedStep};
use millrace_domain::wait::WAIT;
use millrace_domain::{Hook, Outcome, RetryPolicy, StepIndex, Timestamp, TriggerRule};
use serde_json::{Map, Value, json};

/// The widest that the names of settings are padded to.
const WIDEST_NAME: usize = 17;

/// A plan with all that is needed to show it.
pub(crate) struct Planned<'p> {
    pub(crate) workflow: &'p Workflow,
    pub(crate) params: &'p Params,
    pub(crate) plan: &'p Plan,
    pub(crate) now: Timestamp,
}

/// A setting of a step: its name, its value for programs, and for people; an empty text is not shown.
struct Setting {
    name: &'static str,
    value: Value,
    text: String,
}

/// What a plan takes for granted.
const ASSUMED: &str = "every step that starts succeeds, and conditions that need outputs hold";

impl Planned<'_> {
    /// The plan for programs.
    pub(crate) fn to_json(&self) -> Value {
        let name = |step: &StepIndex| self.workflow.steps[step.at()].name.as_str();
        let waves: Vec<Vec<&str>> =
            self.plan.waves.iter().map(|wave| wave.iter().map(name).collect()).collect();
        let steps: Vec<Value> = (0..self.workflow.steps.len()).map(|at| self.step_json(at)).collect();
        let id = self.workflow.id.as_str();
        let assumed = ASSUMED;
        json!({"workflow": id, "params": self.params, "assumes": assumed, "waves": waves, "steps": steps})
    }

    fn step_json(&self, at: usize) -> Value {
        let step = &self.workflow.steps[at];
        let planned = &self.plan.steps[at];
        let (fate, wave, reason) = match &planned.fate {
            Fate::Starts { wave } => ("starts", Some(wave + 1), None),
            Fate::Skipped { reason, .. } => ("skipped", None, Some(reason)),
            Fate::Fails { reason } => ("fails", None, Some(reason)),
        };
        let edges = self.workflow.graph.dependency_edges(StepIndex::from(at));
        let name = |on: StepIndex| self.workflow.steps[on.at()].name.as_str();
        let edges: Vec<Value> =
            edges.map(|(on, status)| json!({"step": name(on), "status": status.as_str()})).collect();
        let mut row = Map::new();
        row.insert("name".to_owned(), step.name.as_str().into());
        row.insert("fate".to_owned(), fate.into());
        row.insert("wave".to_owned(), json!(wave));
        row.insert("reason".to_owned(), json!(reason));
        row.insert("depends_on".to_owned(), edges.into());
        row.extend(settings(step, planned, self.now).into_iter().map(|one| (one.name.to_owned(), one.value)));
        Value::Object(row)
    }

    /// The plan for people, in lines without an end.
    pub(crate) fn to_text(&self) -> String {
        let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let steps = count(self.workflow.steps.len(), "step");
        let waves = count(self.plan.waves.len(), "wave");
        let mut lines = vec![
            format!("{}: {steps} in {waves}; nothing is run", self.workflow.id),
            format!("as if {ASSUMED}"),
        ];
        let params = self.params.iter().map(|(name, value)| format!("{name}={}", word(value)));
        let params: Vec<String> = params.collect();
        if !params.is_empty() {
            lines.push(format!("params: {}", params.join(" ")));
        }
        for (wave, steps) in self.plan.waves.iter().enumerate() {
            lines.push(String::new());
            lines.push(match steps.len() {
                1 => format!("wave {}", wave + 1),
                count => format!("wave {}, {count} steps together", wave + 1),
            });
            let still_start =
                |step: &&StepIndex| matches!(self.plan.steps[step.at()].fate, Fate::Starts { .. });
            steps.iter().filter(still_start).for_each(|step| self.step_text(step.at(), &mut lines));
        }
        let others = |(_, step): &(usize, &PlannedStep)| !matches!(step.fate, Fate::Starts { .. });
        let others: Vec<(usize, &PlannedStep)> = self.plan.steps.iter().enumerate().filter(others).collect();
        if !others.is_empty() {
            lines.extend([String::new(), "not started".to_owned()]);
        }
        for (at, step) in others {
            let name = &self.workflow.steps[at].name;
            lines.push(match &step.fate {
                Fate::Skipped { reason, at_once: true } => format!("  {name}: would be skipped: {reason}"),
                Fate::Skipped { reason, at_once: false } => {
                    format!("  {name}: would be skipped, if all goes well before: {reason}")
                }
                Fate::Fails { reason } => format!("  {name}: would fail: {reason}"),
                Fate::Starts { .. } => continue,
            });
        }
        lines.join("\n")
    }

    fn step_text(&self, at: usize, lines: &mut Vec<String>) {
        let step = &self.workflow.steps[at];
        let edges = self.workflow.graph.dependency_edges(StepIndex::from(at));
        let edges: Vec<String> = edges
            .map(|(on, status)| match status {
                Status::Success => self.workflow.steps[on.at()].name.to_string(),
                other => format!("{} ({other})", self.workflow.steps[on.at()].name),
            })
            .collect();
        let arrow = if edges.is_empty() { String::new() } else { format!("  ← {}", edges.join(", ")) };
        lines.push(format!("  {}{arrow}", step.name));
        for setting in settings(step, &self.plan.steps[at], self.now) {
            let mut name = setting.name;
            for line in setting.text.lines() {
                lines.push(format!("      {name:WIDEST_NAME$}  {line}").trim_end().to_owned());
                name = "";
            }
        }
    }
}

/// All that a plan says of a step, in the order in which it is shown. A new field of a step is a line here.
fn settings(step: &Step, planned: &PlannedStep, now: Timestamp) -> Vec<Setting> {
    let rule = if step.rule == TriggerRule::default() { String::new() } else { step.rule.to_string() };
    let makes_tasks = ![WAIT, WORKFLOW].contains(&step.uses);
    let mut settings = vec![
        setting("trigger_rule", step.rule.as_str(), rule),
        condition(step, planned),
        not_before(step, planned, now),
        optional("pool", makes_tasks.then(|| step.pool.to_string())),
        plain("executor", step.uses),
        fan_out(step, planned),
        repeat(step),
        outputs(step),
        optional("hook", step.hook.map(hook)),
        optional("timeout", step.timeout.map(format_duration)),
        retry(&step.retry),
        flag("at_most_once", step.at_most_once),
        flag("continue_on_error", step.continue_on_error),
        optional("working_dir", step.working_dir.as_deref().map(str::to_owned)),
        env(planned, makes_tasks),
    ];
    settings.extend(input(step, planned));
    settings.push(optional("waits_until", planned.waits_until.map(|until| until.to_string())));
    settings
}

fn setting(name: &'static str, value: impl Into<Value>, text: impl Into<String>) -> Setting {
    Setting { name, value: value.into(), text: text.into() }
}

fn plain(name: &'static str, text: &str) -> Setting {
    setting(name, text, text)
}

fn optional(name: &'static str, text: Option<String>) -> Setting {
    setting(name, text.clone(), text.unwrap_or_default())
}

fn flag(name: &'static str, is_set: bool) -> Setting {
    setting(name, is_set, if is_set { "true" } else { "" })
}

fn condition(step: &Step, planned: &PlannedStep) -> Setting {
    let Some(condition) = &step.condition else { return setting("if", Value::Null, "") };
    let source = condition.source();
    let (holds, told) = match &planned.condition {
        None => (Value::Null, "known only in the run".to_owned()),
        Some(Ok(holds)) => (Value::from(*holds), format!("is {holds}")),
        Some(Err(why)) => (Value::Null, why.clone()),
    };
    setting("if", json!({"expression": source, "holds": holds}), format!("{source}  ({told})"))
}

fn not_before(step: &Step, planned: &PlannedStep, now: Timestamp) -> Setting {
    let (Some(time), Some(at)) = (step.not_before, planned.not_before) else {
        return setting("not_before", Value::Null, "");
    };
    let (time, at, has_passed) = (time.to_string(), at.to_string(), at <= now);
    let told = if has_passed { ", which has passed" } else { "" };
    let text = format!("{time}  ({at}{told})");
    setting("not_before", json!({"time": time, "at": at, "has_passed": has_passed}), text)
}

/// How a step fans out, as far as it is known before the run.
fn fan_out(step: &Step, planned: &PlannedStep) -> Setting {
    let Some(fan) = &step.fan else { return setting("items", Value::Null, "") };
    let (count, told) = match &planned.items {
        None => (Value::Null, "known only in the run".to_owned()),
        Some(Ok(count)) => (Value::from(*count), count.to_string()),
        Some(Err(why)) => (Value::Null, why.clone()),
    };
    let mut text = format!("{told}, {} at once", fan.max_parallel);
    if fan.tolerate != Tolerance::default() {
        text.push_str(&format!(", {} may fail", fan.tolerate));
    }
    if fan.fail_fast {
        text.push_str(", the rest is given up once too many have failed");
    }
    let value = json!({
        "count": count, "max_parallel": fan.max_parallel, "tolerate": fan.tolerate.to_string(), "fail_fast": fan.fail_fast,
    });
    setting("items", value, text)
}

fn repeat(step: &Step) -> Setting {
    let Some(repeat) = &step.repeat else { return setting("repeat", Value::Null, "") };
    let (until, max, delay) = (repeat.until.source(), repeat.max, format_duration(repeat.delay));
    let text = format!("until {until}, at most {max} times, every {delay}");
    setting("repeat", json!({"until": until, "max": max, "delay": delay}), text)
}

/// The outputs that the step declares.
fn outputs(step: &Step) -> Setting {
    let keys: Vec<&str> = step.outputs.iter().map(|output| output.key.as_str()).collect();
    setting("outputs", keys.clone(), keys.join(", "))
}

fn hook(hook: Hook) -> String {
    match hook {
        Hook::Step(when, _) => format!("{when} of a step"),
        Hook::Run(when) => when.to_string(),
    }
}

fn retry(policy: &RetryPolicy) -> Setting {
    if policy.limit == 0 && policy.ask.is_none() {
        return setting("retry", json!({"limit": 0}), "");
    }
    let RetryPolicy { limit, delay, backoff, max_delay, jitter, outcomes, ask } = policy;
    let (delay, max_delay) = (format_duration(*delay), format_duration(*max_delay));
    let outcomes: Vec<&str> = outcomes.iter().copied().map(Outcome::as_str).collect();
    let mut text = format!(
        "limit {limit}, delay {delay}, backoff {backoff}, max_delay {max_delay}, jitter {jitter}, outcomes {}",
        outcomes.join(" ")
    );
    let ask = ask.map(format_duration);
    if let Some(ask) = &ask {
        text.push_str(&format!(", then somebody is asked for {ask}"));
    }
    let value = json!({
        "ask": ask, "limit": limit, "delay": delay, "backoff": backoff, "max_delay": max_delay, "jitter": jitter, "outcomes": outcomes,
    });
    setting("retry", value, text)
}

fn env(planned: &PlannedStep, makes_tasks: bool) -> Setting {
    let mut values = Map::new();
    let mut lines = Vec::new();
    for (name, value) in planned.env.iter().filter(|_| makes_tasks) {
        let (value, line) = match value {
            Ok(text) => (json!(text), format!("{name}={text}")),
            Err(why) => (Value::Null, format!("{name}: cannot be rendered: {why}")),
        };
        values.insert(name.clone(), value);
        lines.push(line);
    }
    setting("env", values, lines.join("\n"))
}

/// The input of the executor, by the names under which it was written.
fn input(step: &Step, planned: &PlannedStep) -> Vec<Setting> {
    match &planned.with {
        Err(why) => vec![setting("with", Value::Null, format!("cannot be rendered: {why}"))],
        Ok(with) if step.uses == SHELL => {
            let script = with["run"].as_str().unwrap_or_default();
            let words = with["shell"].as_array().into_iter().flatten().map(word).collect::<Vec<_>>();
            vec![setting("shell", with["shell"].clone(), words.join(" ")), plain("run", script)]
        }
        Ok(with) => {
            let fields = with.as_object().into_iter().flatten();
            let lines: Vec<String> = fields.map(|(name, value)| format!("{name}: {}", word(value))).collect();
            vec![setting("with", with.clone(), lines.join("\n"))]
        }
    }
}

/// A value in one word: a text as it is, all else as JSON.
fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use millrace_domain::definition;
    use millrace_domain::run;

    use super::*;

    const SOURCE: &str = "
name: nightly
timezone: Asia/Shanghai
params: [{name: n, type: int}, {name: region, default: eu}]
env: {LANG: C}
steps:
  - name: extract
    run: |
      echo one
      echo two
    timeout: 1h
    retry: {limit: 2, delay: 10s}
  - name: send
    depends_on: [extract]
    if: outputs.extract.rows > 0
    not_before: \"06:00\"
    env: {ROWS: \"${{ outputs.extract.rows }} of ${{ params.n }}\"}
    uses: http
    with: {url: \"https://x/${{ params.region }}\", body: {n: \"${{ params.n }}\"}}
  - {name: large, if: params.n > 5, run: x}
  - {name: after, depends_on: [{step: large, status: skipped}], run: x, pool: gpu, shell: [bash, -c]}
  - {name: repair, depends_on: [{step: extract, status: failed}], run: x}
";

    fn shown<T>(see: impl Fn(Planned<'_>) -> T) -> T {
        let parsed = definition::parse(SOURCE, "w.yaml").unwrap_or_else(|problems| panic!("{problems}"));
        let workflow = &parsed[0].workflow;
        let params = Params::from([("n".to_owned(), json!(3)), ("region".to_owned(), json!("eu"))]);
        // 2026-03-02T07:30:00 in Shanghai.
        let now = Timestamp::from_millis(1_772_407_800_000);
        let plan = run::plan(workflow, params.clone(), now);
        see(Planned { workflow, params: &params, plan: &plan, now })
    }

    #[test]
    fn a_plan_is_told_wave_by_wave_with_the_settings_of_each_step() {
        let expected = "\
nightly: 5 steps in 2 waves; nothing is run
as if every step that starts succeeds, and conditions that need outputs hold
params: n=3 region=eu

wave 1, 2 steps together
  extract
      pool               default
      executor           shell
      timeout            1h
      retry              limit 2, delay 10s, backoff 2, max_delay 5m, jitter true, outcomes failed timed_out
      env                LANG=C
      run                echo one
                         echo two
  after  ← large (skipped)
      pool               gpu
      executor           shell
      env                LANG=C
      shell              bash -c
      run                x

wave 2
  send  ← extract
      if                 outputs.extract.rows > 0  (known only in the run)
      not_before         06:00  (2026-03-01T22:00:00.000Z, which has passed)
      pool               default
      executor           http
      env                LANG=C
                         ROWS=${{ outputs.extract.rows }} of 3
      with               body: {\"n\":3}
                         url: https://x/eu

not started
  large: would be skipped: its condition is false: params.n > 5
  repair: would be skipped, if all goes well before: step extract did not fail";
        assert_eq!(shown(|planned| planned.to_text()), expected);
    }

    #[test]
    fn a_plan_for_programs_says_the_same() {
        let json = shown(|planned| planned.to_json());
        assert_eq!(json["waves"], json!([["extract", "after"], ["send"]]));
        assert_eq!(json["params"], json!({"n": 3, "region": "eu"}));
        let [extract, send, large] = [0, 1, 2].map(|at| json["steps"][at].clone());
        assert_eq!(
            (&extract["wave"], &extract["timeout"], &extract["retry"]["delay"]),
            (&json!(1), &json!("1h"), &json!("10s"))
        );
        assert_eq!(send["if"], json!({"expression": "outputs.extract.rows > 0", "holds": null}));
        assert_eq!(send["with"], json!({"url": "https://x/eu", "body": {"n": 3}}));
        assert_eq!(send["not_before"]["has_passed"], json!(true));
        assert_eq!((&large["fate"], &large["if"]["holds"]), (&json!("skipped"), &json!(false)));
        assert_eq!(large["reason"], json!("its condition is false: params.n > 5"));
    }
}
