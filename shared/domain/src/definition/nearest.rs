//! Did you mean ...?

/// The longest word that may be a slip of the finger, in bytes.
const MAX_WORD_BYTES: usize = 64;

/// The one of `candidates` that `word` was probably meant to be. It costs a comparison with each candidate: for
/// errors only.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if word.len() > MAX_WORD_BYTES {
        return None;
    }
    let word = word.to_lowercase();
    let far = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= 2 * far)
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= far && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The distance between two words. `word` is in lower case, as most candidates are.
fn distance(word: &str, candidate: &str) -> usize {
    if candidate.bytes().any(|byte| byte.is_ascii_uppercase()) {
        strsim::damerau_levenshtein(word, &candidate.to_lowercase())
    } else {
        strsim::damerau_levenshtein(word, candidate)
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_finger_is_recognised_and_another_word_is_not() {
        let fields = ["steps", "schedule", "timeout"];
        assert_eq!(nearest("stesp", fields), Some("steps"));
        assert_eq!(nearest("Timeout", fields), Some("timeout"));
        assert_eq!(nearest("shedul", fields), Some("schedule"));
        assert_eq!(nearest("color", fields), None);
        assert_eq!(nearest("", fields), None);
        assert_eq!(nearest("b", ["a"]), None);
        assert_eq!(nearest(&"s".repeat(10_000), fields), None);
    }
}
