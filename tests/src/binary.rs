//! The program under test: the `millrace` that was built with these tests.

use std::env;
use std::path::PathBuf;

/// Where it is: `MILLRACE_TEST_BINARY`, or else beside the folder of the test executable.
///
/// # Panics
/// When it was not built.
pub fn binary() -> PathBuf {
    if let Some(path) = env::var_os("MILLRACE_TEST_BINARY") {
        return path.into();
    }
    let test = env::current_exe().unwrap();
    // target/<profile>/deps/<test>
    let path = test.ancestors().nth(2).unwrap().join("millrace");
    assert!(path.exists(), "{} is not there: run `cargo build` first", path.display());
    path
}
