//! How a run is asked for.

use std::sync::Arc;

use millrace_domain::definition::{self, Workflow};
use millrace_domain::run::{Advanced, Head, Parent, Run, Source, Spec, Trigger, create};
use millrace_domain::{RunId, Timestamp, WorkflowId};
use serde_json::{Map, Value};

/// When every run of these tests is created.
pub(crate) const CREATED: Timestamp = Timestamp::from_millis(1_772_407_800_000);

/// How a run is asked for.
pub(crate) struct Order {
    pub(crate) source: String,
    pub(crate) params: Value,
    pub(crate) start_at: Option<Timestamp>,
    pub(crate) base_dir: Option<String>,
    /// The number of actions after which an advance begins no further step, where it is not the usual one.
    pub(crate) max_actions: Option<usize>,
    /// The step of another run that it is.
    pub(crate) parent: Option<Parent>,
}

impl Order {
    pub(crate) fn of(source: &str) -> Self {
        let (source, params) = (source.to_owned(), Value::Object(Map::new()));
        Self { source, params, start_at: None, base_dir: None, max_actions: None, parent: None }
    }

    pub(crate) fn workflow(&self) -> Arc<Workflow> {
        let parsed =
            definition::parse(&self.source, "w.yaml").unwrap_or_else(|problems| panic!("{problems}"));
        let mut workflow = parsed.into_iter().next().unwrap().workflow;
        workflow.max_actions = self.max_actions.unwrap_or(workflow.max_actions);
        Arc::new(workflow)
    }

    pub(crate) fn create(&self, workflow: Arc<Workflow>) -> (Run, Advanced) {
        let spec = Spec {
            v: 1,
            source: Source::Inline(self.source.clone()),
            params: self.params.as_object().unwrap().clone().into_iter().collect(),
            scheduled_at: self.start_at.unwrap_or(CREATED),
            priority: workflow.priority,
            trigger: Trigger::Api,
            traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
            base_dir: self.base_dir.clone(),
        };
        let parent = self.parent.clone().map(Box::new);
        let head = Head { start_at: self.start_at, parent, ..Head::new(workflow.id.clone(), None, CREATED) };
        let id = RunId::of_key(&WorkflowId::adhoc(), "a run", 64);
        create(id, workflow, Arc::new(spec), head, CREATED)
    }
}
