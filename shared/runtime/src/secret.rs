//! Keeping secrets out of what is shown.

/// Masks the password of a URL with `***`; a text that is no URL is shown without what stands before `@`.
pub fn mask_url(text: &str) -> String {
    match url::Url::parse(text) {
        Ok(mut url) if url.has_host() => {
            if url.password().is_some() && url.set_password(Some("***")).is_err() {
                return "(a URL)".to_owned();
            }
            url.to_string()
        }
        _ => match text.rsplit_once('@') {
            Some((_, rest)) => format!("***@{rest}"),
            None => text.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::mask_url;

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(mask_url("amqp://me:s3cret@host:5672/%2f"), "amqp://me:***@host:5672/%2f");
        assert_eq!(mask_url("redis://:s3cret@host"), "redis://:***@host");
        assert_eq!(mask_url("me:s3cret@host"), "***@host");
        assert_eq!(mask_url("redis://host:6379/0"), "redis://host:6379/0");
    }
}
