//! Finds the files of a crate that take from each other in a circle, and tells what ties them.

use std::collections::{BTreeMap, BTreeSet};

use crate::module_tree::ModuleTree;
use crate::source::Words;

/// What each module takes: from which others, and which names.
type Ties<'t> = BTreeMap<&'t Words, BTreeMap<&'t Words, BTreeSet<String>>>;

/// The circles of a crate, each as lines of who takes what from whom.
pub(crate) fn circles(tree: &ModuleTree) -> Vec<String> {
    let mut ties = Ties::new();
    for module in tree.modules() {
        let taken = ties.entry(module).or_default();
        for (definer, name) in tree.taken(module) {
            taken.entry(definer).or_default().insert(name);
        }
    }
    let reached: BTreeMap<&Words, BTreeSet<&Words>> =
        ties.keys().map(|module| (*module, reached(&ties, module))).collect();
    let mut circles = BTreeSet::new();
    for (module, others) in &reached {
        let circle: BTreeSet<&Words> =
            others.iter().copied().filter(|other| reached[other].contains(module)).collect();
        if !circle.is_empty() {
            circles.insert(circle);
        }
    }
    circles.iter().map(|circle| told(tree, &ties, circle)).collect()
}

/// The modules that one takes from, directly or through others. It is among them when it stands in a circle.
fn reached<'t>(ties: &Ties<'t>, module: &Words) -> BTreeSet<&'t Words> {
    let mut reached = BTreeSet::new();
    let mut ahead: Vec<&Words> = ties[module].keys().copied().collect();
    while let Some(next) = ahead.pop() {
        if reached.insert(next) {
            ahead.extend(ties[next].keys().copied());
        }
    }
    reached
}

/// The lines that tell a circle.
fn told(tree: &ModuleTree, ties: &Ties<'_>, circle: &BTreeSet<&Words>) -> String {
    let mut lines = Vec::new();
    for taker in circle {
        for (definer, names) in ties[taker].iter().filter(|(definer, _)| circle.contains(*definer)) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let [taker, definer] = [taker, definer].map(|module| tree.path(module).display());
            lines.push(format!("  {taker} takes {} from {definer}", names.join(", ")));
        }
    }
    lines.join("\n")
}
