//! The environment of a task.
