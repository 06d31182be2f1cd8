//! Selectors: which workloads a side, a scope or a binding means.
//!
//! A selector is a union of terms; a term is a base (all workloads, hosts of containers, one workload, the
//! workloads bound to a virtual service) and conditions on labels that must all hold. The form is canonical,
//! so that equal meanings made from different rules are one selector.

use bulkhead_ids::Id;
use bulkhead_netset::ServiceSet;

use crate::names::{KeyIx, LabelIx, Names};

/// A condition on the labels of one key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Cond {
    /// One of these labels; sorted, not empty.
    In(KeyIx, Vec<LabelIx>),
    /// Some label of the key, and none of these; sorted.
    Except(KeyIx, Vec<LabelIx>),
}

impl Cond {
    pub(crate) const fn key(&self) -> KeyIx {
        match self {
            Self::In(key, _) | Self::Except(key, _) => *key,
        }
    }

    /// Whether workloads with these labels (sorted pairs) meet it.
    fn holds(&self, labels: &[(KeyIx, LabelIx)]) -> bool {
        let own = |key: KeyIx| {
            let from = labels.partition_point(|l| l.0 < key);
            labels.get(from..).unwrap_or(&[]).iter().take_while(move |l| l.0 == key).map(|l| l.1)
        };
        match self {
            Self::In(key, set) => own(*key).any(|l| set.binary_search(&l).is_ok()),
            Self::Except(key, set) => {
                let mut any = false;
                own(*key).all(|l| {
                    any = true;
                    set.binary_search(&l).is_err()
                }) && any
            }
        }
    }

    /// Both conditions of one key as one; none when nothing can meet it.
    fn and(&self, other: &Self) -> Option<Self> {
        let minus = |a: &[LabelIx], b: &[LabelIx]| -> Vec<LabelIx> {
            a.iter().filter(|l| b.binary_search(l).is_err()).copied().collect()
        };
        let both = match (self, other) {
            (Self::In(key, a), Self::In(_, b)) => {
                Self::In(*key, a.iter().filter(|l| b.binary_search(l).is_ok()).copied().collect())
            }
            (Self::In(key, a), Self::Except(_, b)) | (Self::Except(_, b), Self::In(key, a)) => {
                Self::In(*key, minus(a, b))
            }
            (Self::Except(key, a), Self::Except(_, b)) => {
                let mut all: Vec<LabelIx> = a.iter().chain(b).copied().collect();
                all.sort_unstable();
                all.dedup();
                Self::Except(*key, all)
            }
        };
        match &both {
            Self::In(_, set) if set.is_empty() => None,
            _ => Some(both),
        }
    }
}

/// Conditions that must all hold; one for each key, sorted by key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct Conj(pub(crate) Vec<Cond>);

impl Conj {
    pub(crate) fn holds(&self, labels: &[(KeyIx, LabelIx)]) -> bool {
        self.0.iter().all(|c| c.holds(labels))
    }

    /// This and another; none when nothing can meet both.
    pub(crate) fn and(&self, other: &Self) -> Option<Self> {
        let mut out = self.clone();
        for cond in &other.0 {
            out = out.with(cond.clone())?;
        }
        Some(out)
    }

    /// This and one more condition; none when nothing can meet both.
    pub(crate) fn with(mut self, cond: Cond) -> Option<Self> {
        if let Cond::In(_, set) = &cond
            && set.is_empty()
        {
            return None;
        }
        match self.0.binary_search_by_key(&cond.key(), Cond::key) {
            Ok(at) => {
                let slot = self.0.get_mut(at)?;
                *slot = slot.and(&cond)?;
            }
            Err(at) => self.0.insert(at, cond),
        }
        Some(self)
    }
}

/// What a term starts from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Base {
    /// Every workload.
    All,
    /// Workloads that host containers.
    ContainerHosts,
    /// One workload.
    Workload(Id),
    /// Workloads bound to a virtual service; with overrides: by a binding with exactly these.
    Bound(Id, Option<Vec<(ServiceSet, ServiceSet)>>),
}

/// A base and conditions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Term {
    pub(crate) base: Base,
    pub(crate) conj: Conj,
}

/// A union of terms: sorted, without equal ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct Selector(pub(crate) Vec<Term>);

impl Selector {
    /// The canonical form of a union.
    pub(crate) fn new(mut terms: Vec<Term>) -> Self {
        let everything = Term { base: Base::All, conj: Conj::default() };
        if terms.contains(&everything) {
            return Self(vec![everything]);
        }
        terms.sort_unstable();
        terms.dedup();
        Self(terms)
    }

    /// Every workload.
    pub(crate) fn all() -> Self {
        Self(vec![Term { base: Base::All, conj: Conj::default() }])
    }

    /// Whether it can match nothing whatever the workloads are.
    pub(crate) const fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes what it means, in terms of ids and key names alone, into a hash.
    pub(crate) fn describe(&self, names: &Names, out: &mut Vec<u8>) {
        let mut terms: Vec<Vec<u8>> = self.0.iter().map(|t| t.describe(names)).collect();
        terms.sort_unstable();
        for term in terms {
            text(&term, out);
        }
    }
}

/// Bytes with their length before them.
pub(crate) fn text(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    out.extend_from_slice(bytes);
}

impl Term {
    fn describe(&self, names: &Names) -> Vec<u8> {
        let mut out = Vec::new();
        match &self.base {
            Base::All => out.push(0),
            Base::ContainerHosts => out.push(1),
            Base::Workload(id) => {
                out.push(2);
                out.extend_from_slice(&id.to_bytes());
            }
            Base::Bound(id, overrides) => {
                out.push(if overrides.is_some() { 4 } else { 3 });
                out.extend_from_slice(&id.to_bytes());
                for (from, to) in overrides.iter().flatten() {
                    text(format!("{from}={to}").as_bytes(), &mut out);
                }
            }
        }
        let mut conds: Vec<Vec<u8>> = self.conj.0.iter().map(|c| describe(c, names)).collect();
        conds.sort_unstable();
        conds.iter().for_each(|c| text(c, &mut out));
        out
    }
}

fn describe(cond: &Cond, names: &Names) -> Vec<u8> {
    let (tag, labels) = match cond {
        Cond::In(_, labels) => (0, labels),
        Cond::Except(_, labels) => (1, labels),
    };
    let mut out = vec![tag];
    text(names.key_text(cond.key()).as_bytes(), &mut out);
    let mut ids: Vec<Id> = labels.iter().filter_map(|l| names.label_id(*l)).collect();
    ids.sort_unstable();
    ids.iter().for_each(|id| out.extend_from_slice(&id.to_bytes()));
    out
}
