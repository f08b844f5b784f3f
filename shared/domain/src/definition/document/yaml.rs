//! Trees out of YAML.

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

use super::node::{Content, Document, Key, Node};
use super::open_map::OpenMap;
use crate::definition::checker::Checker;
use crate::definition::problem::Position;
use crate::definition::syntax::{self, MAX_DEPTH};

/// Reads the documents of `source` as [`super::read`] does, whether or not they are JSON.
pub(super) fn read<'s>(source: &'s str, checker: &mut Checker) -> Vec<Document<'s>> {
    let mut builder = Builder { checker, open: Vec::new(), roots: Vec::new(), begins: Vec::new() };
    let mut parser = Parser::new_from_str(source);
    let complete = builder.read(&mut parser, source);
    let Builder { mut roots, begins, .. } = builder;
    if !complete {
        // The document that holds the error would look as if much were missing.
        roots.truncate(begins.len().saturating_sub(1));
    }
    let cuts = byte_offsets(source, &begins);
    for (cut, (_, line)) in cuts.iter().zip(&begins) {
        refuse_directives(&source[..*cut], *line, checker);
    }
    let mut documents = Vec::with_capacity(roots.len());
    for (at, root) in roots.into_iter().enumerate() {
        let start = if at == 0 { 0 } else { cuts[at] };
        let end = cuts.get(at + 1).copied().unwrap_or(source.len());
        if !matches!(&root.content, Content::Scalar { text, plain: true } if text.is_empty()) {
            documents.push(Document { root, source: &source[start..end] });
        }
    }
    documents
}

/// Refuses directives, which stand right before the `---` in line `line`, where `before` ends.
fn refuse_directives(before: &str, line: u32, checker: &mut Checker) {
    let gap = before.lines().rev().take_while(|text| text.is_empty() || text.starts_with(['%', '#']));
    for (above, _) in gap.enumerate().filter(|(_, text)| text.starts_with('%')) {
        let line = line.saturating_sub(u32::try_from(above + 1).unwrap_or(u32::MAX));
        let hint = Some("remove the line".to_owned());
        checker.problem(
            Position { line, column: 1 },
            "unsupported-yaml",
            "YAML directives are not supported",
            hint,
        );
    }
}

/// The byte offset of each of `chars`, which are in order.
fn byte_offsets(source: &str, chars: &[(usize, u32)]) -> Vec<usize> {
    if source.is_ascii() {
        return chars.iter().map(|(char, _)| *char).collect();
    }
    let mut bytes = source.char_indices().map(|(byte, _)| byte);
    let mut passed = 0;
    chars
        .iter()
        .map(|&(char, _)| {
            let byte = bytes.nth(char - passed).unwrap_or(source.len());
            passed = char + 1;
            byte
        })
        .collect()
}

/// A list or map that has not ended yet.
enum Open {
    List { at: Position, items: Vec<Node> },
    Map { at: Position, map: OpenMap, key: Option<Key>, refused: bool },
}

struct Builder<'c> {
    checker: &'c mut Checker,
    open: Vec<Open>,
    roots: Vec<Node>,
    /// The character and the line at which each document begins.
    begins: Vec<(usize, u32)>,
}

impl Builder<'_> {
    /// Reads events up to the end of the source, or to an error; says whether it was the end.
    fn read(&mut self, parser: &mut Parser<'_, StrInput<'_>>, source: &str) -> bool {
        while let Some(event) = parser.next_event() {
            let (event, span) = match event {
                Ok(event) => event,
                Err(error) => {
                    syntax::report(&error, source, self.checker);
                    return false;
                }
            };
            let at = Position::from(span.start);
            if self.open.len() >= MAX_DEPTH
                && matches!(event, Event::SequenceStart(..) | Event::MappingStart(..))
            {
                syntax::report_depth(at, self.checker);
                return false;
            }
            match event {
                Event::DocumentStart(_) => self.begins.push((span.start.index(), at.line)),
                Event::Scalar(text, style, anchor, tag) => {
                    let plain = style == ScalarStyle::Plain;
                    let node = Node { at, content: Content::Scalar { text: text.into(), plain } };
                    let content = self.refused(at, anchor, tag.is_some());
                    self.add(content.map_or(node, |content| Node { at, content }));
                }
                Event::Alias(_) => {
                    syntax::report_alias(at, source, self.checker);
                    self.add(Node { at, content: Content::Refused });
                }
                Event::SequenceStart(anchor, tag) => {
                    self.refused(at, anchor, tag.is_some());
                    self.open.push(Open::List { at, items: Vec::new() });
                }
                Event::MappingStart(anchor, tag) => {
                    self.refused(at, anchor, tag.is_some());
                    self.open.push(Open::Map { at, map: OpenMap::default(), key: None, refused: false });
                }
                Event::SequenceEnd | Event::MappingEnd => self.end(),
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            }
        }
        true
    }

    /// The content that stands in place of a value with an anchor or a tag.
    fn refused(&mut self, at: Position, anchor: usize, tag: bool) -> Option<Content> {
        if anchor > 0 {
            let hint =
                "a text that begins with & must be quoted; nothing can be shared by an anchor".to_owned();
            self.checker.problem(at, "unsupported-yaml", "anchors (`&name`) are not supported", Some(hint));
        } else if tag {
            let hint = "a text that begins with ! must be quoted; types need no tag".to_owned();
            self.checker.problem(at, "unsupported-yaml", "tags (`!name`) are not supported", Some(hint));
        } else {
            return None;
        }
        Some(Content::Refused)
    }

    fn end(&mut self) {
        match self.open.pop() {
            Some(Open::List { at, items }) => self.add(Node { at, content: Content::List(items.into()) }),
            Some(Open::Map { at, refused: true, .. }) => self.add(Node { at, content: Content::Refused }),
            Some(Open::Map { at, map, .. }) => self.add(Node { at, content: map.end() }),
            None => {}
        }
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.roots.push(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { map, key, refused, .. }) => match key.take() {
                None => *key = Some(as_key(node, refused, self.checker)),
                Some(key) => {
                    if let Err(repeated) = map.add(key, node) {
                        repeated.report(self.checker);
                    }
                }
            },
        }
    }
}

/// The node as a key. One that is no text is reported, and left empty.
fn as_key(node: Node, refused: &mut bool, checker: &mut Checker) -> Key {
    let at = node.at;
    match node.content {
        Content::Scalar { text, .. } => Key { at, text },
        Content::Refused => Key { at, text: Box::default() },
        Content::List(_) | Content::Map(_) => {
            *refused = true;
            let hint =
                "a text that begins with { or [ must be quoted, as in \"${{ params.date }}\"".to_owned();
            checker.problem(
                at,
                "wrong-type",
                "expected a name before the colon, found a list or a map",
                Some(hint),
            );
            Key { at, text: Box::default() }
        }
    }
}
