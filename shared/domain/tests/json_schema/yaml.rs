//! YAML as editors read it: by the core schema of YAML 1.2, in which an unquoted `5` is a number and `null` is none.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// The documents of a text that is YAML. An alias is read as nothing.
pub(crate) fn documents(source: &str) -> Vec<Value> {
    let mut events = Parser::new_from_str(source).map(|event| event.expect("YAML").0);
    let mut documents = Vec::new();
    while let Some(event) = events.next() {
        if matches!(event, Event::DocumentStart(_)) {
            let first = events.next().expect("more");
            documents.push(value(first, &mut events));
        }
    }
    documents.retain(|document| !document.is_null());
    documents
}

fn value<'e>(event: Event<'e>, events: &mut impl Iterator<Item = Event<'e>>) -> Value {
    match event {
        Event::Scalar(text, ScalarStyle::Plain, ..) => word(&text),
        Event::Scalar(text, ..) => Value::String(text.into_owned()),
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            while let Some(event) = events.next().filter(|event| *event != Event::SequenceEnd) {
                items.push(value(event, events));
            }
            Value::Array(items)
        }
        Event::MappingStart(..) => {
            let mut fields = Map::new();
            while let Some(event) = events.next().filter(|event| *event != Event::MappingEnd) {
                let key = match event {
                    Event::Scalar(text, ..) => text.into_owned(),
                    other => value(other, events).to_string(),
                };
                let event = events.next().expect("more");
                let value = value(event, events);
                fields.insert(key, value);
            }
            Value::Object(fields)
        }
        Event::Alias(_) => Value::Null,
        other => panic!("{other:?}"),
    }
}

/// An unquoted word.
fn word(word: &str) -> Value {
    let digits = word.trim_start_matches(['-', '+']);
    match word {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if word.len() > digits.len() + 1 => Value::String(word.to_owned()),
        _ if digits.starts_with("0x") => {
            i64::from_str_radix(&digits[2..], 16).map_or_else(|_| Value::String(word.to_owned()), Value::from)
        }
        _ if digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty() => word
            .parse::<i64>()
            .map_or_else(|_| Value::from(word.parse::<f64>().expect("digits")), Value::from),
        _ if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') => match word.parse::<f64>() {
            Ok(number) => Value::from(number),
            Err(_) => Value::String(word.to_owned()),
        },
        _ => Value::String(word.to_owned()),
    }
}
