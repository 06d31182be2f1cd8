//! Lists: which objects a query selects, without touching those it cannot.

use super::{Predicate, hooks};
use crate::doc::Val;
use crate::http::request::whole_number;
use crate::world::{Row, Side, World};
use bulkhead_api::{ApiError, Descriptor, Filter, Match, descriptor, limits};
use bulkhead_ids::{AnyHref, Id, Kind};

/// Query parameters that clients send and that select nothing.
const TOLERATED: &[&str] = &["representation", "rule_set_href", "usage", "pce_fqdn", "inputs"];

/// A parsed list query.
#[derive(Default)]
pub struct Query {
    max_results: Option<usize>,
    predicates: Vec<Predicate>,
    /// Objects must refer to all labels of one of the lists.
    labels: Option<Vec<Vec<Id>>>,
    external: (Option<String>, Option<String>),
    deleted: bool,
    /// Whether usage is asked for.
    pub usage: bool,
}

/// What is left to look at in each row.
struct Left<'a> {
    /// Lists of labels of which it must carry one.
    labels: Option<&'a [Vec<Id>]>,
    /// Whether it is soft-deleted.
    deleted: bool,
}

/// What a query selects.
pub struct Page {
    /// The rows, in order of id, cut to the size asked for.
    pub rows: Vec<Row>,
    /// Size of the collection before the filter.
    pub total: usize,
    /// Size after it.
    pub matched: usize,
}

/// Reads a boolean as the known clients write it.
pub fn boolean(name: &str, s: &str) -> Result<bool, ApiError> {
    match s.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(ApiError::input(format!("`{name}` is true or false"))),
    }
}

impl Query {
    /// Lifts the default bound on rows; an explicit `max_results` stays.
    pub fn unlimited(&mut self) {
        self.max_results.get_or_insert(usize::MAX);
    }

    /// Adds a condition that the request did not ask for.
    pub fn also(&mut self, predicate: Predicate) {
        self.predicates.push(predicate);
    }

    /// Reads the parameters of a list of a kind.
    ///
    /// # Errors
    /// 406 for a parameter that the list does not have, or a value that it cannot take.
    pub fn parse(
        world: &World,
        side: Side,
        kind: Kind,
        parameters: &[(String, String)],
    ) -> Result<Self, ApiError> {
        let mut query = Self::default();
        let d = descriptor(kind);
        for (name, value) in parameters {
            query.parameter(world, (side, kind), d, (name, value))?;
        }
        Ok(query)
    }

    fn parameter(
        &mut self,
        world: &World,
        (side, kind): (Side, Kind),
        d: Option<&'static Descriptor>,
        (name, value): (&str, &str),
    ) -> Result<(), ApiError> {
        match name {
            "max_results" => {
                self.max_results = Some(whole_number(name, value)?);
                return Ok(());
            }
            "external_data_set" if d.is_some_and(|d| d.external_data) => {
                self.external.0 = Some(value.to_owned());
                return Ok(());
            }
            "external_data_reference" if d.is_some_and(|d| d.external_data) => {
                self.external.1 = Some(value.to_owned());
                return Ok(());
            }
            "include_deleted" | "includeDeleted" if d.is_some_and(|d| d.soft_delete) => {
                self.deleted = boolean(name, value)?;
                return Ok(());
            }
            "soft_deleted" if d.is_some_and(|d| d.soft_delete) => {
                let wanted = boolean(name, value)?;
                self.deleted |= wanted;
                self.predicates.push(Box::new(move |_, o| o.doc.is("deleted") == wanted));
                return Ok(());
            }
            "usage" => self.usage = boolean(name, value)?,
            _ => {}
        }
        let (base, bound) = split_bound(name);
        let filter = d.and_then(|d| d.filters.get(name).or_else(|| d.filters.get(base)));
        match filter {
            Some(f) if f.matches == Match::Custom => {
                self.filter(world, (side, kind), f, (name, bound, value))
            }
            Some(f) => self.filter(world, (side, kind), f, (base, bound, value)),
            None if TOLERATED.contains(&name) => Ok(()),
            None => Err(ApiError::input(format!(
                "`{name}` is no query parameter of this list; it takes {}",
                known(d)
            ))),
        }
    }

    fn filter(
        &mut self,
        world: &World,
        (side, kind): (Side, Kind),
        f: &'static Filter,
        (name, bound, value): (&str, Bound, &str),
    ) -> Result<(), ApiError> {
        let path = f.field.clone().unwrap_or_else(|| name.to_owned());
        let predicate: Predicate = match f.matches {
            Match::Custom => match hooks(kind).filter {
                Some(make) => make(world, side, name, value)?,
                None if TOLERATED.contains(&name) => return Ok(()),
                None => return Err(ApiError::input(format!("filter `{name}` is not built"))),
            },
            Match::Labels => {
                self.labels = Some(label_lists(world, value)?);
                return Ok(());
            }
            Match::Partial => {
                let needle = value.to_lowercase();
                Box::new(move |_, o| any(&o.doc, &path, &mut |v| holds(v, &needle)))
            }
            Match::Exact => {
                let wanted = exact(name, f, value)?;
                Box::new(move |_, o| any(&o.doc, &path, &mut |v| equals(v, &wanted)))
            }
            Match::Href => {
                let h: AnyHref = value.parse().map_err(|_| ApiError::invalid_uri(value))?;
                Box::new(move |_, o| any(&o.doc, &path, &mut |v| refers(v, &h)))
            }
            Match::Range => {
                let wanted = bound_value(name, value)?;
                Box::new(move |_, o| any(&o.doc, &path, &mut |v| within(v, bound, &wanted)))
            }
        };
        self.predicates.push(predicate);
        Ok(())
    }

    /// Runs the query over the rows of a kind, or of those under a parent.
    pub fn run(&self, world: &World, side: Side, kind: Kind, parent: Option<Id>) -> Page {
        let limit = self.max_results.unwrap_or(limits::LIST_ROWS_DEFAULT);
        let mut page = Page { rows: Vec::new(), total: 0, matched: 0 };
        page.total = match parent {
            Some(p) => world.children(kind, p).filter(|r| on(r, side, kind)).count(),
            None if side == Side::Active && kind.is_policy() => world.count_active(kind),
            None => world.count(kind),
        };
        // The index knows nothing of deleted objects.
        let labelled = self.labels.as_ref().filter(|_| parent.is_none() && !self.deleted);
        let labelled = labelled.map(|lists| {
            let side = if kind.is_policy() { side } else { Side::Draft };
            Labelled::of(world, (side, kind), lists)
        });
        let plain = self.predicates.is_empty() && !self.deleted && self.external == (None, None);
        let counted = plain && (self.labels.is_none() || labelled.is_some());
        if counted {
            page.matched = labelled.as_ref().map_or(page.total, |l| l.count(world));
        }
        // Indexes hold no deleted objects, and have seen to the labels.
        let left = Left {
            labels: if labelled.is_some() { None } else { self.labels.as_deref() },
            deleted: !self.deleted && labelled.is_none() && world.any_deleted(kind),
        };
        for row in self.candidates(world, (side, kind), parent, labelled) {
            if counted && page.rows.len() >= limit {
                break;
            }
            if !self.passes(world, (side, kind), row, &left) {
                continue;
            }
            if !counted {
                page.matched += 1;
            }
            if page.rows.len() < limit {
                page.rows.push(row.clone());
            }
        }
        page
    }

    /// The rows that may pass, by the narrowest index that applies.
    fn candidates<'a>(
        &'a self,
        world: &'a World,
        (side, kind): (Side, Kind),
        parent: Option<Id>,
        labelled: Option<Labelled>,
    ) -> Box<dyn Iterator<Item = &'a Row> + 'a> {
        if let (Some(set), Some(reference)) = (&self.external.0, &self.external.1)
            && side == Side::Draft
        {
            let id = world.by_external(kind, set, reference);
            let id = id.filter(|id| labelled.as_ref().is_none_or(|l| l.has(world, *id)));
            return Box::new(id.and_then(|id| world.row(kind, id)).into_iter());
        }
        match (labelled, parent) {
            (Some(labelled), _) => {
                Box::new(labelled.ids(world).filter_map(move |id| world.row(kind, id)))
            }
            (None, Some(p)) => Box::new(world.children(kind, p)),
            (None, None) if descriptor(kind).is_some_and(|d| d.newest_first) => {
                Box::new(world.rows(kind).rev().map(|(_, r)| r))
            }
            (None, None) => Box::new(world.rows(kind).map(|(_, r)| r)),
        }
    }

    /// Whether a row is shown.
    fn passes(
        &self,
        world: &World,
        (side, kind): (Side, Kind),
        row: &Row,
        left: &Left<'_>,
    ) -> bool {
        if !on(row, side, kind) || (left.deleted && row.soft_deleted()) {
            return false;
        }
        let active = side == Side::Active && kind.is_policy();
        let Some(obj) = (if active { &row.active } else { &row.draft }) else { return false };
        let same = |name: &str, wanted: &Option<String>| {
            wanted.as_deref().is_none_or(|w| obj.doc.str(name) == Some(w))
        };
        same("external_data_set", &self.external.0)
            && same("external_data_reference", &self.external.1)
            && left.labels.is_none_or(|lists| carries(obj, lists))
            && self.predicates.iter().all(|p| p(world, obj))
    }
}

fn on(row: &Row, side: Side, kind: Kind) -> bool {
    side == Side::Draft || !kind.is_policy() || row.active.is_some()
}

fn known(d: Option<&Descriptor>) -> String {
    let mut names: Vec<&str> = vec!["max_results"];
    if let Some(d) = d {
        names.extend(d.filters.keys().map(String::as_str));
        if d.external_data {
            names.extend(["external_data_set", "external_data_reference"]);
        }
    }
    names.join(", ")
}

/// Whether an object refers to all labels of one of the lists.
fn carries(obj: &crate::world::Obj, lists: &[Vec<Id>]) -> bool {
    let mut labels = Vec::new();
    obj.doc.for_each_ref(&mut |k, i| labels.extend((k == Kind::Label).then_some(i)));
    lists.iter().any(|list| !list.is_empty() && list.iter().all(|l| labels.contains(l)))
}

/// Objects of a kind that refer to all labels of one of some lists, by the index.
enum Labelled {
    /// Those with one label: known without looking at each.
    One(Side, Kind, Id),
    /// Their ids in order.
    Found(Vec<Id>),
}

impl Labelled {
    fn of(world: &World, (side, kind): (Side, Kind), lists: &[Vec<Id>]) -> Self {
        if let [list] = lists
            && let [label] = list.as_slice()
        {
            return Self::One(side, kind, *label);
        }
        let mut found: Vec<Id> = Vec::new();
        for list in lists {
            let label = |id: Id| (Kind::Label, id);
            let mut labels = list.clone();
            labels.sort_by_key(|l| world.count_referrers(side, label(*l), kind));
            let Some((rarest, others)) = labels.split_first() else { continue };
            let ids = world.referrers_of(side, label(*rarest), kind);
            found.extend(
                ids.filter(|id| others.iter().all(|l| world.refers(side, label(*l), (kind, *id)))),
            );
        }
        if lists.len() > 1 {
            found.sort_unstable();
            found.dedup();
        }
        Self::Found(found)
    }

    fn count(&self, world: &World) -> usize {
        match self {
            Self::One(side, kind, l) => world.count_referrers(*side, (Kind::Label, *l), *kind),
            Self::Found(ids) => ids.len(),
        }
    }

    fn has(&self, world: &World, id: Id) -> bool {
        match self {
            Self::One(side, kind, l) => world.refers(*side, (Kind::Label, *l), (*kind, id)),
            Self::Found(ids) => ids.binary_search(&id).is_ok(),
        }
    }

    /// The ids in order.
    fn ids(self, world: &World) -> Box<dyn Iterator<Item = Id> + '_> {
        match self {
            Self::One(side, kind, l) => Box::new(world.referrers_of(side, (Kind::Label, l), kind)),
            Self::Found(ids) => Box::new(ids.into_iter()),
        }
    }
}

/// Reads a JSON list of lists of label hrefs.
///
/// # Errors
/// 406 for any other text; `invalid_uri` for an href that is no label of the organisation.
pub fn label_lists(world: &World, value: &str) -> Result<Vec<Vec<Id>>, ApiError> {
    let bad = || ApiError::input("`labels` is a JSON list of lists of label hrefs");
    let json: serde_json::Value = serde_json::from_str(value).map_err(|_| bad())?;
    let outer = json.as_array().ok_or_else(bad)?;
    let one = |list: &[serde_json::Value]| -> Result<Vec<Id>, ApiError> {
        list.iter().map(|v| label(world, v.as_str().ok_or_else(bad)?)).collect()
    };
    outer.iter().map(|v| one(v.as_array().ok_or_else(bad)?)).collect()
}

fn label(world: &World, s: &str) -> Result<Id, ApiError> {
    match s.parse::<AnyHref>() {
        Ok(h) if h.kind == Kind::Label && h.org == Some(world.org) => Ok(h.id),
        _ => Err(ApiError::invalid_uri(s)),
    }
}

#[derive(Clone, Copy)]
enum Bound {
    Equal,
    AtLeast,
    AtMost,
}

fn split_bound(name: &str) -> (&str, Bound) {
    if let Some(base) = name.strip_suffix("[gte]") {
        return (base, Bound::AtLeast);
    }
    name.strip_suffix("[lte]").map_or((name, Bound::Equal), |base| (base, Bound::AtMost))
}

enum BoundValue {
    Time(jiff::Timestamp),
    Number(f64),
    Version(Vec<u64>),
}

fn numbers(s: &str) -> Vec<u64> {
    s.split(['.', '-']).map_while(|p| p.parse().ok()).collect()
}

fn bound_value(name: &str, value: &str) -> Result<BoundValue, ApiError> {
    if let Ok(t) = value.parse::<jiff::Timestamp>() {
        return Ok(BoundValue::Time(t));
    }
    if let Ok(n) = value.parse::<f64>() {
        return Ok(BoundValue::Number(n));
    }
    let version = numbers(value);
    if name == "version" && !version.is_empty() {
        return Ok(BoundValue::Version(version));
    }
    Err(ApiError::input(format!("`{name}` takes a full RFC 3339 time or a number")))
}

fn within(v: &Val, bound: Bound, wanted: &BoundValue) -> bool {
    let order = match (v, wanted) {
        (Val::Str(s), BoundValue::Time(w)) => s.parse::<jiff::Timestamp>().ok().map(|t| t.cmp(w)),
        (Val::Int(i), BoundValue::Number(w)) => (*i as f64).partial_cmp(w),
        (Val::Float(f), BoundValue::Number(w)) => f.partial_cmp(w),
        (Val::Str(s), BoundValue::Version(w)) => Some(numbers(s).cmp(w)),
        (Val::Str(s), BoundValue::Number(_)) => {
            let BoundValue::Number(w) = wanted else { return false };
            numbers(s).first().and_then(|n| (*n as f64).partial_cmp(w))
        }
        _ => None,
    };
    order.is_some_and(|o| match bound {
        Bound::Equal => o.is_eq(),
        Bound::AtLeast => o.is_ge(),
        Bound::AtMost => o.is_le(),
    })
}

enum Wanted {
    Bool(bool),
    Int(i64),
    Text(String),
}

fn exact(name: &str, f: &'static Filter, value: &str) -> Result<Wanted, ApiError> {
    let schema = f.schema.as_ref().map(bulkhead_api::resolved);
    let kind = schema.and_then(|s| s.get("type")).and_then(serde_json::Value::as_str);
    match kind {
        Some("boolean") => boolean(name, value).map(Wanted::Bool),
        Some("integer" | "number") => value
            .parse()
            .map(Wanted::Int)
            .map_err(|_| ApiError::input(format!("`{name}` is a whole number"))),
        _ => {
            let values = schema.and_then(|s| s.get("enum")).and_then(serde_json::Value::as_array);
            if let Some(values) = values
                && !values.iter().any(|v| v.as_str() == Some(value))
            {
                let all: Vec<&str> = values.iter().filter_map(serde_json::Value::as_str).collect();
                return Err(ApiError::input(format!("`{name}` is one of {}", all.join(", "))));
            }
            Ok(Wanted::Text(value.to_owned()))
        }
    }
}

fn equals(v: &Val, wanted: &Wanted) -> bool {
    match (v, wanted) {
        (Val::Bool(a), Wanted::Bool(b)) => a == b,
        (Val::Int(a), Wanted::Int(b)) => a == b,
        (Val::Str(a), Wanted::Text(b)) => a.as_ref() == b,
        (Val::Int(a), Wanted::Text(b)) => b.parse() == Ok(*a),
        _ => false,
    }
}

fn holds(v: &Val, needle: &str) -> bool {
    v.as_str().is_some_and(|s| s.to_lowercase().contains(needle))
}

fn refers(v: &Val, h: &AnyHref) -> bool {
    let mut found = false;
    v.for_each_ref(&mut |k, i| found |= k == h.kind && i == h.id);
    found
}

/// Whether any value at a path (dots between members, `[]` for any element) passes.
pub fn any(v: &Val, path: &str, test: &mut dyn FnMut(&Val) -> bool) -> bool {
    if path.is_empty() {
        return test(v);
    }
    let (head, rest) = path.split_once('.').unwrap_or((path, ""));
    match head.strip_suffix("[]") {
        Some("") => v.items().iter().any(|e| any(e, rest, test)),
        Some(name) => v.list(name).iter().any(|e| any(e, rest, test)),
        None => match v.get(head) {
            Some(Val::Arr(list)) if rest.is_empty() => {
                list.iter().any(&mut *test) || v.get(head).is_some_and(&mut *test)
            }
            Some(Val::Arr(list)) => list.iter().any(|e| any(e, rest, test)),
            Some(w) => any(w, rest, test),
            None => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::txn::{Origin, Txn};
    use crate::world::Obj;
    use serde_json::json;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const ALL: u64 = 4_000;
    const EVERY: u64 = 100;

    /// Workloads of which every hundredth has label 1, and every two hundredth label 2 too.
    fn labelled() -> World {
        let origin = Origin::default();
        let mut txn = Txn::new(World::empty(1), &origin, jiff::Timestamp::UNIX_EPOCH);
        let mut save = |kind, n: u64, doc: serde_json::Value| {
            txn.save(Obj::new(kind, Id::int(n), None, Val::from_json(&doc)));
        };
        for n in 1..=2 {
            save(Kind::Label, n, json!({"key": "app", "value": n.to_string()}));
        }
        for n in 1..=ALL {
            let labels: Vec<_> = [(1, EVERY), (2, 2 * EVERY)]
                .iter()
                .filter(|(_, step)| n % step == 0)
                .map(|(label, _)| json!({"href": format!("/orgs/1/labels/{label}")}))
                .collect();
            save(Kind::Workload, n, json!({"name": format!("w{n}"), "labels": labels}));
        }
        txn.world
    }

    fn query(world: &World, parameters: &[(&str, &str)]) -> Query {
        let owned: Vec<(String, String)> =
            parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Query::parse(world, Side::Draft, Kind::Workload, &owned)
            .unwrap_or_else(|e| panic!("{parameters:?}: {e:?}"))
    }

    #[test]
    fn a_label_filter_looks_at_nothing_but_what_it_selects() {
        let world = labelled();
        let labels = r#"[["/orgs/1/labels/1"]]"#;
        let mut q = query(&world, &[("labels", labels), ("max_results", "30")]);
        let looked = Arc::new(AtomicUsize::new(0));
        let count = looked.clone();
        q.predicates.push(Box::new(move |_, _| {
            count.fetch_add(1, Ordering::Relaxed);
            true
        }));
        let page = q.run(&world, Side::Draft, Kind::Workload, None);
        assert_eq!((page.rows.len(), page.matched), (30, (ALL / EVERY) as usize));
        assert_eq!(page.total, ALL as usize);
        assert_eq!(looked.load(Ordering::Relaxed), (ALL / EVERY) as usize);
    }

    #[test]
    fn counts_of_a_plain_label_filter() {
        let world = labelled();
        for (labels, want) in [
            (r#"[["/orgs/1/labels/1"]]"#, ALL / EVERY),
            (r#"[["/orgs/1/labels/1","/orgs/1/labels/2"]]"#, ALL / EVERY / 2),
            (r#"[["/orgs/1/labels/1"],["/orgs/1/labels/2"]]"#, ALL / EVERY),
            (r#"[["/orgs/1/labels/3"]]"#, 0),
        ] {
            let page = query(&world, &[("labels", labels), ("max_results", "10")]).run(
                &world,
                Side::Draft,
                Kind::Workload,
                None,
            );
            assert_eq!(page.matched, want as usize, "{labels}");
            assert_eq!(page.rows.len(), page.matched.min(10), "{labels}");
        }
    }

    #[test]
    fn values_that_a_filter_cannot_take_are_refused() {
        let world = World::empty(1);
        for (name, value) in [
            ("labels", r#"["/orgs/1/labels/1"]"#),
            ("labels", "[[7]]"),
            ("labels", r#"[["/orgs/2/labels/1"]]"#),
            ("enforcement_mode", "blocking"),
            ("managed", "perhaps"),
            ("soft_deleted", "perhaps"),
            ("max_results", "-1"),
            ("colour", "red"),
        ] {
            let parameters = [(name.to_owned(), value.to_owned())];
            let parsed = Query::parse(&world, Side::Draft, Kind::Workload, &parameters);
            assert!(parsed.is_err(), "{name}={value}");
        }
    }
}
