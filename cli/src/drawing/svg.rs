//! A drawing as SVG, complete in itself: from left to right, light or dark as the reader likes it.

use unicode_width::UnicodeWidthStr;

use super::layout::{Boxes, Point, layout};
use super::picture::{Node, Picture};

/// The most steps that are drawn: past it, nothing can be read in a drawing.
const MAX_STEPS: usize = 5_000;

/// The widest text in a box, in characters; a longer one is cut, and whole in the tooltip.
const WIDEST: usize = 44;

const MARGIN: f64 = 24.0;
const PADDING: f64 = 12.0;
const NAME_HEIGHT: f64 = 18.0;
const NOTE_HEIGHT: f64 = 15.0;
/// The widths of a character of a name and of a note: both are in fonts of one width.
const NAME_CHAR: f64 = 8.4;
const NOTE_CHAR: f64 = 6.7;
const COLUMN_GAP: f64 = 56.0;
/// The gap between columns where edges have labels.
const LABEL_GAP: f64 = 104.0;

const STYLE: &str = "\
svg{color-scheme:light dark}\
.page{fill:#ffffff}.box{fill:#f3f6fa;stroke:#7a8ba3}.edge{fill:none;stroke:#7a8ba3;stroke-width:1.4}.head{fill:#7a8ba3}\
text{font-family:ui-monospace,Menlo,Consolas,monospace}\
.title{font-size:15px;font-weight:600;fill:#1c2733}.name{font-size:13px;font-weight:600;fill:#1c2733}\
.note{font-size:11px;fill:#4c5c70}.halo,.label{font-size:11px}.halo{fill:none;stroke:#ffffff;stroke-width:4px}.label{fill:#9a4a00}\
@media (prefers-color-scheme:dark){\
.page{fill:#14181d}.box{fill:#1f2730;stroke:#6f8197}.edge{stroke:#6f8197}.head{fill:#6f8197}\
.title,.name{fill:#e6edf3}.note{fill:#a9b6c4}.halo{stroke:#14181d}.label{fill:#f0b072}}";

/// Draws a workflow.
///
/// # Errors
/// When it has more steps than can be read in a drawing.
pub(crate) fn draw(picture: &Picture) -> Result<String, String> {
    if picture.nodes.len() > MAX_STEPS {
        let steps = picture.nodes.len();
        return Err(format!(
            "{steps} steps: expected at most {MAX_STEPS} for svg; take --format text or dot"
        ));
    }
    let sizes: Vec<(f64, f64)> = picture.nodes.iter().map(size).collect();
    let edges: Vec<(usize, usize)> = picture
        .nodes
        .iter()
        .enumerate()
        .flat_map(|(to, node)| node.edges.iter().map(move |edge| (edge.from, to)))
        .collect();
    let labels: Vec<Option<&str>> =
        picture.nodes.iter().flat_map(|node| node.edges.iter().map(|edge| edge.label)).collect();
    let column_gap = if labels.iter().any(Option::is_some) { LABEL_GAP } else { COLUMN_GAP };
    let layout = layout(&Boxes { columns: picture.by_layer(), sizes: &sizes, edges: &edges, column_gap });
    let top = MARGIN + 30.0;
    let shifted = |(x, y): Point| (x + MARGIN, y + top);
    let title_width = picture.title.width() as f64 * 9.5;
    let width = layout.size.0.max(title_width) + 2.0 * MARGIN;
    let height = layout.size.1 + top + MARGIN;
    let title = escaped(&picture.title);
    let mut lines = vec![
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">"
        ),
        format!("<title>{title}</title>"),
        format!("<style>{STYLE}</style>"),
        "<defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path class=\"head\" d=\"M0,0 L8,4 L0,8 z\"/></marker></defs>".to_owned(),
        "<rect class=\"page\" width=\"100%\" height=\"100%\"/>".to_owned(),
        format!("<text class=\"title\" x=\"{MARGIN:.0}\" y=\"{:.0}\">{title}</text>", MARGIN + 8.0),
    ];
    for (route, label) in layout.routes.iter().zip(&labels) {
        let route: Vec<Point> = route.iter().copied().map(shifted).collect();
        lines.push(format!("<path class=\"edge\" d=\"{}\" marker-end=\"url(#head)\"/>", path(&route)));
        if let (Some(label), [.., (x, _), end]) = (label, route.as_slice()) {
            let (x, y) = ((x + end.0) / 2.0, (route[route.len() - 2].1 + end.1) / 2.0 + 4.0);
            // The halo keeps the lines behind away from the letters.
            lines.extend(["halo", "label"].map(|class| {
                let at = format!("x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"middle\"");
                format!("<text class=\"{class}\" {at}>{}</text>", escaped(label))
            }));
        }
    }
    for ((node, corner), size) in picture.nodes.iter().zip(&layout.corners).zip(&sizes) {
        lines.push(step(node, shifted(*corner), *size));
    }
    lines.push("</svg>".to_owned());
    Ok(lines.join("\n"))
}

fn size(node: &Node) -> (f64, f64) {
    let name = node.name.width() as f64 * NAME_CHAR;
    let notes = node.notes.iter().map(|note| cut(note).width() as f64 * NOTE_CHAR);
    let width = notes.fold(name, f64::max) + 2.0 * PADDING;
    (width.ceil(), NAME_HEIGHT + NOTE_HEIGHT * node.notes.len() as f64 + PADDING)
}

fn step(node: &Node, (x, y): Point, (width, height): (f64, f64)) -> String {
    let mut tooltip = vec![node.name.as_str()];
    tooltip.extend(node.notes.iter().map(String::as_str));
    let tooltip = escaped(&tooltip.join("\n"));
    let mut text = format!(
        "<g><title>{tooltip}</title><rect class=\"box\" x=\"{x:.0}\" y=\"{y:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" rx=\"6\"/>"
    );
    let left = x + PADDING;
    let mut base = y + PADDING / 2.0 + 13.0;
    text.push_str(&format!(
        "<text class=\"name\" x=\"{left:.0}\" y=\"{base:.0}\">{}</text>",
        escaped(&node.name)
    ));
    for note in &node.notes {
        base += NOTE_HEIGHT;
        text.push_str(&format!(
            "<text class=\"note\" x=\"{left:.0}\" y=\"{base:.0}\">{}</text>",
            escaped(&cut(note))
        ));
    }
    text.push_str("</g>");
    text
}

/// The path through the points of an edge: curved between columns, straight through them.
fn path(route: &[Point]) -> String {
    let Some((first, rest)) = route.split_first() else { return String::new() };
    let mut path = format!("M{:.0},{:.0}", first.0, first.1);
    let mut from = *first;
    for (at, to) in rest.iter().enumerate() {
        let middle = (from.0 + to.0) / 2.0;
        path.push_str(&match at % 2 {
            0 => format!(" C{middle:.0},{:.0} {middle:.0},{:.0} {:.0},{:.0}", from.1, to.1, to.0, to.1),
            _ => format!(" L{:.0},{:.0}", to.0, to.1),
        });
        from = *to;
    }
    path
}

/// A text that is no wider than a box may be.
fn cut(text: &str) -> String {
    if text.width() <= WIDEST {
        return text.to_owned();
    }
    let mut cut = String::new();
    for c in text.chars() {
        if cut.width() + 2 > WIDEST {
            break;
        }
        cut.push(c);
    }
    cut.push('…');
    cut
}

/// A text in XML. What XML cannot hold becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::picture::tests::{CHOICE, large, picture};
    use super::*;

    /// The elements of a document, after checking that each is closed in its turn and that no text is left unescaped.
    fn elements(svg: &str) -> Vec<String> {
        let (mut open, mut all) = (Vec::new(), Vec::new());
        let mut rest = svg;
        while let Some(at) = rest.find('<') {
            let text = &rest[..at];
            assert!(!text.contains('>'), "{text}");
            for reference in text.split('&').skip(1) {
                assert!(
                    ["amp;", "lt;", "gt;", "quot;"].iter().any(|name| reference.starts_with(name)),
                    "{text}"
                );
            }
            let (tag, after) = rest[at + 1..].split_once('>').unwrap();
            rest = after;
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop().as_deref(), Some(name));
            } else {
                let name = tag.split(' ').next().unwrap().to_owned();
                if !tag.ends_with('/') {
                    open.push(name);
                }
                all.push(tag.to_owned());
            }
        }
        assert!(open.is_empty() && rest.is_empty(), "{open:?}");
        all
    }

    fn number(element: &str, name: &str) -> f64 {
        let rest = element.split_once(&format!(" {name}=\"")).unwrap().1;
        rest.split('"').next().unwrap().parse().unwrap()
    }

    /// The boxes of a drawing: left, top, right and bottom.
    fn boxes(svg: &str) -> Vec<[f64; 4]> {
        let boxes = elements(svg).into_iter().filter(|element| element.contains("class=\"box\""));
        boxes
            .map(|element| {
                let [x, y, width, height] = ["x", "y", "width", "height"].map(|name| number(&element, name));
                [x, y, x + width, y + height]
            })
            .collect()
    }

    #[test]
    fn two_steps_are_two_boxes_and_an_arrow() {
        let drawn = draw(&picture(
            "name: w\nsteps:\n  - {name: a, run: x}\n  - {name: b, run: x, depends_on: [a]}\n",
        ));
        let drawn = drawn.unwrap();
        let lines: Vec<&str> = drawn
            .lines()
            .filter(|line| !line.starts_with("<style>") && !line.starts_with("<defs>"))
            .collect();
        let expected = [
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"170\" height=\"108\" viewBox=\"0 0 170 108\" role=\"img\">",
            "<title>w</title>",
            "<rect class=\"page\" width=\"100%\" height=\"100%\"/>",
            "<text class=\"title\" x=\"24\" y=\"32\">w</text>",
            "<path class=\"edge\" d=\"M57,69 C85,69 85,69 113,69\" marker-end=\"url(#head)\"/>",
            "<g><title>a</title><rect class=\"box\" x=\"24\" y=\"54\" width=\"33\" height=\"30\" rx=\"6\"/><text class=\"name\" x=\"36\" y=\"73\">a</text></g>",
            "<g><title>b</title><rect class=\"box\" x=\"113\" y=\"54\" width=\"33\" height=\"30\" rx=\"6\"/><text class=\"name\" x=\"125\" y=\"73\">b</text></g>",
            "</svg>",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn conditions_are_escaped_cut_and_whole_in_the_tooltip() {
        let condition = "params.p == '<&\\u0007>' and params.p != 'something that goes on and on and on'";
        let source = format!(
            "name: w\nparams: [{{name: p, default: x}}]\nsteps: [{{name: a, run: x, if: \"{condition}\"}}]\n"
        );
        let drawn = draw(&picture(&source)).unwrap();
        elements(&drawn);
        assert!(drawn.contains("if: params.p == '&lt;&amp;\u{fffd}&gt;' and params.p !"), "{drawn}");
        assert!(drawn.contains("goes on and on and on'</title>") && drawn.contains("…</text>"), "{drawn}");
    }

    #[test]
    fn an_edge_that_wants_another_status_is_labelled() {
        let drawn = draw(&picture(CHOICE)).unwrap();
        let labels = drawn.lines().filter(|line| line.contains("class=\"label\"")).count();
        assert_eq!(
            (labels, elements(&drawn).iter().filter(|element| element.contains("class=\"edge\"")).count()),
            (1, 6)
        );
        assert!(drawn.contains(">failed</text>") && drawn.contains(">trigger_rule: one_success</text>"));
    }

    #[test]
    fn three_hundred_boxes_do_not_touch_and_stay_on_the_page() {
        for picture in [large(10, 30), large(2, 150), large(100, 3), picture(CHOICE)] {
            let drawn = draw(&picture).unwrap();
            let boxes = boxes(&drawn);
            assert_eq!(boxes.len(), picture.nodes.len());
            let all = elements(&drawn);
            let (width, height) = (number(&all[0], "width"), number(&all[0], "height"));
            for (at, one) in boxes.iter().enumerate() {
                assert!(one[0] >= 0.0 && one[1] >= 0.0 && one[2] <= width && one[3] <= height, "{one:?}");
                for other in &boxes[at + 1..] {
                    let apart =
                        one[2] < other[0] || other[2] < one[0] || one[3] < other[1] || other[3] < one[1];
                    assert!(apart, "{one:?} {other:?}");
                }
            }
        }
    }

    #[test]
    fn what_nobody_could_read_is_refused_with_the_way_out() {
        assert!(draw(&large(51, 100)).unwrap_err().contains("5100 steps: expected at most 5000 for svg"));
    }
}
