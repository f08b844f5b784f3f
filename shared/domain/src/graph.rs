//! Who waits for whom.

/// The DAG.
#[derive(Debug, Clone)]
pub struct Graph {}
