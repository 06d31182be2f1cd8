//! Rules of every kind.

use super::actors::actors;
use super::{services, target, targets};
use crate::doc::Val;
use bulkhead_ids::{AnyHref, Id};
use bulkhead_model::{
    AllowRule, DenyRule, IpTablesRule, IpTablesStatement, NetworkType, Resolve, ServiceRef,
};

fn names(list: &[Val], name: &str) -> bool {
    list.iter().any(|v| v.as_str() == Some(name))
}

fn resolve(doc: &Val, side: &str) -> Resolve {
    let kinds = doc.get("resolve_labels_as").map(|r| r.list(side)).unwrap_or_default();
    Resolve {
        workloads: names(kinds, "workloads"),
        virtual_services: names(kinds, "virtual_services"),
    }
}

fn network_type(doc: &Val) -> NetworkType {
    match doc.str("network_type") {
        Some("non_brn") => NetworkType::NonBrn,
        Some("all") => NetworkType::All,
        _ => NetworkType::Brn,
    }
}

/// The services of a rule, as in a body or a document.
pub fn service_refs(doc: &Val) -> Vec<ServiceRef> {
    let one = |entry: &Val| match entry.target() {
        Some((_, id)) => ServiceRef::Service(id),
        None => ServiceRef::Inline(services::ports(entry)),
    };
    doc.list("ingress_services").iter().map(one).collect()
}

pub(super) fn allow(doc: &Val) -> AllowRule {
    let subnets = doc.list("use_workload_subnets");
    AllowRule {
        enabled: doc.is("enabled"),
        providers: actors(doc.list("providers")),
        consumers: actors(doc.list("consumers")),
        services: service_refs(doc),
        egress_services: targets(doc.list("egress_services")),
        resolve_providers: resolve(doc, "providers"),
        resolve_consumers: resolve(doc, "consumers"),
        unscoped_consumers: doc.is("unscoped_consumers"),
        provider_subnets: names(subnets, "providers"),
        consumer_subnets: names(subnets, "consumers"),
        all_ips_except_providers: doc.is("all_ips_except_for_in_providers"),
        all_ips_except_consumers: doc.is("all_ips_except_for_in_consumers"),
        sec_connect: doc.is("sec_connect"),
        machine_auth: doc.is("machine_auth"),
        stateless: doc.is("stateless"),
        network_type: network_type(doc),
        no_log: matches!(doc.get("log_flow"), Some(Val::Bool(false))),
        principals: principals(doc),
    }
}

/// The user group of a `{"href": ...}`, which is kept with the SID as text.
pub fn principal(entry: &Val) -> Option<Id> {
    match entry.target() {
        Some((_, id)) => Some(id),
        None => Some(entry.str("href")?.parse::<AnyHref>().ok()?.id),
    }
}

fn principals(doc: &Val) -> Vec<Id> {
    let list = doc.list("consuming_security_principals");
    let mut ids: Vec<Id> = list.iter().filter_map(principal).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

pub(super) fn deny(doc: &Val) -> DenyRule {
    DenyRule {
        enabled: doc.is("enabled"),
        override_deny: doc.is("override"),
        providers: actors(doc.list("providers")),
        consumers: actors(doc.list("consumers")),
        services: service_refs(doc),
        egress_services: targets(doc.list("egress_services")),
        unscoped_consumers: doc.is("unscoped_consumers"),
        all_ips_except_providers: false,
        all_ips_except_consumers: false,
        network_type: network_type(doc),
        no_log: false,
    }
}

/// An enforcement boundary: a deny rule without scope, that never overrides.
pub(super) fn boundary(doc: &Val) -> DenyRule {
    DenyRule { override_deny: false, unscoped_consumers: true, ..deny(doc) }
}

pub(super) fn ip_tables(doc: &Val) -> IpTablesRule {
    let text = |s: &Val, name| s.str(name).unwrap_or_default().into();
    let statement = |s: &Val| IpTablesStatement {
        table: text(s, "table_name"),
        chain: text(s, "chain_name"),
        parameters: text(s, "parameters"),
    };
    IpTablesRule {
        enabled: doc.is("enabled"),
        actors: actors(doc.list("actors")),
        ipv6: doc.str("ip_version") == Some("6"),
        statements: doc.list("statements").iter().map(statement).collect(),
    }
}

/// The service object of a virtual service or server.
pub(super) fn service_of(doc: &Val) -> Option<Id> {
    target(doc, "service")
}
