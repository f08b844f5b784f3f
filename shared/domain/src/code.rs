//! The codes of refusals: what a program can tell from an answer of the API, the reply to a message, or a message in the
//! rejected queue. The texts never change. Problems in a definition have codes of their own, in
//! [`definition`](crate::definition).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Makes the enum from its table, so that a code has its text, its status and its meaning in one place.
macro_rules! codes {
    ($($(#[doc = $meaning:literal])+ $variant:ident = $text:literal, $status:literal;)+) => {
        /// The code of a refusal. `docs/api.md` lists those that the API answers with, and `docs/amqp.md` those that only
        /// messages have.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code {
            $($(#[doc = $meaning])+ #[serde(rename = $text)] $variant,)+
        }

        impl Code {
            /// All codes, in the order of the manual.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The text of the code, as programs see it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The HTTP status of a refusal with this code. A route may answer 400 in place of it, where the form of the
            /// request is at fault.
            pub fn http_status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }

            /// The meaning of the code: a sentence, as it stands above the variant.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($meaning),+).trim_ascii(),)+ }
            }
        }
    };
}

codes! {
    /// The query of the URL cannot be read.
    InvalidQuery = "invalid-query", 400;
    /// The name is none that a workflow can be given.
    InvalidName = "invalid-name", 400;
    /// The cursor is no `next_cursor` of an earlier answer.
    InvalidCursor = "invalid-cursor", 400;
    /// The state is none that a run can have.
    InvalidState = "invalid-state", 400;
    /// The request cannot be read.
    BadRequest = "bad-request", 400;
    /// The body is not JSON, or JSON of another form.
    InvalidJson = "invalid-json", 400;
    /// The token is missing or wrong.
    Unauthorized = "unauthorized", 401;
    /// The `Host` header names neither this producer nor one of `MILLRACE_ALLOWED_HOSTS`.
    ForeignHost = "foreign-host", 403;
    /// The request comes from a page of another site.
    ForeignOrigin = "foreign-origin", 403;
    /// There is nothing of that name, id or path.
    NotFound = "not-found", 404;
    /// There is no workflow of the name that is to be run, paused or deleted.
    UnknownWorkflow = "unknown-workflow", 404;
    /// The route does not have that method.
    WrongMethod = "wrong-method", 405;
    /// The body did not arrive in time.
    SlowBody = "slow-body", 408;
    /// The idempotency key belongs to something that was asked for otherwise.
    KeyConflict = "key-conflict", 409;
    /// The name belongs to a workflow that was made otherwise.
    NameConflict = "name-conflict", 409;
    /// The step does not stand so that this can be done to it.
    WrongState = "wrong-state", 409;
    /// The body, or a submission in it, is longer than it may be.
    TooLarge = "too-large", 413;
    /// The header `Content-Type: application/json` is missing.
    NotJson = "not-json", 415;
    /// A field is not known.
    UnknownField = "unknown-field", 422;
    /// A field or a header has a value that it cannot have.
    BadField = "bad-field", 422;
    /// Two things are said of which only one can hold.
    Ambiguous = "ambiguous", 422;
    /// The array holds nothing, or the submission says nothing that is to be done.
    Empty = "empty", 422;
    /// The array holds more than 10,000 submissions.
    TooMany = "too-many", 422;
    /// The version `v` of the submission is not known.
    UnsupportedVersion = "unsupported-version", 422;
    /// The script holds an expression.
    ExpressionInRun = "expression-in-run", 422;
    /// The executor is not known.
    UnknownExecutor = "unknown-executor", 422;
    /// The executor is known, and a later version will have it.
    NotSupportedYet = "not-supported-yet", 422;
    /// The definition has problems.
    InvalidDefinition = "invalid-definition", 422;
    /// The params do not fit those that the workflow declares.
    InvalidParams = "invalid-params", 422;
    /// The workflow has a schedule, and a param without a default.
    ParamNeedsDefault = "param-needs-default", 422;
    /// The stored data cannot be read.
    Unreadable = "unreadable", 500;
    /// The mistake is one of ours.
    Internal = "internal", 500;
    /// The store does not answer.
    StoreUnavailable = "store-unavailable", 503;
    /// No producer could take the request in time.
    Unavailable = "unavailable", 503;
    /// The producer starts, and waits for the store to answer.
    Starting = "starting", 503;
    /// The store has no room for new runs.
    StoreFull = "store-full", 503;
    /// The request goes to another producer, and RabbitMQ takes no messages.
    BrokerBlocked = "broker-blocked", 503;
    /// The run is one that only a newer version can read.
    NewerVersion = "newer-version", 503;
    /// The body is compressed, or in another charset than UTF-8.
    UnsupportedEncoding = "unsupported-encoding", 422;
    /// A property or a header of the message cannot be read.
    UnreadableProperties = "unreadable-properties", 422;
    /// A message in `tasks.<pool>` holds no tasks.
    UnreadableTask = "unreadable-task", 422;
    /// A message in an inbox is none that producers and workers send.
    UnreadableMessage = "unreadable-message", 422;
    /// A message in an inbox is about another partition.
    WrongInbox = "wrong-inbox", 422;
    /// The id of a task's run names a partition that the cluster does not have.
    UnknownPartition = "unknown-partition", 422;
    /// The id of a task's run names another cluster.
    UnknownCluster = "unknown-cluster", 422;
    /// A letter holds another letter, or a submission without an idempotency key.
    BadLetter = "bad-letter", 422;
    /// The run of a task is one that Redis has lost.
    LostRun = "lost-run", 422;
    /// An event broke its run three times.
    BrokenRun = "broken-run", 422;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The error of a text that is no code of this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no error code")]
pub struct UnknownCode(pub String);

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let known = Self::ALL.iter().find(|code| code.as_str() == text);
        known.copied().ok_or_else(|| UnknownCode(text.to_owned()))
    }
}

/// The code of an error that travels: one of this version, or one that only a newer version knows, whose text is kept. The
/// latter comes from reading alone, so that nobody can make a code that is not a [`Code`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WireCode(Text);

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
enum Text {
    Known(Code),
    Newer(String),
}

impl WireCode {
    /// The code, if this version knows it.
    pub fn known(&self) -> Option<Code> {
        match self.0 {
            Text::Known(code) => Some(code),
            Text::Newer(_) => None,
        }
    }

    /// The text of the code, as it was sent.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Known(code) => code.as_str(),
            Text::Newer(text) => text,
        }
    }

    /// The HTTP status of a refusal with this code: 422 where only a newer version knows the code. Whatever it says, the
    /// request was read and refused.
    pub fn http_status(&self) -> u16 {
        self.known().map_or(422, Code::http_status)
    }
}

impl From<Code> for WireCode {
    fn from(code: Code) -> Self {
        Self(Text::Known(code))
    }
}

impl PartialEq<Code> for WireCode {
    fn eq(&self, code: &Code) -> bool {
        self.known() == Some(*code)
    }
}

impl fmt::Display for WireCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: &str = include_str!("../../../docs/api.md");
    const AMQP: &str = include_str!("../../../docs/amqp.md");

    /// The part of a manual under a heading.
    fn section<'m>(manual: &'m str, heading: &str) -> &'m str {
        let (_, section) = manual.split_once(&format!("\n## {heading}\n")).unwrap();
        section.split_once("\n## ").unwrap().0
    }

    /// The rows of a table of codes: the statuses, the code and its meaning, without links.
    fn rows(section: &str) -> Vec<(String, String, String)> {
        let row = |line: &str| {
            let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
            let (status, code, meaning) = match cells[..] {
                [code, meaning] => ("422", code, meaning),
                [status, code, meaning] => (status, code, meaning),
                _ => panic!("a row of a table of codes: {line}"),
            };
            let code = code.strip_prefix('`')?.strip_suffix('`')?;
            Some((status.to_owned(), code.to_owned(), without_links(meaning)))
        };
        section.lines().filter_map(row).collect()
    }

    fn without_links(text: &str) -> String {
        let (first, rest) = text.split_once('[').unwrap_or((text, ""));
        let link = |link: &str| {
            let (shown, rest) = link.split_once("](").unwrap();
            shown.to_owned() + rest.split_once(')').unwrap().1
        };
        rest.split('[')
            .filter(|link| !link.is_empty())
            .fold(first.to_owned(), |text, next| text + &link(next))
    }

    /// The row of a code: its meaning begins in lower case and ends without a full stop.
    fn row(code: Code) -> (String, String, String) {
        let meaning = code.meaning().strip_suffix('.').unwrap();
        let meaning = meaning[..1].to_lowercase() + &meaning[1..];
        (code.http_status().to_string(), code.to_string(), meaning)
    }

    #[test]
    fn the_manuals_list_each_code_with_its_status_and_its_meaning() {
        let first_status = |(statuses, code, meaning): (String, String, String)| {
            (statuses.split(" or ").next().unwrap().to_owned(), code, meaning)
        };
        let mut documented = rows(section(API, "Errors"));
        documented.extend(rows(section(AMQP, "What is refused")));
        let documented: Vec<_> = documented.into_iter().map(first_status).collect();
        let declared: Vec<_> = Code::ALL.iter().copied().map(row).collect();
        assert_eq!(declared, documented);
    }

    #[test]
    fn the_codes_that_the_manual_of_amqp_names_are_in_that_of_the_api() {
        let (_, named) = section(AMQP, "What is refused").split_once("\nCodes: ").unwrap();
        let (named, _) = named.split_once("\n\n").unwrap();
        let of_api = rows(section(API, "Errors"));
        let named: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        assert!(named.len() > 10, "{named:?}");
        for code in named {
            assert!(of_api.iter().any(|(_, known, _)| known == code), "{code}");
        }
    }

    #[test]
    fn a_code_is_read_from_its_text_and_written_as_it() {
        for code in Code::ALL {
            let json = format!("\"{code}\"");
            assert_eq!(code.as_str().parse(), Ok(*code));
            assert_eq!(serde_json::to_string(code).unwrap(), json);
            assert_eq!(serde_json::to_string(&WireCode::from(*code)).unwrap(), json);
            assert_eq!(serde_json::from_str::<WireCode>(&json).unwrap(), WireCode::from(*code));
            assert!(code.as_str().bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase()), "{code}");
        }
        assert_eq!("TOO-LARGE".parse::<Code>(), Err(UnknownCode("TOO-LARGE".to_owned())));
    }

    #[test]
    fn a_code_that_only_a_newer_version_knows_is_kept_as_it_stands() {
        for text in ["over-quota", "", "Zu viel"] {
            let code: WireCode = serde_json::from_value(text.into()).unwrap();
            assert_eq!((code.known(), code.as_str(), code.http_status()), (None, text, 422));
            assert_eq!(serde_json::to_value(&code).unwrap(), text);
        }
    }
}
