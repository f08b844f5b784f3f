//! The JSON Schema of definitions, held against the parser: what the parser accepts the schema accepts too, so that an
//! editor marks nothing that is right.
#![expect(clippy::expect_used, reason = "a test fails where it stands")]

mod accepted;
mod every_value;
mod refused;
mod yaml;

use millrace_domain::definition;
use serde_json::Value;

/// A validator of definitions, as an editor has one.
fn validator() -> jsonschema::Validator {
    let schema = definition::json_schema();
    jsonschema::meta::validate(&schema).expect("the schema is one of draft 2020-12");
    jsonschema::draft202012::new(&schema).expect("the schema can be read")
}

/// What the schema says of each document of a file: nothing, when all of it is right.
fn told(validator: &jsonschema::Validator, source: &str) -> Vec<String> {
    let documents: Vec<Value> = yaml::documents(source);
    let told = |error: jsonschema::ValidationError<'_>| format!("{}: {error}", error.instance_path());
    documents.iter().flat_map(|document| validator.iter_errors(document).map(told)).collect()
}

#[test]
fn words_are_what_yaml_says_they_are() {
    let read = |text: &str| yaml::documents(&format!("[{text}]"))[0][0].clone();
    let both = [
        ("5", "5"),
        ("007", "7"),
        ("1.50", "1.5"),
        ("0x1F", "31"),
        ("+3", "3"),
        ("~", "null"),
        ("True", "true"),
    ];
    for (text, json) in both {
        assert_eq!(read(text).to_string(), json, "{text}");
    }
    for text in ["yes", "1_000", "08:00", "30s", "P1", "--5", "1.2.3", "."] {
        assert_eq!(read(text), Value::from(text), "{text}");
    }
    assert_eq!(yaml::documents("a: {b: [c, 'd']}\n---\n# nothing\n---\n1").len(), 2);
}
