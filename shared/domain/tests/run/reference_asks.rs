//! What a step comes to that asks people: a part of the [`reference`](crate::reference). What is quoted is from
//! `docs/definitions.md`.

use millrace_domain::Outcome;

use crate::reference::{End, failed_without_an_attempt};

/// What a step with `uses: approval` or `uses: input` asks. Where people are named, these are [`NAMED`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    Approval {
        of: u32,
        is_named: bool,
        /// Whether its `default` is `approve`.
        by_default: bool,
    },
    /// An input of the number `v`.
    Input {
        is_named: bool,
        /// The number of its `default`.
        by_default: Option<i64>,
    },
    /// An expression gives no list of names.
    Unclear,
}

/// Those who may answer; the last is what a param says.
pub(crate) const NAMED: [&str; 3] = ["ann", "bob", "soon"];

/// What somebody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Approve,
    Reject,
    /// The number that is supplied; none where it is left out.
    Supply(Option<i64>),
}

/// What somebody has answered, and under which name.
pub(crate) type Said = (&'static str, Answer);

/// Whether an answer counts after those that have.
pub(crate) fn counts(ask: Ask, before: &[Said], (by, answer): Said) -> bool {
    let may = |is_named: bool| !is_named || NAMED.contains(&by);
    match (ask, answer) {
        (Ask::Approval { is_named, .. }, Answer::Reject) => may(is_named),
        // "Nobody counts twice. Where more than one has to approve, each has to say who they are."
        (Ask::Approval { of, is_named, .. }, Answer::Approve) => {
            may(is_named) && (of == 1 || !by.is_empty()) && !before.contains(&(by, answer))
        }
        // "A field without a default has to be given."
        (Ask::Input { is_named, .. }, Answer::Supply(v)) => may(is_named) && v.is_some(),
        _ => false,
    }
}

/// The end of a step that has asked, when this is all that was answered and counts. When the time is over, "with a default it
/// succeeds".
pub(crate) fn asked(ask: Ask, answers: &[Said]) -> End {
    let mut approvals = 0;
    for (_, answer) in answers {
        match (answer, ask) {
            // "**Rejected** by one who may, the step ends `failed` at once".
            (Answer::Reject, _) => return End::of(Outcome::Failed, 0, None),
            (Answer::Supply(v), _) => return End::of(Outcome::Succeeded, 0, *v),
            (Answer::Approve, Ask::Approval { of, .. }) => {
                approvals += 1;
                if approvals == of {
                    return End::of(Outcome::Succeeded, 0, None);
                }
            }
            (Answer::Approve, _) => {}
        }
    }
    match ask {
        Ask::Approval { by_default: true, .. } => End::of(Outcome::Succeeded, 0, None),
        Ask::Input { by_default: Some(v), .. } => End::of(Outcome::Succeeded, 0, Some(v)),
        // "With `default: reject`, or an input without `default`, the step ends `timed_out`".
        Ask::Approval { .. } | Ask::Input { .. } => End::of(Outcome::TimedOut, 0, None),
        Ask::Unclear => failed_without_an_attempt(),
    }
}
