//! The naive model: whole rows and whole versions as JSON, and what must hold of a policy as plain
//! loops over all of it.

use bulkhead_ids::{AnyHref, Id, Kind};
use bulkhead_server::policy::closure::{Deed, Node};
use bulkhead_server::policy::versions::Objects;
use bulkhead_server::resource::crud;
use bulkhead_server::world::{Obj, World};
use bulkhead_store::UpdateType;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// One side of an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Content {
    parent: Option<Id>,
    doc: Value,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    draft: Content,
    active: Option<Content>,
    pending: Option<UpdateType>,
}

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) rows: BTreeMap<Node, Row>,
    /// Version 1 is the first.
    pub(crate) versions: Vec<BTreeMap<Node, Content>>,
}

fn content(obj: &Obj) -> Content {
    Content { parent: obj.parent, doc: crud::document(1, obj).into() }
}

fn without_audit(c: &Content) -> Value {
    let mut doc = c.doc.clone();
    for deed in ["created", "updated", "deleted"] {
        for part in ["at", "by"] {
            doc.as_object_mut().unwrap().remove(&format!("{deed}_{part}"));
        }
    }
    doc
}

fn targets(v: &Value, out: &mut BTreeSet<Node>) {
    match v {
        Value::Object(m) => {
            // Actors are no policy objects, and the server itself (`/users/0`) is no object at all.
            let href = m.get("href").and_then(Value::as_str).filter(|h| !h.starts_with("/users/"));
            if let Some(h) = href {
                let h: AnyHref = h.parse().unwrap();
                if h.kind.is_policy() {
                    out.insert((h.kind, h.id));
                }
            }
            m.values().for_each(|v| targets(v, out));
        }
        Value::Array(a) => a.iter().for_each(|v| targets(v, out)),
        _ => {}
    }
}

fn refs(c: &Content) -> BTreeSet<Node> {
    let mut out = BTreeSet::new();
    targets(&c.doc, &mut out);
    out
}

fn names(kind: Kind, c: &Content) -> Vec<String> {
    let text = |name: &str| c.doc.get(name).and_then(Value::as_str);
    let unique = matches!(kind, Kind::IpList | Kind::LabelGroup | Kind::RuleSet);
    let name = text("name").filter(|_| unique).map(|n| format!("name {n}"));
    let external = text("external_data_reference").map(|r| format!("external {r}"));
    name.into_iter().chain(external).collect()
}

fn cyclic(all: &BTreeMap<Node, Content>) -> bool {
    all.keys().filter(|n| n.0 == Kind::LabelGroup).any(|start| {
        let mut reached: BTreeSet<Node> = BTreeSet::new();
        let mut todo = vec![*start];
        while let Some(n) = todo.pop() {
            let next = all.get(&n).map(refs).unwrap_or_default();
            todo.extend(next.into_iter().filter(|t| reached.insert(*t)));
        }
        reached.contains(start)
    })
}

impl Model {
    pub(crate) fn of(world: &World) -> Self {
        let mut out = Self::default();
        let mut first = BTreeMap::new();
        for kind in Kind::ALL.iter().copied().filter(|k| k.is_policy()) {
            for (id, row) in world.rows(kind) {
                let draft = content(row.draft.as_ref().unwrap());
                first.insert((kind, id), draft.clone());
                let row = Row { active: Some(draft.clone()), draft, pending: None };
                out.rows.insert((kind, id), row);
            }
        }
        out.versions.push(first);
        out
    }

    fn unit(&self, node: Node) -> Node {
        match self.rows[&node].draft.parent {
            Some(p) => (Kind::RuleSet, p),
            None => node,
        }
    }

    fn below(&self, node: Node) -> Vec<Node> {
        let is = |n: &Node| *n != node && self.unit(*n) == node;
        self.rows.keys().filter(|n| is(n)).copied().collect()
    }

    pub(crate) fn units(&self) -> BTreeSet<Node> {
        let pending = self.rows.iter().filter(|(_, r)| r.pending.is_some());
        pending.map(|(n, _)| self.unit(*n)).collect()
    }

    fn touch(&mut self, parent: Option<Id>) {
        if let Some(row) = parent.and_then(|p| self.rows.get_mut(&(Kind::RuleSet, p))) {
            row.pending.get_or_insert(UpdateType::Update);
        }
    }

    pub(crate) fn saved(&mut self, node: Node, parent: Option<Id>, doc: Value) {
        let draft = Content { parent, doc };
        let old = self.rows.remove(&node);
        let active = old.as_ref().and_then(|r| r.active.clone());
        let pending = match (old.and_then(|r| r.pending), &active) {
            (Some(UpdateType::Delete), _) => UpdateType::Delete,
            (_, None) => UpdateType::Create,
            _ => UpdateType::Update,
        };
        self.rows.insert(node, Row { draft, active, pending: Some(pending) });
        self.touch(parent);
    }

    pub(crate) fn removed(&mut self, node: Node) {
        let parent = self.rows[&node].draft.parent;
        for n in self.below(node).into_iter().chain([node]) {
            if self.rows[&n].active.is_some() {
                self.rows.get_mut(&n).unwrap().pending = Some(UpdateType::Delete);
            } else {
                self.rows.remove(&n);
            }
        }
        self.touch(parent);
    }

    pub(crate) fn commit(&mut self, set: &BTreeSet<Node>) {
        for unit in set {
            let gone = self.rows[unit].pending == Some(UpdateType::Delete);
            for n in self.below(*unit).into_iter().chain([*unit]) {
                let row = self.rows.get_mut(&n).unwrap();
                if gone || row.pending == Some(UpdateType::Delete) {
                    self.rows.remove(&n);
                } else if row.pending.take().is_some() {
                    row.active = Some(row.draft.clone());
                }
            }
        }
        let active = |(n, r): (&Node, &Row)| Some((*n, r.active.clone()?));
        self.versions.push(self.rows.iter().filter_map(active).collect());
    }

    pub(crate) fn revert(&mut self, set: &BTreeSet<Node>) {
        for unit in set {
            for n in self.below(*unit).into_iter().chain([*unit]) {
                let row = self.rows.get_mut(&n).unwrap();
                match row.active.clone() {
                    None => drop(self.rows.remove(&n)),
                    Some(active) => (row.draft, row.pending) = (active, None),
                }
            }
        }
    }

    /// Restores; takes the new audit fields from the world, and checks all else of what it takes.
    pub(crate) fn restore(&mut self, version: usize, world: &World) {
        let wanted = self.versions[version - 1].clone();
        let all: BTreeSet<Node> = self.rows.keys().chain(wanted.keys()).copied().collect();
        for n in all {
            let active = self.rows.remove(&n).and_then(|r| r.active);
            let row = match (active, wanted.get(&n)) {
                (None, None) => continue,
                (Some(a), None) => {
                    Row { draft: a.clone(), active: Some(a), pending: Some(UpdateType::Delete) }
                }
                (Some(a), Some(w)) if without_audit(&a) == without_audit(w) => {
                    Row { draft: a.clone(), active: Some(a), pending: None }
                }
                (active, Some(w)) => {
                    let draft = content(world.get(n.0, n.1).unwrap());
                    assert_eq!(without_audit(&draft), without_audit(w), "{n:?} as of {version}");
                    let pending =
                        active.as_ref().map_or(UpdateType::Create, |_| UpdateType::Update);
                    Row { draft, active, pending: Some(pending) }
                }
            };
            self.rows.insert(n, row);
        }
        let touched: Vec<Option<Id>> =
            self.rows.values().filter(|r| r.pending.is_some()).map(|r| r.draft.parent).collect();
        touched.into_iter().for_each(|p| self.touch(p));
    }

    /// Whether a change of a label group would make the draft contain itself.
    pub(crate) fn would_cycle(&self, node: Node, change: &Map<String, Value>) -> bool {
        let mut all: BTreeMap<Node, Content> =
            self.rows.iter().map(|(n, r)| (*n, r.draft.clone())).collect();
        let doc = &mut all.get_mut(&node).unwrap().doc;
        doc.as_object_mut().unwrap().extend(change.clone());
        cyclic(&all)
    }

    /// What would be wrong with the policy after a deed on a set, whatever the set.
    pub(crate) fn fault(&self, deed: Deed, set: &BTreeSet<Node>) -> Option<String> {
        let mut after = Self { rows: self.rows.clone(), versions: Vec::new() };
        match deed {
            Deed::Commit => {
                after.commit(set);
                let active = after.versions.pop()?;
                let all = active.keys().copied().collect();
                policy_fault(&active, &all)
            }
            Deed::Revert => {
                after.revert(set);
                let gone = |r: &Row| r.pending == Some(UpdateType::Delete);
                let draft: BTreeMap<Node, Content> =
                    after.rows.iter().map(|(n, r)| (*n, r.draft.clone())).collect();
                let stays: BTreeSet<Node> =
                    after.rows.iter().filter(|(_, r)| !gone(r)).map(|(n, _)| *n).collect();
                let returned: BTreeSet<Node> = self
                    .rows
                    .iter()
                    .filter(|(n, r)| r.pending.is_some() && set.contains(&self.unit(**n)))
                    .map(|(n, _)| *n)
                    .collect();
                for (n, c) in &draft {
                    let there = |t: &Node| match stays.contains(n) {
                        true => stays.contains(t),
                        false => draft.contains_key(t),
                    };
                    if let Some(t) = refs(c).into_iter().find(|t| !there(t)) {
                        return Some(format!("{n:?} refers to {t:?}"));
                    }
                }
                let twice = held_twice(&draft, &returned);
                let kept = draft.into_iter().filter(|(n, _)| stays.contains(n)).collect();
                twice.or_else(|| cyclic(&kept).then(|| "cycle".into()))
            }
        }
    }

    pub(crate) fn compare(&self, world: &World) {
        let mut seen = 0;
        for kind in Kind::ALL.iter().copied().filter(|k| k.is_policy()) {
            for (id, row) in world.rows(kind) {
                let Some(mine) = self.rows.get(&(kind, id)) else {
                    panic!("{kind:?} {id:?} is too much")
                };
                assert_eq!(
                    mine.draft,
                    content(row.draft.as_ref().unwrap()),
                    "draft {kind:?} {id:?}"
                );
                let active = row.active.as_ref().map(|a| content(a));
                assert_eq!(mine.active, active, "active {kind:?} {id:?}");
                assert_eq!(mine.pending, row.pending, "pending {kind:?} {id:?}");
                seen += 1;
            }
        }
        assert_eq!(seen, self.rows.len(), "rows are missing");
        assert_eq!(world.version, self.versions.len() as u64);
    }

    pub(crate) fn compare_version(&self, n: usize, objects: &Objects) {
        let read: BTreeMap<Node, Content> = objects.iter().map(|(n, o)| (*n, content(o))).collect();
        assert_eq!(self.versions[n - 1], read, "version {n}");
    }

    pub(crate) fn ids(&self, n: usize, kind: Kind) -> BTreeSet<Id> {
        self.versions[n - 1].keys().filter(|k| k.0 == kind).map(|k| k.1).collect()
    }

    /// What a version created, deleted and changed.
    pub(crate) fn difference(&self, n: usize) -> (BTreeSet<Node>, BTreeSet<Node>, BTreeSet<Node>) {
        let empty = BTreeMap::new();
        let now = &self.versions[n - 1];
        let before = if n > 1 { &self.versions[n - 2] } else { &empty };
        let not_in = |a: &BTreeMap<Node, Content>, b: &BTreeMap<Node, Content>| {
            a.keys().filter(|k| !b.contains_key(k)).copied().collect()
        };
        let updated = now.iter().filter(|(k, v)| before.get(k).is_some_and(|b| b != *v));
        (not_in(now, before), not_in(before, now), updated.map(|(k, _)| *k).collect())
    }
}

fn held_twice(all: &BTreeMap<Node, Content>, of: &BTreeSet<Node>) -> Option<String> {
    for n in of {
        let own = all.get(n).map(|c| names(n.0, c)).unwrap_or_default();
        for (other, c) in all.iter().filter(|(o, _)| o.0 == n.0 && *o != n) {
            if let Some(name) = names(other.0, c).into_iter().find(|k| own.contains(k)) {
                return Some(format!("{n:?} and {other:?} hold {name}"));
            }
        }
    }
    None
}

fn policy_fault(all: &BTreeMap<Node, Content>, of: &BTreeSet<Node>) -> Option<String> {
    for (n, c) in all {
        if let Some(t) = refs(c).into_iter().find(|t| !all.contains_key(t)) {
            return Some(format!("{n:?} refers to {t:?}"));
        }
    }
    held_twice(all, of).or_else(|| cyclic(all).then(|| "cycle".into()))
}
