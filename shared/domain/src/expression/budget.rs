//! What the filters of one expression may make in all. minijinja counts operations, and a filter is one of them, however much
//! it makes: `map` calls another filter once for each item of a list.

use minijinja::{Error, ErrorKind, State};

/// The longest text that a filter may make, in bytes.
pub(super) const MAX_TEXT_BYTES: usize = 1024 * 1024;

/// The greatest size of all that the filters of one expression make, in bytes.
const MAX_MADE_BYTES: usize = 16 * MAX_TEXT_BYTES;

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

/// Checks the length of one text.
pub(super) fn bounded(length: usize) -> Result<(), Error> {
    if length <= MAX_TEXT_BYTES {
        return Ok(());
    }
    let message = format!("the text is too long: expected at most {MAX_TEXT_BYTES} bytes");
    Err(Error::new(ErrorKind::InvalidOperation, message))
}
