//! The program under test: the `millrace` that was built with these tests.

use std::env;
use std::path::PathBuf;

/// The path of the program: `MILLRACE_TEST_BINARY`, or else beside the folder of the test executable.
///
/// # Panics
/// When it was not built.
pub fn binary() -> PathBuf {
    if let Some(path) = env::var_os("MILLRACE_TEST_BINARY") {
        return path.into();
    }
    let own = env::current_exe().unwrap();
    // target/<profile>/deps/<test>, or a program in target/<profile>
    let paths = own.ancestors().skip(1).take(2).map(|folder| folder.join("millrace"));
    paths
        .into_iter()
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("no millrace beside {} or above: run `cargo build` first", own.display()))
}
