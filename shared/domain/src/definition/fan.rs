//! How a step fans out: over which items, how many of them at once, and how many may fail.

use std::fmt;

use serde_json::{Map, Value};

use crate::expression::{Scope, Templated, Use};

/// The greatest number of items of one step.
pub const MAX_ITEMS: usize = 100_000;

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

/// A matrix: each combination of the values of its axes is an item.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// The axes, in the order of the file; each gives a list.
    pub axes: Vec<(String, Templated)>,
    /// Maps that extend the combinations they match, or are items of their own.
    pub include: Vec<Templated>,
    /// Maps; combinations that have all values of one of them are left out.
    pub exclude: Vec<Templated>,
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

impl Matrix {
    /// The combinations: the last axis varies the fastest. What is excluded is left out, then what is included is added.
    pub(super) fn items(&self, scope: &Scope<'_>) -> Result<Vec<Value>, String> {
        let mut axes = Vec::with_capacity(self.axes.len());
        for (name, values) in &self.axes {
            match rendered(values, &format!("matrix.{name}"), scope)? {
                Value::Array(values) => axes.push((name, values)),
                other => return Err(format!("`matrix.{name}`: expected a list, found {}", kind(&other))),
            }
        }
        let maps = |maps: &[Templated], what: &str| -> Result<Vec<Map<String, Value>>, String> {
            let one = |map: &Templated| match rendered(map, &format!("matrix.{what}"), scope)? {
                Value::Object(map) => Ok(map),
                other => Err(format!("`matrix.{what}`: expected a map, found {}", kind(&other))),
            };
            maps.iter().map(one).collect()
        };
        let (include, exclude) = (maps(&self.include, "include")?, maps(&self.exclude, "exclude")?);
        let count = axes.iter().try_fold(1_usize, |count, (_, values)| count.checked_mul(values.len()));
        match count {
            Some(count) if count <= MAX_ITEMS => {}
            count => return Err(too_many("matrix", count.unwrap_or(usize::MAX))),
        }
        let mut items = vec![Map::new(); usize::from(!axes.is_empty())];
        for (name, values) in &axes {
            let with = |item: &Map<String, Value>, value: &Value| {
                let mut item = item.clone();
                item.insert((*name).clone(), value.clone());
                item
            };
            items = items.iter().flat_map(|item| values.iter().map(move |value| with(item, value))).collect();
        }
        let has_all = |item: &Map<String, Value>, wanted: &Map<String, Value>| {
            wanted.iter().all(|(name, value)| item.get(name) == Some(value))
        };
        items.retain(|item| !exclude.iter().any(|wanted| has_all(item, wanted)));
        let combinations = items.len();
        for added in include {
            let (of_axes, rest): (Map<_, _>, Map<_, _>) = added
                .clone()
                .into_iter()
                .partition(|(name, _)| self.axes.iter().any(|(axis, _)| axis == name));
            let mut is_new = true;
            for item in items[..combinations].iter_mut().filter(|item| has_all(item, &of_axes)) {
                item.extend(rest.clone());
                is_new = false;
            }
            if is_new {
                items.push(added);
            }
        }
        if items.len() > MAX_ITEMS {
            return Err(too_many("matrix", items.len()));
        }
        Ok(items.into_iter().map(Value::Object).collect())
    }
}

fn rendered(value: &Templated, field: &str, scope: &Scope<'_>) -> Result<Value, String> {
    value.render(scope).map_err(|error| format!("`{field}` cannot be rendered: {error}"))
}

fn too_many(field: &str, count: usize) -> String {
    format!("`{field}`: {count} items; expected at most {MAX_ITEMS}")
}

/// The kind of a value, in words.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
