//! User groups by SID, for rules on users.

use super::refs::{list, users};
use super::{Hooks, Predicate, bulk};
use crate::http::{Handler, standard::boxed};
use crate::render::{Out, View};
use crate::txn::Txn;
use crate::world::{Obj, Side, World};
use bulkhead_api::ApiError;
use bulkhead_ids::Kind;
use serde_json::{Map, Value};

/// What SecurityPrincipal adds to the common mechanism.
pub const HOOKS: Hooks =
    Hooks { check: Some(check), derive: Some(derive), filter: Some(filter), ..Hooks::NONE };

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "security_principals_bulk_create" => {
            Some(|cx| boxed(bulk::create(cx, Kind::SecurityPrincipal)))
        }
        _ => None,
    }
}

fn check(_: &mut Txn<'_>, doc: &mut Map<String, Value>, _: Option<&Obj>) -> Result<(), ApiError> {
    match list(doc, "members").first() {
        None => Ok(()),
        Some(n) => {
            let message = format!("no directory user has number {n}");
            Err(ApiError::invalid("reference_not_found", message))
        }
    }
}

fn derive(view: &View<'_>, obj: &Obj, out: &mut Out<'_>) {
    let used = users(view.world, obj.kind, obj.id).any(|(kind, _)| kind == Kind::SecRule);
    out.member("used_by_ruleset", &used.into());
}

/// The parameters add members of which nothing is known here; they select nothing.
fn filter(_: &World, _: Side, _: &str, _: &str) -> Result<Predicate, ApiError> {
    Ok(Box::new(|_, _| true))
}
