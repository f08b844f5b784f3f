//! The pages of links by which people act: plain, with nothing from elsewhere, and what others have written escaped.

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

/// Nothing but what is in the page itself, which may be sent to where it came from, and shown in no frame.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The headers of a page. Its address is the right to act: it goes into no store of pages, and to no other site. (With
/// `no-referrer`, browsers would say of the form that it comes from nowhere, which is refused.)
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
];

/// What a page asks and has answered by its button.
pub(super) struct Question<'q> {
    /// The word on the button.
    pub(super) button: &'q str,
    /// What the step asks, where it says so.
    pub(super) message: Option<&'q str>,
    /// What it is about: names and values.
    pub(super) about: &'q [(&'q str, String)],
}

/// A page that asks, with one button. To look at it changes nothing.
pub(super) fn question(question: &Question<'_>) -> Response {
    let Question { button, message, about } = question;
    let message =
        message.map(|text| format!("<blockquote>{}</blockquote>\n", escaped(text))).unwrap_or_default();
    let about: String =
        about.iter().map(|(name, value)| format!("<dt>{name}<dd>{}\n", escaped(value))).collect();
    let body = format!(
        "{message}<dl>\n{about}</dl>\n<form method=\"post\">\n\
         <p><label>Comment, if you like:<br><textarea name=\"comment\" rows=\"3\" cols=\"60\" maxlength=\"1000\"></textarea></label>\n\
         <p><button type=\"submit\">{button}</button>\n</form>\n"
    );
    page(StatusCode::OK, &format!("{button}?"), &body)
}

/// A page that says how something stands.
pub(super) fn told(status: StatusCode, title: &str, text: &str) -> Response {
    page(status, title, &format!("<p>{}\n", escaped(text)))
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let title = escaped(title);
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>body{{font:16px/1.5 sans-serif;max-width:40em;margin:2em auto;padding:0 1em}}\
         blockquote{{white-space:pre-wrap;border-left:3px solid;margin:0;padding-left:1em}}\
         textarea{{max-width:100%}}</style>\n\
         <h1>{title}</h1>\n{body}</html>\n"
    );
    (status, HEADERS, Html(page)).into_response()
}

/// A text as it can stand in a page, between tags and in attributes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_have_written_is_text_and_no_markup() {
        assert_eq!(
            escaped("<script>alert(\"1\" & '2')</script>"),
            "&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;"
        );
    }
}
