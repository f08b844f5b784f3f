//! A kind of map as JSON Schema: the fields are those of the parser's table, and each has its description and its value.

use serde_json::{Map, Value, json};

use super::super::parse::Schema;

/// A field of a map: its name, its description, and the JSON Schema of its value.
pub(super) type Field = (&'static str, &'static str, Value);

/// A kind of map with all that is said about its fields.
pub(super) struct Described {
    /// The name of its definition in the schema.
    pub(super) name: &'static str,
    /// The table by which the parser reads such maps.
    pub(super) table: &'static Schema,
    /// The fields, in any order.
    pub(super) fields: Vec<Field>,
    /// What holds of the fields together, as keywords of JSON Schema.
    pub(super) rules: Value,
}

impl Described {
    /// The JSON Schema of such a map. A field that is in the table and not described would be let in whatever its value is.
    pub(super) fn into_schema(self) -> (String, Value) {
        let mut described: Map<String, Value> = self
            .fields
            .into_iter()
            .map(|(name, about, value)| (name.to_owned(), about_of(value, about)))
            .collect();
        let known = self.table.known.iter();
        let properties: Map<String, Value> = known
            .map(|name| ((*name).to_owned(), described.remove(*name).unwrap_or_else(|| json!({}))))
            .collect();
        let mut schema = json!({"type": "object", "additionalProperties": false, "properties": properties});
        if let (Some(schema), Value::Object(rules)) = (schema.as_object_mut(), self.rules) {
            schema.extend(rules);
        }
        (self.name.to_owned(), schema)
    }
}

fn about_of(mut value: Value, about: &str) -> Value {
    value["description"] = about.into();
    value
}
