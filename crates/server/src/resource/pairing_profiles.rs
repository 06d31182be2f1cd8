//! Pairing profiles, and the keys by which hosts pair through them.
//!
//! A key is 81 hexadecimal digits: `1` for this form, 16 that find it, 64 (256 random bits) that prove it.
//! Only the SHA-256 of the last 64 is kept; such a secret needs no slow hash.

use super::{Hooks, crud, workloads};
use crate::clock::{hex, random, wire_time};
use crate::doc::Val;
use crate::http::{Cx, Handler, Reply, standard};
use crate::txn::Txn;
use crate::world::{Obj, World};
use bulkhead_api::ApiError;
use bulkhead_ids::{Id, Kind};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::ConstantTimeEq;

type Body = Map<String, Value>;

/// What a body says that cannot be: the text of the refusal.
const REFUSED: &str = "_refused";
/// The digit that a key of this form begins with.
const FORM: &str = "1";
/// Digits of the form and of the part that finds a key.
const FINDER_LEN: usize = 17;
/// Digits of a whole key.
const CODE_LEN: usize = 81;

/// What PairingProfile adds to the common mechanism.
pub const HOOKS: Hooks = Hooks {
    check: Some(check),
    split: Some(split),
    deletable: Some(|_, p| match p.doc.is("is_default") {
        false => Ok(()),
        true => Err(ApiError::invalid(
            "pairing_profile_is_default",
            "the built-in pairing profile cannot be deleted",
        )),
    }),
    deleted: Some(|txn, p| {
        revoke(txn, p.id);
        Ok(())
    }),
    ..Hooks::NONE
};

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "pairing_key_create" => Some(|cx| Box::pin(create_key(cx))),
        "pairing_keys_delete" => Some(|cx| Box::pin(delete_keys(cx))),
        _ => None,
    }
}

/// Brings older and newer names of the same thing together.
fn split(body: &mut Body) -> Body {
    if let Some(Value::String(mode)) = body.remove("mode") {
        same(body, ("enforcement_mode", "mode"), workloads::mode_of(&mode).into());
    }
    if let Some(lock) = body.remove("mode_lock") {
        same(body, ("enforcement_mode_lock", "mode_lock"), lock);
    }
    Map::new()
}

fn same(body: &mut Body, (newer, older): (&str, &str), value: Value) {
    match body.get(newer) {
        Some(given) if *given != value => {
            let why = format!("`{older}` and `{newer}` disagree: send one of them");
            body.insert(REFUSED.into(), why.into());
        }
        Some(_) => {}
        None => {
            body.insert(newer.into(), value);
        }
    }
}

fn check(txn: &mut Txn<'_>, doc: &mut Body, _old: Option<&Obj>) -> Result<(), ApiError> {
    if let Some(Value::String(why)) = doc.remove(REFUSED) {
        return Err(ApiError::input(why));
    }
    workloads::one_label_of_a_key(&txn.world, doc.get("labels"), "a pairing profile")?;
    let mode = doc.get("enforcement_mode").and_then(Value::as_str).unwrap_or("visibility_only");
    let mode = workloads::legacy_of(mode).to_owned();
    doc.insert("mode".into(), mode.into());
    let lock = doc.get("enforcement_mode_lock").cloned().unwrap_or(true.into());
    doc.insert("mode_lock".into(), lock);
    Ok(())
}

fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

/// Makes a key; the answer is the only place that shows it.
async fn create_key(cx: &Cx) -> Result<Reply, ApiError> {
    let failed = |e: getrandom::Error| ApiError::Internal(format!("no randomness: {e}"));
    let finder = format!("{FORM}{}", hex(&random::<8>().map_err(failed)?));
    let secret = hex(&random::<32>().map_err(failed)?);
    cx.write("pairing_profile.create_pairing_key", |txn| {
        let profile = standard::draft(cx, &txn.world, Kind::PairingProfile)?;
        new_key(txn, &profile, &finder, &hash(&secret))
    })
    .await?;
    let answer = json!({"activation_code": format!("{finder}{secret}")});
    Ok(Reply::json(StatusCode::CREATED, &answer))
}

/// Stores a key of a profile and drops those that pair nobody any more.
fn new_key(
    txn: &mut Txn<'_>,
    profile: &Arc<Obj>,
    finder: &str,
    hash: &str,
) -> Result<(), ApiError> {
    if !profile.doc.is("enabled") {
        return Err(ApiError::invalid(
            "pairing_profile_disabled",
            "this pairing profile is disabled: enable it before making keys",
        ));
    }
    let spent: Vec<Id> = txn
        .world
        .children(Kind::PairingKey, profile.id)
        .filter_map(|r| r.draft.as_ref())
        .filter(|k| !alive(&k.doc, txn.now))
        .map(|k| k.id)
        .collect();
    spent.into_iter().for_each(|id| txn.remove(Kind::PairingKey, id));
    let life = profile.doc.int("key_lifespan").map(SignedDuration::from_secs);
    let expires = life.and_then(|d| txn.now.checked_add(d).ok()).map(wire_time);
    let mut doc = json!({
        "_hash": hash,
        "_uses": 0,
        "_uses_max": profile.doc.int("allowed_uses_per_key"),
        "expires_at": expires,
    });
    if let Some(doc) = doc.as_object_mut() {
        crud::stamp(txn, doc, "created");
    }
    let id = Id::text(finder);
    txn.save(Obj::new(Kind::PairingKey, id, Some(profile.id), Val::from_json(&doc)));
    let mut doc = crud::document(txn.world.org, profile);
    crud::stamp(txn, &mut doc, "last_pairing_key_generated");
    txn.save(Obj::new(profile.kind, profile.id, profile.parent, Val::from_json(&doc.into())));
    Ok(())
}

/// Whether a key has uses and time left.
fn alive(key: &Val, now: Timestamp) -> bool {
    let expires = key.str("expires_at").and_then(|t| t.parse::<Timestamp>().ok());
    let used_up =
        key.int("_uses_max").is_some_and(|max| key.int("_uses").unwrap_or_default() >= max);
    expires.is_none_or(|t| now < t) && !used_up
}

/// The key and the profile by which an activation code pairs a host now; nothing for a code that is
/// malformed, unknown, revoked, expired or used up, or whose profile is disabled.
pub fn find(world: &World, code: &str, now: Timestamp) -> Option<(Arc<Obj>, Arc<Obj>)> {
    let (finder, secret) = code.split_at_checked(FINDER_LEN).filter(|_| code.len() == CODE_LEN)?;
    let key = world.get(Kind::PairingKey, Id::text(finder))?;
    let stored = key.doc.str("_hash")?;
    if !bool::from(stored.as_bytes().ct_eq(hash(secret).as_bytes())) || !alive(&key.doc, now) {
        return None;
    }
    let profile = world.get(Kind::PairingProfile, key.parent?)?;
    profile.doc.is("enabled").then(|| (key.clone(), profile.clone()))
}

/// Counts a pairing: one use of the key, and what the profile shows of it.
pub fn used(txn: &mut Txn<'_>, key: &Obj, profile: &Obj) {
    let mut doc = crud::document(txn.world.org, key);
    doc.insert("_uses".into(), (key.doc.int("_uses").unwrap_or_default() + 1).into());
    txn.save(Obj::new(key.kind, key.id, key.parent, Val::from_json(&doc.into())));
    let mut doc = crud::document(txn.world.org, profile);
    let count = profile.doc.int("total_use_count").unwrap_or_default() + 1;
    doc.insert("total_use_count".into(), count.into());
    doc.insert("last_pairing_at".into(), txn.time().into());
    txn.save(Obj::new(profile.kind, profile.id, profile.parent, Val::from_json(&doc.into())));
}

fn revoke(txn: &mut Txn<'_>, profile: Id) {
    let keys: Vec<Id> = txn
        .world
        .children(Kind::PairingKey, profile)
        .filter_map(|r| r.draft.as_ref().map(|k| k.id))
        .collect();
    keys.into_iter().for_each(|id| txn.remove(Kind::PairingKey, id));
}

/// Revokes every key of a profile; hosts that are paired stay.
async fn delete_keys(cx: &Cx) -> Result<Reply, ApiError> {
    cx.write("pairing_profile.delete_all_pairing_keys", |txn| {
        let profile = standard::draft(cx, &txn.world, Kind::PairingProfile)?;
        revoke(txn, profile.id);
        Ok(())
    })
    .await?;
    Ok(Reply::no_content())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::txn::Origin;

    const FINDER: &str = "10123456789abcdef";

    fn at(s: &str) -> Timestamp {
        s.parse().unwrap_or_else(|e| panic!("{s}: {e}"))
    }

    fn profile(txn: &mut Txn<'_>, body: Value) -> Arc<Obj> {
        let Value::Object(body) = body else { panic!("no object") };
        crud::create(txn, Kind::PairingProfile, None, body).unwrap_or_else(|e| panic!("{e:?}"))
    }

    #[test]
    fn a_key_pairs_while_it_has_uses_and_time() {
        let origin = Origin::default();
        let now = at("2026-01-01T00:00:00Z");
        let mut txn = Txn::new(World::empty(1), &origin, now);
        let body =
            json!({"name": "p", "enabled": true, "allowed_uses_per_key": 2, "key_lifespan": 60});
        let p = profile(&mut txn, body);
        let secret = "ab".repeat(32);
        new_key(&mut txn, &p, FINDER, &hash(&secret)).unwrap_or_else(|e| panic!("{e:?}"));
        let code = format!("{FINDER}{secret}");
        for bad in [format!("{FINDER}{}", "ac".repeat(32)), code[1..].to_owned(), String::new()] {
            assert!(find(&txn.world, &bad, now).is_none(), "{bad}");
        }
        assert!(find(&txn.world, &code, at("2026-01-01T00:01:00Z")).is_none(), "expired");
        for use_count in 1..=2 {
            let (key, p) =
                find(&txn.world, &code, now).unwrap_or_else(|| panic!("use {use_count}"));
            used(&mut txn, &key, &p);
        }
        assert!(find(&txn.world, &code, now).is_none(), "used up");
        let p =
            txn.world.get(Kind::PairingProfile, p.id).cloned().unwrap_or_else(|| panic!("gone"));
        assert_eq!(p.doc.int("total_use_count"), Some(2));
        assert_eq!(p.doc.str("last_pairing_key_generated_at"), Some("2026-01-01T00:00:00.000Z"));
        new_key(&mut txn, &p, "1ffffffffffffffff", "x").unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!(txn.world.count(Kind::PairingKey), 1, "the spent key is dropped");
        crud::delete(&mut txn, &p).unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!(txn.world.count(Kind::PairingKey), 0, "keys go with their profile");
    }

    #[test]
    fn older_names_mean_the_newer() {
        let origin = Origin::default();
        let mut txn = Txn::new(World::empty(1), &origin, at("2026-01-01T00:00:00Z"));
        let p = profile(&mut txn, json!({"enabled": true, "mode": "enforced", "mode_lock": false}));
        assert_eq!(p.doc.str("enforcement_mode"), Some("full"));
        assert!(!p.doc.is("enforcement_mode_lock"));
        let body = json!({"enforcement_mode": "selective"});
        let body = body.as_object().cloned().unwrap_or_default();
        let p = crud::update(&mut txn, &p, body).unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!(p.doc.str("mode"), Some("selective"));
        for bad in [
            json!({"mode": "enforced", "enforcement_mode": "idle"}),
            json!({"mode_lock": true, "enforcement_mode_lock": false}),
        ] {
            let body = bad.as_object().cloned().unwrap_or_default();
            assert!(crud::update(&mut txn, &p, body).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_disabled_profile_makes_no_keys() {
        let origin = Origin::default();
        let mut txn = Txn::new(World::empty(1), &origin, at("2026-01-01T00:00:00Z"));
        let p = profile(&mut txn, json!({"enabled": false}));
        let e = new_key(&mut txn, &p, FINDER, "x").err().map(|e| e.items().remove(0).token);
        assert_eq!(e.as_deref(), Some("pairing_profile_disabled"));
    }
}
