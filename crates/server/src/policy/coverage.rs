//! Rule coverage: which rules cover given services between given ends.
//!
//! Source: schemas `sec_policy_rule_coverage_post` and its response of 26.3. The ends are matched as a
//! resolved rule search does; a rule counts when it is switched on and lets the whole service through.

use crate::compute::convert::{actors, ports};
use crate::compute::reasons::Names;
use crate::doc::Val;
use crate::http::{Cx, Reply};
use crate::resource::refs;
use crate::x::blocking;
use bulkhead_api::ApiError;
use bulkhead_engine::search::{Found, Query, RuleIndex, RuleKind, WantedService};
use bulkhead_model::{Actor, Resolve, Snapshot};
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Names of the members for each kind of rule: edges, rules.
const KINDS: [(RuleKind, &str, &str); 3] = [
    (RuleKind::Allow, "edges", "rules"),
    (RuleKind::Deny, "deny_edges", "deny_rules"),
    (RuleKind::OverrideDeny, "override_deny_edges", "override_deny_rules"),
];

/// One pair of ends with its services.
struct Entry {
    query: Query,
    services: Vec<WantedService>,
}

fn end(doc: &Val, name: &str) -> Vec<Actor> {
    let Some(end) = doc.get(name) else { return Vec::new() };
    if end.get("actors").is_some() {
        return vec![Actor::AllWorkloads];
    }
    let labels = end.list("labels").iter().filter_map(Val::target);
    let labels = labels.map(|(_, id)| Actor::Label { id, exclusion: false });
    match end.get("labels") {
        Some(_) => labels.collect(),
        None => actors(std::slice::from_ref(end)),
    }
}

fn labels_as(doc: &Val, name: &str) -> Option<Resolve> {
    let kinds = doc.get("resolve_labels_as")?.get(name)?.items();
    let has = |kind: &str| kinds.iter().any(|k| k.as_str() == Some(kind));
    Some(Resolve { workloads: has("workloads"), virtual_services: has("virtual_services") })
}

fn service(doc: &Val) -> WantedService {
    let proto = doc.int("protocol").unwrap_or(-1);
    let port = doc.int("port").filter(|p| *p >= 0);
    let entry = json!({"proto": proto, "port": port});
    WantedService::Flow {
        ports: ports(&Val::from_json(&entry)),
        process: doc.str("process_name").map(Into::into),
        windows_service: doc.str("windows_service_name").map(Into::into),
    }
}

fn entry(doc: &Val) -> Entry {
    let query = Query {
        providers: end(doc, "destination"),
        consumers: end(doc, "source"),
        labels_as: [labels_as(doc, "destination"), labels_as(doc, "source")],
        resolve: true,
        effective: true,
        ..Query::default()
    };
    Entry { query, services: doc.list("services").iter().map(service).collect() }
}

/// Numbers of rules in the order in which they are first named.
#[derive(Default)]
struct Numbers(BTreeMap<Found, usize>);

impl Numbers {
    fn of(&mut self, found: Found) -> String {
        let next = self.0.len();
        self.0.entry(found).or_insert(next).to_string()
    }

    fn shown(&self, names: &Names) -> Value {
        let href = |found: &Found| match found {
            Found::Rule(rule) => names.rule(*rule),
            Found::IpTables(key) => names.ip_tables_rule(*key),
        };
        self.0
            .iter()
            .map(|(f, n)| (n.to_string(), Value::from(href(f))))
            .collect::<Map<_, _>>()
            .into()
    }
}

/// The edges and rules of the first `kinds` kinds of rules.
fn cover(
    entries: &[Entry],
    kinds: usize,
    names: &Names,
    (index, snapshot): (&RuleIndex, &Snapshot),
) -> Value {
    let mut out = Map::new();
    for (kind, edges, rules) in KINDS.iter().take(kinds) {
        let mut numbers = Numbers::default();
        let one = |entry: &Entry, service: &WantedService, numbers: &mut Numbers| -> Value {
            let mut query = entry.query.clone();
            query.kinds = vec![*kind];
            query.services = vec![service.clone()];
            let found = index.search(snapshot, &query);
            found.into_iter().map(|f| Value::from(numbers.of(f))).collect()
        };
        let mut list = Vec::with_capacity(entries.len());
        for entry in entries {
            let services = entry.services.iter().map(|s| one(entry, s, &mut numbers));
            list.push(services.collect::<Value>());
        }
        out.insert((*edges).to_owned(), list.into());
        out.insert((*rules).to_owned(), numbers.shown(names));
    }
    out.into()
}

/// Answers the entries of the body in their order.
pub(super) async fn rule_coverage(cx: &Cx) -> Result<Reply, ApiError> {
    let mut body = cx.body.clone();
    refs::resolve(&cx.world, &mut body)?;
    let entries: Vec<Entry> = Val::from_json(&body).items().iter().map(entry).collect();
    let denies = cx.query("include_deny_rules").is_some_and(|v| v.eq_ignore_ascii_case("true"));
    let (side, names) = (cx.side()?, Names { org: cx.org, pv: cx.pv()? });
    let kinds = if denies { KINDS.len() } else { 1 };
    let (app, now, world) = (cx.app.clone(), cx.world.clone(), cx.world().await?);
    let shown = blocking(move || {
        app.compute.ask_rules(&now, &world, side, |index, snapshot| {
            cover(&entries, kinds, &names, (index, snapshot))
        })
    })
    .await?;
    Ok(Reply::json(StatusCode::OK, &shown))
}
