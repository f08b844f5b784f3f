//! `validate --graph` and `schema`: what a definition is, drawn for people and told to editors.

use crate::binary::{file, millrace};

const TWO: &str = "name: one\nsteps:\n  - {name: a, run: x}\n  - {name: b, run: x, depends_on: [a]}\n---\nname: two\nsteps: [{name: c, run: x}]\n";

#[test]
fn each_workflow_of_a_file_is_drawn_one_after_another() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "w.yaml", TWO);
    let text = millrace(folder.path(), &["validate", "--graph", "w.yaml"]).with(0);
    let expected = "one: 2 steps in 2 waves\n\nwave 1\n  a\n\nwave 2\n  b  ← a\n\ntwo: 1 step in 1 wave\n\nwave 1\n  c\n";
    assert_eq!((text.stdout.as_str(), text.stderr.as_str()), (expected, ""));
    for (format, first) in [("dot", "digraph \"one\" {"), ("mermaid", "---\ntitle: \"one\"")] {
        let drawn =
            millrace(folder.path(), &["validate", "--graph", "w.yaml", "--format", format]).with(0).stdout;
        assert!(drawn.starts_with(first) && drawn.contains("\n\n"), "{drawn}");
    }
    let json = millrace(folder.path(), &["validate", "--graph", "w.yaml", "-o", "json"]).with(0).json();
    assert_eq!(
        (&json[0]["steps"][1]["depends_on"][0]["step"], &json[1]["workflow"]),
        (&"a".into(), &"two".into())
    );
}

#[test]
fn an_svg_is_of_one_workflow_and_a_file_with_problems_is_not_drawn() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "two.yaml", TWO);
    file(folder.path(), "one.yaml", "name: one\nsteps: [{name: a, run: x}]\n");
    file(folder.path(), "bad.yaml", "name: one\nsteps: [{name: a, rnu: x}]\n");
    let svg = |name: &str| millrace(folder.path(), &["validate", "--graph", name, "--format", "svg"]);
    svg("two.yaml").with(2).says(&["the workflows one, two", "give a file with one workflow"]);
    let drawn = svg("one.yaml").with(0).stdout;
    assert!(drawn.starts_with("<svg ") && drawn.ends_with("</svg>\n"), "{drawn}");
    let ended = svg("bad.yaml").with(1);
    ended.says(&["did you mean `run`?"]);
    assert_eq!(ended.stdout, "");
    millrace(folder.path(), &["validate", "one.yaml", "--format", "svg"]).with(2).says(&["--graph"]);
}

#[test]
fn the_schema_is_json_alone_and_needs_no_server() {
    let folder = tempfile::tempdir().unwrap();
    let schema = millrace(folder.path(), &["schema"]).with(0).json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(schema["$defs"]["step"]["properties"]["depends_on"]["description"].is_string());
}
