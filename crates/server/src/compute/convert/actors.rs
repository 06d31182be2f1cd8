//! Actors of rules, and scopes.

use super::target;
use crate::doc::Val;
use bulkhead_ids::{Id, Kind};
use bulkhead_model::{Actor, Scope, ScopeEntry, ScopeTarget};

/// An id that no object has: what cannot be read refers to nothing.
const NOBODY: Id = Id::SINGLETON;

/// One side of a rule, as in a body or a document.
pub fn actors(list: &[Val]) -> Vec<Actor> {
    list.iter().map(actor).collect()
}

fn actor(entry: &Val) -> Actor {
    let exclusion = entry.is("exclusion");
    match entry.str("actors") {
        Some("ams") => return Actor::AllWorkloads,
        Some("container_host") => return Actor::ContainerHosts,
        _ => {}
    }
    if let Some(key) = entry.str("label_dimension") {
        return Actor::Dimension(key.into());
    }
    let named = |name| target(entry, name);
    if let Some(id) = named("label") {
        Actor::Label { id, exclusion }
    } else if let Some(id) = named("label_group") {
        Actor::LabelGroup { id, exclusion }
    } else if let Some(id) = named("workload") {
        Actor::Workload(id)
    } else if let Some(id) = named("ip_list") {
        Actor::IpList(id)
    } else if let Some(id) = named("virtual_service") {
        Actor::VirtualService(id)
    } else if let Some(id) = named("virtual_server") {
        Actor::VirtualServer(id)
    } else {
        Actor::Workload(NOBODY)
    }
}

/// A list of scopes.
pub(super) fn scopes(list: &[Val]) -> Vec<Scope> {
    list.iter().map(|scope| scope.items().iter().map(entry).collect()).collect()
}

fn entry(entry: &Val) -> ScopeEntry {
    let target = entry.entries().iter().find_map(|(_, member)| match member.target() {
        Some((Kind::Label, id)) => Some(ScopeTarget::Label(id)),
        Some((Kind::LabelGroup, id)) => Some(ScopeTarget::LabelGroup(id)),
        _ => None,
    });
    ScopeEntry {
        target: target.unwrap_or(ScopeTarget::Label(NOBODY)),
        exclusion: entry.is("exclusion"),
    }
}
