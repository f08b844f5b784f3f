//! How a plan looks: wave by wave, each step with its settings. What is shown of a step is said in one place, `plan_settings`,
//! for people and for programs.

use millrace_domain::definition::{Params, Workflow};
use millrace_domain::rule::Status;
use millrace_domain::run::{Fate, Plan, PlannedStep};
use millrace_domain::{StepIndex, Timestamp};
use serde_json::{Map, Value, json};

use super::plan_settings::{concurrency, settings, word};

/// The widest that the names of settings are padded to.
const WIDEST_NAME: usize = 17;

/// A plan with all that is needed to show it.
pub(crate) struct Planned<'p> {
    pub(crate) workflow: &'p Workflow,
    pub(crate) params: &'p Params,
    pub(crate) plan: &'p Plan,
    pub(crate) now: Timestamp,
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
        let concurrency = concurrency(self.workflow, self.plan).map(|setting| setting.value);
        json!({"workflow": id, "params": self.params, "assumes": assumed, "concurrency": concurrency, "waves": waves, "steps": steps})
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
        if let Some(setting) = concurrency(self.workflow, self.plan) {
            lines.push(format!("{}: {}", setting.name, setting.text));
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
