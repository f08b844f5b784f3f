//! What the text of one file says about names: which it defines, which it brings into its scope, and which it takes.

use std::collections::{BTreeMap, BTreeSet};

/// A path in code, word by word: `crate::run::Event` is `["crate", "run", "Event"]`. A module is one as well, seen from
/// the root of its crate: `src/run/event.rs` is `["run", "event"]`.
pub(crate) type Words = Vec<String>;

/// The names of one file. Its unit tests are left out.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// The items that stand in the file itself.
    pub(crate) defined: BTreeSet<String>,
    /// What each `use` brings here, by the name that it gets here.
    pub(crate) brought: BTreeMap<String, Words>,
    /// The modules of which a `use` brings everything here.
    pub(crate) globs: Vec<Words>,
    /// What is taken, as it is written: by a `use` that passes nothing on, and by the paths and names in code.
    pub(crate) taken: BTreeSet<Words>,
    /// The modules of unit tests that have files of their own.
    pub(crate) tests: BTreeSet<String>,
}

/// The words before the name of an item, and those that may stand before them.
const KINDS: [&str; 8] = ["struct", "enum", "fn", "trait", "const", "type", "static", "macro_rules!"];
const MODIFIERS: [&str; 5] = ["async", "unsafe", "extern", "\"C\"", "mut"];

impl Source {
    /// Reads the text of a file, as rustfmt leaves it.
    pub(crate) fn parse(text: &str) -> Self {
        let mut source = Self::default();
        let code = source.without_tests(text);
        let mut items = String::new();
        let mut lines = code.lines();
        while let Some(line) = lines.next() {
            let (visibility, item) = split_visibility(line);
            if let Some(tree) = item.strip_prefix("use ") {
                let mut tree = tree.to_owned();
                while !tree.ends_with(';') {
                    tree.push_str(lines.next().unwrap_or(";").trim());
                }
                source.bring(tree.trim_end_matches(';'), visibility.is_empty());
                continue;
            }
            if !line.starts_with(' ') {
                source.defined.extend(defined(item));
            }
            items.push_str(line);
            items.push('\n');
        }
        source.taken.extend(mentioned(&items));
        source
    }

    /// The code of a file without its comments and its unit tests. Tests in files of their own are noted.
    fn without_tests(&mut self, text: &str) -> String {
        let mut code = String::new();
        let mut lines = text.lines().map(without_comment);
        while let Some(line) = lines.next() {
            if line.trim() != "#[cfg(test)]" {
                code.push_str(line);
                code.push('\n');
                continue;
            }
            let item = lines.find(|line| !line.trim().starts_with("#[")).unwrap_or_default();
            if let Some(name) = item.strip_prefix("mod ").and_then(|name| name.strip_suffix(';')) {
                self.tests.insert(name.to_owned());
            }
            if !item.ends_with([';', '}']) {
                let indent = &item[..item.len() - item.trim_start().len()];
                let is_last = |line: &str| {
                    let rest = line.strip_prefix(indent).unwrap_or_default();
                    rest.starts_with('}') || (rest.ends_with(';') && !rest.starts_with(' '))
                };
                lines.by_ref().find(|line| is_last(line));
            }
        }
        code
    }

    /// Notes what the tree of a `use` brings.
    fn bring(&mut self, tree: &str, is_private: bool) {
        for (path, name) in leaves(tree) {
            if name == "*" {
                self.globs.push(path);
                continue;
            }
            if is_private {
                self.taken.insert(path.clone());
            }
            self.brought.insert(name, path);
        }
    }
}

/// A line of code without the comment at its end. Two slashes within a text stand: no space is before those of a URL.
fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with("//") {
        ""
    } else {
        line.split(" //").next().unwrap_or_default().trim_end()
    }
}

/// The visibility of an item, empty when it is private, and the rest of its line.
fn split_visibility(line: &str) -> (&str, &str) {
    let line = line.trim_start();
    let end = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => line.find(") ").map_or(0, |end| end + 2),
        Some(rest) if rest.starts_with(' ') => 4,
        _ => 0,
    };
    line.split_at(end)
}

/// The name that an item without its visibility defines.
fn defined(item: &str) -> Option<String> {
    let words = item.split(|sign: char| sign.is_whitespace() || "(<:;{=".contains(sign));
    let mut is_item = false;
    for word in words.filter(|word| !word.is_empty()) {
        if KINDS.contains(&word) {
            is_item = true;
        } else if !MODIFIERS.contains(&word) {
            return is_item.then(|| word.to_owned());
        }
    }
    None
}

/// The leaves of the tree of a `use`: the path of each, and the name that it gets. That of a glob is `*`.
fn leaves(tree: &str) -> Vec<(Words, String)> {
    let Some((stem, branches)) = tree.split_once('{') else { return vec![leaf(tree)] };
    let branches = branches.trim_end().strip_suffix('}').unwrap_or(branches);
    let mut found = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, sign) in branches.char_indices().chain([(branches.len(), ',')]) {
        match sign {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let branch = branches[start..at].trim();
                if !branch.is_empty() {
                    found.extend(leaves(&format!("{stem}{branch}")));
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// One leaf: `a::B`, `a::B as C`, `a::self` or `a::*`.
fn leaf(text: &str) -> (Words, String) {
    let (path, name) = text.split_once(" as ").map_or((text, None), |(path, name)| (path, Some(name)));
    let mut words = words(path);
    let last = words.pop_if(|word| word == "self" || word == "*");
    let name = match (name, last) {
        (Some(name), _) => name.to_owned(),
        (None, Some(last)) if last == "*" => last,
        (None, _) => words.last().cloned().unwrap_or_default(),
    };
    (words, name)
}

/// The paths in code, and the single names that are a type, a constant, or a function or macro that is called.
fn mentioned(code: &str) -> BTreeSet<Words> {
    let is_part = |sign: char| sign.is_alphanumeric() || sign == '_' || sign == ':';
    let mut found = BTreeSet::new();
    let mut start = 0;
    for piece in code.split_inclusive(|sign| !is_part(sign)) {
        let path = piece.trim_end_matches(|sign| !is_part(sign));
        let (before, after) = (&code[..start], &code[start + path.len()..]);
        start += piece.len();
        let is_capital = path.starts_with(char::is_uppercase);
        let is_called =
            after.starts_with(['(', '!', '<']) && !before.ends_with('.') && !before.ends_with("fn ");
        let words = words(path);
        if words.len() > 1 || (words.len() == 1 && (is_capital || is_called)) {
            found.insert(words);
        }
    }
    found
}

/// The words of a path.
fn words(path: &str) -> Words {
    path.split("::")
        .map(|word| word.trim_matches([' ', ':']))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}
