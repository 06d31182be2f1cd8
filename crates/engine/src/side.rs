//! Who stands on a side of a rule, and what a scope binds.

use std::collections::BTreeMap;

use bulkhead_ids::Id;
use bulkhead_model::{Actor, Resolve, Scope, ScopeTarget, Snapshot};

use crate::names::{KeyIx, LabelIx, Names};
use crate::selector::{Base, Cond, Conj, Selector, Term};

/// What expansion reads.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) names: &'a Names,
}

/// A side of a rule within one scope.
#[derive(Debug, Default)]
pub(crate) struct Side {
    /// Workloads by labels, and explicit workloads.
    pub(crate) workloads: Selector,
    /// Virtual services, sorted.
    pub(crate) services: Vec<Id>,
    /// IP lists, sorted.
    pub(crate) lists: Vec<Id>,
    /// Virtual servers, sorted.
    pub(crate) servers: Vec<Id>,
    /// False when something that the actors name is missing.
    pub(crate) complete: bool,
}

/// What the labels of one key say.
#[derive(Default)]
struct KeyPart {
    /// Included labels; none when no entry includes.
    include: Option<Vec<LabelIx>>,
    /// True when every label of the key is included.
    every: bool,
    exclude: Vec<LabelIx>,
}

impl KeyPart {
    /// Includes minus exclusions; exclusions alone leave the other labels of the key (R-EXCLUSION).
    fn cond(mut self, key: KeyIx) -> Cond {
        self.exclude.sort_unstable();
        self.exclude.dedup();
        match self.include {
            Some(mut set) if !self.every => {
                set.sort_unstable();
                set.dedup();
                set.retain(|l| self.exclude.binary_search(l).is_err());
                Cond::In(key, set)
            }
            _ => Cond::Except(key, self.exclude),
        }
    }
}

/// The labels of a side, or of a scope, by key.
#[derive(Default)]
struct LabelPart {
    keys: BTreeMap<KeyIx, KeyPart>,
    /// True when an entry has no known key: nothing matches.
    unknown: bool,
    excludes: bool,
}

impl LabelPart {
    fn add(&mut self, found: Option<(KeyIx, &[LabelIx])>, exclusion: bool) {
        self.excludes |= exclusion;
        let Some((key, labels)) = found else {
            self.unknown = true;
            return;
        };
        let part = self.keys.entry(key).or_default();
        if exclusion {
            part.exclude.extend_from_slice(labels);
        } else {
            part.include.get_or_insert_default().extend_from_slice(labels);
        }
    }

    fn add_key(&mut self, key: Option<KeyIx>) {
        match key {
            Some(key) => self.keys.entry(key).or_default().every = true,
            None => self.unknown = true,
        }
    }

    /// Between keys all (R-SIDE); none when nothing can match.
    fn conj(self) -> Option<Conj> {
        r_dangling(self.unknown)?;
        self.keys
            .into_iter()
            .try_fold(Conj::default(), |conj, (key, part)| conj.with(part.cond(key)))
    }
}

/// R-DANGLING, R-SCOPE-DANGLING: an entry whose referent is missing has no known key, and labels of an
/// unknown key match nothing: the label part (or the scope) matches nothing.
const fn r_dangling(unknown: bool) -> Option<()> {
    if unknown { None } else { Some(()) }
}

impl<'a> Context<'a> {
    fn label(&self, id: Id) -> Option<(KeyIx, Vec<LabelIx>)> {
        self.names.label(id).map(|l| (l.key, vec![l.ix]))
    }

    /// The labels of a group; an exclusion needs all groups below it (R-DANGLING).
    fn group(&self, id: Id, exclusion: bool) -> Option<(KeyIx, Vec<LabelIx>)> {
        let group = self.names.group(id).filter(|g| g.complete || !exclusion)?;
        Some((group.key, group.labels.clone()))
    }

    /// Whether what an actor names is there.
    fn is_there(&self, actor: &Actor) -> bool {
        let snapshot = self.snapshot;
        match actor {
            Actor::AllWorkloads | Actor::ContainerHosts | Actor::Dimension(_) => true,
            Actor::Label { id, .. } => self.names.label(*id).is_some(),
            Actor::LabelGroup { id, .. } => self.names.group(*id).is_some_and(|g| g.complete),
            Actor::Workload(id) => snapshot.workloads.contains_key(id),
            Actor::VirtualService(id) => snapshot.virtual_services.contains_key(id),
            Actor::VirtualServer(id) => snapshot.virtual_servers.contains_key(id),
            Actor::IpList(id) => snapshot.ip_lists.contains_key(id),
        }
    }

    /// The labels of an object as sorted pairs; labels that do not exist are left out.
    pub(crate) fn pairs(&self, labels: &[Id]) -> Vec<(KeyIx, LabelIx)> {
        let known = labels.iter().filter_map(|id| self.names.label(*id));
        let mut pairs: Vec<_> = known.map(|l| (l.key, l.ix)).collect();
        pairs.sort_unstable();
        pairs
    }

    /// R-SCOPES: the scopes of a rule set, each to be taken alone. No scope at all means one that is open.
    ///
    /// `split`: expand alternatives of a key into scopes of their own, as rules need whose two sides are
    /// bound; otherwise they stay one scope that any of them meets.
    pub(crate) fn r_scopes(&self, scopes: &[Scope], split: bool) -> Vec<Conj> {
        if scopes.is_empty() {
            return vec![Conj::default()];
        }
        let mut all: Vec<Conj> = scopes.iter().flat_map(|s| self.r_scope_group(s, split)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// R-SCOPE-GROUP, R-SCOPE-DUP: one scope for each label of a key, the product for several keys; labels
    /// and groups of one key are united, exclusions of the key taken away. Exclusions alone stay one scope.
    fn r_scope_group(&self, scope: &Scope, split: bool) -> Vec<Conj> {
        let mut part = LabelPart::default();
        for entry in scope {
            let found = match entry.target {
                ScopeTarget::Label(id) => self.label(id),
                ScopeTarget::LabelGroup(id) => self.group(id, entry.exclusion),
            };
            part.add(
                found.as_ref().map(|(key, labels)| (*key, labels.as_slice())),
                entry.exclusion,
            );
        }
        if r_dangling(part.unknown).is_none() {
            return Vec::new();
        }
        part.keys.into_iter().fold(vec![Conj::default()], |scopes, (key, part)| {
            let alternatives = match part.cond(key) {
                Cond::In(key, set) if split => {
                    set.into_iter().map(|label| Cond::In(key, vec![label])).collect()
                }
                cond => vec![cond],
            };
            let with = |scope: &Conj| -> Vec<Conj> {
                alternatives.iter().filter_map(|a| scope.clone().with(a.clone())).collect()
            };
            scopes.iter().flat_map(with).collect()
        })
    }

    /// R-SIDE: what a side of a rule means within a scope.
    ///
    /// Labels, explicit workloads, virtual services, virtual servers and IP lists stand beside each other.
    /// R-SCOPE-IP: the scope does not bind IP lists.
    pub(crate) fn r_side(&self, actors: &[Actor], scope: &Conj, resolve: Resolve) -> Side {
        let mut side = Side::default();
        let labels = self.labels_of(actors).and_then(|conj| conj.and(scope));
        let mut terms = Vec::new();
        for actor in actors {
            match actor {
                Actor::ContainerHosts => terms.push(r_container_host(scope)),
                Actor::Workload(id) => terms.push(r_scope_wl(*id, scope)),
                Actor::VirtualService(id) => side.services.push(*id),
                Actor::VirtualServer(id) => side.servers.push(*id),
                Actor::IpList(id) => side.lists.push(*id),
                Actor::AllWorkloads
                | Actor::Label { .. }
                | Actor::LabelGroup { .. }
                | Actor::Dimension(_) => {}
            }
        }
        side.services.retain(|id| self.service_in_scope(*id, scope));
        side.servers.retain(|id| {
            let server = self.snapshot.virtual_servers.get(id);
            server.is_some_and(|s| scope.holds(&self.pairs(&s.labels)))
        });
        side.lists.retain(|id| self.snapshot.ip_lists.contains_key(id));
        if let Some(conj) = labels {
            if resolve.virtual_services {
                side.services.extend(self.r_vs_provider(&conj));
            }
            if resolve.workloads {
                terms.push(Term { base: Base::All, conj });
            }
        }
        side.workloads = Selector::new(terms);
        side.complete = actors.iter().all(|actor| self.is_there(actor));
        for ids in [&mut side.services, &mut side.servers, &mut side.lists] {
            ids.sort_unstable();
            ids.dedup();
        }
        side
    }

    /// The conditions of the labels of a side; none when no labels stand there or none can match.
    fn labels_of(&self, actors: &[Actor]) -> Option<Conj> {
        let mut part = LabelPart::default();
        let (mut all, mut any) = (false, false);
        for actor in actors {
            let (found, exclusion) = match actor {
                Actor::Label { id, exclusion } => (self.label(*id), *exclusion),
                Actor::LabelGroup { id, exclusion } => (self.group(*id, *exclusion), *exclusion),
                Actor::Dimension(key) => {
                    any = true;
                    part.add_key(self.names.known_key(key));
                    continue;
                }
                Actor::AllWorkloads => {
                    all = true;
                    continue;
                }
                _ => continue,
            };
            any = true;
            part.add(found.as_ref().map(|(key, labels)| (*key, labels.as_slice())), exclusion);
        }
        if r_ams_excl(all, part.excludes) {
            return Some(Conj::default());
        }
        if any { part.conj() } else { None }
    }

    /// R-VS-PROVIDER: the virtual services that have labels of their own that meet the conditions.
    fn r_vs_provider(&self, conj: &Conj) -> Vec<Id> {
        let services = self.snapshot.virtual_services.iter();
        let hits = services.filter(|(_, vs)| conj.holds(&self.pairs(&vs.labels)));
        hits.map(|(id, _)| *id).collect()
    }

    /// R-SCOPE-WL for virtual services: judged by their own labels.
    fn service_in_scope(&self, id: Id, scope: &Conj) -> bool {
        let service = self.snapshot.virtual_services.get(&id);
        service.is_some_and(|vs| scope.holds(&self.pairs(&vs.labels)))
    }

    /// Whether the labels meet one of the scopes; no scope at all means none is met (settings).
    pub(crate) fn in_scopes(&self, scopes: &[Conj], labels: &[(KeyIx, LabelIx)]) -> bool {
        scopes.iter().any(|s| s.holds(labels))
    }
}

/// R-AMS-EXCL: `ams` means all workloads unless exclusions stand beside it; then the labels count alone.
const fn r_ams_excl(all: bool, excludes: bool) -> bool {
    all && !excludes
}

/// R-SCOPE-WL: an explicit workload counts only inside the scope.
fn r_scope_wl(id: Id, scope: &Conj) -> Term {
    Term { base: Base::Workload(id), conj: scope.clone() }
}

/// R-CONTAINER-HOST: workloads that host containers, bound by the scope like `ams`.
fn r_container_host(scope: &Conj) -> Term {
    Term { base: Base::ContainerHosts, conj: scope.clone() }
}
