//! One place of a field's list: what `5-59/15`, `L` or `FRI#2` stand for, and how the evaluator reads it.

use std::fmt;

/// An item: one place of a field's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// `*`, `?` or `*/step`.
    Every { step: u8 },
    /// `low`, `low-high` or `low-high/step`; of a weekday, `nth` says which one of the month.
    Range { low: u8, high: u8, step: u8, nth: Option<Nth> },
    /// `L`: the last day of the month.
    LastDay,
    /// `LW`: the last Monday to Friday of the month.
    LastWorkday,
    /// `15W`: the Monday to Friday nearest to that day, in the same month.
    NearestWorkday(u8),
}

/// The place of a weekday in its month, among those of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nth {
    /// `#1` to `#5`.
    From(u8),
    /// `#L`, or `L` straight after the weekday.
    Last,
}

/// Writes the item as the evaluator reads it.
impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Every { step: 1 } => f.write_str("*"),
            Self::Every { step } => write!(f, "*/{step}"),
            Self::Range { low, high, step, nth } => {
                write!(f, "{low}")?;
                if low != high {
                    write!(f, "-{high}")?;
                }
                if low != high && step != 1 {
                    write!(f, "/{step}")?;
                }
                match nth {
                    Some(Nth::From(count)) => write!(f, "#{count}"),
                    Some(Nth::Last) => f.write_str("#L"),
                    None => Ok(()),
                }
            }
            Self::LastDay => f.write_str("L"),
            Self::LastWorkday => f.write_str("LW"),
            Self::NearestWorkday(day) => write!(f, "{day}W"),
        }
    }
}
