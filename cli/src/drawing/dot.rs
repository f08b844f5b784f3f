//! A drawing in the language of Graphviz. Every name and label is in quotes, so that no name is a keyword there.

use super::picture::Picture;

/// Draws a workflow as a `digraph`.
pub(crate) fn draw(picture: &Picture) -> String {
    let mut lines = vec![
        format!("digraph {} {{", quoted(&picture.title)),
        "  rankdir=LR;".to_owned(),
        "  node [shape=box, style=rounded, fontname=\"monospace\"];".to_owned(),
        "  edge [fontname=\"monospace\", fontsize=10];".to_owned(),
    ];
    for node in &picture.nodes {
        let mut label = vec![node.name.clone()];
        label.extend(node.notes.iter().cloned());
        let label: Vec<String> = label.iter().map(|line| escaped(line)).collect();
        lines.push(format!("  {} [label=\"{}\"];", quoted(&node.name), label.join("\\n")));
    }
    for node in &picture.nodes {
        for edge in &node.edges {
            let label = edge.label.map(|label| format!(" [label={}]", quoted(label))).unwrap_or_default();
            let from = quoted(&picture.nodes[edge.from].name);
            lines.push(format!("  {from} -> {}{label};", quoted(&node.name)));
        }
    }
    lines.push("}".to_owned());
    lines.join("\n")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// A text within quotes. A backslash of its own would begin an escape of labels, such as `\N`, the name.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::super::picture::tests::{CHOICE, picture};
    use super::*;

    #[test]
    fn steps_edges_labels_and_notes_are_all_there() {
        let expected = r#"digraph "choice" {
  rankdir=LR;
  node [shape=box, style=rounded, fontname="monospace"];
  edge [fontname="monospace", fontsize=10];
  "end" [label="end\ntrigger_rule: one_success"];
  "size" [label="size"];
  "small" [label="small\nif: outputs.size.rows < 10"];
  "large" [label="large\nuses: noop\nnot_before: 22:00"];
  "repair" [label="repair\ncontinue_on_error: true"];
  "small" -> "end";
  "large" -> "end";
  "size" -> "small";
  "size" -> "large";
  "size" -> "repair" [label="failed"];
  "end" -> "repair";
}"#;
        assert_eq!(draw(&picture(CHOICE)), expected);
    }

    #[test]
    fn keywords_are_names_and_quotes_and_backslashes_stay_what_they_are() {
        let source = "name: graph\nparams: [{name: p, default: x}]\nsteps:\n  - {name: node, run: x}\n  - {name: edge, depends_on: [node], run: x, if: 'params.p == \"a\\N\"'}\n";
        let drawn = draw(&picture(source));
        assert!(drawn.starts_with("digraph \"graph\" {"));
        assert!(drawn.contains(r#"  "edge" [label="edge\nif: params.p == \"a\\N\""];"#), "{drawn}");
        assert!(drawn.contains("\n  \"node\" -> \"edge\";\n"));
    }
}
