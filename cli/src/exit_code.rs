//! The exit codes: what a script can tell from how `millrace` has ended.

/// How a command has ended, as `docs/cli.md` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitCode {
    /// Done; for commands that wait, the run succeeded, or was skipped.
    Done = 0,
    /// An error.
    Failed = 1,
    /// Wrong use: arguments, configuration, a param that does not fit.
    Usage = 2,
    /// The run failed, timed out or was cancelled.
    RunFailed = 3,
    /// The token is missing or wrong.
    Unauthorized = 4,
    /// There is no such thing.
    NotFound = 5,
    /// Waiting took longer than `--wait-timeout`.
    TimedOut = 124,
    /// Interrupted, by Ctrl-C or SIGTERM.
    Interrupted = 130,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    /// The codes of the table in the manual, and what each means.
    fn documented() -> Vec<(u8, String)> {
        let (_, section) = include_str!("../../docs/cli.md").split_once("## Exit codes").unwrap();
        let (section, _) = section.split_once("\n## ").unwrap();
        let row = |line: &str| {
            let (code, meaning) = line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | ")?;
            Some((code.parse().ok()?, meaning.to_owned()))
        };
        section.lines().filter_map(row).collect()
    }

    /// The codes of the enum, and what stands above each.
    fn declared() -> Vec<(u8, String)> {
        let (_, body) = include_str!("exit_code.rs").split_once("enum ExitCode {\n").unwrap();
        let (body, _) = body.split_once("\n}").unwrap();
        let lines: Vec<&str> = body.lines().map(str::trim).collect();
        let variant = |lines: &[&str]| {
            let meaning = lines[0].strip_prefix("/// ").unwrap().trim_end_matches('.');
            let code = lines[1].trim_end_matches(',').rsplit(' ').next().unwrap().parse().unwrap();
            (code, meaning[..1].to_lowercase() + &meaning[1..])
        };
        lines.chunks(2).map(variant).collect()
    }

    #[test]
    fn the_manual_lists_each_code_with_its_meaning() {
        assert_eq!(declared(), documented());
    }
}
