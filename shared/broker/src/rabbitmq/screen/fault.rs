//! What is wrong with a content header, in words for people: which property, what was expected, what was found.

use std::fmt;

/// The greatest number of bytes that are quoted of what cannot be read.
const QUOTED_BYTES: usize = 64;

/// A fault of a content header: what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault<'a> {
    /// A property's bytes are not UTF-8.
    NotText(&'static str, &'a [u8]),
    /// A header's name is not UTF-8.
    NotName(&'a [u8]),
    /// A value of a kind that AMQP 0-9-1 does not know: what follows cannot be found.
    UnknownKind(&'a [u8], u8),
    /// A property or the table of headers goes on past its end.
    CutShort(&'static str),
    /// Properties that AMQP 0-9-1 does not have, or bytes after the last.
    Unknown,
    /// The frame is longer than is ever read: so many bytes, of at most so many.
    TooLong(u32, usize),
    /// The texts among the headers are longer than a frame has room for: so many bytes, of at most so many.
    TooMuch(usize, usize),
}

impl fmt::Display for Fault<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText(property, found) => {
                write!(formatter, "{property}: expected UTF-8, found {}", Quoted(found))
            }
            Self::NotName(found) => {
                write!(formatter, "headers: expected names in UTF-8, found {}", Quoted(found))
            }
            Self::UnknownKind(name, kind) => write!(
                formatter,
                "headers: expected a value of AMQP 0-9-1 for {}, found one of kind {}",
                Quoted(name),
                Quoted(&[*kind])
            ),
            Self::CutShort(property) => {
                write!(formatter, "{property}: expected as many bytes as it says, found fewer")
            }
            Self::Unknown => write!(formatter, "expected the properties of AMQP 0-9-1, found others"),
            Self::TooLong(found, most) => {
                write!(
                    formatter,
                    "headers: expected properties and headers of at most {most} bytes, found {found}"
                )
            }
            Self::TooMuch(found, most) => {
                write!(formatter, "headers: expected texts of at most {most} bytes, found {found}")
            }
        }
    }
}

/// Bytes as they are shown: escaped, and not too many.
struct Quoted<'a>(&'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(QUOTED_BYTES)];
        write!(formatter, "\"{}\"", shown.escape_ascii())?;
        if shown.len() < self.0.len() {
            write!(formatter, " and {} bytes more", self.0.len() - shown.len())?;
        }
        Ok(())
    }
}
