//! The request of a task: `{url, method, headers, body, expect, redirects}`, checked.

use std::collections::BTreeMap;
use std::fmt;

use millrace_domain::task::Task;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response, Url};
use serde::Deserialize;
use serde_json::Value;

use super::address::refuse_url;
use super::redirects::Redirects;
use crate::settings::HttpSettings;

/// The `with` of an http task, as it is written.
#[derive(Deserialize)]
struct With {
    url: String,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, Value>,
    #[serde(default)]
    body: Value,
    #[serde(default)]
    expect: Value,
    #[serde(default)]
    redirects: Option<String>,
}

/// A request that was checked and may be sent.
pub(super) struct Request {
    url: Url,
    method: Method,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
    pub(super) expect: Expect,
    pub(super) redirects: Redirects,
}

impl Request {
    /// Checks everything that can be known before a connection. No message holds a header's value or a part of
    /// the URL that may be secret.
    pub(super) fn parse(task: &Task, settings: &HttpSettings) -> Result<Self, String> {
        let with = With::deserialize(&task.with).map_err(|error| {
            format!("an http task needs `url`, and may have `method`, `headers`, `body`, `expect`, `redirects`: {error}")
        })?;
        let url = Url::parse(&with.url)
            .map_err(|error| format!("`url` must be complete, as in https://example.com/path: {error}"))?;
        refuse_url(&url, settings.allow_private)?;
        let method = match &with.method {
            Some(method) => Method::from_bytes(method.to_ascii_uppercase().as_bytes())
                .map_err(|_| format!("`method` {method:?} is none: expected GET, POST, PUT, ..."))?,
            None if with.body.is_null() => Method::GET,
            None => Method::POST,
        };
        let mut headers = HeaderMap::new();
        put(&mut headers, "idempotency-key", &task.idempotency_key())?;
        if let Some(traceparent) = &task.traceparent {
            put(&mut headers, "traceparent", traceparent)?;
        }
        for (name, value) in &with.headers {
            put(
                &mut headers,
                name,
                &text(value).ok_or_else(|| format!("header {name} must be a text or a number"))?,
            )?;
        }
        let body = match with.body {
            Value::Null => None,
            Value::String(text) => Some(text.into_bytes()),
            json => {
                headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
                Some(json.to_string().into_bytes())
            }
        };
        let redirects = Redirects::of(&method, with.redirects.as_deref())?;
        Ok(Self { url, method, headers, body, expect: Expect::parse(&with.expect)?, redirects })
    }

    /// Sends the request and waits for the head of the answer.
    pub(super) async fn send(&self, client: &Client) -> reqwest::Result<Response> {
        let mut builder = client.request(self.method.clone(), self.url.clone()).headers(self.headers.clone());
        if let Some(body) = &self.body {
            builder = builder.body(body.clone());
        }
        builder.send().await
    }

    /// The request in words, for people and logs: without user, password, query and fragment, which may be secret.
    pub(super) fn shown(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{} {}://{host}{port}{}", self.method, self.url.scheme(), self.url.path())
    }
}

/// Sets a header. Its value is in no error message, since it may be secret.
fn put(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let key =
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is no name for a header"))?;
    let mut held = HeaderValue::from_str(value)
        .map_err(|_| format!("the value of header {name} may not hold line breaks or control characters"))?;
    held.set_sensitive(true);
    headers.insert(key, held);
    Ok(())
}

/// The text of a value that may stand for one.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The statuses that are success, as inclusive ranges.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expect(Vec<(u16, u16)>);

impl Expect {
    /// Whether a status is success.
    pub(super) fn accepts(&self, status: u16) -> bool {
        self.0.iter().any(|&(first, last)| (first..=last).contains(&status))
    }

    /// Parses a status, a class such as `2xx`, or a list of these.
    fn parse(value: &Value) -> Result<Self, String> {
        let ranges = match value {
            Value::Null => Some(vec![(200, 299)]),
            Value::Array(list) if !list.is_empty() => list.iter().map(range).collect(),
            one => range(one).map(|range| vec![range]),
        };
        ranges.map(Self).ok_or_else(|| {
            format!(
                "`expect` {value} is no status: expected one as 204, a class as \"2xx\", or a list of these"
            )
        })
    }
}

/// The range of a status or of a class.
fn range(value: &Value) -> Option<(u16, u16)> {
    let text = text(value)?;
    let (first, last) = match text.strip_suffix("xx") {
        Some(class) => {
            let class: u16 = class.parse().ok().filter(|class| (1..=5).contains(class))?;
            (class * 100, class * 100 + 99)
        }
        None => text.parse().ok().map(|status| (status, status))?,
    };
    (100..=599).contains(&first).then_some((first, last))
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{}xx", first / 100)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_expectation_is_a_status_a_class_or_a_list() {
        let expect = |value| Expect::parse(&value);
        assert!(expect(Value::Null).unwrap().accepts(204) && !expect(Value::Null).unwrap().accepts(302));
        let listed = expect(json!([200, "404", "5xx"])).unwrap();
        assert!(listed.accepts(404) && listed.accepts(503) && !listed.accepts(201));
        assert_eq!(listed.to_string(), "200, 404, 5xx");
        for wrong in [json!("ok"), json!([]), json!(42), json!({}), json!("9xx"), json!(200.5)] {
            assert!(expect(wrong.clone()).unwrap_err().contains("is no status"), "{wrong}");
        }
    }
}
