//! The `change_subset` of a request: which pending objects it names.

use super::closure::{Deed, Missing, Node, all_pending, missing};
use crate::audit::href_of;
use crate::http::request::may_provision;
use crate::world::World;
use bulkhead_api::{ApiError, ErrorItem, RoleSet, limits};
use bulkhead_ids::{AnyHref, Kind, PolicyVersion};
use serde_json::Value;
use std::collections::BTreeSet;

/// The kinds that are provisioned by name, in the order in which answers list them.
pub const KINDS: &[Kind] = &[
    Kind::LabelGroup,
    Kind::Service,
    Kind::RuleSet,
    Kind::IpList,
    Kind::VirtualService,
    Kind::FirewallSettings,
    Kind::VirtualServer,
    Kind::EnforcementBoundary,
];

/// The objects that a body's `change_subset` names; everything pending where it is absent.
///
/// # Errors
/// 406 for an empty subset (`empty_change_subset`), nothing pending (`nothing_pending`), an href that
/// names nothing of its list (`invalid_uri`) or nothing pending (`not_pending`).
pub fn named(world: &World, body: &Value) -> Result<BTreeSet<Node>, ApiError> {
    let Some(subset) = body.get("change_subset").and_then(Value::as_object) else {
        let all = all_pending(world);
        return match all.is_empty() {
            true => Err(ApiError::invalid("nothing_pending", "there are no pending changes")),
            false => Ok(all),
        };
    };
    let mut out = BTreeSet::new();
    for (collection, list) in subset {
        for item in list.as_array().map(Vec::as_slice).unwrap_or_default() {
            let href = item.get("href").and_then(Value::as_str).unwrap_or_default();
            out.insert(find(world, collection, href)?);
        }
    }
    match out.is_empty() {
        true => Err(ApiError::invalid(
            "empty_change_subset",
            "`change_subset` names nothing: leave it out to mean everything that is pending",
        )),
        false => Ok(out),
    }
}

fn find(world: &World, collection: &str, href: &str) -> Result<Node, ApiError> {
    let bad = || ApiError::invalid_uri(href);
    let h: AnyHref = href.parse().map_err(|_| bad())?;
    let listed = KINDS.contains(&h.kind) && h.kind.collection() == collection;
    if !listed || h.org != Some(world.org) || h.version != Some(PolicyVersion::Draft) {
        return Err(bad());
    }
    let row = world.row(h.kind, h.id).ok_or_else(bad)?;
    if row.pending.is_none() {
        return Err(ApiError::invalid("not_pending", format!("{href} has no pending changes")));
    }
    Ok((h.kind, h.id))
}

/// Refuses a set that is not closed, and says what it lacks.
///
/// # Errors
/// 406 with token `change_subset_not_closed` (own choice: the product's is not documented).
pub fn closed(world: &World, deed: Deed, set: &BTreeSet<Node>) -> Result<(), ApiError> {
    let lacks = missing(world, deed, set)?;
    if lacks.is_empty() {
        return Ok(());
    }
    let items = lacks.iter().take(limits::ERRORS_LISTED_MAX).map(|(need, by)| {
        let by: Vec<String> = by.iter().take(5).map(|n| href(world, *n)).collect();
        let text = format!(
            "`change_subset` must also name {} in `{}`: needed by {}",
            href(world, *need),
            need.0.collection(),
            by.join(", ")
        );
        ErrorItem::new("change_subset_not_closed", text)
    });
    Err(ApiError::Invalid(items.collect()))
}

/// Refuses objects of kinds that the caller may not provision.
///
/// # Errors
/// `Forbidden`.
pub fn allowed(set: &BTreeSet<Node>, roles: RoleSet) -> Result<(), ApiError> {
    match set.iter().find(|(kind, _)| !may_provision(*kind, roles)) {
        Some((kind, _)) => Err(ApiError::Forbidden(format!(
            "none of your roles may provision `{}`",
            kind.collection()
        ))),
        None => Ok(()),
    }
}

/// The draft href of an object.
pub fn href(world: &World, (kind, id): Node) -> String {
    match world.get(kind, id) {
        Some(obj) => href_of(world, obj).to_string(),
        None => crate::doc::href(world.org, PolicyVersion::Draft, kind, id).to_string(),
    }
}

/// The answer about what a set lacks: each object with those that need it, by type.
pub fn dependencies(world: &World, lacks: &Missing) -> Value {
    let item = |node: Node| serde_json::json!({"href": href(world, node)});
    lacks
        .iter()
        .map(|(need, by)| {
            let mut required = serde_json::Map::new();
            for node in by {
                let list =
                    required.entry(node.0.collection()).or_insert_with(|| Value::Array(vec![]));
                if let Value::Array(list) = list {
                    list.push(item(*node));
                }
            }
            let kind = need.0.collection();
            serde_json::json!({"dependency": {kind: item(*need)}, "required_by": required})
        })
        .collect()
}
