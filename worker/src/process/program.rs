//! The program of a task, found as `execvp` would in the task's own PATH and directory, and why it cannot be started,
//! in words. It is found here since a path that is complete lets the process start without a fork of the worker.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

/// The reason why a program cannot be started, for people.
pub(crate) type Reason = String;

/// Finds the complete path of `program` for a task that starts in `directory` with the search path `path`.
pub(crate) fn find(program: &str, path: &OsStr, directory: &Path) -> Result<PathBuf, Reason> {
    if program.is_empty() {
        return Err("the program to run is an empty text: name one in `shell`".to_owned());
    }
    if program.contains('/') {
        let candidate = directory.join(program);
        return match examine(&candidate) {
            Candidate::Executable => Ok(candidate),
            Candidate::Absent => {
                Err(format!("program `{program}` was not found: there is no {}", candidate.display()))
            }
            Candidate::NotExecutable => Err(not_executable(program, &candidate)),
        };
    }
    let mut blocked = None;
    for entry in path.as_bytes().split(|&byte| byte == b':') {
        let candidate = directory.join(OsStr::from_bytes(entry)).join(program);
        match examine(&candidate) {
            Candidate::Executable => return Ok(candidate),
            Candidate::NotExecutable => blocked = blocked.or(Some(candidate)),
            Candidate::Absent => {}
        }
    }
    Err(match blocked {
        Some(candidate) => not_executable(program, &candidate),
        None => {
            format!("program `{program}` was not found: it is in no directory of PATH={}", path.display())
        }
    })
}

/// Checks the directory in which a task is to start.
pub(crate) fn check_directory(directory: &Path) -> Result<(), Reason> {
    let shown = directory.display();
    match fs::metadata(directory) {
        Ok(metadata) if !metadata.is_dir() => Err(format!("working directory {shown} is not a directory")),
        Ok(_) if access(directory, AccessFlags::X_OK).is_err() => {
            Err(format!("working directory {shown} may not be entered by the worker: permission denied"))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(format!(
            "working directory {shown} does not exist: create it on the worker, or change working_dir"
        )),
        Err(error) => Err(format!("working directory {shown} cannot be used: {error}")),
    }
}

/// Advises what to write instead, when a shell has complained in `line` about a command that is a file in the directory
/// where the task started.
pub(crate) fn advise(line: &str, directory: &Path) -> Option<String> {
    // `sh: 1: x.sh: not found`, `bash: line 1: x.sh: command not found`, `zsh:1: command not found: x.sh`.
    line.split(':').map(str::trim).rev().find_map(|word| {
        let is_name = !word.is_empty() && !word.contains('/');
        let is_here = word.starts_with("./") && !word.contains("/../");
        match examine(&directory.join(word)) {
            Candidate::Executable if is_name => {
                Some(format!("it is in the working directory: write ./{word}"))
            }
            Candidate::NotExecutable if directory.join(word).is_dir() => None,
            Candidate::NotExecutable if is_name => Some(format!(
                "it is in the working directory: write ./{word}, after chmod +x {word}, or sh {word}"
            )),
            Candidate::NotExecutable if is_here => Some(format!("it may not be executed: chmod +x {word}")),
            _ => None,
        }
    })
}

/// What is at a path where a program may be.
enum Candidate {
    Executable,
    NotExecutable,
    Absent,
}

/// Examines a path.
fn examine(path: &Path) -> Candidate {
    match fs::metadata(path) {
        Err(_) => Candidate::Absent,
        Ok(metadata) if metadata.is_file() && access(path, AccessFlags::X_OK).is_ok() => {
            Candidate::Executable
        }
        Ok(_) => Candidate::NotExecutable,
    }
}

/// Explains why what was found is not executable.
fn not_executable(program: &str, candidate: &Path) -> Reason {
    let shown = candidate.display();
    if candidate.is_dir() {
        format!("program `{program}` is not executable: {shown} is a directory")
    } else {
        format!("program `{program}` is not executable: chmod +x {shown}")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_program_is_found_by_path_and_by_name_and_its_absence_has_a_reason() {
        let directory = tempfile::tempdir().unwrap();
        let tool = directory.path().join("tool");
        fs::write(&tool, "#!/bin/sh\n").unwrap();
        let here = directory.path();
        let reason = find("tool", here.as_os_str(), Path::new("/")).unwrap_err();
        assert!(reason.contains("`tool` is not executable: chmod +x"), "{reason}");
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find("tool", here.as_os_str(), Path::new("/")), Ok(tool.clone()));
        assert_eq!(find("./tool", OsStr::new("/bin"), here), Ok(here.join("./tool")));
        assert_eq!(find("tool", OsStr::new(""), here), Ok(tool));
        let reason = find("nope", here.as_os_str(), here).unwrap_err();
        assert!(reason.contains("program `nope` was not found"), "{reason}");
        let reason = find("/bin", here.as_os_str(), here).unwrap_err();
        assert!(reason.contains("is a directory"), "{reason}");
    }

    #[test]
    fn a_command_that_is_a_file_here_is_advised_by_how_it_is_called() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        fs::create_dir(here.join("folder")).unwrap();
        fs::write(here.join("backup.sh"), "").unwrap();
        let run = "it is in the working directory: write ./backup.sh";
        let both = format!("{run}, after chmod +x backup.sh, or sh backup.sh");
        for line in [
            "sh: 1: backup.sh: not found",
            "bash: line 1: backup.sh: command not found",
            "zsh:1: command not found: backup.sh",
        ] {
            assert_eq!(advise(line, here), Some(both.clone()), "{line}");
        }
        let line = "sh: 1: ./backup.sh: Permission denied";
        assert_eq!(advise(line, here).as_deref(), Some("it may not be executed: chmod +x ./backup.sh"));
        fs::set_permissions(here.join("backup.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(advise("sh: 1: backup.sh: not found", here).as_deref(), Some(run));
        for line in ["sh: 1: restore.sh: not found", "sh: 1: folder: not found", "not found", "", line] {
            assert_eq!(advise(line, here), None, "{line}");
        }
    }
}
