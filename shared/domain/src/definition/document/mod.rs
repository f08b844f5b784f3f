//! The documents of a file as trees in which every value knows its line and column. YAML, and JSON since that is
//! YAML's flow style; no aliases, anchors, tags or directives, so a tree is never larger than its text. A tree is kept
//! small, in boxes that have no room to grow: a definition may have 100,000 steps.

mod json;
mod node;
mod open_map;
mod yaml;

use super::checker::Checker;
pub(super) use node::{Content, Document, Key, Node};

/// Reads the documents of `source` that are not empty. What YAML forbids goes to `checker`; the documents before a
/// syntax error are still answered.
pub(super) fn read<'s>(source: &'s str, checker: &mut Checker) -> Vec<Document<'s>> {
    match json::read(source, checker) {
        Some(root) => vec![Document { root, source }],
        None => yaml::read(source, checker),
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
