//! Settings of an organisation.

use super::{Hooks, crud};
use crate::http::{Cx, Handler, Reply, standard};
use crate::tasks::Task;
use crate::txn::Txn;
use crate::world::{Obj, Side, World};
use bulkhead_api::ApiError;
use bulkhead_ids::{AnyHref, Kind};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

type Doc = Map<String, Value>;

/// What OrgSettings adds to the common mechanism.
pub const ORG_SETTINGS_HOOKS: Hooks = Hooks { check: Some(org_settings), ..Hooks::NONE };

/// What EventSettings adds to the common mechanism.
pub const EVENT_SETTINGS_HOOKS: Hooks = Hooks::NONE;

/// What WorkloadSettings adds to the common mechanism.
pub const WORKLOAD_SETTINGS_HOOKS: Hooks = Hooks { check: Some(workload_settings), ..Hooks::NONE };

/// What SyslogDestination adds to the common mechanism.
pub const SYSLOG_DESTINATION_HOOKS: Hooks =
    Hooks { check: Some(syslog), deletable: Some(syslog_deletable), ..Hooks::NONE };

/// What TrafficCollector adds to the common mechanism.
pub const TRAFFIC_COLLECTOR_HOOKS: Hooks = Hooks { check: Some(collector), ..Hooks::NONE };

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "event_settings_update" => Some(|cx| Box::pin(update_event_settings(cx))),
        _ => None,
    }
}

async fn update_event_settings(cx: &Cx) -> Result<Reply, ApiError> {
    let reply = standard::update(cx).await?;
    cx.app.signals.wake(Task::PruneEvents);
    Ok(reply)
}

fn text<'a>(doc: &'a Doc, name: &str) -> Option<&'a str> {
    doc.get(name).and_then(Value::as_str)
}

fn on(doc: &Doc, name: &str) -> bool {
    doc.get(name).and_then(Value::as_bool).unwrap_or_default()
}

fn list<'a>(doc: &'a Doc, name: &str) -> &'a [Value] {
    doc.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Puts back what the old object holds of a member and the new one does not name.
fn keep_members(org: u32, doc: &mut Doc, old: Option<&Obj>, names: &[&str]) {
    let Some(old) = old.map(|o| crud::document(org, o)) else { return };
    for name in names {
        if let (Some(Value::Object(new)), Some(Value::Object(old))) =
            (doc.get_mut(*name), old.get(*name))
        {
            for (key, value) in old {
                new.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
    }
}

fn org_settings(_txn: &mut Txn<'_>, doc: &mut Doc, _old: Option<&Obj>) -> Result<(), ApiError> {
    let schedule = doc.get("rule_based_label_maker_schedule").and_then(Value::as_object);
    let Some(schedule) = schedule else {
        if on(doc, "rule_based_label_maker_schedule_enabled") {
            return Err(ApiError::input(
                "`rule_based_label_maker_schedule_enabled` needs `rule_based_label_maker_schedule`",
            ));
        }
        return Ok(());
    };
    let days = !list(schedule, "day_of_week").is_empty();
    match text(schedule, "frequency") {
        Some("weekly") if !days => Err(ApiError::input("a weekly schedule needs `day_of_week`")),
        Some("monthly") if !schedule.contains_key("day_of_month") => {
            Err(ApiError::input("a monthly schedule needs `day_of_month`"))
        }
        _ => Ok(()),
    }
}

const TIMEOUTS: &[&str] = &[
    "workload_disconnected_timeout_seconds",
    "workload_goodbye_timeout_seconds",
    "workload_disconnected_notification_seconds",
    "ven_uninstall_timeout_hours",
];

fn workload_settings(txn: &mut Txn<'_>, doc: &mut Doc, _: Option<&Obj>) -> Result<(), ApiError> {
    for name in TIMEOUTS {
        let typed = *name != "ven_uninstall_timeout_hours";
        let Some(entries) = doc.get_mut(*name).and_then(Value::as_array_mut) else { continue };
        let mut seen: Vec<(Vec<String>, Value)> = Vec::new();
        for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
            let notification = *name == "workload_disconnected_notification_seconds";
            let given = entry.get("ven_type").is_some_and(|t| !t.is_null());
            if notification && !given {
                entry.insert("ven_type".into(), "server".into());
            }
            let scope = scope(&txn.world, list(entry, "scope"), name)?;
            let server = json!("server");
            let of = entry.get("ven_type").filter(|t| !t.is_null()).unwrap_or(&server);
            let key = (scope, if typed { of.clone() } else { Value::Null });
            if seen.contains(&key) {
                return Err(ApiError::input(format!(
                    "`{name}` has two entries with the same scope and ven_type"
                )));
            }
            seen.push(key);
        }
    }
    Ok(())
}

/// The labels of a scope in order; at most one of each key.
fn scope(world: &World, labels: &[Value], name: &str) -> Result<Vec<String>, ApiError> {
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    for label in labels {
        let href = label.get("href").and_then(Value::as_str).unwrap_or_default();
        let parsed: AnyHref = href.parse().map_err(|_| ApiError::invalid_uri(href))?;
        let label = world.get(Kind::Label, parsed.id).filter(|_| parsed.kind == Kind::Label);
        let label = label.ok_or_else(|| ApiError::invalid_uri(href))?;
        let key = label.doc.str("key").unwrap_or_default().to_owned();
        if keys.insert(key.clone(), href.to_owned()).is_some() {
            return Err(ApiError::input(format!(
                "`{name}`: a scope has two labels of key `{key}`"
            )));
        }
    }
    Ok(keys.into_values().collect())
}

const LOGGERS: &[&str] =
    &["audit_event_logger", "traffic_event_logger", "node_status_logger", "remote_syslog"];

fn syslog(txn: &mut Txn<'_>, doc: &mut Doc, old: Option<&Obj>) -> Result<(), ApiError> {
    own_href(txn, doc, old)?;
    keep_members(txn.world.org, doc, old, LOGGERS);
    let kind = text(doc, "type").unwrap_or_default().to_owned();
    if old.is_some_and(|o| o.doc.str("type") != Some(&kind)) {
        return Err(ApiError::input("`type` of a destination cannot be changed"));
    }
    this_pce(txn, list(doc, "pce_scope"))?;
    if kind == "local_syslog" {
        if doc.contains_key("remote_syslog") {
            return Err(ApiError::input("a local destination has no `remote_syslog`"));
        }
        let mut all = txn.world.objects(Side::Draft, Kind::SyslogDestination);
        let other = all.any(|o| {
            o.doc.str("type") == Some("local_syslog") && old.is_none_or(|old| old.id != o.id)
        });
        return match other {
            true => Err(ApiError::invalid(
                "syslog_destination_local_exists",
                "there is one local destination already: change that",
            )),
            false => Ok(()),
        };
    }
    match doc.get("remote_syslog").and_then(Value::as_object) {
        Some(remote) => receiver(remote),
        None => Err(ApiError::input("a remote destination needs `remote_syslog`")),
    }
}

/// Takes the href off that clients send back; it must name the object itself.
fn own_href(txn: &Txn<'_>, doc: &mut Doc, old: Option<&Obj>) -> Result<(), ApiError> {
    let Some(Value::String(href)) = doc.remove("href") else { return Ok(()) };
    let own = old.map(|o| crate::audit::href_of(&txn.world, o).to_string());
    if own.as_deref() == Some(href.as_str()) { Ok(()) } else { Err(ApiError::invalid_uri(&href)) }
}

fn this_pce(txn: &Txn<'_>, scope: &[Value]) -> Result<(), ApiError> {
    let own = &txn.origin.pce_fqdn;
    // Objects that the server itself makes at its first start name it rightly.
    let foreign = scope.iter().filter_map(Value::as_str).find(|s| *s != own.as_ref());
    match foreign {
        Some(name) if !own.is_empty() => Err(ApiError::input(format!(
            "`pce_scope` names `{name}`, which is not this PCE: it is `{own}`"
        ))),
        _ => Ok(()),
    }
}

fn receiver(remote: &Doc) -> Result<(), ApiError> {
    for name in ["address", "port", "protocol"] {
        if !remote.contains_key(name) {
            return Err(ApiError::input(format!("`remote_syslog` needs `{name}`")));
        }
    }
    let tcp = remote.get("protocol").and_then(Value::as_i64) == Some(6);
    if on(remote, "tls_enabled") && !tcp {
        return Err(ApiError::input("`tls_enabled` needs protocol 6 (TCP)"));
    }
    let address = text(remote, "address").unwrap_or_default();
    if !is_host(address) {
        let message = format!("`{address}` is neither a host name nor an IP address");
        return Err(ApiError::input(message));
    }
    match text(remote, "tls_ca_bundle") {
        Some(pem) if !pem.is_empty() && !is_bundle(pem) => {
            Err(ApiError::input("`tls_ca_bundle` is no PEM bundle of certificates"))
        }
        _ => Ok(()),
    }
}

/// Whether a text is an IP address or a host name.
fn is_host(s: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(letter)
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    s.parse::<std::net::IpAddr>().is_ok() || s.strip_suffix('.').unwrap_or(s).split('.').all(label)
}

fn is_bundle(pem: &str) -> bool {
    use rustls_pki_types::{CertificateDer, pem::PemObject};
    let mut found = 0;
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let known = certificate.ok().and_then(|c| rustls::RootCertStore::empty().add(c).ok());
        if known.is_none() {
            return false;
        }
        found += 1;
    }
    found > 0
}

fn syslog_deletable(_txn: &Txn<'_>, obj: &Obj) -> Result<(), ApiError> {
    if obj.doc.str("type") == Some("local_syslog") {
        return Err(ApiError::invalid(
            "method_not_allowed_error",
            "the local destination cannot be deleted: empty its loggers",
        ));
    }
    Ok(())
}

fn collector(txn: &mut Txn<'_>, doc: &mut Doc, old: Option<&Obj>) -> Result<(), ApiError> {
    keep_members(txn.world.org, doc, old, &["target"]);
    if let Some(Value::Object(target)) = doc.get_mut("target") {
        target.retain(|_, v| !v.is_null());
        let Some(proto) = target.get("proto").and_then(Value::as_i64) else {
            return Err(ApiError::input("`target` needs `proto`"));
        };
        let port = |name: &str| target.get(name).and_then(Value::as_i64).unwrap_or(-1);
        if !matches!(proto, 6 | 17) && (port("src_port") >= 0 || port("dst_port") >= 0) {
            return Err(ApiError::input("ports need proto 6 (TCP) or 17 (UDP)"));
        }
    }
    if text(doc, "action") == Some("drop") && !doc.contains_key("target") {
        return Err(ApiError::input("action `drop` needs `target`"));
    }
    let new = crate::doc::Val::from_json(&Value::Object(doc.clone()));
    let mut others = txn.world.objects(Side::Draft, Kind::TrafficCollector);
    match others.any(|o| old.is_none_or(|old| old.id != o.id) && o.doc == new) {
        true => Err(ApiError::invalid(
            "traffic_collector_setting_exists",
            "there is a traffic collector setting that says the same",
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses() {
        for s in ["a", "syslog.example.com", "syslog.example.com.", "10.0.0.1", "2001:db8::1"] {
            assert!(is_host(s), "{s}");
        }
        for s in ["", "-a", "a..b", "a b", "http://a", "a-.b", "10.0.0.1:514"] {
            assert!(!is_host(s), "{s}");
        }
    }

    #[test]
    fn bundles_hold_certificates() {
        let params = rcgen::CertificateParams::new(vec!["ca.example.com".into()]).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        assert!(is_bundle(&pem));
        assert!(is_bundle(&format!("{pem}{pem}")));
        let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(!is_bundle("text") && !is_bundle(junk) && !is_bundle(&key.serialize_pem()));
    }
}
