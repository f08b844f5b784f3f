//! Collects what is wrong with a definition, so that all of it is told at once.

use super::nearest;
use super::problem::{Position, Problem, Problems};

/// The greatest number of problems that are shown.
const MAX_SHOWN: usize = 100;

/// The greatest number of problems that are kept; those after are only counted.
const MAX_KEPT: usize = 10_000;

/// The greatest number of hints that are looked for: each looks at every candidate, or at every line.
const MAX_HINTS: usize = 100;

/// The collector of problems while a definition is read.
#[derive(Debug, Default)]
pub(super) struct Checker {
    found: Vec<Found>,
    /// What is allowed, and hardly meant.
    warnings: Vec<Found>,
    uncounted: usize,
    hints: usize,
    /// Whether the definition was accepted once, and is stored: what has been refused since is not refused in it.
    pub(super) was_accepted: bool,
}

#[derive(Debug)]
struct Found {
    at: Position,
    code: &'static str,
    message: String,
    hint: Option<String>,
}

impl Found {
    fn into_problem(self, file: &str) -> Problem {
        Problem {
            file: file.to_owned(),
            line: self.at.line,
            column: self.at.column,
            code: self.code,
            message: self.message,
            hint: self.hint,
        }
    }
}

impl Checker {
    /// Notes a problem.
    pub(super) fn problem(
        &mut self,
        at: Position,
        code: &'static str,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        if self.found.len() < MAX_KEPT {
            self.found.push(Found { at, code, message: message.into(), hint });
        } else {
            self.uncounted += 1;
        }
    }

    /// Notes something that is allowed, and hardly meant.
    pub(super) fn warning(
        &mut self,
        at: Position,
        code: &'static str,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        if self.warnings.len() < MAX_SHOWN {
            self.warnings.push(Found { at, code, message: message.into(), hint });
        }
    }

    /// Takes the warnings that were noted since the last time, in the order of the file.
    pub(super) fn take_warnings(&mut self, file: &str) -> Vec<Problem> {
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.sort_by_key(|found| found.at);
        warnings.into_iter().map(|found| found.into_problem(file)).collect()
    }

    /// Whether no problem has been noted.
    pub(super) fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether a hint may still be looked for, when looking is not cheap.
    pub(super) fn may_look(&mut self) -> bool {
        self.hints += 1;
        self.hints <= MAX_HINTS
    }

    /// The hint "did you mean `x`?", where one of the candidates is near.
    pub(super) fn did_you_mean<'c>(
        &mut self,
        word: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) -> Option<String> {
        if !self.may_look() {
            return None;
        }
        nearest(word, candidates).map(|near| format!("did you mean `{near}`?"))
    }

    /// The problems so far, in the order of the file.
    pub(super) fn into_problems(mut self, file: &str) -> Problems {
        self.found.sort_by_key(|found| found.at);
        let more = (self.found.len() + self.uncounted).saturating_sub(MAX_SHOWN);
        if more > 0 {
            self.found.truncate(MAX_SHOWN - 1);
            let at = self.found.last().map_or(Position::START, |found| found.at);
            let message = format!("{} more problems are not shown", more + 1);
            self.found.push(Found { at, code: "too-many-problems", message, hint: None });
        }
        Problems(self.found.into_iter().map(|found| found.into_problem(file)).collect())
    }

    /// The code of the first problem and a line that tells them all, for what has no lines of its own.
    pub(super) fn into_text(self) -> (&'static str, String) {
        let problems = self.into_problems("").0;
        let code = problems.first().map_or("bad-field", |problem| problem.code);
        let told = |problem: Problem| match problem.hint {
            Some(hint) => format!("{} ({hint})", problem.message),
            None => problem.message,
        };
        (code, problems.into_iter().map(told).collect::<Vec<_>>().join("; "))
    }
}
