//! Ports and protocols in bodies: one check for services, rules, virtual services and bindings.

use bulkhead_api::ApiError;
use bulkhead_netset::{PortRange, ProtoPorts, ServiceFields};
use serde_json::Value;

fn int(entry: &Value, name: &str) -> Option<i64> {
    entry.get(name).and_then(Value::as_i64)
}

fn invalid(place: &str, reason: &dyn std::error::Error) -> ApiError {
    let detail = reason.source().map(|s| format!(": {s}")).unwrap_or_default();
    ApiError::invalid("invalid_service_port", format!("{place}: {reason}{detail}"))
}

/// Checks an entry with a protocol, ports and ICMP types; `place` says where it stands.
///
/// # Errors
/// `invalid_service_port`, a token of our own.
pub fn check_entry(entry: &Value, place: &str) -> Result<(), ApiError> {
    let fields = ServiceFields {
        proto: int(entry, "proto").unwrap_or(-1),
        port: int(entry, "port"),
        to_port: int(entry, "to_port"),
        icmp_type: int(entry, "icmp_type"),
        icmp_code: int(entry, "icmp_code"),
    };
    // An entry for a process may name ports without a protocol: they mean TCP and UDP.
    if int(entry, "proto").is_none() && fields.icmp_type.or(fields.icmp_code).is_none() {
        return check_range(fields.port, fields.to_port, place);
    }
    ProtoPorts::from_fields(&fields).map(|_| ()).map_err(|e| invalid(place, &e))
}

/// Checks that a last port has a first one and is not below it.
///
/// # Errors
/// `invalid_service_port`, a token of our own.
pub fn check_range(port: Option<i64>, to_port: Option<i64>, place: &str) -> Result<(), ApiError> {
    if port.is_none() && to_port.is_none() {
        return Ok(());
    }
    PortRange::from_fields(port, to_port).map(|_| ()).map_err(|e| invalid(place, &e))
}

/// Checks every entry of a list; see [`check_entry`].
///
/// # Errors
/// As [`check_entry`].
pub fn check_entries(entries: &[Value], field: &str) -> Result<(), ApiError> {
    entries.iter().enumerate().try_for_each(|(n, e)| check_entry(e, &format!("{field}[{n}]")))
}

#[cfg(test)]
mod tests {
    use super::check_entry;
    use serde_json::json;

    #[test]
    fn entries() {
        let cases = [
            (json!({"proto": 6, "port": 443}), true),
            (json!({"proto": 17, "port": 1, "to_port": 1}), true),
            (json!({"proto": 6, "port": 2, "to_port": 1}), false),
            (json!({"proto": 6, "to_port": 1}), false),
            (json!({"proto": 47, "port": 1}), false),
            (json!({"proto": -1}), true),
            (json!({"proto": -1, "port": 1}), false),
            (json!({"proto": 1, "icmp_type": 8, "icmp_code": 0}), true),
            (json!({"proto": 1, "icmp_type": null, "icmp_code": null}), true),
            (json!({"proto": 1, "icmp_code": 0}), false),
            (json!({"proto": 1, "icmp_type": 3, "icmp_code": 16}), false),
            (json!({"proto": 6, "icmp_type": 3}), false),
            (json!({"process_name": "sshd"}), true),
            (json!({"service_name": "x", "port": 5, "to_port": 4}), false),
            (json!({"service_name": "x", "icmp_type": 4}), false),
        ];
        for (entry, good) in cases {
            assert_eq!(check_entry(&entry, "x").is_ok(), good, "{entry}");
        }
    }
}
