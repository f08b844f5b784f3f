//! What is drawn of a workflow, whatever the form: its steps with their depths, their edges, and what to know of each.

use millrace_domain::definition::{Over, SHELL, Step, Workflow};
use millrace_domain::rule::Status;
use millrace_domain::{Hook, StepIndex, TriggerRule};
use serde_json::{Value, json};

/// A workflow as it is drawn.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    /// The name of the workflow.
    pub(crate) title: String,
    /// The steps, in the order of the file.
    pub(crate) nodes: Vec<Node>,
    /// The number of layers: the greatest depth, and one.
    pub(crate) layers: usize,
}

/// A step as it is drawn.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) name: String,
    /// The depth: the longest way to it from a step that waits for none.
    pub(crate) depth: usize,
    /// What is to be known about when it starts.
    pub(crate) notes: Vec<String>,
    /// The edges from the steps that it waits for.
    pub(crate) edges: Vec<Edge>,
}

/// An edge, seen from the step that waits.
#[derive(Debug, Clone)]
pub(crate) struct Edge {
    /// The place of the step that is waited for.
    pub(crate) from: usize,
    /// The status that is wanted of it, when it is not success.
    pub(crate) label: Option<&'static str>,
}

impl Picture {
    /// The picture of a workflow.
    pub(crate) fn of(workflow: &Workflow) -> Self {
        let mut depths = workflow.graph.depths();
        // The hooks of the run wait for all other steps, which are not drawn as edges.
        let of_steps = workflow.steps.iter().zip(&depths).filter(|(step, _)| !step.is_run_hook());
        let below = of_steps.map(|(_, depth)| depth + 1).max().unwrap_or_default();
        let hooks = workflow.steps.iter().zip(&mut depths).filter(|(step, _)| step.is_run_hook());
        hooks.for_each(|(_, depth)| *depth += below);
        let node = |(at, step): (usize, &Step)| Node {
            name: step.name.to_string(),
            depth: depths[at] as usize,
            notes: notes(step),
            edges: workflow.graph.dependency_edges(StepIndex::from(at)).map(edge).collect(),
        };
        Self {
            title: workflow.id.to_string(),
            nodes: workflow.steps.iter().enumerate().map(node).collect(),
            layers: depths.iter().max().map_or(0, |deepest| *deepest as usize + 1),
        }
    }

    /// The places of the steps of each layer, in the order of the file.
    pub(crate) fn by_layer(&self) -> Vec<Vec<usize>> {
        let mut layers = vec![Vec::new(); self.layers];
        self.nodes.iter().enumerate().for_each(|(at, node)| layers[node.depth].push(at));
        layers
    }

    /// The picture for programs.
    pub(crate) fn to_json(&self) -> Value {
        let edge = |edge: &Edge| {
            let status = edge.label.unwrap_or(Status::Success.as_str());
            json!({"step": self.nodes[edge.from].name, "status": status})
        };
        let node = |node: &Node| {
            let edges: Vec<Value> = node.edges.iter().map(edge).collect();
            json!({"name": node.name, "depth": node.depth, "depends_on": edges, "notes": node.notes})
        };
        json!({"workflow": self.title, "steps": self.nodes.iter().map(node).collect::<Vec<_>>()})
    }
}

fn edge((on, status): (StepIndex, Status)) -> Edge {
    Edge { from: on.at(), label: (status != Status::default()).then(|| status.as_str()) }
}

/// What is to be known about when a step starts, and what it makes of its end.
fn notes(step: &Step) -> Vec<String> {
    let mut notes = Vec::new();
    if step.uses != SHELL {
        notes.push(format!("uses: {}", step.uses));
    }
    if step.rule != TriggerRule::default() {
        notes.push(format!("trigger_rule: {}", step.rule));
    }
    if let Some(condition) = &step.condition {
        notes.push(format!("if: {}", flat(condition.source())));
    }
    if let Some(time) = step.not_before {
        notes.push(format!("not_before: {time}"));
    }
    if let Some(fan) = &step.fan {
        let over = match &fan.over {
            Over::Items(_) => "foreach".to_owned(),
            Over::Shards(_) => "shards".to_owned(),
            Over::Matrix(matrix) => {
                let axes: Vec<&str> = matrix.axes.iter().map(|(name, _)| name.as_str()).collect();
                format!("matrix: {}", axes.join(" x "))
            }
        };
        notes.push(format!("{over}, {} at once", fan.max_parallel));
    }
    if let Some(repeat) = &step.repeat {
        notes.push(format!("repeat until: {}", flat(repeat.until.source())));
    }
    if let Some(Hook::Run(when)) = step.hook {
        notes.push(format!("{when} of the run"));
    }
    if step.continue_on_error {
        notes.push("continue_on_error: true".to_owned());
    }
    notes
}

/// The text in one line.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
pub(super) mod tests {
    use millrace_domain::definition;

    use super::*;

    /// A choice, with all that a drawing shows.
    pub(in crate::drawing) const CHOICE: &str = "
name: choice
steps:
  - {name: end, depends_on: [small, large], trigger_rule: one_success, run: x}
  - {name: size, run: x}
  - {name: small, depends_on: [size], if: outputs.size.rows < 10, run: x}
  - {name: large, depends_on: [size], not_before: \"22:00\", uses: noop}
  - {name: repair, depends_on: [{step: size, status: failed}, end], continue_on_error: true, run: x}
";

    pub(in crate::drawing) fn picture(source: &str) -> Picture {
        let parsed = definition::parse(source, "w.yaml").unwrap_or_else(|problems| panic!("{problems}"));
        Picture::of(&parsed[0].workflow)
    }

    /// A workflow of many steps: layers that are `wide`, each step after two of the layer before.
    pub(in crate::drawing) fn large(layers: usize, wide: usize) -> Picture {
        let mut source = "name: large\nsteps:\n".to_owned();
        for layer in 0..layers {
            for step in 0..wide {
                let before = layer.checked_sub(1).map(|before| {
                    let [one, other] = [(step * 7) % wide, (step * 7 + 1) % wide];
                    format!("[l{before}_{one}, l{before}_{other}]")
                });
                let before = before.unwrap_or_else(|| "[]".to_owned());
                source.push_str(&format!("  - {{name: l{layer}_{step}, run: x, depends_on: {before}}}\n"));
            }
        }
        picture(&source)
    }

    #[test]
    fn a_picture_has_depths_edges_with_their_status_and_what_decides_when_a_step_starts() {
        let picture = picture(CHOICE);
        assert_eq!((picture.layers, picture.by_layer()), (4, vec![vec![1], vec![2, 3], vec![0], vec![4]]));
        let notes: Vec<String> = picture.nodes.iter().map(|node| node.notes.join("; ")).collect();
        let expected = [
            "trigger_rule: one_success",
            "",
            "if: outputs.size.rows < 10",
            "uses: noop; not_before: 22:00",
            "continue_on_error: true",
        ];
        assert_eq!(notes, expected);
        let json = picture.to_json();
        assert_eq!(json["steps"][4]["depends_on"][0], json!({"step": "size", "status": "failed"}));
    }
}
