//! Rule sets: scopes, and the rules below them.

use super::list::label_lists;
use super::{Hooks, Predicate, bulk, crud};
use crate::http::{Handler, standard::boxed};
use crate::render::{Out, View};
use crate::txn::Txn;
use crate::world::{Obj, Side, World};
use bulkhead_api::ApiError;
use bulkhead_ids::{Id, Kind};
use bulkhead_store::UpdateType;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What RuleSet adds to the common mechanism.
pub const HOOKS: Hooks = Hooks {
    split: Some(split),
    saved: Some(saved),
    derive: Some(derive),
    filter: Some(filter),
    ..Hooks::NONE
};

/// Members of answers that hold the rules, and their kinds.
const MEMBERS: [(&str, Kind); 3] = [
    ("rules", Kind::SecRule),
    ("deny_rules", Kind::DenyRule),
    ("ip_tables_rules", Kind::IpTablesRule),
];

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "rule_sets_delete" => Some(|cx| boxed(bulk::delete(cx, Kind::RuleSet))),
        _ => None,
    }
}

fn split(body: &mut Map<String, Value>) -> Map<String, Value> {
    MEMBERS.iter().filter_map(|(name, _)| body.remove_entry(*name)).collect()
}

fn saved(
    txn: &mut Txn<'_>,
    rule_set: &Arc<Obj>,
    mut rest: Map<String, Value>,
) -> Result<(), ApiError> {
    for (name, kind) in MEMBERS {
        if let Some(Value::Array(items)) = rest.remove(name) {
            replace(txn, rule_set.id, kind, items)?;
        }
    }
    Ok(())
}

/// Makes the rules of a kind what a list says: items with an href stay or change, others are new, and
/// rules that are not in the list go.
fn replace(txn: &mut Txn<'_>, rule_set: Id, kind: Kind, items: Vec<Value>) -> Result<(), ApiError> {
    let mut kept = BTreeSet::new();
    for item in items {
        let Value::Object(mut body) = item else { continue };
        if body.contains_key("href") {
            let rule = bulk::named(txn, kind, &body)?;
            let href = body.remove("href");
            if rule.parent != Some(rule_set) || !kept.insert(rule.id) {
                let href = href.as_ref().and_then(Value::as_str).unwrap_or_default();
                return Err(ApiError::invalid_uri(href));
            }
            crud::update(txn, &rule, body)?;
        } else {
            kept.insert(crud::create(txn, kind, Some(rule_set), body)?.id);
        }
    }
    let alive = txn.world.children(kind, rule_set);
    let alive = alive.filter(|r| r.pending != Some(UpdateType::Delete));
    let gone: Vec<Arc<Obj>> =
        alive.filter_map(|r| r.draft.clone()).filter(|o| !kept.contains(&o.id)).collect();
    gone.iter().try_for_each(|rule| crud::delete(txn, rule))
}

fn derive(view: &View<'_>, rule_set: &Obj, out: &mut Out<'_>) {
    for (name, kind) in MEMBERS {
        let rules = view.world.children(kind, rule_set.id);
        let there = rules.filter(|r| view.side() == Side::Draft || r.active.is_some());
        out.list(name, there.filter_map(|r| view.row(r)));
    }
}

/// `labels_scope`: rule sets with a scope of exactly the labels of one of the lists.
fn filter(world: &World, _: Side, _: &str, value: &str) -> Result<Predicate, ApiError> {
    let mut wanted = label_lists(world, value)?;
    for list in &mut wanted {
        list.sort_unstable();
        list.dedup();
    }
    Ok(Box::new(move |_, o| {
        o.doc.list("scopes").iter().any(|scope| {
            let labels = scope.items().iter().map(|e| e.get("label")?.target());
            let Some(mut ids) = labels.map(|l| Some(l?.1)).collect::<Option<Vec<Id>>>() else {
                return false;
            };
            ids.sort_unstable();
            ids.dedup();
            wanted.contains(&ids)
        })
    }))
}
