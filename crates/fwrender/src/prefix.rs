//! The text that a dropped or watched packet carries to the agent: which rules decided, where and how.

use std::fmt;
use std::str::FromStr;

use bulkhead_ids::Id;
use bulkhead_model::RuleRef;

/// Longest prefix that the kernel keeps, in bytes (`NF_LOG_PREFIXLEN` is 128 with the final NUL).
///
/// The 64 bytes of the iptables NFLOG target do not apply: only nftables rules of our own log.
pub const PREFIX_LEN_MAX: usize = 127;

/// Longest comment of a rule, in bytes (128 with the final NUL).
pub const COMMENT_LEN_MAX: usize = 127;

/// First word of every prefix of ours.
pub const PREFIX_MARK: &str = "bulkhead";

/// Where a packet was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// To the host.
    In,
    /// From the host.
    Out,
    /// Forwarded to a container.
    ForwardIn,
    /// Forwarded from a container.
    ForwardOut,
}

impl Path {
    /// All paths in their order in the ruleset.
    pub const ALL: [Self; 4] = [Self::In, Self::Out, Self::ForwardIn, Self::ForwardOut];

    /// The word in chain names and prefixes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::ForwardIn => "fwd_in",
            Self::ForwardOut => "fwd_out",
        }
    }

    /// True where the peer is the source of the packet.
    pub const fn is_inbound(self) -> bool {
        matches!(self, Self::In | Self::ForwardIn)
    }
}

/// What decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// An essential rule.
    Essential,
    /// An override deny rule.
    OverrideDeny,
    /// An allow rule.
    Allow,
    /// A deny rule or enforcement boundary.
    Deny,
    /// No rule matched.
    Default,
    /// The packet belongs to no connection and cannot open one.
    Invalid,
}

impl Cause {
    const ALL: [Self; 6] = [
        Self::Essential,
        Self::OverrideDeny,
        Self::Allow,
        Self::Deny,
        Self::Default,
        Self::Invalid,
    ];

    /// The word in chain names and prefixes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Essential => "essential",
            Self::OverrideDeny => "override_deny",
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Default => "default",
            Self::Invalid => "invalid",
        }
    }
}

/// What happened to the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Allowed.
    Accept,
    /// Passed, and would be dropped in a stricter mode.
    Pass,
    /// Dropped silently.
    Drop,
    /// Dropped, and the sender told.
    Reject,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Accept, Self::Pass, Self::Drop, Self::Reject];

    /// The word in chain names and prefixes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Pass => "pass",
            Self::Drop => "drop",
            Self::Reject => "reject",
        }
    }
}

/// A log prefix: `bulkhead PATH CAUSE OUTCOME RULES`.
///
/// RULES are the deciding rules with commas between: `a12/34` (allow rule 34 of rule set 12), `d12/35` (deny
/// rule), `b7` (enforcement boundary), `e3` (essential rule). Where not all fit, `+N` counts the rest; the
/// first always fits. Without rules (default, invalid) the last word is missing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogPrefix {
    /// Where.
    pub path: Path,
    /// What decided.
    pub cause: Cause,
    /// What happened.
    pub outcome: Outcome,
    /// The deciding rules that fit, in order.
    pub rules: Vec<RuleRef>,
    /// How many more there are.
    pub more: usize,
}

impl LogPrefix {
    /// The prefix of a verdict; leaves out what does not fit into [`PREFIX_LEN_MAX`].
    pub fn new(path: Path, cause: Cause, outcome: Outcome, rules: &[RuleRef]) -> Self {
        let head = Self { path, cause, outcome, rules: Vec::new(), more: 0 };
        let fits = fitting(rules, PREFIX_LEN_MAX.saturating_sub(head.to_string().len() + 1));
        let (shown, rest) = rules.split_at_checked(fits).unwrap_or((rules, &[]));
        Self { rules: shown.to_vec(), more: rest.len(), ..head }
    }
}

impl fmt::Display for LogPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, cause) = (self.path.as_str(), self.cause.as_str());
        write!(f, "{PREFIX_MARK} {path} {cause} {}", self.outcome.as_str())?;
        if self.rules.is_empty() {
            return Ok(());
        }
        write!(f, " {}", join(&self.rules, self.more))
    }
}

/// A text is no log prefix of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a log prefix of Bulkhead")]
pub struct PrefixError;

impl FromStr for LogPrefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let mut words = text.split_ascii_whitespace();
        let mut word = || words.next().ok_or(PrefixError);
        if word()? != PREFIX_MARK {
            return Err(PrefixError);
        }
        let path = word()?;
        let path = Path::ALL.into_iter().find(|p| p.as_str() == path).ok_or(PrefixError)?;
        let cause = word()?;
        let cause = Cause::ALL.into_iter().find(|c| c.as_str() == cause).ok_or(PrefixError)?;
        let outcome = word()?;
        let outcome = Outcome::ALL.into_iter().find(|o| o.as_str() == outcome);
        let outcome = outcome.ok_or(PrefixError)?;
        let (rules, more) = match words.next() {
            None => (Vec::new(), 0),
            Some(list) => split(list)?,
        };
        if words.next().is_some() {
            return Err(PrefixError);
        }
        Ok(Self { path, cause, outcome, rules, more })
    }
}

/// The rules as a comment of at most [`COMMENT_LEN_MAX`] bytes; none without rules.
pub(crate) fn comment(rules: &[RuleRef]) -> Option<String> {
    let fits = fitting(rules, COMMENT_LEN_MAX);
    let (shown, rest) = rules.split_at_checked(fits).unwrap_or((rules, &[]));
    (!rules.is_empty()).then(|| join(shown, rest.len()))
}

/// How many of the rules can be named within a number of bytes, with the count of the rest; at least one.
fn fitting(rules: &[RuleRef], room: usize) -> usize {
    // A rule takes two bytes at least.
    let most = rules.len().min(room / 2);
    let fits = |n: &usize| {
        let (shown, rest) = rules.split_at_checked(*n).unwrap_or((rules, &[]));
        join(shown, rest.len()).len() <= room
    };
    (1..=most).rev().find(fits).unwrap_or(1)
}

fn join(rules: &[RuleRef], more: usize) -> String {
    let mut text = rules.iter().map(|rule| key(*rule)).collect::<Vec<_>>().join(",");
    if more > 0 {
        text.push_str(&format!("+{more}"));
    }
    text
}

fn split(list: &str) -> Result<(Vec<RuleRef>, usize), PrefixError> {
    let (list, more) = match list.split_once('+') {
        Some((list, more)) => (list, more.parse().map_err(|_| PrefixError)?),
        None => (list, 0),
    };
    let rules = list.split(',').map(parse_key).collect::<Result<_, _>>()?;
    Ok((rules, more))
}

/// The short name of a rule.
pub(crate) fn key(rule: RuleRef) -> String {
    match rule {
        RuleRef::Allow((set, rule)) => format!("a{set:?}/{rule:?}"),
        RuleRef::Deny((set, rule)) => format!("d{set:?}/{rule:?}"),
        RuleRef::Boundary(id) => format!("b{id:?}"),
        RuleRef::Essential(id) => format!("e{id:?}"),
    }
}

fn parse_key(text: &str) -> Result<RuleRef, PrefixError> {
    let mut chars = text.chars();
    let kind = chars.next();
    let rest = chars.as_str();
    let pair = || {
        let (set, rule) = rest.split_once('/').ok_or(PrefixError)?;
        Ok((parse_id(set)?, parse_id(rule)?))
    };
    match kind {
        Some('a') => pair().map(RuleRef::Allow),
        Some('d') => pair().map(RuleRef::Deny),
        Some('b') => parse_id(rest).map(RuleRef::Boundary),
        Some('e') => parse_id(rest).map(RuleRef::Essential),
        _ => Err(PrefixError),
    }
}

/// An id as its `Debug` form prints it: a number, or 32 hexadecimal digits with hyphens.
fn parse_id(text: &str) -> Result<Id, PrefixError> {
    if let Ok(n) = text.parse() {
        return Ok(Id::int(n));
    }
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if digits.len() != 32 {
        return Err(PrefixError);
    }
    u128::from_str_radix(&digits, 16)
        .map(|n| Id::from_bytes(n.to_be_bytes()))
        .map_err(|_| PrefixError)
}

#[cfg(test)]
mod tests;
