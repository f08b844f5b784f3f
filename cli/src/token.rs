//! The token of a producer: made at its first start when none is set, kept in its data directory.

use std::io::Write;
use std::path::{Path, PathBuf};

use millrace_runtime::config::Settings;
use uuid::Uuid;

use crate::error::CliError;

/// The name of the token's file within the data directory.
const FILE: &str = "token";

/// The token to show: as set, or the one that a producer in the same container keeps.
pub(crate) fn find(settings: &Settings) -> Option<String> {
    settings.token.clone().or_else(|| read(&PathBuf::from(std::env::var_os("MILLRACE_DATA")?)))
}

/// The token that is kept in `data`, if there is one.
pub(crate) fn read(data: &Path) -> Option<String> {
    let text = std::fs::read_to_string(data.join(FILE)).ok()?;
    Some(text.trim().to_owned()).filter(|token| !token.is_empty())
}

/// The token that is kept in `data`, made now if there is none. Producers that share the directory and start at once
/// agree: the first to put its file there has made it.
pub(crate) fn keep(data: &Path) -> Result<String, CliError> {
    if let Some(token) = read(data) {
        return Ok(token);
    }
    make(data).map_err(|e| {
        CliError::Failed(format!(
            "the token cannot be kept in {}: {e}; let this user write there, or set MILLRACE_TOKEN",
            data.display()
        ))
    })?;
    read(data).ok_or_else(|| {
        CliError::Failed(format!("{} is empty; remove it, and a new one is made", data.join(FILE).display()))
    })
}

/// Makes a token, and keeps it: writes a whole file first, then gives it the name, which only one can have.
fn make(data: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(data)?;
    let mut file = tempfile::NamedTempFile::new_in(data)?;
    writeln!(file, "{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(data.join(FILE)) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn producers_that_start_at_once_on_one_directory_agree_on_the_token() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let tokens: Vec<String> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| keep(&data).unwrap())).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(tokens[0].len() == 64 && tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
        assert_eq!(keep(&data).unwrap(), tokens[0]);
        assert_eq!(std::fs::read_dir(&data).unwrap().count(), 1, "only the token's file is left");
    }

    #[test]
    fn the_token_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        keep(folder.path()).unwrap();
        let mode = std::fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_directory_that_cannot_be_written_says_what_to_do() {
        let error = keep(Path::new("/proc/nowhere")).unwrap_err().to_string();
        assert!(error.contains("/proc/nowhere") && error.contains("MILLRACE_TOKEN"), "{error}");
    }
}
