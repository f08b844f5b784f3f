//! The redirects that a request follows. One that would turn it into another request, a GET without its body, is
//! refused unless the task asks for it: what should have been sent would not have been.

use reqwest::{Method, StatusCode};

/// What a request does with redirects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Redirects {
    /// All redirects are followed: for GET and HEAD, and where the task says `follow`.
    Follow,
    /// Those that keep a POST a POST are followed: 301, 302 and 303 turn it into a GET.
    KeepPost,
    /// Those that keep another method are followed: only 303 turns it into a GET.
    KeepOther,
    /// No redirect is followed: its answer is the answer.
    Stop,
}

impl Redirects {
    /// How many variants there are.
    pub(super) const ALL: usize = 4;

    /// Reads what a request does with redirects, by its method and what its task says.
    pub(super) fn of(method: &Method, said: Option<&str>) -> Result<Self, String> {
        match said {
            Some("follow") => Ok(Self::Follow),
            Some("none") => Ok(Self::Stop),
            Some(other) => Err(format!("`redirects` {other:?} is unknown: expected follow or none")),
            None if matches!(*method, Method::GET | Method::HEAD) => Ok(Self::Follow),
            None if *method == Method::POST => Ok(Self::KeepPost),
            None => Ok(Self::KeepOther),
        }
    }

    /// Refuses a redirect whose status would turn the request into another one.
    pub(super) fn refuse(self, status: StatusCode) -> Result<(), String> {
        let changes = match self {
            Self::Follow | Self::Stop => false,
            Self::KeepPost => {
                matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER)
            }
            Self::KeepOther => status == StatusCode::SEE_OTHER,
        };
        if !changes {
            return Ok(());
        }
        Err(format!(
            "the answer {} would turn it into a GET without its body; write `redirects: follow` if that is wanted, \
             `redirects: none` to take this answer, or the url to which it leads",
            status.as_u16()
        ))
    }
}
