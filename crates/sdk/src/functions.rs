//! Helper functions of the Developer Interface.

use crate::{Error, Result};

/// Protocol names and their numbers, as `/etc/protocols` has them.
const PROTOCOLS: &[(&str, i32)] = &[
    ("icmp", 1),
    ("igmp", 2),
    ("ipv4", 4),
    ("ipip", 94),
    ("tcp", 6),
    ("udp", 17),
    ("dccp", 33),
    ("ipv6", 41),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmpv6", 58),
    ("ipv6-icmp", 58),
    ("ospf", 89),
    ("pim", 103),
    ("vrrp", 112),
    ("l2tp", 115),
    ("sctp", 132),
    ("udplite", 136),
];

/// The number of a protocol, from its name in any case or from digits.
///
/// ```
/// assert_eq!(bulkhead_sdk::convert_protocol("TCP")?, 6);
/// assert!(bulkhead_sdk::convert_protocol("nonsense").is_err());
/// # Ok::<(), bulkhead_sdk::Error>(())
/// ```
///
/// # Errors
/// [`Error::Invalid`] for a name that is not known, or a number beyond -1 (all protocols) to 255.
pub fn convert_protocol(protocol: &str) -> Result<i32> {
    let name = protocol.trim().to_ascii_lowercase();
    let known = PROTOCOLS.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    known
        .or_else(|| name.parse().ok().filter(|number| (-1..=255).contains(number)))
        .ok_or_else(|| Error::invalid("proto", format!("`{protocol}` is no protocol")))
}

/// The href of the draft side of a policy object; other hrefs stay as they are.
pub fn convert_active_href_to_draft(href: &str) -> String {
    with_version(href, "draft")
}

/// The href of the active side of a policy object; other hrefs stay as they are.
///
/// ```
/// let draft = "/orgs/1/sec_policy/draft/services/3";
/// let active = bulkhead_sdk::convert_draft_href_to_active(draft);
/// assert_eq!(active, "/orgs/1/sec_policy/active/services/3");
/// ```
pub fn convert_draft_href_to_active(href: &str) -> String {
    with_version(href, "active")
}

/// The href with another policy version, if it has one.
pub(crate) fn with_version(href: &str, version: &str) -> String {
    let Some((org, rest)) = href.split_once("/sec_policy/") else { return href.to_owned() };
    match rest.split_once('/') {
        Some((_, object)) => format!("{org}/sec_policy/{version}/{object}"),
        None => href.to_owned(),
    }
}

/// The path segment that names the kind of an object: the last but one, also for policy objects.
pub(crate) fn collection_of(href: &str) -> Option<&str> {
    let mut segments = href.split('?').next()?.trim_start_matches('/').rsplit('/');
    segments.next().filter(|id| !id.is_empty())?;
    segments.next()
}

/// Scheme and host of a URL without port and path; `https` when it has no scheme.
///
/// ```
/// let (scheme, host) = bulkhead_sdk::parse_url("pce.example.com:8443/login")?;
/// assert_eq!((scheme.as_str(), host.as_str()), ("https", "pce.example.com"));
/// # Ok::<(), bulkhead_sdk::Error>(())
/// ```
///
/// # Errors
/// [`Error::Config`] for another scheme than `http` and `https`, or no host.
pub fn parse_url(url: &str) -> Result<(String, String)> {
    let (scheme, rest) = url.trim().split_once("://").unwrap_or(("https", url.trim()));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match authority.split_once(']') {
        Some((address, _)) => format!("{address}]"),
        None => authority.split(':').next().unwrap_or_default().to_owned(),
    };
    let scheme = scheme.to_ascii_lowercase();
    let known = |c: char| c.is_alphanumeric() || "-._[]:%".contains(c);
    if !matches!(scheme.as_str(), "http" | "https") || host.is_empty() || !host.chars().all(known) {
        return Err(Error::Config(format!("`{url}` is no address of a PCE")));
    }
    Ok((scheme, host.to_ascii_lowercase()))
}
