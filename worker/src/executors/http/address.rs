//! Which addresses a task may reach. Whoever may submit a task must not thereby get the credentials that a
//! cloud hands to the worker's machine, so link-local and metadata addresses are refused in every spelling.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;
use url::Host;

/// The names of metadata services. What they resolve to is checked as well.
const METADATA_NAMES: [&str; 7] = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "metadata.azure.internal",
    "metadata.tencentyun.com",
    "instance-data",
    "instance-data.ec2.internal",
];

/// The addresses of metadata services outside of the link-local ranges: Alibaba, Azure's wire server, Oracle.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];

/// The IPv6 addresses of metadata services: AWS and Google.
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];

/// Refuses a URL that may not be asked for, as far as its text tells; names are resolved later.
pub(super) fn refuse_url(url: &Url, allow_private: bool) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("url scheme {:?} is refused: use http or https", url.scheme()));
    }
    // The parser has brought every spelling of an address (decimal, octal, hexadecimal) into one form.
    match url.host() {
        Some(Host::Ipv4(address)) => refuse(address.into(), allow_private),
        Some(Host::Ipv6(address)) => refuse(address.into(), allow_private),
        Some(Host::Domain(name)) => refuse_name(name),
        None => Err("the url has no host".to_owned()),
    }
}

/// Refuses a name that may not be asked for.
pub(super) fn refuse_name(name: &str) -> Result<(), String> {
    let plain = name.trim_end_matches('.').to_ascii_lowercase();
    if METADATA_NAMES.contains(&plain.as_str()) {
        return Err(format!("{name} is refused: it is a cloud metadata service"));
    }
    Ok(())
}

/// Refuses an address that may not be reached.
pub(super) fn refuse(address: IpAddr, allow_private: bool) -> Result<(), String> {
    let kind = match address {
        IpAddr::V4(v4) => kind_v4(v4),
        IpAddr::V6(v6) => kind_v6(v6).or_else(|| embedded(v6).and_then(kind_v4)),
    };
    match kind {
        Some(Kind::LinkLocal) => Err(format!("{address} is refused: it is a link-local address")),
        Some(Kind::Metadata) => Err(format!("{address} is refused: it is a cloud metadata address")),
        Some(Kind::Private) if !allow_private => {
            Err(format!("{address} is refused: this worker does not allow private addresses"))
        }
        Some(Kind::Private) | None => Ok(()),
    }
}

/// The kinds of addresses that may be refused.
enum Kind {
    LinkLocal,
    Metadata,
    Private,
}

/// The kind of an IPv4 address; `None` when everybody may reach it.
fn kind_v4(address: Ipv4Addr) -> Option<Kind> {
    let [first, second, ..] = address.octets();
    if METADATA_V4.contains(&address) {
        Some(Kind::Metadata)
    } else if address.is_link_local() {
        Some(Kind::LinkLocal)
    } else if address.is_private()
        || address.is_loopback()
        || first == 0
        || (first == 100 && second & 0xc0 == 64)
    {
        Some(Kind::Private)
    } else {
        None
    }
}

/// The kind of an IPv6 address; `None` when everybody may reach it.
fn kind_v6(address: Ipv6Addr) -> Option<Kind> {
    if METADATA_V6.contains(&address) {
        Some(Kind::Metadata)
    } else if address.is_unicast_link_local() {
        Some(Kind::LinkLocal)
    } else if address.is_loopback() || address.is_unspecified() || address.is_unique_local() {
        Some(Kind::Private)
    } else {
        None
    }
}

/// The IPv4 address that is inside of an IPv6 address: mapped (RFC 4291), compatible (the same), NAT64 (RFC 6052,
/// RFC 8215) and 6to4 (RFC 3056).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let octets = address.octets();
    let at =
        |start: usize| Ipv4Addr::new(octets[start], octets[start + 1], octets[start + 2], octets[start + 3]);
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff | 0, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, ..] => Some(at(12)),
        [0x2002, ..] => Some(at(2)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> bool {
        refuse_url(&Url::parse(url).unwrap(), true).is_err()
    }

    #[test]
    fn metadata_and_link_local_addresses_are_refused_in_every_spelling() {
        for url in [
            "http://169.254.169.254/latest/meta-data/",
            "http://169.254.0.1:8080/",
            "http://2852039166/",
            "http://0xa9fea9fe/",
            "http://0251.0376.0251.0376/",
            "http://[::ffff:169.254.169.254]/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://[::169.254.169.254]/",
            "http://[64:ff9b::169.254.169.254]/",
            "http://[2002:a9fe:a9fe::1]/",
            "http://[fe80::1]/",
            "http://[febf::1]/",
            "http://[fd00:ec2::254]/",
            "http://100.100.100.200/",
            "http://[::ffff:100.100.100.200]/",
            "http://metadata.google.internal/",
            "http://METADATA.google.internal./",
            "ftp://example.com/",
        ] {
            assert!(refused(url), "{url}");
        }
    }

    #[test]
    fn private_addresses_are_the_workers_choice() {
        for url in
            ["http://127.0.0.1/", "http://10.0.0.7/", "http://[::1]/", "http://[fd00::1]/", "http://0.0.0.0/"]
        {
            let url = Url::parse(url).unwrap();
            assert_eq!(refuse_url(&url, true), Ok(()));
            assert!(refuse_url(&url, false).unwrap_err().contains("private"), "{url}");
        }
        assert!(!refused("http://example.com/") && !refused("https://93.184.215.14/"));
        assert_eq!(refuse_url(&Url::parse("http://[2606:4700::1111]/").unwrap(), false), Ok(()));
    }
}
