//! What steps want of locks: a part of the [`reference`](crate::reference). Locks change when an attempt starts, and what a
//! step comes to only where they can not be asked for, or never be had.

use millrace_domain::lock::Want;

/// The `locks` of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Locks {
    /// One name.
    Literal,
    /// Two of the three slots of a semaphore.
    Weighted,
    /// A lock that others may share.
    Shared,
    /// Two locks of one group, of which an expression names one.
    Two,
    /// A lock for each item.
    OfItem,
    /// An expression that gives two words, which are no name.
    Words,
    /// Two groups, which can not be told from the definition.
    TwoGroups,
    /// The same lock twice, which can not be told from it either.
    Twice,
}

impl Locks {
    /// Whether they can be asked for. "A step gets all that it wants, or none, from one place."
    pub(crate) fn can_be(self) -> bool {
        !matches!(self, Self::Words | Self::TwoGroups | Self::Twice)
    }

    /// What stands in the definition.
    pub(crate) fn yaml(self) -> &'static str {
        match self {
            Self::Literal => "g/one",
            Self::Weighted => "[{name: g/three, slots: 3, weight: 2}]",
            Self::Shared => "[{name: g/read, shared: true}]",
            Self::Two => "[g/one, {name: \"g/${{ params.word }}\", slots: 2}]",
            Self::OfItem => "[\"g/${{ item_index }}\"]",
            Self::Words => "[\"${{ params.word }} ${{ params.word }}\"]",
            Self::TwoGroups => "[g/one, \"${{ params.word }}\"]",
            Self::Twice => "[\"${{ params.word }}\", soon]",
        }
    }

    /// What is asked for, by the step or by the item at this place.
    pub(crate) fn wants(self, place: Option<u32>) -> Vec<Want> {
        let one = |name: &str| Want::exclusive(name.parse().unwrap());
        match self {
            Self::Literal => vec![one("g/one")],
            Self::Weighted => vec![Want { slots: 3, weight: 2, ..one("g/three") }],
            Self::Shared => vec![Want { shared: true, ..one("g/read") }],
            Self::Two => vec![one("g/one"), Want { slots: 2, ..one("g/soon") }],
            Self::OfItem => vec![one(&format!("g/{}", place.unwrap_or_default()))],
            Self::Words | Self::TwoGroups | Self::Twice => Vec::new(),
        }
    }
}
