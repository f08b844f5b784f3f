//! What a failure is here.

/// The reason why something could not be measured: a text for the one who runs it.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;
