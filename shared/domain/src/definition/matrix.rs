//! A matrix: the combinations of the values of some axes, without those that are left out, and with what is added.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::items::{MAX_ITEMS, kind, rendered, too_many};
use crate::expression::{MAX_VALUE_BYTES, Scope, Templated, left_beside};

/// The most comparisons that a matrix is worth: of each combination, with each set of names of `exclude` and of `include`.
const MAX_COMPARISONS: usize = 2_000_000;

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

type Item = Map<String, Value>;

/// An axis with its values.
type Axis<'m> = (&'m str, Vec<Value>);

impl Matrix {
    /// The combinations: the last axis varies the fastest. What is excluded is left out, then what is included is added.
    pub(super) fn items(&self, scope: &Scope<'_>) -> Result<Vec<Value>, String> {
        let mut axes: Vec<Axis<'_>> = Vec::with_capacity(self.axes.len());
        for (name, values) in &self.axes {
            match rendered(values, &format!("matrix.{name}"), scope)? {
                Value::Array(values) => axes.push((name, values)),
                other => return Err(format!("`matrix.{name}`: expected a list, found {}", kind(&other))),
            }
        }
        let maps = |maps: &[Templated], what: &str| -> Result<Vec<Item>, String> {
            let one = |map: &Templated| match rendered(map, &format!("matrix.{what}"), scope)? {
                Value::Object(map) => Ok(map),
                other => Err(format!("`matrix.{what}`: expected a map, found {}", kind(&other))),
            };
            maps.iter().map(one).collect()
        };
        let (include, exclude) = (maps(&self.include, "include")?, maps(&self.exclude, "exclude")?);
        let mut room = MAX_VALUE_BYTES;
        let mut items = combinations(&axes, &mut room)?;
        leave_out(&mut items, &exclude)?;
        add(&mut items, include, &axes, &mut room)?;
        Ok(items.into_iter().map(Value::Object).collect())
    }
}

/// The combinations of the values of all axes. They take of `room` what they are as JSON, which is known before they are made.
fn combinations(axes: &[Axis<'_>], room: &mut usize) -> Result<Vec<Item>, String> {
    let count = axes.iter().try_fold(1_usize, |count, (_, values)| count.checked_mul(values.len()));
    let Some(count) = count.filter(|count| *count <= MAX_ITEMS) else {
        return Err(count.map_or_else(
            || format!("`matrix`: far too many items; expected at most {MAX_ITEMS}"),
            |count| too_many("matrix", count),
        ));
    };
    if count == 0 || axes.is_empty() {
        return Ok(Vec::new());
    }
    for (name, values) in axes {
        for value in values {
            take(room, (length(value)? + name.len()).saturating_mul(count / values.len()))?;
        }
    }
    let mut items = vec![Item::new()];
    for (name, values) in axes {
        let with = |item: &Item, value: &Value| {
            let mut item = item.clone();
            item.insert((*name).to_owned(), value.clone());
            item
        };
        items = items.iter().flat_map(|item| values.iter().map(move |value| with(item, value))).collect();
    }
    Ok(items)
}

/// Leaves the items out that have all values of one of `exclude`.
fn leave_out(items: &mut Vec<Item>, exclude: &[Item]) -> Result<(), String> {
    let mut unwanted: HashMap<Vec<&str>, HashSet<Vec<&Value>>> = HashMap::new();
    for map in exclude {
        let names = map.keys().map(String::as_str).collect();
        unwanted.entry(names).or_default().insert(map.values().collect());
    }
    bounded("exclude", items.len(), unwanted.len())?;
    items.retain(|item| {
        !unwanted.iter().any(|(names, values)| {
            values_of(item, names).is_some_and(|values_of_item| values.contains(&values_of_item))
        })
    });
    Ok(())
}

/// Adds each map of `include` to the items that have its values where it names an axis. One that matches none is an item of
/// its own.
fn add(items: &mut Vec<Item>, include: Vec<Item>, axes: &[Axis<'_>], room: &mut usize) -> Result<(), String> {
    let is_axis = |name: &String| axes.iter().any(|(axis, _)| axis == name);
    let mut wanted: HashMap<Vec<&str>, HashMap<Vec<&Value>, Vec<usize>>> = HashMap::new();
    let mut added = Vec::with_capacity(include.len());
    for (place, map) in include.iter().enumerate() {
        let (of_axes, rest): (Vec<_>, Vec<_>) = map.iter().partition(|(name, _)| is_axis(name));
        let names = of_axes.iter().map(|(name, _)| name.as_str()).collect();
        let values = of_axes.iter().map(|(_, value)| *value).collect();
        wanted.entry(names).or_default().entry(values).or_default().push(place);
        let rest: Item = rest.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let bytes = length(&Value::Object(rest.clone()))?;
        added.push((rest, bytes));
    }
    bounded("include", items.len(), wanted.len())?;
    let mut is_new = vec![true; include.len()];
    for item in items.iter_mut() {
        let found = wanted.iter().filter_map(|(names, by_values)| by_values.get(&values_of(item, names)?));
        let mut places: Vec<usize> = found.flatten().copied().collect();
        places.sort_unstable();
        for place in places {
            let (rest, bytes) = &added[place];
            take(room, *bytes)?;
            item.extend(rest.clone());
            is_new[place] = false;
        }
    }
    items.extend(include.into_iter().zip(is_new).filter_map(|(map, is_new)| is_new.then_some(map)));
    match items.len() {
        count if count > MAX_ITEMS => Err(too_many("matrix", count)),
        _ => Ok(()),
    }
}

/// The values that an item has under these names, when it has all of them.
fn values_of<'i>(item: &'i Item, names: &[&str]) -> Option<Vec<&'i Value>> {
    names.iter().map(|name| item.get(*name)).collect()
}

fn bounded(field: &str, items: usize, sets: usize) -> Result<(), String> {
    match items.saturating_mul(sets) {
        0..=MAX_COMPARISONS => Ok(()),
        _ => Err(format!(
            "`matrix.{field}`: {sets} different sets of names for {items} combinations; expected at most {MAX_COMPARISONS} \
             comparisons: name the same axes in each of them"
        )),
    }
}

/// The bytes of a value as JSON.
fn length(value: &Value) -> Result<usize, String> {
    left_beside(value, MAX_VALUE_BYTES).map(|left| MAX_VALUE_BYTES - left).ok_or_else(too_large)
}

/// Takes so many bytes of what there is room for.
fn take(room: &mut usize, bytes: usize) -> Result<(), String> {
    *room = room.checked_sub(bytes).ok_or_else(too_large)?;
    Ok(())
}

fn too_large() -> String {
    format!("`matrix`: its items are too large: expected at most {MAX_VALUE_BYTES} bytes of JSON in all")
}
