//! Texts of others, made harmless for a terminal: what a task printed may hold control codes that move the cursor,
//! set the title, answer as if somebody had typed, or turn the order of words round. A terminal gets none of them but
//! colours (SGR); all else is shown, as `less` and `cat -v` do: `^[`, `^G`, `<U+202E>`.
//!
//! Each text stands for itself, so that it does not matter where an output is cut into pieces: a code that is not
//! whole is shown like any other.

use std::borrow::Cow;

use super::terminal::Style;

/// The longest code for colours that passes, in bytes.
const LONGEST_CODE: usize = 64;

/// The code that ends the colours that a text has begun.
const RESET: &str = "\x1b[0m";

/// The way in which texts of others go to a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Showing {
    /// As they are: the stream is no terminal, or somebody asked for it.
    Raw,
    /// Harmless, in their colours.
    Coloured,
    /// Harmless, without colours.
    Plain,
}

impl Showing {
    /// The way for a stream that is a terminal, or not.
    pub(crate) fn of(is_terminal: bool) -> Self {
        match (is_terminal, Style::of(is_terminal)) {
            (false, _) => Self::Raw,
            (true, Style::Coloured) => Self::Coloured,
            (true, Style::Plain) => Self::Plain,
        }
    }

    /// The same way, or raw if that is asked for.
    pub(crate) fn or_raw(self, raw: bool) -> Self {
        if raw { Self::Raw } else { self }
    }

    /// Shows a text: newlines and tabs stay.
    pub(crate) fn text(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Raw => Cow::Borrowed(text),
            Self::Coloured | Self::Plain if !text.contains(is_suspect) => Cow::Borrowed(text),
            Self::Coloured => Cow::Owned(visible(text, true)),
            Self::Plain => Cow::Owned(visible(text, false)),
        }
    }

    /// Shows a line of a task's output. Of one that was written over, by a bar of progress, what would have stayed is
    /// shown.
    pub(crate) fn output(self, line: &str) -> Cow<'_, str> {
        if self == Self::Raw {
            return Cow::Borrowed(line);
        }
        let line = line.trim_end_matches('\r');
        self.text(&line[line.rfind('\r').unwrap_or(0)..])
    }
}

/// Is a character a control, or does it change the order in which a line is read?
fn is_suspect(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        c => c.is_control(),
    }
}

fn visible(text: &str, colours: bool) -> String {
    let mut shown = String::with_capacity(text.len() + 16);
    // Colours that are still on: they end with their line, for whatever stands beside it.
    let mut is_painted = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(code) = colour_code(rest) {
            rest = &rest[code.len()..];
            if colours {
                shown.push_str(code);
                is_painted = !matches!(code, "\x1b[m" | "\x1b[0m");
            }
            continue;
        }
        let after = &rest[c.len_utf8()..];
        match c {
            '\n' => {
                if std::mem::take(&mut is_painted) {
                    shown.push_str(RESET);
                }
                shown.push('\n');
            }
            '\r' if matches!(after.trim_start_matches('\r').chars().next(), None | Some('\n')) => {}
            c if !is_suspect(c) => shown.push(c),
            c if c.is_ascii() => shown.extend(['^', char::from(c as u8 ^ 0x40)]),
            c => shown.push_str(&format!("<U+{:04X}>", u32::from(c))),
        }
        rest = after;
    }
    if is_painted {
        shown.push_str(RESET);
    }
    shown
}

/// The code for colours that a text begins with: `ESC [ numbers m` and nothing else, since `ESC [ > 4 m` and its like
/// are settings of the keyboard.
fn colour_code(text: &str) -> Option<&str> {
    let numbers = text.strip_prefix("\x1b[")?;
    let length = numbers.bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b';' | b':')).count();
    let is_one = length <= LONGEST_CODE && numbers.as_bytes().get(length) == Some(&b'm');
    is_one.then(|| &text[..length + 3])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Lines;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn colours_stay_and_end_with_their_line_and_all_else_is_shown() {
        let shown = |text| Showing::Coloured.text(text).into_owned();
        assert_eq!(shown("a\tb\nc"), "a\tb\nc");
        assert_eq!(shown("\x1b[1;31mred\nplain"), "\x1b[1;31mred\x1b[0m\nplain");
        assert_eq!(shown("\x1b[38:5:8mgrey\x1b[m."), "\x1b[38:5:8mgrey\x1b[m.");
        assert_eq!(shown("\x1b[2J\x1b[3A\x07\x7f"), "^[[2J^[[3A^G^?");
        assert_eq!(shown("\x1b]8;;http://evil\x1b\\here\x1b]8;;\x07"), "^[]8;;http://evil^[\\here^[]8;;^G");
        assert_eq!(shown("\x1b[>4m\x1b[?1049h\x1b["), "^[[>4m^[[?1049h^[[");
        assert_eq!(shown("\u{9b}2J\u{85}"), "<U+009B>2J<U+0085>");
        assert_eq!(shown("safe\u{202e}lave\u{2066}"), "safe<U+202E>lave<U+2066>");
        assert_eq!(shown("one\r\ntwo\r\r\nthree\rfour\r"), "one\ntwo\nthree^Mfour");
    }

    #[test]
    fn without_colours_their_codes_are_left_out_and_what_is_no_terminal_gets_all() {
        assert_eq!(Showing::Plain.text("\x1b[32mok\x1b[0m\x07"), "ok^G");
        assert_eq!(Showing::Raw.text("\x1b[2J\r\n"), "\x1b[2J\r\n");
        assert_eq!(Showing::Raw.output("10%\r100%\r"), "10%\r100%\r");
    }

    #[test]
    fn of_a_line_that_was_written_over_the_last_state_is_shown_with_a_mark() {
        assert_eq!(Showing::Coloured.output("10%\r50%\r100%\r"), "^M100%");
        assert_eq!(Showing::Coloured.output("windows\r"), "windows");
    }

    /// Pieces that a terminal obeys, and what is beside them.
    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("\x1b".to_owned()),
            Just("\x1b[".to_owned()),
            Just("\x1b]0;t".to_owned()),
            Just("31;1m".to_owned()),
            Just("\x1b[0m".to_owned()),
            Just("\r".to_owned()),
            Just("\n".to_owned()),
            proptest::char::any().prop_map(String::from),
            proptest::char::range('\0', '\u{a0}').prop_map(String::from),
        ]
    }

    /// Is all in it printed, or a newline, a tab, or a whole code for colours?
    fn is_harmless(mut text: &str, colours: bool) -> bool {
        while let Some(c) = text.chars().next() {
            let length = match colour_code(text) {
                Some(code) if colours => code.len(),
                _ if is_suspect(c) => return false,
                _ => c.len_utf8(),
            };
            text = &text[length..];
        }
        true
    }

    proptest! {
        #[test]
        fn nothing_a_task_prints_reaches_a_terminal_as_a_control_wherever_its_chunks_are_cut(
            chunks in proptest::collection::vec(
                (proptest::collection::vec(piece(), 0..12), proptest::sample::select(vec!["stdout", "stderr"])),
                0..12,
            ),
        ) {
            for (showing, colours) in [(Showing::Coloured, true), (Showing::Plain, false)] {
                let mut lines = Lines::default();
                let mut screen = String::new();
                for (pieces, stream) in &chunks {
                    let chunk = json!({"stream": stream, "text": pieces.concat()});
                    for line in lines.push(&chunk) {
                        screen.push_str(&format!("step | {}\n", showing.output(&line)));
                    }
                }
                for line in lines.finish() {
                    screen.push_str(&format!("step | {}\n", showing.output(&line)));
                }
                prop_assert!(is_harmless(&screen, colours), "{screen:?}");
                prop_assert!(is_harmless(&showing.text(&screen), colours));
                let whole: String = chunks.iter().flat_map(|(pieces, _)| pieces.concat().into_bytes()).map(char::from).collect();
                prop_assert!(is_harmless(&showing.text(&whole), colours));
            }
        }
    }
}
