//! When a step starts: what it wants of the steps that it waits for, and what it makes of how they ended. Pure arithmetic
//! on small counts; [`run`](crate::run) keeps them, and [`definition`](crate::definition) says what they are for.

use std::fmt;

/// The status that a dependency wants of the step that is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Status {
    /// The step succeeded.
    #[default]
    Success,
    /// The step failed, timed out or was cancelled.
    Failed,
    /// The step was skipped.
    Skipped,
    /// The step ended, however it did.
    Finished,
    /// The step ended, and was not skipped. It is what `on_finish` of a step wants, and cannot be written.
    Ran,
}

/// The way a step ended, as those that wait for it see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The step succeeded, or failed and its failure is excused.
    Succeeded,
    /// The step failed, timed out or was cancelled.
    Failed,
    /// The step was skipped, since its condition was false or a branch was not taken.
    Skipped,
    /// The step was skipped, and something that it waited for had failed.
    SkippedAfterFailure,
}

/// The judgement on a dependency, once the step that is waited for has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Judgement {
    /// The step ended as wanted.
    Met,
    /// The step did not end as wanted, and a failure is why.
    Failed,
    /// The step did not end as wanted, and nothing failed.
    PassedOver,
}

impl Status {
    /// All statuses that can be written, in the order in which they are documented.
    pub const ALL: [Self; 4] = [Self::Success, Self::Failed, Self::Skipped, Self::Finished];

    /// The word for the status in a definition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Finished => "finished",
            Self::Ran => "ran",
        }
    }

    /// Judges a dependency that wants this status, by how the step ended.
    pub fn judge(self, ending: Ending) -> Judgement {
        let is_met = match ending {
            Ending::Succeeded => matches!(self, Self::Success | Self::Finished | Self::Ran),
            Ending::Failed => matches!(self, Self::Failed | Self::Finished | Self::Ran),
            Ending::Skipped | Ending::SkippedAfterFailure => matches!(self, Self::Skipped | Self::Finished),
        };
        match ending {
            _ if is_met => Judgement::Met,
            Ending::Failed | Ending::SkippedAfterFailure => Judgement::Failed,
            Ending::Succeeded | Ending::Skipped => Judgement::PassedOver,
        }
    }
}

/// The rule by which a step starts: what it makes of the judgements on its dependencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TriggerRule {
    /// All dependencies are met.
    #[default]
    AllSuccess,
    /// All dependencies are judged.
    AllFinished,
    /// One dependency is met; the others are not waited for.
    OneSuccess,
    /// One dependency is failed; the others are not waited for.
    OneFailed,
    /// All dependencies are judged, and none is failed.
    NoneFailed,
    /// All dependencies are failed.
    AllFailed,
    /// All dependencies are judged, and none is passed over.
    NoneSkipped,
}

/// The count of the dependencies of a step by how they are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// The dependencies that are not judged yet.
    pub open: u32,
    /// The dependencies that are met.
    pub met: u32,
    /// The dependencies that are failed.
    pub failed: u32,
    /// The dependencies that are passed over.
    pub passed_over: u32,
}

/// The readiness of a step by its rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Readiness {
    /// The step still waits.
    Waits,
    /// The step starts.
    Starts,
    /// All dependencies are judged, and the rule does not hold: the step is skipped.
    Never,
}

impl Tally {
    /// The tally of a step with so many dependencies, none of which is judged.
    pub fn open(dependencies: usize) -> Self {
        Self { open: u32::try_from(dependencies).unwrap_or(u32::MAX), ..Self::default() }
    }

    /// Counts a judgement on one of the dependencies that were open.
    pub fn count(&mut self, judgement: Judgement) {
        self.open = self.open.saturating_sub(1);
        match judgement {
            Judgement::Met => self.met += 1,
            Judgement::Failed => self.failed += 1,
            Judgement::PassedOver => self.passed_over += 1,
        }
    }
}

impl TriggerRule {
    /// All rules, in the order in which they are documented.
    pub const ALL: [Self; 7] = [
        Self::AllSuccess,
        Self::AllFinished,
        Self::OneSuccess,
        Self::OneFailed,
        Self::NoneFailed,
        Self::AllFailed,
        Self::NoneSkipped,
    ];

    /// The word for the rule in a definition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllSuccess => "all_success",
            Self::AllFinished => "all_finished",
            Self::OneSuccess => "one_success",
            Self::OneFailed => "one_failed",
            Self::NoneFailed => "none_failed",
            Self::AllFailed => "all_failed",
            Self::NoneSkipped => "none_skipped",
        }
    }

    /// Whether the rule asks for at least one dependency, without which it never holds.
    pub fn needs_dependencies(self) -> bool {
        matches!(self, Self::OneSuccess | Self::OneFailed | Self::AllFailed)
    }

    /// The readiness of a step with this rule. A step is given up only when all its dependencies are judged: so what becomes
    /// of it and of all after it does not depend on the order in which they end.
    pub fn readiness(self, tally: Tally) -> Readiness {
        let Tally { open, met, failed, passed_over } = tally;
        let holds = match self {
            Self::OneSuccess => met > 0,
            Self::OneFailed => failed > 0,
            _ if open > 0 => return Readiness::Waits,
            Self::AllSuccess => failed + passed_over == 0,
            Self::AllFinished => true,
            Self::NoneFailed => failed == 0,
            Self::AllFailed => met + passed_over == 0,
            Self::NoneSkipped => passed_over == 0,
        };
        match holds {
            true => Readiness::Starts,
            false if open > 0 => Readiness::Waits,
            false => Readiness::Never,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for TriggerRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDINGS: [Ending; 4] =
        [Ending::Succeeded, Ending::Failed, Ending::Skipped, Ending::SkippedAfterFailure];

    #[test]
    fn each_status_is_met_by_the_endings_that_it_names() {
        use Judgement::{Failed, Met, PassedOver};
        let judged = |status: Status| ENDINGS.map(|ending| status.judge(ending));
        assert_eq!(judged(Status::Success), [Met, Failed, PassedOver, Failed]);
        assert_eq!(judged(Status::Failed), [PassedOver, Met, PassedOver, Failed]);
        assert_eq!(judged(Status::Skipped), [PassedOver, Failed, Met, Met]);
        assert_eq!(judged(Status::Finished), [Met; 4]);
    }

    #[test]
    fn a_rule_holds_by_the_counts_and_gives_up_only_when_all_are_judged() {
        use Readiness::{Never, Starts, Waits};
        let tally = |open, met, failed, passed_over| Tally { open, met, failed, passed_over };
        let by = |tally| TriggerRule::ALL.map(|rule| rule.readiness(tally));
        assert_eq!(by(tally(0, 0, 0, 0)), [Starts, Starts, Never, Never, Starts, Starts, Starts]);
        assert_eq!(by(tally(1, 1, 0, 0)), [Waits, Waits, Starts, Waits, Waits, Waits, Waits]);
        assert_eq!(by(tally(1, 0, 1, 1)), [Waits, Waits, Waits, Starts, Waits, Waits, Waits]);
        assert_eq!(by(tally(0, 2, 0, 0)), [Starts, Starts, Starts, Never, Starts, Never, Starts]);
        assert_eq!(by(tally(0, 1, 1, 0)), [Never, Starts, Starts, Starts, Never, Never, Starts]);
        assert_eq!(by(tally(0, 0, 2, 0)), [Never, Starts, Never, Starts, Never, Starts, Starts]);
        assert_eq!(by(tally(0, 1, 0, 1)), [Never, Starts, Starts, Never, Starts, Never, Never]);
        assert_eq!(by(tally(0, 0, 1, 1)), [Never, Starts, Never, Starts, Never, Never, Never]);
    }
}
