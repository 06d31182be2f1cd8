//! Rule search.
//!
//! Source: REST API guide 22.2, "Rule Search"; schema `sec_policy_rule_search_post` of 26.3. What matches:
//! [`bulkhead_engine::search`].

use crate::compute::convert::{actors, change, ports, principal};
use crate::doc::Val;
use crate::http::{Cx, Reply};
use crate::render::View;
use crate::resource::refs;
use crate::world::{Obj, Row, Side, World};
use crate::x::blocking;
use bulkhead_api::{ApiError, limits};
use bulkhead_engine::search::{Found, Query, RuleIndex, RuleKind, WantedService};
use bulkhead_ids::{Id, Kind};
use bulkhead_model::{RuleRef, Snapshot};
use bulkhead_store::UpdateType;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The members of an answer, in their order, with the kinds of rules they hold.
const TYPES: [(&str, RuleKind); 4] = [
    ("sec_rules", RuleKind::Allow),
    ("deny_rules", RuleKind::Deny),
    ("override_deny_rules", RuleKind::OverrideDeny),
    ("ip_tables_rules", RuleKind::IpTables),
];

/// A search as asked: what the index answers, and what only documents know.
struct Search {
    query: Query,
    description: Option<String>,
    update: Option<UpdateType>,
    /// Asked in the older form, which is answered as a plain list.
    old_form: bool,
    limit: usize,
}

fn search(world: &World, mut body: Value) -> Result<Search, ApiError> {
    refs::resolve(world, &mut body)?;
    let asked = |name: &str| body.get(name).is_some();
    let flag = |name: &str| body.get(name).and_then(Value::as_bool);
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let doc = Val::from_json(&body);
    let old_form = asked("max_results") || asked("providers_or_consumers");
    let named: Vec<RuleKind> = doc.list("rule_types").iter().filter_map(rule_type).collect();
    let kinds = if old_form && named.is_empty() { vec![RuleKind::Allow] } else { named };
    let groups = doc.list("consuming_security_principals").iter();
    let limit = body.get("max_results").and_then(Value::as_u64).unwrap_or(u64::MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(limits::RULE_SEARCH_ROWS_MAX);
    Ok(Search {
        query: Query {
            kinds,
            providers: actors(doc.list("providers")),
            consumers: actors(doc.list("consumers")),
            either: actors(doc.list("providers_or_consumers")),
            services: services(&doc),
            principals: groups.filter_map(principal).collect(),
            resolve: flag("resolve_actors").unwrap_or(false),
            enabled: flag("enabled"),
            sec_connect: flag("sec_connect"),
            machine_auth: flag("machine_auth"),
            stateless: flag("stateless"),
            unscoped_consumers: flag("unscoped_consumers"),
            all_ips_except_providers: flag("all_ips_except_for_in_providers"),
            all_ips_except_consumers: flag("all_ips_except_for_in_consumers"),
            ..Query::default()
        },
        description: text("description").map(str::to_lowercase),
        update: text("update_type").and_then(UpdateType::from_wire),
        old_form,
        limit,
    })
}

fn rule_type(name: &Val) -> Option<RuleKind> {
    TYPES.iter().find(|(n, _)| name.as_str() == Some(n)).map(|(_, kind)| *kind)
}

/// `ingress_services`: a list of services, or one.
fn services(doc: &Val) -> Vec<WantedService> {
    let one = |entry: &Val| match entry.target() {
        Some((_, id)) => WantedService::Service(id),
        None => WantedService::Entry {
            ports: ports(entry),
            process: entry.str("process_name").map(Into::into),
            windows_service: entry.str("service_name").map(Into::into),
        },
    };
    match doc.get("ingress_services") {
        Some(Val::Arr(list)) => list.iter().map(one).collect(),
        Some(entry @ Val::Obj(_)) => vec![one(entry)],
        _ => Vec::new(),
    }
}

/// Kind and id of the object behind a found rule.
const fn node(found: &Found) -> (Kind, Id) {
    match found {
        Found::Rule(RuleRef::Allow((_, id))) => (Kind::SecRule, *id),
        Found::Rule(RuleRef::Deny((_, id))) => (Kind::DenyRule, *id),
        Found::Rule(RuleRef::Boundary(id) | RuleRef::Essential(id)) => {
            (Kind::EnforcementBoundary, *id)
        }
        Found::IpTables((_, id)) => (Kind::IpTablesRule, *id),
    }
}

fn shown(side: Side, row: &Row) -> Option<(&Arc<Obj>, Option<UpdateType>)> {
    match side {
        Side::Draft => row.draft.as_ref().map(|o| (o, row.pending)),
        Side::Active => row.active.as_ref().map(|o| (o, None)),
    }
}

impl Search {
    /// The kinds of objects that are searched.
    fn kinds(&self) -> BTreeSet<Kind> {
        let wanted = &self.query.kinds;
        let types = TYPES.iter().filter(|(_, kind)| wanted.is_empty() || wanted.contains(kind));
        let mut kinds: BTreeSet<Kind> = types.map(|(name, _)| kind_of(name)).collect();
        if kinds.contains(&Kind::DenyRule) {
            kinds.insert(Kind::EnforcementBoundary);
        }
        kinds
    }

    /// The rules of a side that are found, those that are pending deletion too.
    fn run(
        &self,
        world: &World,
        side: Side,
        (index, snapshot): (&RuleIndex, &Snapshot),
    ) -> Vec<Found> {
        let mut found = index.search(snapshot, &self.query);
        if side == Side::Draft {
            let leaving = leaving(world);
            found.extend(leaving.search(snapshot, &self.query));
            found.sort_unstable();
        }
        found.retain(|f| {
            let (kind, id) = node(f);
            let row = world.row(kind, id).and_then(|row| shown(side, row));
            row.is_some_and(|(obj, pending)| self.documented(obj, pending))
        });
        found
    }

    fn documented(&self, obj: &Obj, pending: Option<UpdateType>) -> bool {
        let text = || obj.doc.str("description").unwrap_or_default().to_lowercase();
        self.description.as_ref().is_none_or(|part| text().contains(part))
            && self.update.is_none_or(|update| pending == Some(update))
    }
}

/// The rules that are pending deletion, as they were: the draft's engine does not know them.
fn leaving(world: &World) -> RuleIndex {
    let mut index = RuleIndex::default();
    for (kind, id, update) in world.pending() {
        if update == UpdateType::Delete
            && let Some(obj) = world.get(kind, id)
            && let Some(change) = change(kind, id, obj.parent, Some(obj))
        {
            index.apply(&change);
        }
    }
    index
}

/// Adds a found rule to its list of an answer.
pub(super) fn rules_json(
    lists: &mut [Vec<u8>; 4],
    n: usize,
    view: &View<'_>,
    (side, found): (Side, &Found),
) {
    let (Some(list), Some(rule)) = (lists.get_mut(n), rule(view, side, found)) else { return };
    if !list.is_empty() {
        list.push(b',');
    }
    list.extend_from_slice(&rule);
}

/// A found rule as answers show it: the rule, and the rule set it is in.
fn rule(view: &View<'_>, side: Side, found: &Found) -> Option<Vec<u8>> {
    let world = view.world;
    let (kind, id) = node(found);
    let (obj, pending) = shown(side, world.row(kind, id)?)?;
    let text: Bytes = view.obj(obj, pending);
    let mut out = text.strip_suffix(b"}").unwrap_or(&text).to_vec();
    let set = obj.parent.and_then(|set| world.row(Kind::RuleSet, set));
    let set = match set.and_then(|row| shown(side, row)) {
        Some((set, _)) => {
            let name = set.doc.str("name").unwrap_or_default();
            json!({"href": view.href(set), "name": name, "enabled": set.doc.is("enabled")})
        }
        None => Value::Null,
    };
    out.extend_from_slice(b",\"rule_set\":");
    out.extend_from_slice(set.to_string().as_bytes());
    out.push(b'}');
    Some(out)
}

/// Answers a search.
pub(super) async fn rule_search(cx: &Cx) -> Result<Reply, ApiError> {
    let (search, side, pv) = (search(&cx.world, cx.body.clone())?, cx.side()?, cx.pv()?);
    let world = cx.world().await?;
    let caps = TYPES.map(|(name, _)| cx.caps(kind_of(name)));
    let (app, now) = (cx.app.clone(), cx.world.clone());
    let _turn = cx.app.searches.acquire().await.map_err(|e| ApiError::Internal(e.to_string()))?;
    blocking(move || {
        let found = app.compute.ask_rules(&now, &world, side, |index, snapshot| {
            search.run(&world, side, (index, snapshot))
        });
        let matched = found.len();
        let mut lists: [Vec<u8>; 4] = Default::default();
        for found in found.iter().take(search.limit) {
            let n = list_of(&world, side, found);
            let Some(caps) = caps.get(n) else { continue };
            let view = View { world: &world, pv, caps: *caps, usage: false };
            rules_json(&mut lists, n, &view, (side, found));
        }
        let all: usize = search.kinds().iter().map(|kind| rules_of(&world, side, *kind)).sum();
        Reply::ok(answer(&lists, search.old_form))
            .with("x-matched-count", matched)
            .with("x-total-count", all)
    })
    .await
}

/// How many rules of a kind a side has.
fn rules_of(world: &World, side: Side, kind: Kind) -> usize {
    match side {
        Side::Draft => world.count(kind),
        Side::Active => world.count_active(kind),
    }
}

fn kind_of(name: &str) -> Kind {
    match name {
        "sec_rules" => Kind::SecRule,
        "ip_tables_rules" => Kind::IpTablesRule,
        _ => Kind::DenyRule,
    }
}

/// Which member of the answer a rule belongs to.
pub(super) fn list_of(world: &World, side: Side, found: &Found) -> usize {
    match node(found) {
        (Kind::SecRule, _) => 0,
        (Kind::IpTablesRule, _) => 3,
        (kind, id) => {
            let row = world.row(kind, id).and_then(|row| shown(side, row));
            if row.is_some_and(|(obj, _)| obj.doc.is("override")) { 2 } else { 1 }
        }
    }
}

fn answer(lists: &[Vec<u8>; 4], old_form: bool) -> Vec<u8> {
    let mut out = Vec::new();
    if old_form {
        out.push(b'[');
        let full: Vec<&[u8]> = lists.iter().filter(|l| !l.is_empty()).map(|l| &**l).collect();
        out.extend_from_slice(&full.join(&b","[..]));
        out.push(b']');
        return out;
    }
    for (n, (list, (name, _))) in lists.iter().zip(TYPES).enumerate() {
        out.extend_from_slice(if n == 0 { b"{\"" } else { b",\"" });
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":[");
        out.extend_from_slice(list);
        out.push(b']');
    }
    out.push(b'}');
    out
}
