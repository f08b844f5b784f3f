//! What a continuation and the run that it goes on with know of each other.

use serde::{Deserialize, Serialize};

use crate::{RunId, Timestamp};

/// The run that a continuation goes on with, who wanted that, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryOf {
    /// The run.
    pub run: RunId,
    /// The first run, where that is itself a continuation.
    pub origin: RunId,
    /// Who wanted it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// A continuation, as the run knows it that it goes on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continuation {
    /// The number of the continuation, from 1.
    pub n: u32,
    /// The run that it is.
    pub run: RunId,
    /// The id of the request for it, which no other request has.
    pub request: String,
    /// When it was created.
    pub at: Timestamp,
    /// Who wanted it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}
