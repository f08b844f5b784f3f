//! The role of a helper process: guardian and keepers are this same program, started with other arguments.

use std::ffi::OsString;
use std::io;

use super::{keeper_process, process};

/// Runs this process as a helper, if that is what its arguments ask for (`guardian FOLDER`, `keeper GUARDIAN`), until
/// it is not needed any more. Call it first in `main` of the program that is named to [`super::Guardian::start`].
pub fn as_helper(arguments: impl Iterator<Item = OsString>) -> Option<io::Result<()>> {
    let arguments: Vec<OsString> = arguments.skip(1).collect();
    let [role, of] = arguments.as_slice() else { return None };
    match role.to_str()? {
        "guardian" => Some(process::guard(of.as_ref())),
        "keeper" => Some(keeper_process::keep(of.to_str()?.parse().ok()?)),
        _ => None,
    }
}
