//! Labels: key and value, at most one per key on most objects.

use super::refs::{list, target, users};
use super::{Hooks, Predicate, bulk};
use crate::http::{Handler, standard::boxed};
use crate::render::{Out, View};
use crate::txn::Txn;
use crate::world::{Obj, Side, World, unique_key};
use bulkhead_api::ApiError;
use bulkhead_ids::{Id, Kind};
use serde_json::{Map, Value, json};

/// What Label adds to the common mechanism.
pub const HOOKS: Hooks =
    Hooks { check: Some(check), usage: Some(usage), filter: Some(filter), ..Hooks::NONE };

/// Values that stand for the absence of a label in the product, by key.
///
/// Source: Labels, 22.5 to 25.4.
const RESERVED: &[(&str, &str)] =
    &[("app", "all applications"), ("env", "all environments"), ("loc", "all locations")];

/// Members of the firewall settings that hold scopes, as usage names them.
pub(super) const SETTINGS_SCOPES: &[&str] = &[
    "static_policy_scopes",
    "containers_inherit_host_policy_scopes",
    "blocked_connection_reject_scopes",
    "loopback_interfaces_in_policy_scopes",
    "ip_forwarding_enabled_scopes",
    "rule_hit_count_enabled_scopes",
];

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "labels_delete" => Some(|cx| boxed(bulk::delete(cx, Kind::Label))),
        _ => None,
    }
}

fn check(txn: &mut Txn<'_>, doc: &mut Map<String, Value>, _: Option<&Obj>) -> Result<(), ApiError> {
    let text = |name: &str| doc.get(name).and_then(Value::as_str).unwrap_or_default();
    let (key, value) = (text("key"), text("value"));
    known_key(&txn.world, key)?;
    let folded = value.to_lowercase();
    if RESERVED.iter().any(|(k, v)| *k == key && *v == folded) {
        let message = format!("`{value}` is reserved: it stands for all labels of `{key}`");
        return Err(ApiError::invalid("label_value_reserved", message));
    }
    Ok(())
}

/// Refuses a label key without a dimension.
///
/// # Errors
/// `label_dimension_not_found`, a token of our own.
pub fn known_key(world: &World, key: &str) -> Result<(), ApiError> {
    let exact =
        |id| world.get(Kind::LabelDimension, id).and_then(|d| d.doc.str("key")) == Some(key);
    let folded = unique_key(0, &[key]).to_lowercase();
    if world.holder(Kind::LabelDimension, &folded).is_some_and(exact) {
        return Ok(());
    }
    Err(ApiError::invalid(
        "label_dimension_not_found",
        format!("no label dimension has key `{key}`"),
    ))
}

/// Refuses two labels of one key in a list member of a body that holds references to labels.
///
/// # Errors
/// `duplicate_label_key`, a token of our own.
pub fn one_per_key(world: &World, doc: &Map<String, Value>, field: &str) -> Result<(), ApiError> {
    let labels = list(doc, field).iter().filter_map(target);
    let mut keys: Vec<&str> =
        labels.filter_map(|(k, i)| world.get(k, i).and_then(|l| l.doc.str("key"))).collect();
    keys.sort_unstable();
    match keys.windows(2).find(|w| w.first() == w.last()).and_then(<[&str]>::first) {
        Some(key) => Err(ApiError::invalid(
            "duplicate_label_key",
            format!("`{field}` holds more than one label of key `{key}`"),
        )),
        None => Ok(()),
    }
}

/// Whether the draft or active firewall settings refer to an object in a member.
pub(super) fn in_settings(world: &World, member: &str, wanted: (Kind, Id)) -> bool {
    [Side::Draft, Side::Active].into_iter().any(|side| {
        let settings = world.on(side, Kind::FirewallSettings, Id::SINGLETON);
        let mut found = false;
        if let Some(v) = settings.and_then(|s| s.doc.get(member)) {
            v.for_each_ref(&mut |k, i| found |= (k, i) == wanted);
        }
        found
    })
}

fn usage(view: &View<'_>, obj: &Obj, out: &mut Out<'_>) {
    let node = (Kind::Label, obj.id);
    let kinds: Vec<Kind> = users(view.world, node.0, node.1).map(|(k, _)| k).collect();
    let by = |kind: Kind| kinds.contains(&kind);
    let rules = [Kind::RuleSet, Kind::SecRule, Kind::DenyRule, Kind::IpTablesRule];
    let mut flags = json!({
        "virtual_server": by(Kind::VirtualServer),
        "label_group": by(Kind::LabelGroup),
        "ruleset": rules.into_iter().any(by),
        "pairing_profile": by(Kind::PairingProfile),
        "permission": by(Kind::Permission),
        "workload": by(Kind::Workload),
        "container_workload": false,
        "container_workload_profile": by(Kind::ContainerWorkloadProfile),
        "enforcement_boundary": by(Kind::EnforcementBoundary),
        "label_mapping_rule": false,
        "virtual_service": by(Kind::VirtualService),
    });
    let settings = by(Kind::FirewallSettings);
    if let Some(map) = flags.as_object_mut() {
        for member in SETTINGS_SCOPES {
            let used = settings && in_settings(view.world, member, node);
            map.insert((*member).to_owned(), used.into());
            // One public client reads the name in the singular.
            if *member == "blocked_connection_reject_scopes" {
                map.insert("blocked_connection_reject_scope".to_owned(), used.into());
            }
        }
        let used = settings && in_settings(view.world, "firewall_coexistence", node);
        map.insert("firewall_coexistence_scope".to_owned(), used.into());
    }
    out.member("usage", &flags);
}

/// Both parameters change what is shown or match what is matched anyway: they select nothing.
fn filter(_: &World, _: Side, name: &str, value: &str) -> Result<Predicate, ApiError> {
    super::list::boolean(name, value)?;
    Ok(Box::new(|_, _| true))
}
