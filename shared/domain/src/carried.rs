//! Fields of a JSON record that a newer version has written and this one does not know. They are carried along when the
//! record is rewritten, so that the newer version finds them again. A record without any costs one comparison when it is
//! read, and nothing when it is written.

use serde::Serialize;
use serde_json::{Map, Value};

/// The fields of a stored record that are not known: `read` is what was read of its `text`.
pub fn unknown_fields(text: &str, read: &impl Serialize) -> Map<String, Value> {
    let Ok(known) = serde_json::to_string(read) else { return Map::new() };
    if known == text {
        return Map::new();
    }
    match (serde_json::from_str(text), serde_json::from_str(&known)) {
        (Ok(Value::Object(stored)), Ok(Value::Object(known))) => without(stored, &known),
        _ => Map::new(),
    }
}

/// The fields of `stored` that are not in `known`, at any depth.
fn without(stored: Map<String, Value>, known: &Map<String, Value>) -> Map<String, Value> {
    let unknown = stored.into_iter().filter_map(|(name, value)| match (value, known.get(&name)) {
        (value, None) => Some((name, value)),
        (Value::Object(inner), Some(Value::Object(known))) => {
            let inner = without(inner, known);
            (!inner.is_empty()).then_some((name, Value::Object(inner)))
        }
        (_, Some(_)) => None,
    });
    unknown.collect()
}

/// A record with fields that are carried along. What it says itself stands.
pub fn with_fields(record: String, carried: &Map<String, Value>) -> String {
    if carried.is_empty() {
        return record;
    }
    let Ok(Value::Object(mut fields)) = serde_json::from_str(&record) else { return record };
    add(&mut fields, carried);
    Value::Object(fields).to_string()
}

fn add(fields: &mut Map<String, Value>, carried: &Map<String, Value>) {
    for (name, value) in carried {
        match (fields.get_mut(name), value) {
            (None, value) => drop(fields.insert(name.clone(), value.clone())),
            (Some(Value::Object(inner)), Value::Object(carried)) => add(inner, carried),
            (Some(_), _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Serialize, Deserialize)]
    struct Record {
        count: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        inner: Inner,
    }

    #[derive(Serialize, Deserialize)]
    struct Inner {
        a: u32,
    }

    /// What a record becomes when it is read, changed and written again.
    fn rewritten(stored: &str) -> Value {
        let mut record: Record = serde_json::from_str(stored).unwrap();
        let carried = unknown_fields(stored, &record);
        record.count += 1;
        record.reason = None;
        let text = with_fields(serde_json::to_string(&record).unwrap(), &carried);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn fields_that_are_not_known_are_there_after_a_rewrite_and_known_ones_are_as_rewritten() {
        let stored = r#"{"count":1,"reason":"x","inner":{"a":1,"b":[2]},"gate":{"open":true}}"#;
        assert_eq!(
            rewritten(stored),
            json!({"count": 2, "inner": {"a": 1, "b": [2]}, "gate": {"open": true}})
        );
        assert_eq!(rewritten(r#"{"count":1,"inner":{"a":1}}"#), json!({"count": 2, "inner": {"a": 1}}));
        assert_eq!(rewritten(r#"{ "inner": {"a":1}, "count": 1 }"#), json!({"count": 2, "inner": {"a": 1}}));
    }
}
