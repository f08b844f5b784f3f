//! What a terminal can show: its size, colours, and texts cut to its width.

use std::io::IsTerminal;

use terminal_size::{Height, Width};
use unicode_width::UnicodeWidthChar;

/// Whether texts are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without colours.
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
    /// The style for standard output.
    pub(crate) fn of_stdout() -> Self {
        Self::of(std::io::stdout().is_terminal())
    }

    /// The style for a stream that is a terminal, or not.
    pub(crate) fn of(is_terminal: bool) -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if is_terminal && !unwanted && !is_dumb() { Self::Coloured } else { Self::Plain }
    }

    /// Writes a text in a colour.
    pub(crate) fn paint(self, colour: Colour, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("\x1b[{}m{text}\x1b[0m", colour as u8),
        }
    }
}

/// Is the terminal one that knows no control codes?
pub(crate) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// The columns and lines of the terminal behind standard error.
pub(crate) fn size() -> (usize, usize) {
    match terminal_size::terminal_size_of(std::io::stderr()) {
        Some((Width(columns), Height(lines))) if columns > 0 && lines > 0 => (columns.into(), lines.into()),
        _ => (80, 24),
    }
}

/// The columns of the terminal behind standard output; 80 when there is none.
pub(crate) fn columns_of_stdout() -> usize {
    match terminal_size::terminal_size_of(std::io::stdout()) {
        Some((Width(columns), _)) if columns > 0 => columns.into(),
        _ => 80,
    }
}

/// Cuts a line to at most `columns`: control codes take no room, what is cut off leaves an ellipsis.
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
}
