//! No files of a crate take from each other in a circle: what a file takes comes from files that take nothing from it,
//! directly or through others. So each can be read, and tested, before those that build on it.
//!
//! What counts is the file that defines a name, not the module through which it is taken: re-exports are followed. Unit
//! tests do not count. The check reads `use` lines and paths, and knows no types: a method ties no files.
//!
//! A circle is opened by moving what ties it: into the file where it belongs, or into one of its own.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod circles;
mod module_tree;
mod source;

use std::fs;
use std::path::Path;

use crate::circles::circles;
use crate::module_tree::ModuleTree;

#[test]
fn no_files_of_a_crate_take_from_each_other_in_a_circle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let members = members(&fs::read_to_string(root.join("Cargo.toml")).unwrap());
    let found: Vec<String> = members
        .iter()
        .flat_map(|member| {
            let circles = circles(&ModuleTree::read(&root.join(member).join("src")));
            circles.into_iter().map(move |circle| format!("{member}/src:\n{circle}"))
        })
        .collect();
    assert!(found.is_empty(), "{} circles\n\n{}", found.len(), found.join("\n\n"));
}

/// The folders of the crates of a workspace, from its manifest.
fn members(manifest: &str) -> Vec<String> {
    let (_, list) = manifest.split_once("\nmembers = [").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    list.split(',').map(|member| member.trim().trim_matches('"').to_owned()).collect()
}

/// The circles of a crate that consists of these files.
fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    circles(&ModuleTree::read(folder.path()))
}

#[test]
fn the_crates_of_the_workspace_are_those_of_its_manifest() {
    assert_eq!(members("[workspace]\nmembers = [\"shared/domain\", \"cli\"]\n"), ["shared/domain", "cli"]);
}

#[test]
fn a_circle_through_a_re_export_is_told_by_who_defines_the_names() {
    let found = circles_of(&[
        ("lib.rs", "mod a;\nmod b;\npub use a::A;\n"),
        ("a/mod.rs", "mod deep;\npub(crate) use deep::A;\n"),
        ("a/deep.rs", "use crate::b::B;\n\npub struct A(B);\n"),
        ("b.rs", "use crate::A;\n\npub struct B(A);\n"),
    ]);
    assert_eq!(found, ["  a/deep.rs takes B from b.rs\n  b.rs takes A from a/deep.rs"]);
}

#[test]
fn braces_globs_and_other_names_are_followed() {
    let found = circles_of(&[
        ("lib.rs", "mod a;\nmod b;\nmod c;\n"),
        (
            "a.rs",
            "use crate::{\n    b::{self, One as First},\n    c::*,\n};\n\npub const A: First = b::two();\n",
        ),
        (
            "b.rs",
            "use super::c::ALL;\n\npub type One = u8;\n\npub(crate) const fn two() -> One {\n    ALL\n}\n",
        ),
        ("c.rs", "pub use crate::a::*;\n\npub const ALL: u8 = A;\n"),
    ]);
    let ties = ["a.rs takes One, two from b.rs", "b.rs takes ALL from c.rs", "c.rs takes A from a.rs"];
    assert_eq!(found, [ties.map(|tie| format!("  {tie}")).join("\n")]);
}

#[test]
fn a_path_in_code_counts_and_one_in_a_comment_does_not() {
    let tied = [
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "fn f() {\n    super::b::g();\n}\n"),
        ("b.rs", "pub(crate) fn g() {\n    crate::a::f();\n}\n"),
    ];
    assert_eq!(circles_of(&tied), ["  a.rs takes g from b.rs\n  b.rs takes f from a.rs"]);
    let [root, a, _] = tied;
    let told = ("b.rs", "/// As [`crate::a::f`].\npub(crate) fn g() {\n    // crate::a::f();\n}\n");
    assert_eq!(circles_of(&[root, a, told]), [""; 0]);
}

#[test]
fn a_module_that_builds_on_its_parts_gives_them_nothing() {
    let found = circles_of(&[
        ("lib.rs", "mod whole;\n"),
        ("whole/mod.rs", "mod part;\n\npub struct Plan;\n\npub fn run() {\n    part::run();\n}\n"),
        ("whole/part.rs", "use super::Plan;\n\npub(super) fn run() -> Plan {\n    Plan\n}\n"),
    ]);
    assert_eq!(
        found,
        ["  whole/mod.rs takes run from whole/part.rs\n  whole/part.rs takes Plan from whole/mod.rs"]
    );
}

#[test]
fn unit_tests_in_a_file_or_beside_it_do_not_count() {
    let found = circles_of(&[
        ("lib.rs", "#[cfg(test)]\nmod tests;\nmod a;\nmod b;\n"),
        ("tests.rs", "use crate::a::A;\n\npub struct Given(A);\n"),
        ("a.rs", "use crate::b::B;\n\npub struct A(B);\n\n#[cfg(test)]\nuse crate::tests::Given;\n"),
        ("b.rs", "pub struct B;\n\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n"),
    ]);
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_program_beside_its_library_is_a_crate_of_its_own() {
    let found = circles_of(&[
        ("lib.rs", "pub mod a;\n\npub fn run() {}\n"),
        ("main.rs", "use crate_of_lib::a;\n\nfn main() {}\n"),
        ("a.rs", "pub fn f() {\n    crate::run();\n}\n"),
    ]);
    assert_eq!(found, [""; 0]);
}
