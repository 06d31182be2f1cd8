//! From the short forms of the sample to the bodies of requests.

use super::file::{Estate, Group, Role, Rule, RuleSet};
use crate::world::{Side, World};
use bulkhead_api::ApiError;
use bulkhead_ids::{Id, Kind};
use serde_json::{Map, Value, json};

fn bad(what: &str) -> ApiError {
    ApiError::Internal(format!("sample: {what}"))
}

fn set(body: &mut Value, member: &str, value: impl Into<Value>) {
    if let Value::Object(map) = body {
        map.insert(member.to_owned(), value.into());
    }
}

/// The object of a kind with a name; of a label the name is `key=value`.
pub(super) fn find(world: &World, kind: Kind, name: &str) -> Result<Id, ApiError> {
    let label = name.split_once('=').filter(|_| kind == Kind::Label);
    let mut all = world.objects(Side::Draft, kind);
    let found = all.find(|o| match label {
        Some((key, value)) => o.doc.str("key") == Some(key) && o.doc.str("value") == Some(value),
        None => o.doc.str("name") == Some(name),
    });
    found.map(|o| o.id).ok_or_else(|| bad(&format!("no {} `{name}`", kind.name())))
}

/// A body with a reference in place of each text `@kind:name`.
pub(super) fn resolved(world: &World, body: Value) -> Result<Value, ApiError> {
    Ok(match body {
        Value::String(s) => match s.strip_prefix('@').and_then(|r| r.split_once(':')) {
            Some((kind, name)) => {
                let kind = Kind::from_name(kind).ok_or_else(|| bad(&s))?;
                let obj = world.get(kind, find(world, kind, name)?).ok_or_else(|| bad(&s))?;
                json!({"href": crate::audit::href_of(world, obj).to_string()})
            }
            None => Value::String(s),
        },
        Value::Array(list) => {
            list.into_iter().map(|v| resolved(world, v)).collect::<Result<Value, _>>()?
        }
        Value::Object(map) => map
            .into_iter()
            .map(|(k, v)| Ok((k, resolved(world, v)?)))
            .collect::<Result<Map<_, _>, ApiError>>()?
            .into(),
        other => other,
    })
}

/// The bodies of all workloads of an estate.
pub(super) fn workloads(estate: &Estate) -> Result<Vec<Value>, ApiError> {
    let mut out = Vec::new();
    for (subnet, group) in (1_u32..).zip(&estate.groups) {
        let mut host = 10;
        for (role, count) in &group.hosts {
            for n in 1..=*count {
                host += 1;
                let number = out.len() + 1;
                let address = (subnet, host);
                let mut body = workload(estate, (group, role), n, address)?;
                set(&mut body, "external_data_set", "inventory");
                set(&mut body, "external_data_reference", format!("CI-{number:05}"));
                out.push(body);
            }
        }
    }
    Ok(out)
}

fn workload(
    estate: &Estate,
    (group, role_name): (&Group, &str),
    n: u32,
    (subnet, host): (u32, u32),
) -> Result<Value, ApiError> {
    let place = estate.places.get(&group.loc).ok_or_else(|| bad(&group.loc))?;
    let role = estate.roles.get(role_name).ok_or_else(|| bad(role_name))?;
    let name = format!("{}-{}-{n:02}", group.code, role.code);
    let mut body = json!({
        "name": name,
        "hostname": format!("{name}.{}", estate.domain),
        "interfaces": interfaces(&place.network, role, subnet, host),
        "data_center": place.data_center,
        "service_provider": place.service_provider,
        "os_id": role.os_id,
        "os_detail": role.os_detail,
        "labels": labels(group, role_name),
    });
    if let Some(mode) = &group.mode {
        set(&mut body, "enforcement_mode", mode.as_str());
    }
    Ok(body)
}

fn labels(group: &Group, role: &str) -> Value {
    if group.unlabelled {
        return json!([]);
    }
    let of = |key: &str, value: &Option<String>| {
        value.as_ref().map(|v| Value::from(format!("@label:{key}={v}")))
    };
    let role = of("role", &Some(role.to_owned()));
    let loc = of("loc", &Some(group.loc.clone()));
    [role, of("app", &group.app), of("env", &group.env), loc, of("data", &group.data)]
        .into_iter()
        .flatten()
        .collect()
}

fn interfaces(network: &str, role: &Role, subnet: u32, host: u32) -> Value {
    let interface = |name: &str, network: &str| {
        json!({
            "name": name,
            "address": format!("{network}.{subnet}.{host}"),
            "cidr_block": 24,
            "default_gateway_address": format!("{network}.{subnet}.1"),
            "link_state": "up",
        })
    };
    let mut all = vec![interface("eth0", network)];
    if role.backup {
        let mut second = interface("eth1", "172.20");
        set(&mut second, "friendly_name", "Backup network");
        all.push(second);
    }
    all.into()
}

/// The body of a rule set, and those of its rules.
pub(super) fn rule_set(set: RuleSet) -> Result<(Value, Vec<(Kind, Value)>), ApiError> {
    let scopes: Vec<Vec<Value>> = set
        .scopes
        .iter()
        .map(|scope| scope.iter().map(|s| actor(s)).collect::<Result<_, _>>())
        .collect::<Result<_, _>>()?;
    let body = json!({
        "name": set.name,
        "description": set.description,
        "enabled": true,
        "scopes": scopes,
    });
    let rules = set.rules.iter().map(rule).collect::<Result<_, _>>()?;
    Ok((body, rules))
}

/// The body of a rule, and which kind of rule it is.
pub(super) fn rule(rule: &Rule) -> Result<(Kind, Value), ApiError> {
    let actors = |all: &[String]| all.iter().map(|s| actor(s)).collect::<Result<Vec<_>, _>>();
    let services = rule.via.iter().map(|s| service(s)).collect::<Result<Vec<_>, _>>()?;
    let mut body = json!({
        "enabled": true,
        "consumers": actors(&rule.from)?,
        "providers": actors(&rule.to)?,
        "ingress_services": services,
        "unscoped_consumers": rule.extra,
    });
    let text = match (&rule.allow, &rule.deny, &rule.override_deny) {
        (Some(text), None, None) => {
            let bound = rule.to.iter().any(|s| s.starts_with("virtual:"));
            let providers = if bound { "virtual_services" } else { "workloads" };
            set(
                &mut body,
                "resolve_labels_as",
                json!({"providers": [providers], "consumers": ["workloads"]}),
            );
            set(&mut body, "description", text.as_str());
            return Ok((Kind::SecRule, body));
        }
        (None, Some(text), None) => text,
        (None, None, Some(text)) => {
            set(&mut body, "override", true);
            text
        }
        _ => return Err(bad("a rule is one of allow, deny and override")),
    };
    set(&mut body, "description", text.as_str());
    Ok((Kind::DenyRule, body))
}

/// What a rule or scope names: `all`, `key=value`, `group:`, `ip:` or `virtual:` with a name; with `!`
/// before it, all others.
fn actor(s: &str) -> Result<Value, ApiError> {
    let (name, exclusion) = s.strip_prefix('!').map_or((s, false), |name| (name, true));
    let mut out = match name.split_once(':') {
        _ if name == "all" => json!({"actors": "ams"}),
        Some(("group", n)) => json!({"label_group": format!("@label_group:{n}")}),
        Some(("ip", n)) => json!({"ip_list": format!("@ip_list:{n}")}),
        Some(("virtual", n)) => json!({"virtual_service": format!("@virtual_service:{n}")}),
        None if name.contains('=') => json!({"label": format!("@label:{name}")}),
        _ => return Err(bad(s)),
    };
    if exclusion {
        set(&mut out, "exclusion", true);
    }
    Ok(out)
}

/// A service of a rule: one that has the name, or ports.
fn service(s: &str) -> Result<Value, ApiError> {
    let Some((proto, ports)) = s.split_once('/') else {
        return Ok(format!("@service:{s}").into());
    };
    let proto = match proto {
        "tcp" => 6,
        "udp" => 17,
        _ => return Err(bad(s)),
    };
    let port = |p: &str| p.parse::<u16>().map_err(|_| bad(s));
    match ports.split_once('-') {
        Some((from, to)) => Ok(json!({"proto": proto, "port": port(from)?, "to_port": port(to)?})),
        None => Ok(json!({"proto": proto, "port": port(ports)?})),
    }
}
