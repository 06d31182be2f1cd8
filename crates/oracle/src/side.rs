//! Who is on one side of a rule.

use std::collections::BTreeSet;

use bulkhead_ids::Id;
use bulkhead_model::{Actor, Resolve, Scope, Snapshot, Workload};

use crate::labels::{Requirement, Term, is_complete, requirements};
use crate::scope::{OneScope, inside, r_scopes};

/// The parts of a side; together they are its union.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Side {
    /// Workloads by labels, `ams`, container hosts and by name.
    pub(crate) workloads: BTreeSet<Id>,
    /// Virtual services by labels and by name.
    pub(crate) virtual_services: BTreeSet<Id>,
    /// Virtual servers by name.
    pub(crate) virtual_servers: BTreeSet<Id>,
    /// IP lists.
    pub(crate) ip_lists: BTreeSet<Id>,
    /// False when something that the actors name is missing.
    pub(crate) complete: bool,
}

/// What the label entries and `ams` of a side ask.
enum LabelPart {
    /// Everything (`ams`).
    Everything,
    /// All of these; never an empty list.
    Those(Vec<Requirement>),
    /// Nothing: no label entries, or one that is missing.
    Nothing,
}

impl LabelPart {
    fn holds(&self, s: &Snapshot, labels: &[Id]) -> bool {
        match self {
            Self::Everything => true,
            Self::Those(wanted) => wanted.iter().all(|requirement| requirement.holds(s, labels)),
            Self::Nothing => false,
        }
    }
}

/// The label entries of a side, each with its exclusion mark.
fn terms(actors: &[Actor]) -> Vec<(Term, bool)> {
    let term = |actor: &Actor| match actor {
        Actor::Label { id, exclusion } => Some((Term::Label(*id), *exclusion)),
        Actor::LabelGroup { id, exclusion } => Some((Term::Group(*id), *exclusion)),
        Actor::Dimension(key) => Some((Term::Dimension(key.clone()), false)),
        _ => None,
    };
    actors.iter().filter_map(term).collect()
}

/// R-AMS-EXCL: `ams` is everything, whatever labels stand beside it; with an exclusion it says nothing and
/// the label entries alone count.
fn r_ams_excl(s: &Snapshot, actors: &[Actor]) -> LabelPart {
    let terms = terms(actors);
    let excludes = terms.iter().any(|(_, exclusion)| *exclusion);
    match requirements(s, &terms) {
        _ if actors.contains(&Actor::AllWorkloads) && !excludes => LabelPart::Everything,
        Some(wanted) if !wanted.is_empty() => LabelPart::Those(wanted),
        _ => LabelPart::Nothing,
    }
}

/// R-CONTAINER-HOST: workloads that host containers.
fn r_container_host(actors: &[Actor], workload: &Workload) -> bool {
    actors.contains(&Actor::ContainerHosts) && workload.container_host
}

/// R-SCOPE-WL: whoever is named explicitly must be inside the scope too, by the labels of its own.
fn r_scope_wl(s: &Snapshot, scope: Option<&OneScope>, labels: &[Id]) -> bool {
    // Section 5: consumers of an extra-scope rule are not bound; there is no scope for them.
    scope.is_none_or(|scope| inside(s, scope, labels))
}

/// R-SIDE: a side is the union of its workloads, virtual services, virtual servers and IP lists.
pub(crate) fn r_side(
    s: &Snapshot,
    actors: &[Actor],
    scope: Option<&OneScope>,
    resolve: Resolve,
) -> Side {
    let labels = r_ams_excl(s, actors);
    let names = |actor: Actor| actors.contains(&actor);
    let workload = |id: &Id, w: &Workload| {
        let by_labels = resolve.workloads && labels.holds(s, &w.labels);
        (by_labels || r_container_host(actors, w) || names(Actor::Workload(*id)))
            && r_scope_wl(s, scope, &w.labels)
    };
    // Section 8: a virtual service is found by its own labels.
    let virtual_service = |id: &Id, of: &[Id]| {
        let by_labels = resolve.virtual_services && labels.holds(s, of);
        (by_labels || names(Actor::VirtualService(*id))) && r_scope_wl(s, scope, of)
    };
    let workloads = s.workloads.iter().filter(|(id, w)| workload(id, w));
    let virtual_services =
        s.virtual_services.iter().filter(|(id, vs)| virtual_service(id, &vs.labels));
    // R-VSERVER: only explicit actors pick a virtual server.
    let virtual_servers = s.virtual_servers.iter().filter(|(id, server)| {
        names(Actor::VirtualServer(**id)) && r_scope_wl(s, scope, &server.labels)
    });
    // R-SCOPE-IP: IP lists are never bound by a scope.
    let ip_lists = s.ip_lists.keys().filter(|id| names(Actor::IpList(**id)));
    Side {
        workloads: workloads.map(|(id, _)| *id).collect(),
        virtual_services: virtual_services.map(|(id, _)| *id).collect(),
        virtual_servers: virtual_servers.map(|(id, _)| *id).collect(),
        ip_lists: ip_lists.copied().collect(),
        complete: actors.iter().all(|actor| is_there(s, actor)),
    }
}

/// Whether what an actor names exists.
fn is_there(s: &Snapshot, actor: &Actor) -> bool {
    match actor {
        Actor::AllWorkloads | Actor::ContainerHosts | Actor::Dimension(_) => true,
        Actor::Label { id, .. } => is_complete(s, &Term::Label(*id)),
        Actor::LabelGroup { id, .. } => is_complete(s, &Term::Group(*id)),
        Actor::Workload(id) => s.workloads.contains_key(id),
        Actor::VirtualService(id) => s.virtual_services.contains_key(id),
        Actor::VirtualServer(id) => s.virtual_servers.contains_key(id),
        Actor::IpList(id) => s.ip_lists.contains_key(id),
    }
}

/// The workloads that actors pick by labels, `ams`, container hosts and by name, in any of the scopes.
///
/// `scopes` empty: everywhere. Virtual services, virtual servers and IP lists add nothing.
pub fn members(s: &Snapshot, actors: &[Actor], scopes: &[Scope]) -> BTreeSet<Id> {
    let scopes = r_scopes(s, scopes);
    let in_scope = |scope| r_side(s, actors, Some(scope), Resolve::default()).workloads;
    scopes.iter().flat_map(in_scope).collect()
}
