//! `GET /orgs/:org/x/workloads/:id/policy`: what a workload must enforce, with reasons.

use crate::compute::reasons::Names;
use crate::http::{Cx, Reply};
use bulkhead_api::{ApiError, limits};
use bulkhead_engine::Engine;
use bulkhead_ids::{Id, Kind, PolicyVersion};
use bulkhead_model::{AddressSets, Entry, EntryFlags, Intent, Peers, RuleRef, ServiceMatch};
use bulkhead_netset::{IpRange, ProtoPorts};
use http::StatusCode;
use serde_json::{Map, Value, json};

pub(super) async fn policy(cx: &Cx) -> Result<Reply, ApiError> {
    let id = cx.id(Kind::Workload, "id")?;
    let workload = cx.world.get(Kind::Workload, id).filter(|w| !w.doc.is("deleted"));
    if workload.is_none() {
        return Err(ApiError::NotFound);
    }
    let pv = super::version(cx, PolicyVersion::Active)?;
    let names = Names { org: cx.org, pv };
    let shown = super::with_engine(cx, pv, move |engine| {
        let managed = engine.snapshot().workloads.get(&id).is_some_and(|w| w.managed);
        engine.policy(id).map(|intent| whole(&names, engine, (id, managed), &intent))
    })
    .await?;
    shown.map(|value| Reply::json(StatusCode::OK, &value)).ok_or(ApiError::NotFound)
}

fn whole(names: &Names, sets: &Engine, (id, managed): (Id, bool), intent: &Intent) -> Value {
    let table = &intent.table;
    let custom = table.custom.iter().map(|c| json!({"href": names.ip_tables_rule(c.rule)}));
    let settings = [
        (table.static_policy, "static_policy"),
        (table.reject_blocked, "reject_blocked"),
        (table.loopback_in_policy, "loopback_in_policy"),
        (table.containers_inherit, "containers_inherit"),
    ];
    let settings = settings.iter().filter(|(on, _)| *on).map(|(_, name)| *name);
    json!({
        "workload": {"href": names.workload(id)},
        "managed": managed,
        "enforcement_mode": intent.mode.as_str(),
        "inbound": entries(names, sets, table.inbound.iter().map(|e| &**e)),
        "outbound": entries(names, sets, table.outbound.iter().map(|e| &**e)),
        "ip_tables_rules": custom.collect::<Vec<Value>>(),
        "settings": settings.collect::<Vec<_>>(),
    })
}

/// Entries as answers show them, in order of precedence.
pub(super) fn entries<'a>(
    names: &Names,
    sets: &dyn AddressSets,
    entries: impl Iterator<Item = &'a Entry>,
) -> Vec<Value> {
    entries.map(|e| entry(names, sets, e)).collect()
}

fn entry(names: &Names, sets: &dyn AddressSets, entry: &Entry) -> Value {
    let rule = |rule: &RuleRef| json!({"href": names.rule(*rule)});
    let mut out = json!({
        "effect": entry.effect.as_str(),
        "peers": peers(sets, &entry.peers),
        "services": entry.services.iter().map(service).collect::<Vec<Value>>(),
        "rules": entry.rules.iter().map(rule).collect::<Vec<Value>>(),
    });
    let flags = flags(&entry.flags);
    if let (Some(out), false) = (out.as_object_mut(), flags.is_empty()) {
        out.insert("flags".into(), flags.into());
    }
    out
}

fn peers(sets: &dyn AddressSets, peers: &Peers) -> Value {
    match peers {
        Peers::Any => json!({"any": true}),
        Peers::Names(names) => json!({"fqdns": names.iter().map(|n| &**n).collect::<Vec<_>>()}),
        Peers::Set(id) => {
            let mut out = Map::new();
            out.insert("set".into(), hex(id.0).into());
            let set = sets.addresses(*id).unwrap_or_default();
            let shown: Vec<Value> =
                set.ranges().take(limits::INTENT_RANGES_MAX).map(|r| range(&r).into()).collect();
            let more = set.range_count() - shown.len();
            out.insert("ranges".into(), shown.into());
            if more > 0 {
                out.insert("more".into(), more.into());
            }
            out.into()
        }
    }
}

/// The sixteen bytes of a set id.
pub(super) fn hex(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// A range as an address, a prefix, or first and last address.
fn range(range: &IpRange) -> String {
    match range.as_cidr() {
        Some(_) if range.first() == range.last() => range.first().to_string(),
        Some(cidr) => cidr.to_string(),
        None => format!("{}-{}", range.first(), range.last()),
    }
}

fn service(service: &ServiceMatch) -> Value {
    let ports: Vec<Value> = match service.ports.is_all() {
        true => vec!["all".into()],
        false => service.ports.entries().map(|e: ProtoPorts| e.to_string().into()).collect(),
    };
    let mut out = json!({"ports": ports});
    if let Some(out) = out.as_object_mut() {
        let mut put = |name: &str, value: &Option<std::sync::Arc<str>>| {
            if let Some(value) = value {
                out.insert(name.into(), Value::from(&**value));
            }
        };
        put("process_name", &service.process);
        put("windows_service_name", &service.windows_service);
    }
    out
}

fn flags(flags: &EntryFlags) -> Vec<Value> {
    let on = [
        (flags.stateless, "stateless"),
        (flags.sec_connect, "sec_connect"),
        (flags.machine_auth, "machine_auth"),
        (flags.no_log, "no_log"),
        (flags.internal_bridge, "internal_bridge"),
        (!flags.principals.is_empty(), "user_groups"),
    ];
    on.iter().filter(|(on, _)| *on).map(|(_, name)| (*name).into()).collect()
}
