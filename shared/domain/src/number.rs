//! Numbers of JSON that would not keep their digits. Values are held as 64 bits: whole numbers as such, all others as
//! floats. What fits in neither would be changed without a word, so it is found in the text, before that is read.

use std::borrow::Cow;
use std::ops::Range;

/// The number of digits that always fit: a float keeps 15, and a whole number more.
const SAFE_DIGITS: usize = 15;

/// A number that would lose digits, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{digits} would lose digits: a number has 64 bits here; write it as a text: \"{digits}\"", .path.as_ref().map(|path| format!("`{path}`: ")).unwrap_or_default())]
pub struct LosesDigits {
    /// The path of the number in its JSON, as in `rows[2].id`; `None` for the value itself.
    pub path: Option<String>,
    /// The number as it was written, or its beginning.
    pub digits: String,
}

/// Whether a number, written as JSON has it, is still the same number when it is held in 64 bits.
pub fn keeps_digits(number: &str) -> bool {
    let number = number.trim();
    if number.bytes().filter(u8::is_ascii_digit).count() <= SAFE_DIGITS && !number.contains(['e', 'E']) {
        return true;
    }
    if !number.contains(['.', 'e', 'E']) {
        return number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
    }
    let Ok(float) = number.parse::<f64>() else { return true };
    let (digits, exponent) = normal(number);
    if digits.is_empty() {
        return true;
    }
    let held = format!("{float:.*e}", digits.len() - 1);
    normal(&held) == (digits, exponent)
}

/// Checks the numbers of a JSON text that is known to be one.
///
/// # Errors
/// The first that would lose digits.
pub fn check_numbers(json: &[u8]) -> Result<(), LosesDigits> {
    if !may_lose_digits(json) {
        return Ok(());
    }
    let mut reader = Reader::new(json);
    while let Some(number) = reader.next_number() {
        let text = String::from_utf8_lossy(&json[number]);
        if !keeps_digits(&text) {
            let path = Some(reader.path()).filter(|path| !path.is_empty());
            return Err(LosesDigits { path, digits: text.chars().take(60).collect() });
        }
    }
    Ok(())
}

/// A JSON text that is known to be one, in which numbers that would lose digits have become texts.
pub fn quote_numbers(json: &str) -> Cow<'_, str> {
    if !may_lose_digits(json.as_bytes()) {
        return Cow::Borrowed(json);
    }
    let mut reader = Reader::new(json.as_bytes());
    let mut quoted = String::new();
    let mut done = 0;
    while let Some(number) = reader.next_number() {
        let (Some(before), Some(text)) = (json.get(done..number.start), json.get(number.clone())) else {
            break;
        };
        if !keeps_digits(text) {
            quoted.push_str(before);
            quoted.push('"');
            quoted.push_str(text);
            quoted.push('"');
            done = number.end;
        }
    }
    if done == 0 {
        return Cow::Borrowed(json);
    }
    quoted.push_str(json.get(done..).unwrap_or_default());
    Cow::Owned(quoted)
}

/// Whether anything in `json` is as long as a number that may lose digits: nearly always not.
fn may_lose_digits(json: &[u8]) -> bool {
    let mut run = 0;
    json.iter().any(|byte| {
        // An exponent may take all of them.
        let has_exponent = run > 0 && matches!(byte, b'e' | b'E');
        run = if byte.is_ascii_digit() || *byte == b'.' { run + 1 } else { 0 };
        has_exponent || run > SAFE_DIGITS
    })
}

/// The digits of a number without zeros at either end, and the power of ten of the first of them.
fn normal(number: &str) -> (String, i64) {
    let number = number.trim_start_matches('-');
    let (mantissa, power) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let power: i64 = power.parse().unwrap_or(0);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    let leading = i64::try_from(all.len() - digits.len()).unwrap_or(i64::MAX);
    let whole = i64::try_from(whole.len()).unwrap_or(i64::MAX);
    (digits.trim_end_matches('0').to_owned(), power.saturating_add(whole).saturating_sub(leading))
}

/// Goes through a JSON text from number to number, and knows where it is.
struct Reader<'j> {
    json: &'j [u8],
    at: usize,
    open: Vec<Open>,
}

enum Open {
    /// An object, with the key that was read last, and whether the value of that is next.
    Object {
        key: Range<usize>,
        is_value: bool,
    },
    List {
        index: usize,
    },
}

impl<'j> Reader<'j> {
    fn new(json: &'j [u8]) -> Self {
        Self { json, at: 0, open: Vec::new() }
    }

    fn next_number(&mut self) -> Option<Range<usize>> {
        while let Some(byte) = self.json.get(self.at).copied() {
            let start = self.at;
            self.at += 1;
            match byte {
                b'"' => self.text(),
                b'{' => self.open.push(Open::Object { key: 0..0, is_value: false }),
                b'[' => self.open.push(Open::List { index: 0 }),
                b'}' | b']' => drop(self.open.pop()),
                b':' | b',' => match self.open.last_mut() {
                    Some(Open::Object { is_value, .. }) => *is_value = byte == b':',
                    Some(Open::List { index }) => *index += 1,
                    None => {}
                },
                b'-' | b'0'..=b'9' => {
                    let rest = &self.json[start..];
                    let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                    self.at = start + rest.iter().position(|byte| !part(byte)).unwrap_or(rest.len());
                    return Some(start..self.at);
                }
                _ => {}
            }
        }
        None
    }

    /// Passes a text, whose opening quote was read.
    fn text(&mut self) {
        let start = self.at;
        while let Some(byte) = self.json.get(self.at) {
            match byte {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        if let Some(Open::Object { key, is_value: false }) = self.open.last_mut() {
            *key = start..self.at.min(self.json.len());
        }
        self.at += 1;
    }

    /// Where the reader is: `rows[2].id`.
    fn path(&self) -> String {
        let mut path = String::new();
        for open in &self.open {
            match open {
                Open::Object { key, .. } => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&String::from_utf8_lossy(&self.json[key.clone()]));
                }
                Open::List { index } => path.push_str(&format!("[{index}]")),
            }
        }
        path.chars().take(200).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_numbers_of_64_bits_and_exact_floats_keep_their_digits() {
        for kept in [
            "0",
            "-9223372036854775808",
            "18446744073709551615",
            "0.1",
            "1.10",
            "-0.5",
            "1e30",
            "1E-7",
            "0.30000000000000004",
            "0.10000000000000000555",
            "5e-324",
            "100000000000000000000.0",
            "1.7976931348623157e308",
            "0.00000000000000000000",
        ] {
            assert!(keeps_digits(kept), "{kept}");
        }
        for lost in [
            "18446744073709551616",
            "-9223372036854775809",
            "12345678901234567890123",
            "3.141592653589793238462643",
            "12345678901234567.89",
            "1.00000000000000001",
            "1e-400",
        ] {
            assert!(!keeps_digits(lost), "{lost}");
        }
    }

    #[test]
    fn the_number_is_named_by_its_place() {
        let told = |json: &str| check_numbers(json.as_bytes()).unwrap_err().to_string();
        assert!(told(r#"{"small": 1e-400}"#).starts_with("`small`: 1e-400 would lose digits"));
        assert_eq!(
            told(r#"{"a": [1, {"b\"c": "99999999999999999999", "d": 99999999999999999999}]}"#),
            "`a[1].d`: 99999999999999999999 would lose digits: a number has 64 bits here; write it as a text: \
             \"99999999999999999999\""
        );
        assert!(told("99999999999999999999").starts_with("99999999999999999999 would"));
        assert!(told("[[], [0, 99999999999999999999]]").starts_with("`[1][1]`"));
        assert_eq!(check_numbers(br#"{"99999999999999999999": "99999999999999999999.5"}"#), Ok(()));
    }

    #[test]
    fn only_what_would_lose_digits_is_quoted() {
        let json = r#"{"id": 99999999999999999999, "ids": [1, -99999999999999999999], "n": 9223372036854775807, "é": 1.10}"#;
        let quoted = r#"{"id": "99999999999999999999", "ids": [1, "-99999999999999999999"], "n": 9223372036854775807, "é": 1.10}"#;
        assert_eq!(quote_numbers(json), quoted);
        assert!(matches!(quote_numbers("[1]"), Cow::Borrowed(_)));
        assert!(matches!(quote_numbers("[9223372036854775807]"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn every_number_that_a_program_prints_keeps_its_digits(whole in any::<i64>(), large in any::<u64>(), float in any::<f64>()) {
            prop_assume!(float.is_finite());
            for text in [serde_json::to_string(&whole), serde_json::to_string(&large), serde_json::to_string(&float)] {
                let text = text.unwrap();
                prop_assert!(keeps_digits(&text), "{text}");
                let again: serde_json::Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(again.to_string(), text);
            }
            let exact = format!("{float:.17e}");
            prop_assert!(keeps_digits(&exact), "{exact}");
        }

        #[test]
        fn what_is_said_to_keep_its_digits_does(whole in "-?[1-9][0-9]{0,30}") {
            let read: serde_json::Value = serde_json::from_str(&whole).unwrap();
            let told = read.to_string();
            prop_assert_eq!(keeps_digits(&whole), told == whole);
        }
    }
}
