//! What one expression may make in all. minijinja counts operations, and a filter is one of them, however much
//! it makes: `map` calls another filter once for each item of a list.

use std::io::{self, Write};

use minijinja::value::Value;
use minijinja::{Error, ErrorKind, State};

/// The longest text that a filter may make, in bytes.
pub(super) const MAX_TEXT_BYTES: usize = 1024 * 1024;

/// The greatest size of all that the filters of one expression make, in bytes.
const MAX_MADE_BYTES: usize = 16 * MAX_TEXT_BYTES;

/// The greatest number of items that the test `in` looks at in one expression.
const MAX_LOOKS: usize = 10_000_000;

/// The greatest size of the value of an expression, as JSON.
pub(crate) const MAX_VALUE_BYTES: usize = MAX_MADE_BYTES;

/// The bytes that the filters of this expression have made.
struct Made(usize);

/// Counts `bytes` that a filter is about to make.
pub(super) fn charge(state: &mut State<'_, '_>, bytes: usize) -> Result<(), Error> {
    let Made(made) = state.get_or_insert_extension(Made(0));
    *made = made.saturating_add(bytes);
    if *made <= MAX_MADE_BYTES {
        return Ok(());
    }
    let message = format!(
        "the filters of one expression make too much: expected at most {MAX_MADE_BYTES} bytes in all"
    );
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// The bytes of the texts that the operators of this expression have put together.
struct Joined(usize);

/// Counts `bytes` of a text that an operator is about to put to another.
pub(super) fn charge_joined(state: &mut State<'_, '_>, bytes: usize) -> Result<(), Error> {
    if bytes == 0 {
        return Ok(());
    }
    let Joined(joined) = state.get_or_insert_extension(Joined(0));
    *joined = joined.saturating_add(bytes);
    bounded(*joined)
}

/// The places that lists were looked at, one by one, by the tests of this expression.
struct Looked(usize);

/// Counts that a list of `length` is looked through.
pub(super) fn charge_search(state: &mut State<'_, '_>, length: usize) -> Result<(), Error> {
    let Looked(looked) = state.get_or_insert_extension(Looked(0));
    *looked = looked.saturating_add(length);
    if *looked <= MAX_LOOKS {
        return Ok(());
    }
    let message =
        format!("the lists that `in` looks through are too long: expected at most {MAX_LOOKS} items in all");
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// Whether a value is too large to be made JSON of. Lists that an expression names again and again are one in memory until then.
pub(super) fn is_too_large(value: &Value) -> bool {
    if !matches!(value.len(), Some(1..)) {
        return false;
    }
    // Any other error is told when the value is made.
    serde_json::to_writer(Room(MAX_VALUE_BYTES), value).is_err_and(|error| error.is_io())
}

/// What is left of so many bytes beside a value as JSON; `None` when it is longer.
pub(crate) fn left_beside(value: &serde_json::Value, bytes: usize) -> Option<usize> {
    let mut room = Room(bytes);
    serde_json::to_writer(&mut room, value).ok().map(|()| room.0)
}

/// Room for so many bytes, of which none is kept.
struct Room(usize);

impl Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Checks the length of one text.
pub(super) fn bounded(length: usize) -> Result<(), Error> {
    if length <= MAX_TEXT_BYTES {
        return Ok(());
    }
    let message = format!("the text is too long: expected at most {MAX_TEXT_BYTES} bytes");
    Err(Error::new(ErrorKind::InvalidOperation, message))
}
