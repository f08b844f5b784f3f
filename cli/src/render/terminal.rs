//! What a terminal can show: its size, colours, and texts cut to its width.

use std::io::IsTerminal;

use terminal_size::{Height, Width};
use unicode_width::UnicodeWidthChar;

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// As it is.
    Plain,
    /// With colours.
    Coloured,
}

/// A colour, as the number of its control code.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Colour {
    Bold = 1,
    Red = 31,
    Green = 32,
    Yellow = 33,
    Cyan = 36,
    Grey = 90,
}

impl Style {
    /// For standard output.
    pub(crate) fn of_stdout() -> Self {
        Self::of(std::io::stdout().is_terminal())
    }

    /// For a stream that is a terminal, or not.
    pub(crate) fn of(is_terminal: bool) -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if is_terminal && !unwanted && !is_dumb() { Self::Coloured } else { Self::Plain }
    }

    /// A text in a colour.
    pub(crate) fn paint(self, colour: Colour, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("\x1b[{}m{text}\x1b[0m", colour as u8),
        }
    }
}

/// A terminal that knows no control codes.
pub(crate) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Columns and lines of the terminal behind standard error.
pub(crate) fn size() -> (usize, usize) {
    match terminal_size::terminal_size_of(std::io::stderr()) {
        Some((Width(columns), Height(lines))) if columns > 0 && lines > 0 => (columns.into(), lines.into()),
        _ => (80, 24),
    }
}

/// A line of at most `columns`: control codes take no room, what is cut off leaves an ellipsis.
pub(crate) fn cut(line: &str, columns: usize) -> String {
    let mut cut = String::with_capacity(line.len());
    let (mut used, mut fits, mut in_code) = (0, 0, false);
    for c in line.chars() {
        if in_code || c == '\x1b' {
            in_code = c == '\x1b' || !c.is_ascii_alphabetic();
            cut.push(c);
            continue;
        }
        let width = c.width().unwrap_or(0);
        if used + width > columns {
            cut.truncate(fits);
            cut.push('…');
            if cut.contains('\x1b') {
                cut.push_str("\x1b[0m");
            }
            return cut;
        }
        if used + width < columns {
            fits = cut.len() + c.len_utf8();
        }
        used += width;
        cut.push(c);
    }
    cut
}

/// A line of a task's output without what would move the cursor; its colours stay.
pub(crate) fn harmless(line: &str) -> String {
    // What a carriage return wrote over was not meant to stay.
    let line = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
    if !line.contains(|c: char| c.is_control() && c != '\t') {
        return line.to_owned();
    }
    let mut kept = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(place) = rest.find(|c: char| c.is_control() && c != '\t') {
        kept.push_str(&rest[..place]);
        rest = &rest[place..];
        let code = rest.strip_prefix("\x1b[").map(|code| {
            let parameters =
                code.len() - code.trim_start_matches(|c: char| ('\x20'..='\x3f').contains(&c)).len();
            (parameters, code[parameters..].chars().next())
        });
        let length = match code {
            Some((parameters, Some(last))) if last.is_ascii() => {
                if last == 'm' {
                    kept.push_str(&rest[..parameters + 3]);
                }
                parameters + 3
            }
            _ => rest.chars().next().map_or(0, char::len_utf8),
        };
        rest = &rest[length..];
    }
    kept.push_str(rest);
    if kept.contains('\x1b') {
        kept.push_str("\x1b[0m");
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_by_what_it_shows_and_its_colours_end() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("\x1b[32mabc\x1b[0m", 3), "\x1b[32mabc\x1b[0m");
        assert_eq!(cut("\x1b[32mabcdef\x1b[0m", 3), "\x1b[32mab…\x1b[0m");
        assert_eq!(cut("分片任务", 5), "分片…");
        assert_eq!(cut("分片任务", 8), "分片任务");
    }

    #[test]
    fn output_keeps_its_colours_and_loses_what_moves_the_cursor() {
        assert_eq!(harmless("a\tb"), "a\tb");
        assert_eq!(harmless("10%\r50%\r100%"), "100%");
        assert_eq!(harmless("\x1b[2J\x1b[1;31mred\x1b[3A\x07"), "\x1b[1;31mred\x1b[0m");
        assert_eq!(harmless("\x1b]0;title\x07x"), "]0;titlex");
        assert_eq!(harmless("cut \x1b["), "cut [");
    }
}
