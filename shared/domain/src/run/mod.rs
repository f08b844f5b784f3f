//! One execution of a workflow.
