//! What became of a request: its outputs (`status`, `body`, `truncated`), and whether that was expected.

use millrace_domain::Outcome;
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use super::request::Expect;
use crate::executors::Ended;

const REASON_CHARS: usize = 200;

/// An answer, as far as it is kept.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    json: bool,
    body: Vec<u8>,
    truncated: bool,
}

/// Reads the body up to the limit; the rest is not waited for.
pub(super) async fn read(mut response: Response, limit_bytes: usize) -> reqwest::Result<Answer> {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = kind == "application/json" || kind.ends_with("+json");
    let mut body = Vec::new();
    let mut truncated = false;
    while let Some(piece) = response.chunk().await? {
        let room = limit_bytes - body.len();
        body.extend_from_slice(&piece[..piece.len().min(room)]);
        if piece.len() > room {
            truncated = true;
            break;
        }
    }
    Ok(Answer { status: response.status().as_u16(), json, body, truncated })
}

impl Answer {
    /// The end of the task.
    pub(super) fn judge(self, expect: &Expect) -> Ended {
        let code = Some(i32::from(self.status));
        let text = String::from_utf8_lossy(&self.body).into_owned();
        let (outcome, reason) = if expect.accepts(self.status) {
            (Outcome::Succeeded, None)
        } else {
            let shown: String = text.chars().filter(|c| !c.is_control()).take(REASON_CHARS).collect();
            let rest = if shown.is_empty() { String::new() } else { format!(": {shown}") };
            (Outcome::Failed, Some(format!("status {}, expected {expect}{rest}", self.status)))
        };
        // What says it is JSON and is not (or not any more) stays a text.
        let parsed =
            if self.json && !self.truncated { serde_json::from_slice(&self.body).ok() } else { None };
        let mut outputs = Map::new();
        outputs.insert("status".to_owned(), self.status.into());
        outputs.insert("body".to_owned(), parsed.unwrap_or(Value::String(text)));
        outputs.insert("truncated".to_owned(), self.truncated.into());
        Ended { outcome, code, reason, outputs }
    }
}
