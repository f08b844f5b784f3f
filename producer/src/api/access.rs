//! Who may come in. Browsers reach loopback, so foreign hosts and origins and bodies that are not JSON are always
//! refused; with a token, everything but health and metrics needs it, and links by which people act, which are the right
//! themselves.

use std::sync::Arc;

use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use millrace_domain::Code;

use super::error::ApiError;

/// The rules of a producer's API.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The bearer token that callers must show; nothing when unset (then it listens on loopback only).
    pub token: Option<String>,
    /// Names by which this producer is reached beside addresses and names without dots, in lower case.
    pub hosts: Arc<[String]>,
}

/// Routes that anybody may ask, so that probes and scrapers need no secret.
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// The beginning of the path of a link by which somebody acts. Its page has a form, which a browser posts.
const LINK: &str = "/act/";

/// Lets a request through, or not.
pub(super) async fn check(State(access): State<Access>, request: Request, next: Next) -> Response {
    match refusal(&access, &request) {
        Some(error) => error.into_response(),
        None => next.run(request).await,
    }
}

fn refusal(access: &Access, request: &Request) -> Option<ApiError> {
    let headers = request.headers();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).or(request.uri().host());
    if let Some(host) = host
        && !is_ours(host, &access.hosts)
    {
        let message = format!(
            "the Host header names {host:?}; use localhost, an address, or a name without dots, or set \
             MILLRACE_ALLOWED_HOSTS to the names by which this producer is reached"
        );
        return Some(ApiError::new(Code::ForeignHost, message));
    }
    if let Some(origin) = headers.get(header::ORIGIN)
        && !same_origin(origin.to_str().unwrap_or_default(), host.unwrap_or_default())
    {
        return Some(ApiError::new(Code::ForeignOrigin, "requests of other sites are refused"));
    }
    let is_form = is_link(request.uri().path()) && has_type(headers, FORM);
    if request.method() == Method::POST && !is_form && !has_type(headers, JSON) && !is_bare(request) {
        let message = "a POST needs the header Content-Type: application/json";
        return Some(ApiError::new(Code::NotJson, message));
    }
    let token = access.token.as_deref()?;
    if OPEN.contains(&request.uri().path()) || is_link(request.uri().path()) {
        return None;
    }
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match shown
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
    {
        Some((_, shown)) if same_secret(shown.trim(), token) => None,
        Some(_) => Some(unauthorized("the token is not the one of this producer")),
        None => Some(unauthorized(
            "this producer needs the header Authorization: Bearer <token>; set MILLRACE_TOKEN",
        )),
    }
}

fn unauthorized(message: &str) -> ApiError {
    ApiError::new(Code::Unauthorized, message)
}

/// An address, `localhost`, or a name without dots (a service of the same network): no name that a page out
/// there could have pointed at us. Any other name must be an allowed one: that it points here proves nothing.
fn is_ours(host: &str, allowed: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.parse::<std::net::IpAddr>().is_ok()
        || !name.contains('.')
        || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name.trim_end_matches('.')))
}

fn same_origin(origin: &str, host: &str) -> bool {
    origin.strip_prefix("http://").or(origin.strip_prefix("https://")).is_some_and(|from| from == host)
}

/// Whether a path is that of one link, and nothing else.
fn is_link(path: &str) -> bool {
    path.strip_prefix(LINK).is_some_and(|link| !link.is_empty() && !link.contains('/'))
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

fn has_type(headers: &HeaderMap, expected: &str) -> bool {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(expected))
}

/// Without a body there is nothing to read; a browser would name its origin.
fn is_bare(request: &Request) -> bool {
    let headers = request.headers();
    request.body().is_end_stream()
        && !headers.contains_key(header::CONTENT_TYPE)
        && !headers.contains_key(header::ORIGIN)
}

/// Takes the same time however much of it is right.
fn same_secret(shown: &str, token: &str) -> bool {
    use sha2::{Digest, Sha256};
    let (shown, token) = (Sha256::digest(shown), Sha256::digest(token));
    shown.iter().zip(token.iter()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_local_names_are_ours_and_names_of_the_world_are_not() {
        for host in ["127.0.0.1:7070", "localhost:7070", "[::1]:7070", "producer:7070", "10.0.0.5"] {
            assert!(is_ours(host, &[]), "{host}");
        }
        for host in ["evil.example", "evil.example:7070", "127.0.0.1.evil.example"] {
            assert!(!is_ours(host, &[]), "{host}");
        }
    }

    #[test]
    fn an_allowed_name_is_ours_with_any_port_and_its_neighbours_are_not() {
        let allowed = ["millrace.example.com".to_owned()];
        for host in ["millrace.example.com", "Millrace.Example.com:8443", "millrace.example.com."] {
            assert!(is_ours(host, &allowed), "{host}");
        }
        for host in ["example.com", "a.millrace.example.com", "millrace.example.com.evil.example"] {
            assert!(!is_ours(host, &allowed), "{host}");
        }
    }

    #[test]
    fn an_origin_must_be_the_host_itself() {
        assert!(same_origin("http://localhost:7070", "localhost:7070"));
        assert!(!same_origin("http://localhost:8080", "localhost:7070"));
        assert!(!same_origin("null", "localhost:7070"));
    }
}
