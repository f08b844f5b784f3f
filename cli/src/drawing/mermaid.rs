//! A drawing in the language of Mermaid. Steps have made-up ids, since `end` and others are keywords there; what would be
//! markup in a label is written by its code.

use super::picture::Picture;

/// Draws a workflow as a `flowchart`.
pub(crate) fn draw(picture: &Picture) -> String {
    let title = format!("---\ntitle: \"{}\"\n---", picture.title);
    let mut lines = vec![title, "flowchart LR".to_owned()];
    for (at, node) in picture.nodes.iter().enumerate() {
        let mut label = vec![escaped(&node.name)];
        label.extend(node.notes.iter().map(|note| escaped(note)));
        lines.push(format!("  s{at}[\"{}\"]", label.join("<br/>")));
    }
    for (at, node) in picture.nodes.iter().enumerate() {
        for edge in &node.edges {
            let label = edge.label.map(|label| format!("|{label}|")).unwrap_or_default();
            lines.push(format!("  s{} -->{label} s{at}", edge.from));
        }
    }
    lines.join("\n")
}

/// A text in a label: letters, digits and what is harmless as they are, all else as `#code;`.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '#' | '&' | '<' | '>' | ';' | '`' | '*' | '\\' | '[' | ']' | '{' | '}' => {
                escaped.push_str(&format!("#{};", u32::from(c)));
            }
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::picture::tests::{CHOICE, picture};
    use super::*;

    #[test]
    fn steps_edges_labels_and_notes_are_all_there() {
        let expected = "\
---
title: \"choice\"
---
flowchart LR
  s0[\"end<br/>trigger_rule: one_success\"]
  s1[\"size\"]
  s2[\"small<br/>if: outputs.size.rows #60; 10\"]
  s3[\"large<br/>uses: noop<br/>not_before: 22:00\"]
  s4[\"repair<br/>continue_on_error: true\"]
  s2 --> s0
  s3 --> s0
  s1 --> s2
  s1 --> s3
  s1 -->|failed| s4
  s0 --> s4";
        assert_eq!(draw(&picture(CHOICE)), expected);
    }

    #[test]
    fn what_would_be_markup_is_written_by_its_code() {
        assert_eq!(escaped("a == \"b#1\" & [x]"), "a == #34;b#35;1#34; #38; #91;x#93;");
    }
}
