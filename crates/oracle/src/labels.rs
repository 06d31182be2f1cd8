//! Label entries: how labels, groups, exclusions and dimensions of one side or scope combine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::Snapshot;

/// One label entry of a side or of a scope.
#[derive(Debug, Clone)]
pub(crate) enum Term {
    /// A label.
    Label(Id),
    /// A label group.
    Group(Id),
    /// Every label of a key.
    Dimension(Arc<str>),
}

/// What the entries of one key ask of a workload (or of a virtual service).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Requirement {
    /// One of these labels.
    OneOf(BTreeSet<Id>),
    /// Some label of the key, and none of these.
    SomeBut(Arc<str>, BTreeSet<Id>),
}

impl Requirement {
    /// Whether labels meet it. Section 5: a workload without any label of a named key does not match.
    pub(crate) fn holds(&self, s: &Snapshot, labels: &[Id]) -> bool {
        match self {
            Self::OneOf(wanted) => labels.iter().any(|label| wanted.contains(label)),
            Self::SomeBut(key, excluded) => {
                labels.iter().any(|label| key_of(s, *label) == Some(key))
                    && !labels.iter().any(|label| excluded.contains(label))
            }
        }
    }
}

/// The key of a label; none for a label that is missing.
fn key_of(s: &Snapshot, label: Id) -> Option<&Arc<str>> {
    s.labels.get(&label).map(|label| &label.key)
}

/// The labels of a group, sub-groups included, and whether no group below it is missing.
///
/// Section 3: the union of its labels and those of its sub-groups; a cycle adds nothing. Labels that are
/// missing, or of another key than the group, are no members. None: the group itself is missing.
fn group_labels(s: &Snapshot, group: Id) -> Option<(Arc<str>, BTreeSet<Id>, bool)> {
    let key = Arc::clone(&s.label_groups.get(&group)?.key);
    let (mut seen, mut open) = (BTreeSet::new(), vec![group]);
    let (mut labels, mut complete) = (BTreeSet::new(), true);
    while let Some(id) = open.pop() {
        match s.label_groups.get(&id) {
            _ if !seen.insert(id) => {}
            None => complete = false,
            Some(group) => {
                labels.extend(group.labels.iter().filter(|l| key_of(s, **l) == Some(&key)));
                open.extend(&group.sub_groups);
            }
        }
    }
    Some((key, labels, complete))
}

/// Whether everything that a term names is there, down to the last sub-group.
pub(crate) fn is_complete(s: &Snapshot, term: &Term) -> bool {
    match term {
        Term::Label(id) => s.labels.contains_key(id),
        Term::Group(id) => group_labels(s, *id).is_some_and(|(_, _, complete)| complete),
        Term::Dimension(_) => true,
    }
}

/// The key of a term and its labels; none where it cannot be known what the term means.
///
/// R-DANGLING: a missing label or group has no key, and whatever is combined with it matches nothing. The
/// same for an exclusion of a group that lacks a sub-group: what it should exclude is not known.
fn r_dangling(s: &Snapshot, term: &Term, exclusion: bool) -> Option<(Arc<str>, BTreeSet<Id>)> {
    match term {
        Term::Label(id) => Some((Arc::clone(key_of(s, *id)?), BTreeSet::from([*id]))),
        Term::Group(id) => {
            let (key, labels, complete) = group_labels(s, *id)?;
            (complete || !exclusion).then_some((key, labels))
        }
        Term::Dimension(key) => {
            let of_key = s.labels.iter().filter(|(_, label)| label.key == *key);
            Some((Arc::clone(key), of_key.map(|(id, _)| *id).collect()))
        }
    }
}

/// Includes and exclusions of one key.
#[derive(Default)]
struct KeyTerms {
    include: Option<BTreeSet<Id>>,
    exclude: BTreeSet<Id>,
}

/// What label entries ask, one requirement for each key; all must hold. None: nothing can match.
///
/// Section 4, point 1: within a key any, between keys all.
pub(crate) fn requirements(s: &Snapshot, terms: &[(Term, bool)]) -> Option<Vec<Requirement>> {
    let mut keys: BTreeMap<Arc<str>, KeyTerms> = BTreeMap::new();
    for (term, exclusion) in terms {
        let (key, labels) = r_dangling(s, term, *exclusion)?;
        let entry = keys.entry(key).or_default();
        if *exclusion {
            entry.exclude.extend(labels);
        } else {
            entry.include.get_or_insert_default().extend(labels);
        }
    }
    Some(keys.into_iter().map(|(key, terms)| r_exclusion(key, terms)).collect())
}

/// R-EXCLUSION: exclusions alone mean "some label of this key, none of these"; beside includes they are
/// taken out of them.
fn r_exclusion(key: Arc<str>, terms: KeyTerms) -> Requirement {
    match terms.include {
        Some(include) => Requirement::OneOf(&include - &terms.exclude),
        None => Requirement::SomeBut(key, terms.exclude),
    }
}
