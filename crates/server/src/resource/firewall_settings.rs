//! Firewall settings of an organisation, provisioned like policy.

use super::{Hooks, feature_on};
use crate::doc::Val;
use crate::http::Handler;
use crate::txn::Txn;
use crate::world::Obj;
use bulkhead_api::ApiError;
use serde_json::{Map, Value};

/// What FirewallSettings adds to the common mechanism.
pub const HOOKS: Hooks = Hooks { check: Some(check), ..Hooks::NONE };

/// The member that changes only while its optional feature is on.
const FORWARDING: (&str, &str) = ("ip_forwarding_enabled_scopes", "ip_forwarding_firewall_setting");

/// Handlers of the operations that are not standard.
pub fn handler(_id: &str) -> Option<Handler> {
    None
}

fn check(
    txn: &mut Txn<'_>,
    doc: &mut Map<String, Value>,
    old: Option<&Obj>,
) -> Result<(), ApiError> {
    if doc.get("firewall_coexistence").is_some_and(Value::is_null) {
        doc.insert("firewall_coexistence".to_owned(), Value::Array(Vec::new()));
    }
    let (member, feature) = FORWARDING;
    let new = doc.get(member).map(Val::from_json);
    let changed = old.is_some_and(|o| o.doc.get(member) != new.as_ref());
    if changed && !feature_on(&txn.world, feature) {
        let message =
            format!("`{member}` changes only while the optional feature `{feature}` is on");
        return Err(ApiError::input(message));
    }
    Ok(())
}
