//! The password policy: rules for passwords of local users.
//!
//! Source: PCE administration guides 21.2 to 25.1, "Password policy". They differ on the shortest
//! length (8 or 16); the default here is the stricter.

use super::Hooks;
use crate::http::{Cx, Handler, Reply, standard};
use crate::txn::Txn;
use crate::world::Obj;
use bulkhead_api::ApiError;
use serde_json::{Map, Value, json};

/// What PasswordPolicy adds to the common mechanism.
pub const HOOKS: Hooks = Hooks { check: Some(check), ..Hooks::NONE };

/// The organisation of those who run the PCE.
const FIRST_ORG: u32 = 1;

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "password_policy_update" => Some(|cx| Box::pin(update(cx))),
        _ => None,
    }
}

/// The policy binds the users of every organisation, so one organisation's owner decides.
async fn update(cx: &Cx) -> Result<Reply, ApiError> {
    if !cx.owned().any(|org| org == FIRST_ORG) {
        return Err(ApiError::Forbidden(format!(
            "the password policy is that of the whole PCE: an owner of organisation {FIRST_ORG} changes it"
        )));
    }
    standard::update(cx).await
}

/// The symbols that count.
const SYMBOLS: &str = "!@#$%^&*<>?";
/// Kinds of characters that a policy must require.
const KINDS_MIN: usize = 3;
/// Longest password that is compared character by character.
const COMPARED_CHARS_MAX: usize = 1024;

fn check(
    txn: &mut Txn<'_>,
    doc: &mut Map<String, Value>,
    _old: Option<&Obj>,
) -> Result<(), ApiError> {
    let on = |name: &str| doc.get(name).and_then(Value::as_bool).unwrap_or_default();
    let required = KINDS.iter().filter(|(flag, ..)| on(flag)).count();
    if required < KINDS_MIN {
        return Err(ApiError::input(
            "at least three of require_type_number, require_type_lowercase, \
             require_type_uppercase and require_type_symbol must be true",
        ));
    }
    let number = |name: &str| doc.get(name).and_then(Value::as_u64).unwrap_or_default();
    if number("min_length") < number("min_characters_per_type") * required as u64 {
        return Err(ApiError::input(
            "`min_length` has no room for `min_characters_per_type` of each required type",
        ));
    }
    doc.insert("updated_at".into(), txn.time().into());
    let name = &txn.origin.name;
    let by = if name.is_empty() { json!({}) } else { json!({"username": name}) };
    doc.insert("updated_by".into(), by);
    Ok(())
}

type Kind = (&'static str, &'static str, fn(char) -> bool);

/// Kinds of characters: the flag that requires them, their name, the test.
const KINDS: &[Kind] = &[
    ("require_type_number", "digits", |c| c.is_ascii_digit()),
    ("require_type_lowercase", "lower-case letters", char::is_lowercase),
    ("require_type_uppercase", "upper-case letters", char::is_uppercase),
    ("require_type_symbol", "symbols of ! @ # $ % ^ & * < > ?", |c| SYMBOLS.contains(c)),
];

/// A password policy in force.
#[derive(Clone, Debug)]
pub struct Rules {
    required: Vec<bool>,
    per_kind: usize,
    min_length: usize,
    min_changed: usize,
    /// Former passwords that may not come again, the present one included.
    pub history_count: usize,
    /// Days after which a password no longer signs in; 0 is never.
    pub expire_days: i64,
}

impl Rules {
    /// The rules of the stored policy; the defaults without one.
    pub fn of(policy: Option<&Obj>) -> Self {
        let number = |name: &str, default: usize| {
            let stored = policy.and_then(|p| p.doc.int(name));
            stored.and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
        };
        let flag = |name: &str| policy.map_or(name != "require_type_symbol", |p| p.doc.is(name));
        Self {
            required: KINDS.iter().map(|(name, ..)| flag(name)).collect(),
            per_kind: number("min_characters_per_type", 1),
            min_length: number("min_length", 16),
            min_changed: number("min_changed_characters", 1),
            history_count: number("history_count", 5),
            expire_days: i64::try_from(number("expire_time_days", 0)).unwrap_or_default(),
        }
    }

    /// Checks a new password; reuse is checked apart, since it takes hashing.
    ///
    /// # Errors
    /// 406 with token `password_complexity_not_met` (own choice: the product's is not documented).
    pub fn check(&self, old: Option<&str>, new: &str) -> Result<(), ApiError> {
        if new.chars().count() < self.min_length {
            return Err(too_weak(&format!("it needs {} characters or more", self.min_length)));
        }
        for ((_, name, is), required) in KINDS.iter().zip(&self.required) {
            if *required && new.chars().filter(|c| is(*c)).count() < self.per_kind {
                return Err(too_weak(&format!("it needs {} {name} or more", self.per_kind)));
            }
        }
        if let Some(old) = old
            && changed(old, new) < self.min_changed
        {
            let n = self.min_changed;
            return Err(too_weak(&format!("{n} characters or more must differ from the old one")));
        }
        Ok(())
    }
}

/// The refusal of a new password.
pub fn too_weak(reason: &str) -> ApiError {
    ApiError::invalid(
        "password_complexity_not_met",
        format!("The password does not follow the policy: {reason}"),
    )
}

/// How many characters must be put in, left out or replaced to make one text of the other.
fn changed(old: &str, new: &str) -> usize {
    let old: Vec<char> = old.chars().take(COMPARED_CHARS_MAX).collect();
    let mut row: Vec<usize> = (0..=old.len()).collect();
    for (n, c) in new.chars().take(COMPARED_CHARS_MAX).enumerate() {
        let mut diagonal = n;
        let mut left = n + 1;
        for (cell, o) in row.iter_mut().skip(1).zip(&old) {
            let above = *cell;
            *cell = (diagonal + usize::from(*o != c)).min(above + 1).min(left + 1);
            diagonal = above;
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = n + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doc::Val;
    use bulkhead_ids::Id;

    fn rules(policy: Value) -> Rules {
        let obj = Obj::new(
            bulkhead_ids::Kind::PasswordPolicy,
            Id::SINGLETON,
            None,
            Val::from_json(&policy),
        );
        Rules::of(Some(&obj))
    }

    #[test]
    fn counts_changed_characters() {
        for (old, new, want) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "xabc", 1),
            ("abc", "ab", 1),
            ("kitten", "sitting", 3),
            ("", "abc", 3),
            ("abc", "", 3),
        ] {
            assert_eq!(changed(old, new), want, "{old} {new}");
        }
    }

    #[test]
    fn every_rule_refuses_what_breaks_it() {
        let all = rules(json!({
            "require_type_number": true, "require_type_lowercase": true,
            "require_type_uppercase": true, "require_type_symbol": true,
            "min_characters_per_type": 2, "min_length": 10, "min_changed_characters": 3,
            "history_count": 5, "expire_time_days": 0,
        }));
        let old = Some("AAbbcc11!!x");
        for (new, good) in [
            ("AAbb11!!xyz", true),
            ("AAbb11!!x", false),
            ("Aabb11!!xyz", false),
            ("AABB11!!XYZ", false),
            ("AAbbxx1!!yz", false),
            ("AAbb11!~xyz", false),
            ("AAbbcc11!!xyz", false),
            ("AAbbcc11!!wvu", true),
        ] {
            assert_eq!(all.check(old, new).is_ok(), good, "{new}");
        }
        let default = Rules::of(None);
        assert!(default.check(None, "Abcdefghijklmno1").is_ok());
        assert!(default.check(None, "Abcdefghijklmn1").is_err());
    }
}
