//! The documents of a file as trees in which every value knows its line and column. YAML, and JSON since that is
//! YAML's flow style; no aliases, anchors, tags or directives, so a tree is never larger than its text.

use std::collections::HashSet;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

use super::checker::Checker;
use super::problem::Position;
use super::syntax::{self, MAX_DEPTH};

/// The greatest number of keys that are looked through one by one: up to it, that is faster than hashing.
const FEW_KEYS: usize = 12;

/// A node of the tree: a value and where it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) content: Content,
}

/// The content of a node.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    /// A scalar: a text, a number, anything that is written as one word or text.
    Scalar {
        text: String,
        /// Whether it is neither quoted nor a block: what YAML would guess a type for.
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
    /// A value that was refused already: nothing more is to be said about it.
    Refused,
}

/// A key of a map and where it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub(super) at: Position,
    pub(super) text: String,
}

impl Node {
    /// Whether nothing stands where a value should.
    pub(super) fn is_nothing(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true } if text.is_empty())
    }

    /// The scalar, when it is not quoted.
    pub(super) fn plain(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, plain: true } => Some(text),
            _ => None,
        }
    }

    /// The node in words, for a message.
    pub(super) fn describe(&self) -> String {
        match &self.content {
            Content::Scalar { text, .. } if text.chars().count() <= 40 => {
                format!("`{}`", text.escape_debug())
            }
            Content::Scalar { .. } => "a long text".to_owned(),
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "a map".to_owned(),
            Content::Refused => "nothing".to_owned(),
        }
    }
}

/// A document, and its own part of the source.
pub(super) struct Document<'s> {
    pub(super) root: Node,
    pub(super) source: &'s str,
}

/// Reads the documents of `source` that are not empty. What YAML forbids goes to `checker`; the documents before a
/// syntax error are still answered.
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
    Map { at: Position, entries: Vec<(Key, Node)>, seen: HashSet<String>, key: Option<Key>, refused: bool },
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
                    let node = Node { at, content: Content::Scalar { text: text.into_owned(), plain } };
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
                    self.open.push(Open::Map {
                        at,
                        entries: Vec::new(),
                        seen: HashSet::new(),
                        key: None,
                        refused: false,
                    });
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
            Some(Open::List { at, items }) => self.add(Node { at, content: Content::List(items) }),
            Some(Open::Map { at, refused: true, .. }) => self.add(Node { at, content: Content::Refused }),
            Some(Open::Map { at, entries, .. }) => self.add(Node { at, content: Content::Map(entries) }),
            None => {}
        }
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.roots.push(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, seen, key, refused, .. }) => match key.take() {
                None => *key = Some(as_key(node, refused, self.checker)),
                Some(key) => {
                    let repeated = if entries.len() < FEW_KEYS {
                        entries.iter().any(|(earlier, _)| earlier.text == key.text)
                    } else {
                        if seen.is_empty() {
                            seen.extend(entries.iter().map(|(earlier, _)| earlier.text.clone()));
                        }
                        !seen.insert(key.text.clone())
                    };
                    if repeated && !key.text.is_empty() {
                        let message = format!("`{}` is given twice: expected each key once", key.text);
                        self.checker.problem(key.at, "duplicate-key", message, None);
                    } else {
                        entries.push((key, node));
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
        Content::Refused => Key { at, text: String::new() },
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
            Key { at, text: String::new() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<String> {
        let mut checker = Checker::default();
        let documents = read(source, &mut checker).into_iter().map(|d| d.source.to_owned()).collect();
        assert!(checker.is_clean(), "{}", checker.into_problems("f"));
        documents
    }

    #[test]
    fn each_document_keeps_its_own_source_and_reads_again_to_the_same_tree() {
        for source in [
            "a: 1\n---\nb: é\n---\nc: 3\n",
            "# über\n---\na: 1\n...\n---\nb: 2\n...\n",
            "a: |\n  x\n  ---y\n---\n\"é\": [1]\n--- {c: 1}\n",
            "{\"a\": 1}\n---\n{\"b\": 2}",
        ] {
            let mut checker = Checker::default();
            let whole: Vec<Node> = read(source, &mut checker).into_iter().map(|d| d.root).collect();
            let parts = texts(source);
            assert_eq!(parts.concat(), source);
            for (root, part) in whole.iter().zip(&parts) {
                let again = read(part, &mut checker);
                assert_eq!(again.len(), 1, "{part:?}");
                assert_eq!(strip(&again[0].root), strip(root), "{part:?}");
            }
        }
    }

    /// A tree without its positions.
    fn strip(node: &Node) -> String {
        match &node.content {
            Content::Scalar { text, plain } => format!("{text:?}{plain}"),
            Content::List(items) => format!("[{}]", items.iter().map(strip).collect::<Vec<_>>().join(",")),
            Content::Map(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(k, v)| format!("{}:{}", k.text, strip(v))).collect();
                format!("{{{}}}", entries.join(","))
            }
            Content::Refused => "refused".to_owned(),
        }
    }

    #[test]
    fn empty_documents_are_passed_over() {
        assert_eq!(texts(""), [""; 0]);
        assert_eq!(texts("---\n---\n# only this\n"), [""; 0]);
        assert_eq!(texts("---\na: 1\n---\n").len(), 1);
    }

    #[test]
    fn json_is_read_with_tabs_and_escapes() {
        let mut checker = Checker::default();
        let source = "{\n\t\"a\":\"x\\/\\u00e9\\n\",\n\t\"b\":[1,true,null]\n}\n";
        let documents = read(source, &mut checker);
        assert!(checker.is_clean(), "{}", checker.into_problems("f"));
        assert_eq!(strip(&documents[0].root), "{a:\"x/é\\n\"false,b:[\"1\"true,\"true\"true,\"null\"true]}");
    }
}
