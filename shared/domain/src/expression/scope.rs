//! What expressions see, and nothing more: the params, the outputs of steps, the run and its fire. Only what an
//! expression uses is ever looked up or converted.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::ToSpan;
use jiff::tz::TimeZone;
use minijinja::value::{Object, Serde, Value};
use minijinja::{Error, ErrorKind, State};
use serde_json::Map;

use super::Use;
use crate::params::Params;
use crate::{RunId, Timestamp, WorkflowId};

/// The greatest distance of a date from its fire, in days, to either side: one further off is a mistake.
const MAX_DAYS: i64 = 100_000;

/// The outputs of a step, for expressions.
#[derive(Debug, Clone, Copy)]
pub enum Given<'a> {
    /// Those of a step, by their keys.
    Step(&'a Map<String, serde_json::Value>),
    /// Those of the items of a step that fans out: a list, in the order of the items.
    Items(&'a serde_json::Value),
}

/// The lookup of a step's outputs by its name; `None` for a step that has none.
pub type Outputs<'a> = dyn Fn(&str) -> Option<Given<'a>> + 'a;

/// The scope of an expression: the values that it sees.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The values of the run's params.
    pub params: &'a Params,
    /// The lookup of a step's outputs; asked once for each name that an expression uses.
    pub outputs: &'a Outputs<'a>,
    /// The run and its workflow; `None` while params get their defaults, when neither is known yet.
    pub run: Option<(RunId, &'a WorkflowId)>,
    /// The instant the run stands for.
    pub fire: Fire<'a>,
    /// The item of a step that fans out, and its place in the list.
    pub item: Option<(&'a serde_json::Value, u32)>,
}

/// The fire of a run: the instant it stands for, and the time zone.
#[derive(Debug, Clone, Copy)]
pub struct Fire<'a> {
    /// When the fire was due; the creation of a run that no schedule started.
    pub time: Timestamp,
    /// The workflow's time zone.
    pub zone: &'a TimeZone,
}

impl<'a> Scope<'a> {
    /// The scope of a param's default: the params before it, and the fire.
    pub fn of_defaults(params: &'a Params, fire: Fire<'a>) -> Self {
        Self { params, outputs: &|_| None, run: None, fire, item: None }
    }

    /// The context for minijinja: the values of the names in `uses`.
    pub(super) fn context(&self, uses: &[Use]) -> Value {
        let mut params: BTreeMap<&str, Value> = BTreeMap::new();
        let mut outputs: BTreeMap<&str, BTreeMap<&str, Value>> = BTreeMap::new();
        let mut lists: BTreeMap<&str, Value> = BTreeMap::new();
        let mut context: BTreeMap<&str, Value> = BTreeMap::new();
        for name in uses {
            match name {
                Use::Param(name) => {
                    params.extend(self.params.get(name).map(|value| (name.as_str(), json(value))));
                }
                Use::Params => {
                    params.extend(self.params.iter().map(|(name, value)| (name.as_str(), json(value))));
                }
                Use::Output { step, key } => {
                    // A step that has not ended has none yet: whoever does not wait for it can ask whether it has.
                    let known = outputs.entry(step).or_default();
                    match ((self.outputs)(step), key) {
                        (None, _) => {}
                        (Some(Given::Items(list)), _) => {
                            lists.entry(step).or_insert_with(|| json(list));
                        }
                        (Some(Given::Step(all)), Some(key)) => {
                            known.extend(all.get(key).map(|value| (key.as_str(), json(value))));
                        }
                        (Some(Given::Step(all)), None) => {
                            known.extend(all.iter().map(|(key, value)| (key.as_str(), json(value))));
                        }
                    }
                }
                Use::Run => {
                    let run = self
                        .run
                        .map(|(id, workflow)| [("id", id.to_string()), ("workflow", workflow.to_string())]);
                    context.extend(run.map(|run| ("run", Value::from_pairs(run))));
                }
                Use::Fire => {
                    let fire = FireObject { time: self.fire.time, zone: self.fire.zone.clone() };
                    context.insert("fire", Value::from_object(fire));
                }
                Use::Item => context.extend(self.item.map(|(item, _)| ("item", json(item)))),
                Use::ItemIndex => {
                    context.extend(self.item.map(|(_, index)| ("item_index", Value::from(index))));
                }
            }
        }
        context.insert("params", Value::from_pairs(params));
        let outputs = outputs.into_iter().filter(|(step, _)| !lists.contains_key(step));
        let outputs: Vec<_> = outputs.map(|(step, keys)| (step, Value::from_pairs(keys))).collect();
        context.insert("outputs", Value::from_pairs(outputs.into_iter().chain(lists)));
        Value::from_pairs(context)
    }

    /// The message for the first of `uses` that has no value here.
    pub(super) fn missing(&self, uses: &[Use]) -> Option<String> {
        uses.iter().find_map(|name| match name {
            Use::Param(name) if !self.params.contains_key(name) => {
                Some(format!("`params.{name}` is not defined; params: {}", list(self.params.keys())))
            }
            Use::Output { step, key } => match ((self.outputs)(step), key) {
                (None, _) => Some(format!("`outputs.{step}` is not defined: step `{step}` has not ended")),
                (Some(Given::Step(all)), Some(key)) if !all.contains_key(key) => Some(format!(
                    "`outputs.{step}.{key}` is not defined; outputs of step `{step}`: {}",
                    list(all.keys())
                )),
                _ => None,
            },
            Use::Run if self.run.is_none() => Some("`run` is not defined here".to_owned()),
            Use::Item => match self.item {
                None => Some("`item` is not defined here".to_owned()),
                Some((serde_json::Value::Object(fields), _)) => {
                    Some(format!("something of `item` is not defined; its fields: {}", list(fields.keys())))
                }
                Some(_) => Some("something of `item` is not defined: it is no map".to_owned()),
            },
            _ => None,
        })
    }
}

/// The names in a list, as many as a message can hold.
fn list<'n>(names: impl Iterator<Item = &'n String>) -> String {
    let names: Vec<&str> = names.take(21).map(String::as_str).collect();
    match names.len() {
        0 => "none".to_owned(),
        21 => format!("{}, …", names[..20].join(", ")),
        _ => names.join(", "),
    }
}

fn json(value: &serde_json::Value) -> Value {
    Value::from(Serde(value))
}

/// The object `fire` of an expression.
#[derive(Debug)]
struct FireObject {
    time: Timestamp,
    zone: TimeZone,
}

impl FireObject {
    fn zoned(&self) -> Option<jiff::Zoned> {
        jiff::Timestamp::from_millisecond(self.time.as_millis())
            .ok()
            .map(|time| time.to_zoned(self.zone.clone()))
    }
}

impl Object for FireObject {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "time" => {
                let zoned = self.zoned()?;
                Some(Value::from(zoned.timestamp().display_with_offset(zoned.offset()).to_string()))
            }
            _ => None,
        }
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let wrong = |message: &str| Error::new(ErrorKind::InvalidOperation, message.to_owned());
        if method != "date" {
            return Err(Error::from(ErrorKind::UnknownMethod));
        }
        let days = match args {
            [] => Some(0),
            [days] => i64::try_from(days.clone()).ok().filter(|days| days.abs() <= MAX_DAYS),
            _ => None,
        };
        let days =
            days.ok_or_else(|| wrong("fire.date takes one whole number of days, such as fire.date(-1)"))?;
        let date = self.zoned().and_then(|zoned| zoned.date().checked_add(days.days()).ok());
        date.map(|date| Value::from(date.to_string()))
            .ok_or_else(|| wrong("fire.date is outside the calendar"))
    }
}
