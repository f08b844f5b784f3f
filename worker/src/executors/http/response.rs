//! The response to a request: its outputs (`status`, `body`, `truncated`), and whether that was expected.

use std::borrow::Cow;
use std::time::Duration;

use jiff::fmt::rfc2822;
use millrace_domain::nesting::{MAX_NESTING, check_nesting};
use millrace_domain::{Outcome, Timestamp, number};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde_json::{Map, Value};

use super::request::Expect;
use super::text;
use crate::executors::Ended;

/// How much of a body goes into a reason.
const REASON_CHARS: usize = 200;

/// An answer, as far as it is kept.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    json: bool,
    body: String,
    truncated: bool,
    /// The encoding of the body, when it cannot be undone.
    pub(super) unread: Option<String>,
    /// When to come back, as the other side has said who has too much to do.
    retry_after: Option<String>,
}

/// Reads the body up to the limit, after it was unpacked; the rest is not waited for.
pub(super) async fn read(mut response: Response, limit_bytes: usize) -> reqwest::Result<Answer> {
    let header =
        |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let content_type = header(CONTENT_TYPE).to_owned();
    // The client has taken away the name of an encoding that it undoes.
    let encoding = header(CONTENT_ENCODING).trim();
    let unread =
        (!encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity")).then(|| encoding.to_owned());
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = kind == "application/json" || kind.ends_with("+json");
    let status = response.status();
    let is_busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let retry_after = Some(header(RETRY_AFTER).trim().to_owned()).filter(|text| is_busy && !text.is_empty());
    let mut body = Vec::new();
    let mut cut = false;
    while let Some(piece) = response.chunk().await? {
        let room = limit_bytes - body.len();
        body.extend_from_slice(&piece[..piece.len().min(room)]);
        if piece.len() > room {
            cut = true;
            break;
        }
    }
    let (body, complete) = text::decode(&body, &content_type, cut, limit_bytes);
    Ok(Answer { status: status.as_u16(), json, body, truncated: !complete, unread, retry_after })
}

/// The wait that `Retry-After` asks for: a number of seconds, or an instant (RFC 9110, 10.2.3). `None` for anything else.
fn wait_of(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = rfc2822::parse(text).ok()?.timestamp().as_millisecond();
    Some(Timestamp::from_millis(at).since(now))
}

impl Answer {
    /// Judges the answer, which has come `now`: the end of the task.
    pub(super) fn judge(self, expect: &Expect, now: Timestamp) -> Ended {
        let code = Some(i32::from(self.status));
        let retry_after = self.retry_after.as_deref().and_then(|text| wait_of(text, now));
        let text = if self.unread.is_some() { String::new() } else { self.body };
        let (outcome, reason) = if expect.accepts(self.status) {
            (Outcome::Succeeded, None)
        } else {
            let shown: String = text.chars().filter(|c| !c.is_control()).take(REASON_CHARS).collect();
            let rest = if shown.is_empty() { String::new() } else { format!(": {shown}") };
            (Outcome::Failed, Some(format!("status {}, expected {expect}{rest}", self.status)))
        };
        // What says it is JSON and is not (or not any more), or is nested too deep, stays a text.
        let body = match (self.json && !self.truncated).then(|| serde_json::from_str(&text)) {
            _ if self.unread.is_some() => Value::Null,
            Some(Ok(parsed)) if check_nesting(&parsed, MAX_NESTING).is_err() => Value::String(text),
            Some(Ok(parsed)) => match number::quote_numbers(&text) {
                Cow::Borrowed(_) => parsed,
                Cow::Owned(quoted) => serde_json::from_str(&quoted).unwrap_or(parsed),
            },
            _ => Value::String(text),
        };
        let mut outputs = Map::new();
        outputs.insert("status".to_owned(), self.status.into());
        outputs.insert("body".to_owned(), body);
        outputs.insert("truncated".to_owned(), self.truncated.into());
        Ended { outcome, code, reason, outputs, retry_after, is_typed: true }
    }
}
