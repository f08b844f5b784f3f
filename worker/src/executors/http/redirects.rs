//! Which redirects a request follows. One that would turn it into another request, a GET without its body, is refused
//! unless the task asks for it: what should have been sent would not have been.

use reqwest::{Method, StatusCode};

/// What a request does with redirects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Redirects {
    /// All are followed: for GET and HEAD, and where the task says `follow`.
    Follow,
    /// A POST, which 301, 302 and 303 turn into a GET.
    KeepPost,
    /// Another method, which only 303 turns into a GET.
    KeepOther,
    /// None is followed: its answer is the answer.
    Stop,
}

impl Redirects {
    pub(super) const ALL: usize = 4;

    /// Those of a request, by what its task says.
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

    /// Why a redirect with this status is not followed.
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
