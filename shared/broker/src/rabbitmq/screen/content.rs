//! A content header: the size of a message's body, its properties and its headers, as a client wrote them. It is
//! read without recursion and without taking room: a table within the headers is passed over by its length.

use super::bytes::Bytes;
use super::fault::Fault;

/// The header of ours that says what could not be read of a message. One that a client wrote is never handed on.
pub(crate) const UNREADABLE_HEADER: &str = "x-millrace-unreadable";

/// The place where the properties begin: after class, weight and the size of the body.
const PROPERTIES_AT: usize = 12;
const CLASS_BASIC: u16 = 60;
const FRAME_HEADER: u8 = 2;
const FRAME_END: u8 = 0xce;
/// The number of bytes that a frame takes besides its payload.
const FRAME_OVERHEAD: usize = 8;
/// The number of bytes that a text among the headers takes besides its name and value.
const TEXT_OVERHEAD: usize = 6;
/// The longest note, with its name: a sentence, and a quote that takes at most four bytes for each.
const NOTE_BYTES: usize = 512;

/// The form of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Table,
    Octet,
    Timestamp,
}

/// The properties of AMQP, in their order; the first has the highest bit of the flags.
const PROPERTIES: [(&str, Form); 14] = [
    ("content_type", Form::Text),
    ("content_encoding", Form::Text),
    ("headers", Form::Table),
    ("delivery_mode", Form::Octet),
    ("priority", Form::Octet),
    ("correlation_id", Form::Text),
    ("reply_to", Form::Text),
    ("expiration", Form::Text),
    ("message_id", Form::Text),
    ("timestamp", Form::Timestamp),
    ("type", Form::Text),
    ("user_id", Form::Text),
    ("app_id", Form::Text),
    ("cluster_id", Form::Text),
];
/// The flags of no property: more flags follow, and an unused one.
const OTHER_FLAGS: u16 = 0b11;

/// The place of the headers among the properties.
const HEADERS: usize = 2;

fn flag(property: usize) -> u16 {
    0x8000 >> property
}

/// A content header, read as far as it can be.
#[derive(Debug, Clone, Copy)]
struct Content<'a> {
    body_size: [u8; 8],
    /// The flags of the properties that could be read.
    flags: u16,
    /// The properties, each as it was written; a text and a table without their lengths.
    properties: [&'a [u8]; PROPERTIES.len()],
    /// The first fault: what is wrong.
    fault: Option<Fault<'a>>,
}

impl<'a> Content<'a> {
    /// Reads a content header. Too short for what every one has, it is `None`.
    fn read(payload: &'a [u8]) -> Option<Self> {
        let mut bytes = Bytes(payload);
        bytes.take(PROPERTIES_AT - 8)?;
        let body_size = bytes.long_long()?.to_be_bytes();
        let said = bytes.short()?;
        let mut content = Self { body_size, flags: 0, properties: [&[]; PROPERTIES.len()], fault: None };
        if said & OTHER_FLAGS != 0 {
            content.note(Fault::Unknown);
        }
        for (at, (name, form)) in PROPERTIES.into_iter().enumerate() {
            if said & flag(at) == 0 {
                continue;
            }
            let value = match form {
                Form::Text => bytes.short_string(),
                Form::Table => bytes.long_string(),
                Form::Octet => bytes.take(1),
                Form::Timestamp => bytes.take(8),
            };
            match value {
                // Where the next one begins is not known.
                None => {
                    content.note(Fault::CutShort(name));
                    return Some(content);
                }
                Some(text) if form == Form::Text && std::str::from_utf8(text).is_err() => {
                    content.note(Fault::NotText(name, text));
                }
                Some(value) => {
                    content.flags |= flag(at);
                    content.properties[at] = value;
                }
            }
        }
        if !bytes.is_empty() {
            content.note(Fault::Unknown);
        }
        Some(content)
    }

    /// Notes a fault. The first is the one that is told.
    fn note(&mut self, fault: Fault<'a>) {
        self.fault.get_or_insert(fault);
    }

    fn headers(&self) -> Headers<'a> {
        Headers(Bytes(self.properties[HEADERS]))
    }
}

/// The headers, one after the other; after one that cannot be read there is no other.
struct Headers<'a>(Bytes<'a>);

/// A header: its name, the kind of its value, and the value (a text without its length).
type Header<'a> = (&'a [u8], u8, &'a [u8]);

impl<'a> Iterator for Headers<'a> {
    type Item = Result<Header<'a>, Fault<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let header = self.header();
        if header.is_err() {
            self.0 = Bytes(&[]);
        }
        Some(header)
    }
}

impl<'a> Headers<'a> {
    fn header(&mut self) -> Result<Header<'a>, Fault<'a>> {
        let cut_short = Fault::CutShort("headers");
        let name = self.0.short_string().ok_or(cut_short)?;
        let kind = self.0.octet().ok_or(cut_short)?;
        let value = match kind {
            b'S' | b'x' | b'A' | b'F' => self.0.long_string(),
            b'V' => self.0.take(0),
            b't' | b'b' | b'B' => self.0.take(1),
            b's' | b'u' | b'U' => self.0.take(2),
            b'I' | b'i' | b'f' => self.0.take(4),
            b'D' => self.0.take(5),
            b'l' | b'L' | b'd' | b'T' => self.0.take(8),
            _ => return Err(Fault::UnknownKind(name, kind)),
        };
        Ok((name, kind, value.ok_or(cut_short)?))
    }
}

/// Whether the library surely bears this content header. That is: everything in it can be read, and no value holds
/// others.
pub(super) fn is_ordinary(payload: &[u8]) -> bool {
    let is_basic = payload.starts_with(&CLASS_BASIC.to_be_bytes());
    let Some(content) = Content::read(payload) else { return false };
    is_basic
        && content.fault.is_none()
        && content.headers().all(|header| match header {
            Ok((name, kind, _)) => {
                !matches!(kind, b'A' | b'F')
                    && std::str::from_utf8(name).is_ok()
                    && name != UNREADABLE_HEADER.as_bytes()
            }
            Err(_) => false,
        })
}

/// The frame for the library in the place of one that it may not bear: of at most `limit` bytes, with all that can be
/// read and has room, and with what could not be read. `payload` may be the beginning only of one of `said` bytes.
pub(super) fn instead(channel: [u8; 2], payload: &[u8], said: u32, limit: usize) -> Vec<u8> {
    let mut content = Content::read(payload).unwrap_or(Content {
        body_size: [0; 8],
        flags: 0,
        properties: [&[]; PROPERTIES.len()],
        fault: Some(Fault::CutShort("the content header")),
    });
    if said as usize > payload.len() {
        content.fault = Some(Fault::TooLong(said, payload.len()));
    }
    let mut texts = Vec::new();
    for header in content.headers() {
        match header {
            Ok((name, ..)) if std::str::from_utf8(name).is_err() => content.note(Fault::NotName(name)),
            Ok((name, b'S', value)) if name != UNREADABLE_HEADER.as_bytes() => texts.push((name, value)),
            Ok(_) => {}
            Err(fault) => content.note(fault),
        }
    }
    let table = table(&mut content, &texts, limit);
    content.frame(channel, &table)
}

/// The table of headers for such a frame: the note of what could not be read, and the texts for which there is room.
fn table<'a>(content: &mut Content<'a>, texts: &[(&'a [u8], &'a [u8])], limit: usize) -> Vec<u8> {
    let size = |(name, value): &(&[u8], &[u8])| name.len() + value.len() + TEXT_OVERHEAD;
    let mut room = limit.saturating_sub(content.size_without_headers() + NOTE_BYTES);
    let all: usize = texts.iter().map(size).sum();
    if all > room {
        content.note(Fault::TooMuch(all, room));
    }
    let mut table = Vec::with_capacity(all.min(room) + NOTE_BYTES);
    if let Some(fault) = content.fault {
        put_text(&mut table, UNREADABLE_HEADER.as_bytes(), fault.to_string().as_bytes());
    }
    for text in texts {
        if size(text) <= room {
            room -= size(text);
            put_text(&mut table, text.0, text.1);
        }
    }
    table
}

fn put_text(table: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    table.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    table.extend(name);
    table.push(b'S');
    table.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
    table.extend(value);
}

impl Content<'_> {
    /// The length of the frame, but for what is in the table of headers.
    fn size_without_headers(&self) -> usize {
        let properties = PROPERTIES.iter().zip(self.properties).filter(|((_, form), _)| *form != Form::Table);
        let size: usize = properties.map(|(_, value)| 1 + value.len()).sum();
        FRAME_OVERHEAD + PROPERTIES_AT + 2 + 4 + size
    }

    /// The frame with what could be read, and with this as its table of headers.
    fn frame(&self, channel: [u8; 2], table: &[u8]) -> Vec<u8> {
        let mut payload = Vec::with_capacity(self.size_without_headers() + table.len());
        payload.extend(CLASS_BASIC.to_be_bytes());
        payload.extend([0; 2]);
        payload.extend(self.body_size);
        payload.extend((self.flags | flag(HEADERS)).to_be_bytes());
        for (at, ((_, form), value)) in PROPERTIES.into_iter().zip(self.properties).enumerate() {
            match form {
                Form::Table => {
                    payload.extend(u32::try_from(table.len()).unwrap_or(u32::MAX).to_be_bytes());
                    payload.extend(table);
                }
                _ if self.flags & flag(at) == 0 => {}
                Form::Text => {
                    payload.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
                    payload.extend(value);
                }
                Form::Octet | Form::Timestamp => payload.extend(value),
            }
        }
        let mut frame = vec![FRAME_HEADER, channel[0], channel[1]];
        frame.extend(u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes());
        frame.append(&mut payload);
        frame.push(FRAME_END);
        frame
    }
}
