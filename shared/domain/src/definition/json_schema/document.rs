//! The schema as a whole: one document of a definition file, which is one workflow.

use serde_json::{Map, Value, json};

use super::described::Described;
use super::executors::{self, wait};
use super::fan;
use super::step::{dependency, lock, rate, retry, step};
use super::values;
use super::workflow::{concurrency, defaults, output, param, recursive, schedule, workflow};

/// The JSON Schema (draft 2020-12) of one document of a definition file.
pub fn json_schema() -> Value {
    let mut definitions: Map<String, Value> = values::shared().into_iter().collect();
    definitions.extend(kinds().into_iter().map(Described::into_schema));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Millrace workflow",
        "description": "A workflow of Millrace: when it runs, what it is given, and its steps.",
        "$ref": "#/$defs/workflow",
        "$defs": definitions,
    })
}

/// All kinds of maps in a definition.
fn kinds() -> Vec<Described> {
    let people = [executors::approval(), executors::input()];
    let inputs = [executors::shell(), executors::http(), executors::noop(), wait(), executors::workflow()];
    let fans = [fan::foreach(), fan::matrix(), fan::shards(), fan::repeat()];
    [
        workflow(),
        concurrency(),
        recursive(),
        defaults(),
        param(),
        output(),
        schedule(),
        step(),
        dependency(),
        lock(),
        rate(),
        retry(),
    ]
    .into_iter()
    .chain(fans)
    .chain(inputs)
    .chain(people)
    .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_field_that_the_parser_knows_is_described_and_no_other_is() {
        for kind in kinds() {
            let known: BTreeSet<&str> = kind.table.known.iter().copied().collect();
            let described: BTreeSet<&str> = kind.fields.iter().map(|(name, ..)| *name).collect();
            assert_eq!(known, described, "the fields of {}: describe them in json_schema/", kind.table.what);
            assert_eq!(
                kind.fields.len(),
                described.len(),
                "a field of {} is described twice",
                kind.table.what
            );
            for (name, about, _) in kind.fields {
                assert!(about.starts_with(char::is_uppercase) && about.ends_with('.'), "`{name}`: {about:?}");
                assert!(!kind.table.later.contains(&name), "`{name}` is not supported yet");
            }
        }
    }

    #[test]
    fn every_table_of_the_parser_is_in_the_schema() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/definition/parse");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let sources = files.map(|file| std::fs::read_to_string(file).unwrap());
        let tables: usize = sources.map(|source| source.matches(": Schema =").count()).sum();
        let whats: BTreeSet<&str> = kinds().iter().map(|kind| kind.table.what).collect();
        assert_eq!(tables, whats.len(), "describe the new table in json_schema/; there are {whats:?}");
    }

    #[test]
    fn every_reference_leads_to_a_definition() {
        let schema = json_schema();
        let text = schema.to_string();
        let references = text.split("\"#/$defs/").skip(1).map(|rest| rest.split('"').next().unwrap());
        for name in references {
            assert!(schema["$defs"][name].is_object(), "{name}");
        }
    }
}
