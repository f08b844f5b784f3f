//! A drawing for the terminal: wave by wave, each step with an arrow from what it waits for. A line is as long for three
//! steps as for three hundred.

use super::picture::{Edge, Node, Picture};

/// The width at which lists of dependencies go on in the next line.
const COLUMNS: usize = 100;

/// The widest that names are padded to.
const WIDEST_NAME: usize = 32;

/// Draws a workflow, in lines without an end.
pub(crate) fn draw(picture: &Picture) -> String {
    let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let title = &picture.title;
    let mut lines =
        vec![format!("{title}: {} in {}", count(picture.nodes.len(), "step"), count(picture.layers, "wave"))];
    for (wave, places) in picture.by_layer().iter().enumerate() {
        lines.push(String::new());
        lines.push(match places.len() {
            1 => format!("wave {}", wave + 1),
            steps => format!("wave {}, {steps} steps", wave + 1),
        });
        let nodes = places.iter().map(|place| &picture.nodes[*place]);
        let widest = nodes.clone().map(|node| node.name.len()).max().unwrap_or(0).min(WIDEST_NAME);
        nodes.for_each(|node| step(node, picture, widest, &mut lines));
    }
    lines.join("\n")
}

fn step(node: &Node, picture: &Picture, widest: usize, lines: &mut Vec<String>) {
    let mut line = format!("  {:widest$}", node.name);
    let indent = line.chars().count() + 4;
    for (at, edge) in node.edges.iter().enumerate() {
        let mut word = dependency(edge, picture);
        if at + 1 < node.edges.len() {
            word.push(',');
        }
        let begins = if at == 0 { "  ← " } else { " " };
        if at > 0 && line.chars().count() + 1 + word.len() > COLUMNS {
            lines.push(std::mem::replace(&mut line, format!("{}{word}", " ".repeat(indent))));
        } else {
            line.push_str(begins);
            line.push_str(&word);
        }
    }
    lines.push(line.trim_end().to_owned());
    lines.extend(node.notes.iter().map(|note| format!("      {note}")));
}

fn dependency(edge: &Edge, picture: &Picture) -> String {
    let name = &picture.nodes[edge.from].name;
    match edge.label {
        Some(label) => format!("{name} ({label})"),
        None => name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::picture::tests::{CHOICE, large, picture};
    use super::*;

    #[test]
    fn each_wave_is_drawn_with_arrows_labels_and_notes() {
        let expected = "\
choice: 5 steps in 4 waves

wave 1
  size

wave 2, 2 steps
  small  ← size
      if: outputs.size.rows < 10
  large  ← size
      uses: noop
      not_before: 22:00

wave 3
  end  ← small, large
      trigger_rule: one_success

wave 4
  repair  ← size (failed), end
      continue_on_error: true";
        assert_eq!(draw(&picture(CHOICE)), expected);
        assert_eq!(
            draw(&picture("name: w\nsteps: [{name: a, run: x}]")),
            "w: 1 step in 1 wave\n\nwave 1\n  a"
        );
    }

    #[test]
    fn three_hundred_steps_stay_within_the_width_and_lists_go_on_below_each_other() {
        let drawn = draw(&large(10, 30));
        assert!(drawn.starts_with("large: 300 steps in 10 waves\n"), "{drawn}");
        assert!(drawn.lines().all(|line| line.chars().count() <= COLUMNS));
        assert!(drawn.lines().count() == 1 + 10 * 32);

        let names: Vec<String> = (0..40).map(|n| format!("part_{n}")).collect();
        let parts: String = names.iter().map(|name| format!("  - {{name: {name}, run: x}}\n")).collect();
        let source = format!(
            "name: w\nsteps:\n{parts}  - {{name: all, run: x, depends_on: [{}]}}\n",
            names.join(", ")
        );
        let drawn = draw(&picture(&source));
        let last: Vec<&str> = drawn.rsplit("wave 2\n").next().unwrap().lines().collect();
        assert_eq!(last.len(), 4);
        assert!(
            last[0].starts_with("  all  ← part_0, part_1, ") && last[1].starts_with("         part_"),
            "{last:#?}"
        );
    }
}
