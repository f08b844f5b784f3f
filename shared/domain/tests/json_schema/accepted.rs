//! What people start from: the examples, and what the docs show.

use std::path::{Path, PathBuf};

use millrace_domain::definition;

use crate::{told, validator};

fn of_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

#[test]
fn every_example_is_right() {
    let validator = validator();
    let files = std::fs::read_dir(of_repository("examples")).unwrap().map(|entry| entry.unwrap().path());
    let examples: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|extension| extension == "yaml")).collect();
    assert!(examples.len() >= 7, "{examples:?}");
    for example in examples {
        let source = std::fs::read_to_string(&example).unwrap();
        definition::parse(&source, "example").expect("the parser accepts it");
        assert_eq!(told(&validator, &source), [""; 0], "{}", example.display());
    }
}

#[test]
fn every_definition_of_the_docs_is_right() {
    let validator = validator();
    let mut accepted = 0;
    for page in ["README.md", "docs/definitions.md", "docs/cli.md"] {
        let text = std::fs::read_to_string(of_repository(page)).unwrap();
        for sample in text.split("\n```yaml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap()) {
            // Some samples are of a few fields, and lack what a workflow needs; others say the same field in several ways.
            let whole = match (sample.contains("\nsteps:") || sample.starts_with("steps:"), sample) {
                (true, sample) if sample.contains("name: ") && !sample.starts_with("steps:") => {
                    sample.to_owned()
                }
                (true, sample) => format!("name: sample\n{sample}"),
                (false, sample) => format!("name: sample\n{sample}\nsteps: [{{name: a, run: x}}]"),
            };
            if definition::parse(&whole, page).is_ok() {
                accepted += 1;
                assert_eq!(told(&validator, &whole), [""; 0], "{page}:\n{whole}");
            }
        }
    }
    assert!(accepted >= 3, "only {accepted} samples were accepted by the parser");
}
