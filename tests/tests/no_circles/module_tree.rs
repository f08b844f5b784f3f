//! The module tree of a crate: its files by the modules that they are, and who defines what a path leads to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::source::{Source, Words};

/// How many re-exports a name is followed through.
const MOST_RE_EXPORTS: usize = 16;

/// The files of one crate.
#[derive(Debug, Default)]
pub(crate) struct ModuleTree(BTreeMap<Words, (PathBuf, Source)>);

impl ModuleTree {
    /// Reads the files below the folder of a crate's sources. A program beside a library is left out: it is a crate of
    /// its own, and has the library's name for it.
    pub(crate) fn read(sources: &Path) -> Self {
        let mut tree = Self::default();
        tree.read_folder(sources, Path::new(""));
        if sources.join("lib.rs").exists() {
            tree.0.retain(|_, (path, _)| path.as_path() != Path::new("main.rs"));
        }
        let tests: Vec<Words> = tree
            .0
            .iter()
            .flat_map(|(module, (_, source))| source.tests.iter().map(|name| child(module, name)))
            .collect();
        tree.0.retain(|module, _| !tests.iter().any(|tests| module.starts_with(tests)));
        tree
    }

    fn read_folder(&mut self, sources: &Path, folder: &Path) {
        for entry in fs::read_dir(sources.join(folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                self.read_folder(sources, &path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = Source::parse(&fs::read_to_string(entry.path()).unwrap());
                self.0.insert(module(&path), (path, source));
            }
        }
    }

    /// The modules of the tree that are files.
    pub(crate) fn modules(&self) -> impl Iterator<Item = &Words> {
        self.0.keys()
    }

    /// The file of a module, from the folder of the sources.
    pub(crate) fn path(&self, module: &[String]) -> &Path {
        &self.0[module].0
    }

    /// What a module takes from others: who defines each name, and the name there.
    pub(crate) fn taken<'t>(&'t self, module: &'t Words) -> impl Iterator<Item = (&'t Words, String)> {
        let found = self.0[module].1.taken.iter().filter_map(|path| self.definer(module, path, 0));
        found.filter(move |(definer, _)| *definer != module)
    }

    /// The module that defines what a path leads to when it stands in this one, and the name there. A path to a module
    /// leads to nothing: what counts is what is taken through it. What no file defines counts as defined where the path
    /// ends: a macro makes it there, or it comes from another crate.
    fn definer(&self, module: &[String], path: &[String], re_exports: usize) -> Option<(&Words, String)> {
        let (word, rest) = path.split_first()?;
        let (module, (_, source)) = self.0.get_key_value(module)?;
        match word.as_str() {
            "crate" => return self.definer(&[], rest, re_exports),
            "self" => return self.definer(module, rest, re_exports),
            "super" => return self.definer(module.split_last()?.1, rest, re_exports),
            _ => {}
        }
        let child = child(module, word);
        let is_module = self.0.contains_key(&child);
        if is_module && !rest.is_empty() {
            return self.definer(&child, rest, re_exports);
        }
        let here = (module, word.clone());
        if source.defined.contains(word) || re_exports == MOST_RE_EXPORTS {
            return Some(here);
        }
        if let Some(from) = source.brought.get(word) {
            let found = self.definer(module, &[from, rest].concat(), re_exports + 1);
            return found.map(|found| if found.0 == module { here } else { found });
        }
        let by_globs = source
            .globs
            .iter()
            .filter_map(|from| self.definer(module, &[from.as_slice(), path].concat(), re_exports + 1));
        let mut defined = by_globs.filter(|(module, name)| self.0[*module].1.defined.contains(name));
        defined.next().or_else(|| (!is_module).then_some(here))
    }
}

/// The module within another one.
fn child(module: &[String], name: &str) -> Words {
    [module, &[name.to_owned()]].concat()
}

/// The module that a file is.
fn module(path: &Path) -> Words {
    let mut words: Words =
        path.with_extension("").iter().map(|word| word.to_string_lossy().into_owned()).collect();
    words.pop_if(|word| ["lib", "main", "mod"].contains(&word.as_str()));
    words
}
