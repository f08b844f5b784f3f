//! As much of a text as fits into a message.

/// The beginning of a text, 200 characters of it.
pub(super) fn excerpt(source: &str) -> String {
    let mut shown: String = source.chars().take(200).collect();
    if shown.len() < source.len() {
        shown.push('…');
    }
    shown
}
