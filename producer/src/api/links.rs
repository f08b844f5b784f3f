//! Links by which people act: made with the token, as all requests are, and used without, since the link is the right.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use millrace_domain::message::Reply;
use millrace_domain::quantity::{format_duration, parse_positive_duration};
use millrace_domain::run::{Act, Refusal, Run, StepState};
use millrace_domain::{Code, Unit};
use serde::Deserialize;
use serde_json::json;

use super::acts;
use super::error::{ApiError, ApiResult, refused};
use super::page::{self, Question};
use super::state::Api;
use super::view;
use crate::link::{Link, LinkDeed, secret};

/// How long a link is good when nothing is said.
const GOOD_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a link may be good, at most.
const LONGEST: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// The most bytes that the form of a page sends.
const FORM_BYTES: usize = 16 * 1024;

/// What a link is to be good for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkBody {
    deed: LinkDeed,
    /// The name of whoever is to act by it.
    #[serde(default, rename = "for")]
    by: String,
    expires: Option<String>,
    item: Option<u32>,
    attempt: Option<u32>,
    /// Where the server is for whoever gets the link.
    url: Option<String>,
}

/// Makes a link by which somebody approves or rejects what a step asks for.
pub(super) async fn make(
    State(api): State<Api>,
    Path((id, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<Response> {
    let LinkBody { deed, by, expires, item, attempt, url } = acts::read(&body)?;
    let by = by.trim().to_owned();
    acts::check_words(&by, "")
        .map_err(|_| bad_field("for: expected at most 1000 characters, and no control characters"))?;
    let good_for = good_for(expires.as_deref())?;
    let base = base(url.as_deref(), &headers)?;
    let id = view::parse_id(&id)?;
    let stored = view::load(&api.context, id).await?;
    let run = view::restored(&api.context, id, &stored).await.map_err(view::unreadable)?;
    let step = run.workflow.index_of(&name).ok_or_else(|| view::no_such_step(&run, &name))?;
    let unit = Unit { step, item };
    let link = Link {
        id: api.context.options.ambient.random_id().simple().to_string(),
        run: id,
        step,
        item,
        attempt: attempt.unwrap_or_else(|| run.last_attempt(unit)),
        deed,
        by,
        until: api.context.now() + good_for,
    };
    let act = link.act("");
    can_be_done(&run, &act).map_err(|why| ApiError::new(Code::WrongState, why))?;
    let url = format!("{base}/act/{}", link.sealed(&made_secret(&api).await?));
    let answer = json!({"run_id": id, "step": name, "item": item, "deed": deed, "for": link.by,
        "expires_at": link.until.to_string(), "url": url});
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// Whether an act can be done to a run as it stands; a text where it cannot.
fn can_be_done(run: &Run, act: &Act) -> Result<(), String> {
    let refused = |refusal| run.why_refused(act, &refusal);
    if run.head.state.is_terminal() {
        return Err(refused(Refusal::RunEnded(run.id)));
    }
    run.allows(act).map(drop).map_err(refused)
}

fn good_for(text: Option<&str>) -> ApiResult<Duration> {
    let Some(text) = text else { return Ok(GOOD_FOR) };
    match parse_positive_duration(text) {
        Ok(good_for) if good_for <= LONGEST => Ok(good_for),
        Ok(_) => Err(bad_field(format!("expires: expected at most {}", format_duration(LONGEST)))),
        Err(error) => Err(bad_field(format!("expires: {error}"))),
    }
}

/// Where the server is for whoever gets the link: as it was said, or as it was asked.
fn base(url: Option<&str>, headers: &HeaderMap) -> ApiResult<String> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(url) = url else {
        return Ok(format!("http://{}", host.unwrap_or("localhost")));
    };
    let rest = url.strip_prefix("https://").or(url.strip_prefix("http://")).unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]%".contains(c);
    if rest.is_empty() || !rest.chars().all(is_plain) {
        return Err(bad_field(format!(
            "url: expected the address of this server as others reach it, such as https://millrace.example, found {url:?}"
        )));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// The secret, which is made where there is none yet.
async fn made_secret(api: &Api) -> ApiResult<String> {
    if let Some(secret) = secret(&*api.context.store).await? {
        return Ok(secret);
    }
    match api.gateway.make_secret().await? {
        Reply::Many(_) => {}
        other => return Err(refused(other)),
    }
    let made = secret(&*api.context.store).await?;
    made.ok_or_else(|| {
        ApiError::new(Code::Unavailable, "the secret of links was made and is not there: try again")
    })
}

/// Shows what a link is for, with a button. It changes nothing: those who look for harm in mail follow links.
pub(super) async fn show(State(api): State<Api>, Path(text): Path<String>) -> Response {
    let (link, run) = match opened(&api, &text).await {
        Ok(opened) => opened,
        Err(page) => return *page,
    };
    let act = link.act("");
    if let Err(page) = is_open(&run, &link, &act) {
        return *page;
    }
    let message = match run.state_of(act.unit) {
        Some(StepState::Asking { asks, .. }) => asks.asked().and_then(|asked| asked.message.as_deref()),
        _ => None,
    };
    let step = run.workflow.step(link.step).map_or("?", |step| step.name.as_str());
    let mut about = vec![("Workflow", run.head.workflow.to_string()), ("Step", step.to_owned())];
    about.extend(link.item.map(|item| ("Item", item.to_string())));
    about.push(("Run", run.id.to_string()));
    about.extend((!link.by.is_empty()).then(|| ("You are", link.by.clone())));
    about.push(("This link is good until", link.until.to_string()));
    page::question(&Question { button: link.deed.as_button(), message, about: &about })
}

/// Does what a link is for.
pub(super) async fn act(State(api): State<Api>, Path(text): Path<String>, body: Bytes) -> Response {
    let (link, run) = match opened(&api, &text).await {
        Ok(opened) => opened,
        Err(page) => return *page,
    };
    let comment = match comment(&body) {
        Ok(comment) => comment,
        Err(why) => return page::told(StatusCode::UNPROCESSABLE_ENTITY, "Not done", &why),
    };
    let act = link.act(&comment);
    if let Err(page) = is_open(&run, &link, &act) {
        return *page;
    }
    metrics::counter!("millrace_acts_total", "act" => act.deed.as_str()).increment(1);
    let name = run.workflow.step(link.step).map_or("?", |step| step.name.as_str());
    let name = link.item.map_or_else(|| name.to_owned(), |item| format!("item {item} of {name}"));
    let done = format!("{name} was {act}.");
    match api.gateway.act(link.run, act).await {
        Ok(Reply::Run { .. }) => {
            let more = if still_asks(&api, &link).await { " Others have to approve, too." } else { "" };
            page::told(StatusCode::OK, "Done", &format!("{done}{more}"))
        }
        Ok(Reply::Error { error }) => page::told(StatusCode::CONFLICT, "Not done", &error.message),
        Ok(_) => page::told(StatusCode::INTERNAL_SERVER_ERROR, "Not done", "The server made a mistake."),
        Err(error) => page::told(StatusCode::SERVICE_UNAVAILABLE, "Not done yet", &error.to_string()),
    }
}

/// Whether a step goes on asking after a link was used.
async fn still_asks(api: &Api, link: &Link) -> bool {
    let Ok(stored) = view::load(&api.context, link.run).await else { return false };
    let run = view::restored(&api.context, link.run, &stored).await;
    run.is_ok_and(|run| matches!(run.state_of(link.unit()), Some(StepState::Asking { .. })))
}

/// Opens a link, and reads its run. Of what is no link of this server nothing is told, and no run is read.
async fn opened(api: &Api, text: &str) -> Result<(Link, Run), Box<Response>> {
    let unavailable = |error: &dyn std::fmt::Display| {
        tracing::warn!(%error, "a link cannot be opened");
        Box::new(page::told(
            StatusCode::SERVICE_UNAVAILABLE,
            "Try again",
            "This cannot be looked up now: try again in a minute.",
        ))
    };
    let secret = secret(&*api.context.store).await.map_err(|error| unavailable(&error))?;
    let Some(link) = secret.and_then(|secret| Link::open(text, &secret)) else {
        let text = "This is no link of this server. Is it whole? Mail programs may cut long links.";
        return Err(Box::new(page::told(StatusCode::NOT_FOUND, "No such link", text)));
    };
    let stored = api.context.store.load_runs(&[link.run]).await.map_err(|error| unavailable(&error))?;
    let Some(stored) = stored.into_iter().next().flatten() else {
        return Err(Box::new(page::told(
            StatusCode::GONE,
            "Gone",
            "The run is over, and not kept any more.",
        )));
    };
    let run = view::restored(&api.context, link.run, &stored).await.map_err(|error| unavailable(&error))?;
    if api.context.now() > link.until && !matches!(run.has_seen(&link.act("")), Ok(true)) {
        let text = format!("This link was good until {}. Ask whoever sent it for another one.", link.until);
        return Err(Box::new(page::told(StatusCode::GONE, "Expired", &text)));
    }
    Ok((link, run))
}

/// Whether a link can still be used; a page that says why not.
fn is_open(run: &Run, link: &Link, act: &Act) -> Result<(), Box<Response>> {
    if let Ok(true) = run.has_seen(act) {
        let by = if link.by.is_empty() { String::new() } else { format!(" by {}", link.by) };
        let done = match link.deed {
            LinkDeed::Approve => "approved",
            LinkDeed::Reject => "rejected",
        };
        let text = format!("This link was used already: it was {done}{by}. Nothing is done twice.");
        return Err(Box::new(page::told(StatusCode::CONFLICT, "Used already", &text)));
    }
    can_be_done(run, act).map_err(|why| Box::new(page::told(StatusCode::CONFLICT, "Too late", &why)))
}

/// The comment of a form.
fn comment(body: &[u8]) -> Result<String, String> {
    if body.len() > FORM_BYTES {
        return Err("The comment is too long: expected at most 1000 characters.".to_owned());
    }
    let fields = url::form_urlencoded::parse(body);
    let comment =
        fields.filter(|(name, _)| name == "comment").map(|(_, text)| text.replace("\r\n", "\n")).next();
    let comment = comment.unwrap_or_default().trim().to_owned();
    match acts::check_words("", &comment) {
        Ok(()) => Ok(comment),
        Err(_) => Err("The comment: expected at most 1000 characters, and no control characters.".to_owned()),
    }
}

fn bad_field(message: impl Into<String>) -> ApiError {
    ApiError::new(Code::BadField, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comment_of_a_form_is_read_and_bounded() {
        assert_eq!(comment(b"comment=looks+good%21%0D%0Abye&other=1"), Ok("looks good!\nbye".to_owned()));
        assert_eq!(comment(b""), Ok(String::new()));
        assert!(comment(format!("comment={}", "x".repeat(1_001)).as_bytes()).is_err());
        assert!(comment(b"comment=%1b%5b31m").is_err());
    }

    #[test]
    fn the_address_of_a_link_is_that_of_a_server() {
        let of = |url| base(Some(url), &HeaderMap::new()).ok();
        assert_eq!(of("https://millrace.example/"), Some("https://millrace.example".to_owned()));
        for bad in
            ["millrace.example", "javascript:alert(1)", "https://", "https://a b", "https://a\"b", "ftp://a"]
        {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
