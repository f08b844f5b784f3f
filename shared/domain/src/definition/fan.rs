//! How a step fans out: over which items, how many of them at once, and how many may fail.

use std::fmt;

use serde_json::Value;

use super::items::{MAX_ITEMS, kind, rendered, too_many};
use super::matrix::Matrix;
use crate::expression::{Scope, Templated, Use};

/// The number of items that are with the fleet at once, unless the definition says otherwise.
pub const MAX_PARALLEL: u32 = 1_000;

/// The fan-out of a step: it has an attempt of its own for each item of a list that is known when the step starts.
#[derive(Debug, Clone)]
pub struct FanOut {
    /// What the items are.
    pub over: Over,
    /// The greatest number of items that are with the fleet, or wait for a retry, at once.
    pub max_parallel: u32,
    /// Whether the items that are left are given up once more have failed than are tolerated.
    pub fail_fast: bool,
    /// How many items may fail without the step failing.
    pub tolerate: Tolerance,
}

/// What a step fans out over.
#[derive(Debug, Clone)]
pub enum Over {
    /// The items of a list, or of an expression that gives one.
    Items(Templated),
    /// The combinations of the values of some axes.
    Matrix(Matrix),
    /// The numbers from 0 to below this one.
    Shards(Templated),
}

/// How many items of a step may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    /// So many.
    Items(u32),
    /// So many in ten thousand, which is hundredths of a percent.
    Share(u32),
}

impl Default for Tolerance {
    fn default() -> Self {
        Self::Items(0)
    }
}

impl Tolerance {
    /// Whether `failed` of `total` items are more than are tolerated.
    pub fn is_exceeded(self, failed: u32, total: u32) -> bool {
        match self {
            Self::Items(most) => failed > most,
            Self::Share(share) => u64::from(failed) * 10_000 > u64::from(total) * u64::from(share),
        }
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Items(most) => write!(f, "{most}"),
            Self::Share(share) => write!(f, "{}%", f64::from(*share) / 100.0),
        }
    }
}

impl FanOut {
    /// The names that its expressions refer to.
    pub fn uses(&self) -> Vec<&Use> {
        match &self.over {
            Over::Items(items) | Over::Shards(items) => items.uses(),
            Over::Matrix(matrix) => {
                let axes = matrix.axes.iter().map(|(_, values)| values);
                axes.chain(&matrix.include).chain(&matrix.exclude).flat_map(Templated::uses).collect()
            }
        }
    }

    /// The items, now that the step starts.
    ///
    /// # Errors
    /// A text that says what was expected, when there is no list, or it is too long.
    pub fn items(&self, scope: &Scope<'_>) -> Result<Vec<Value>, String> {
        match &self.over {
            Over::Items(items) => match rendered(items, "foreach", scope)? {
                Value::Array(items) if items.len() <= MAX_ITEMS => Ok(items),
                Value::Array(items) => Err(too_many("foreach", items.len())),
                other => Err(format!("`foreach`: expected a list, found {}", kind(&other))),
            },
            Over::Matrix(matrix) => matrix.items(scope),
            Over::Shards(count) => {
                let count = rendered(count, "shards", scope)?;
                shards(&count).map(|count| (0..count).map(Value::from).collect())
            }
        }
    }
}

/// Reads a number of shards.
///
/// # Errors
/// A text that says what was expected.
pub(super) fn shards(count: &Value) -> Result<u32, String> {
    let number = count.as_u64().filter(|count| (1..=MAX_ITEMS as u64).contains(count));
    number.and_then(|count| u32::try_from(count).ok()).ok_or_else(|| {
        let found = if count.is_number() { count.to_string() } else { kind(count).to_owned() };
        format!("`shards`: expected a whole number from 1 to {MAX_ITEMS}, found {found}")
    })
}
