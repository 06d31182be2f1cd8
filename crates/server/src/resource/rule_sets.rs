//! Rule sets: scopes, and the rules below them.

use super::list::label_lists;
use super::{Hooks, Predicate, bulk, crud};
use crate::doc::Val;
use crate::http::{Handler, standard::boxed};
use crate::render::{Out, View};
use crate::txn::Txn;
use crate::world::{Obj, Row, Side, World};
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
    let (mut kept, mut order) = (BTreeSet::new(), Vec::with_capacity(items.len()));
    for item in items {
        let Value::Object(mut body) = item else { continue };
        if body.contains_key("href") {
            let rule = bulk::named(txn, kind, &body)?;
            let href = body.remove("href");
            if rule.parent != Some(rule_set) || !kept.insert(rule.id) {
                let href = href.as_ref().and_then(Value::as_str).unwrap_or_default();
                return Err(ApiError::invalid_uri(href));
            }
            order.push(rule.id);
            crud::update(txn, &rule, body)?;
        } else {
            let rule = crud::create(txn, kind, Some(rule_set), body)?;
            kept.insert(rule.id);
            order.push(rule.id);
        }
    }
    let alive = txn.world.children(kind, rule_set);
    let alive = alive.filter(|r| r.pending != Some(UpdateType::Delete));
    let gone: Vec<Arc<Obj>> =
        alive.filter_map(|r| r.draft.clone()).filter(|o| !kept.contains(&o.id)).collect();
    gone.iter().try_for_each(|rule| crud::delete(txn, rule))?;
    keep_order(txn, rule_set, kind, &order)
}

/// The hidden member of a rule set that holds the order of its rules of a kind, where it is not that of
/// their ids.
fn order_member(kind: Kind) -> String {
    format!("_order_of_{}", kind.collection())
}

/// Keeps the order in which a body listed the rules.
fn keep_order(txn: &mut Txn<'_>, rule_set: Id, kind: Kind, order: &[Id]) -> Result<(), ApiError> {
    let old = txn.world.get(Kind::RuleSet, rule_set).cloned().ok_or(ApiError::NotFound)?;
    let mut doc = crud::document(txn.world.org, &old);
    let member = order_member(kind);
    if order.is_sorted() {
        doc.remove(&member);
    } else {
        doc.insert(member, order.iter().filter_map(|id| id.as_int()).collect());
    }
    let doc = Val::from_json(&doc.into());
    if doc != old.doc {
        txn.save(Obj::new(old.kind, old.id, old.parent, doc));
    }
    Ok(())
}

fn derive(view: &View<'_>, rule_set: &Obj, out: &mut Out<'_>) {
    for (name, kind) in MEMBERS {
        let rules = view.world.children(kind, rule_set.id);
        let mut there: Vec<&Row> =
            rules.filter(|r| view.side() == Side::Draft || r.active.is_some()).collect();
        let order = rule_set.doc.list(&order_member(kind));
        if !order.is_empty() {
            let place = |row: &&Row| {
                let id = row.draft.as_ref().or(row.active.as_ref()).and_then(|o| o.id.as_int());
                let id = id.and_then(|id| i64::try_from(id).ok()).map(Val::Int);
                order.iter().position(|v| Some(v) == id.as_ref()).unwrap_or(usize::MAX)
            };
            there.sort_by_cached_key(place);
        }
        out.list(name, there.into_iter().filter_map(|r| view.row(r)));
    }
}

/// `labels`: rule sets with a scope that names all labels of one of the lists; `labels_scope`: and no
/// others.
fn filter(world: &World, _: Side, name: &str, value: &str) -> Result<Predicate, ApiError> {
    let mut wanted = label_lists(world, value)?;
    for list in &mut wanted {
        list.sort_unstable();
        list.dedup();
    }
    let exactly = name == "labels_scope";
    Ok(Box::new(move |_, o| {
        o.doc.list("scopes").iter().any(|scope| {
            let labels = scope.items().iter().map(|e| Some(e.get("label")?.target()?.1));
            let mut ids: Vec<Id> = labels.clone().flatten().collect();
            ids.sort_unstable();
            ids.dedup();
            if exactly {
                return labels.clone().all(|l| l.is_some()) && wanted.contains(&ids);
            }
            let names_all = |list: &Vec<Id>| {
                !list.is_empty() && list.iter().all(|l| ids.binary_search(l).is_ok())
            };
            wanted.iter().any(names_all)
        })
    }))
}
