//! Hrefs of any kind: parser and printer.

use crate::{Id, IdStyle, Kind, Place};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Longest href that is looked at, in bytes.
const HREF_LEN_MAX: usize = 1024;

/// A side or version of the policy, as the path segment `{pversion}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyVersion {
    /// What is being edited.
    Draft,
    /// What hosts enforce.
    Active,
    /// What was active under that number.
    Number(u64),
}

impl fmt::Display for PolicyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Draft => f.write_str("draft"),
            Self::Active => f.write_str("active"),
            Self::Number(n) => write!(f, "{n}"),
        }
    }
}

impl FromStr for PolicyVersion {
    type Err = HrefError;
    fn from_str(s: &str) -> Result<Self, HrefError> {
        match s {
            "draft" => Ok(Self::Draft),
            "active" => Ok(Self::Active),
            _ => int(s).map(Self::Number).ok_or(HrefError::Malformed),
        }
    }
}

/// Why a text is no href.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HrefError {
    /// Not the shape of any href.
    #[error("not an href")]
    Malformed,
    /// An href of another kind of object than asked for.
    #[error("an href of another kind of object")]
    WrongKind,
}

/// A parsed href of any kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AnyHref {
    /// The organisation, absent for global objects.
    pub org: Option<u32>,
    /// The policy version, present for policy objects.
    pub version: Option<PolicyVersion>,
    /// What it names.
    pub kind: Kind,
    /// The id of the object it lives under, for kinds under another.
    pub parent: Option<Id>,
    /// The id within the kind.
    pub id: Id,
    /// The id as text, for kinds with text ids.
    pub text: Option<Box<str>>,
}

/// An integer id in its canonical form: digits, no sign, no leading zero.
fn int(s: &str) -> Option<u64> {
    if s.starts_with('0') || !s.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    s.parse().ok()
}

/// A UUID in its canonical form: lower case with hyphens.
fn uuid(s: &str) -> Option<Uuid> {
    let ok = s.len() == 36 && !s.bytes().any(|b| b.is_ascii_uppercase());
    ok.then(|| Uuid::try_parse(s).ok()).flatten()
}

/// Parses one id segment in the style of a kind.
fn parse_id(kind: Kind, s: &str) -> Option<(Id, Option<Box<str>>)> {
    match kind.id_style() {
        IdStyle::Int => int(s).map(|n| (Id::int(n), None)),
        IdStyle::Uuid => uuid(s).map(|u| (Id::uuid(u), None)),
        IdStyle::Text if !s.is_empty() => Some((Id::text(s), Some(s.into()))),
        IdStyle::Text | IdStyle::Singleton => None,
    }
}

/// Splits `collection/id` off a path for the first kind of a place that matches.
///
/// Returns the kind, its id and what follows.
fn take(place: Place, path: &str) -> Option<(Kind, Id, Option<Box<str>>, &str)> {
    // Most collections differ in their first letter: cheaper to compare than the whole.
    let first = path.as_bytes().first();
    let may_be = |k: &Kind| k.place() == place && k.collection().as_bytes().first() == first;
    Kind::ALL.iter().copied().filter(may_be).find_map(|kind| {
        let rest = path.strip_prefix(kind.collection())?;
        if kind.id_style() == IdStyle::Singleton {
            return rest.is_empty().then_some((kind, Id::SINGLETON, None, ""));
        }
        let rest = rest.strip_prefix('/')?;
        let (segment, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let (id, text) = parse_id(kind, segment)?;
        Some((kind, id, text, rest))
    })
}

impl AnyHref {
    /// An href of a kind that stands on its own (not under another object, no text id).
    pub const fn new(org: u32, version: Option<PolicyVersion>, kind: Kind, id: Id) -> Self {
        let org = if matches!(kind.place(), Place::Global) { None } else { Some(org) };
        Self { org, version, kind, parent: None, id, text: None }
    }
}

impl FromStr for AnyHref {
    type Err = HrefError;

    fn from_str(s: &str) -> Result<Self, HrefError> {
        parse(s).ok_or(HrefError::Malformed)
    }
}

fn parse(s: &str) -> Option<AnyHref> {
    if s.len() > HREF_LEN_MAX || s.ends_with('/') {
        return None;
    }
    let path = s.strip_prefix('/')?;
    let (org, version, place, path) =
        match path.strip_prefix("orgs/").and_then(|p| p.split_once('/')) {
            None => (None, None, Place::Global, path),
            Some((org, rest)) => {
                let org = u32::try_from(int(org)?).ok()?;
                let policy = rest.strip_prefix("sec_policy/").and_then(|r| r.split_once('/'));
                match policy {
                    Some((pv, rest)) => (Some(org), Some(pv.parse().ok()?), Place::Policy, rest),
                    None => (Some(org), None, Place::Org, rest),
                }
            }
        };
    let (kind, id, text, rest) = take(place, path)?;
    if rest.is_empty() {
        return Some(AnyHref { org, version, kind, parent: None, id, text });
    }
    let parent = id;
    let (kind, id, text, rest) = take(Place::Under(kind), rest)?;
    rest.is_empty().then_some(AnyHref { org, version, kind, parent: Some(parent), id, text })
}

/// Writes an id in the style of a kind.
fn write_id(f: &mut fmt::Formatter<'_>, kind: Kind, id: Id, text: Option<&str>) -> fmt::Result {
    match (kind.id_style(), text) {
        (IdStyle::Singleton, _) => Ok(()),
        (_, Some(t)) => write!(f, "/{t}"),
        (IdStyle::Int, None) => write!(f, "/{}", id.as_int().unwrap_or_default()),
        (IdStyle::Uuid | IdStyle::Text, None) => write!(f, "/{}", id.as_uuid()),
    }
}

impl fmt::Display for AnyHref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(org) = self.org {
            write!(f, "/orgs/{org}")?;
        }
        if let Some(v) = self.version {
            write!(f, "/sec_policy/{v}")?;
        }
        if let (Some(parent), Some(kind)) = (self.parent, self.kind.parent()) {
            write!(f, "/{}", kind.collection())?;
            write_id(f, kind, parent, None)?;
        }
        write!(f, "/{}", self.kind.collection())?;
        write_id(f, self.kind, self.id, self.text.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_back_what_it_parsed() {
        let u = "2f1a1f4e-7f1e-4d8e-9d5e-0a3b9a2c1d00";
        for s in [
            "/orgs/1/labels/7".to_owned(),
            format!("/orgs/1/workloads/{u}"),
            format!("/orgs/1/workloads/{u}/interfaces/eth0"),
            "/orgs/12/sec_policy/draft/rule_sets/3/sec_rules/18446744073709551615".to_owned(),
            "/orgs/1/sec_policy/7/ip_lists/3".to_owned(),
            format!("/orgs/1/sec_policy/active/label_groups/{u}"),
            "/orgs/1/sec_policy/draft/firewall_settings".to_owned(),
            "/orgs/1/sec_policy/42".to_owned(),
            "/orgs/1/settings".to_owned(),
            "/orgs/1/settings/events".to_owned(),
            format!("/orgs/1/settings/syslog/destinations/{u}"),
            "/orgs/1/security_principals/S-1-5-21-1180699209".to_owned(),
            "/users/4".to_owned(),
            "/users/4/api_keys/15ceed1f".to_owned(),
            "/orgs/3".to_owned(),
        ] {
            let h: AnyHref = s.parse().unwrap_or_else(|e| panic!("{s}: {e}"));
            assert_eq!(h.to_string(), s);
        }
    }

    #[test]
    fn refuses_what_is_no_href() {
        for s in [
            "",
            "/",
            "orgs/1/labels/7",
            "/orgs/1/labels/",
            "/orgs/1/labels/07",
            "/orgs/1/labels/-7",
            "/orgs/1/labels/x",
            "/orgs/0/labels/1",
            "/orgs/1/labels/18446744073709551616",
            "/orgs/1/labels/7/",
            "/orgs/1/labels/7/labels/8",
            "/orgs/1/nothing/7",
            "/orgs/1/sec_policy/new/ip_lists/3",
            "/api/v2/orgs/1/labels/7",
            "/orgs/1/ip_lists/3",
            "/orgs/1/workloads/2F1A1F4E-7F1E-4D8E-9D5E-0A3B9A2C1D00",
            "/orgs/1/sessions/x",
            "https://pce/orgs/1/labels/7",
            "/orgs/4294967296/labels/1",
        ] {
            assert_eq!(s.parse::<AnyHref>(), Err(HrefError::Malformed), "{s}");
        }
    }
}
