//! Interfaces: one element per address, with every member that answers show.

use bulkhead_api::ApiError;
use bulkhead_netset::IpRange;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::net::IpAddr;

/// Members that an element shows as null when they have no value.
const NULLS: &[&str] = &[
    "link_state",
    "cidr_block",
    "default_gateway_address",
    "network",
    "network_detection_mode",
    "friendly_name",
    "public_ip",
];

/// One address as text, in the form that all of the server takes: no prefix, zone or mapped IPv4.
///
/// # Errors
/// 406 `invalid_ip_address`.
pub(super) fn address(field: &str, s: &str) -> Result<IpAddr, ApiError> {
    match s.parse::<IpAddr>().ok().and_then(|_| s.parse::<IpRange>().ok()) {
        Some(range) => Ok(range.first()),
        None => {
            Err(ApiError::invalid("invalid_ip_address", format!("`{field}` is one IP address")))
        }
    }
}

/// Checks one element and completes it.
///
/// # Errors
/// 406 `invalid_ip_address`, or `input_validation_error` for a prefix length or a gateway that does not
/// fit the address.
pub fn normalise(element: &mut Map<String, Value>) -> Result<(), ApiError> {
    let Some(text) = element.get("address").and_then(Value::as_str) else {
        return Err(ApiError::input("an interface needs an `address`"));
    };
    let ip = address("address", text)?;
    let bits = if ip.is_ipv4() { 32 } else { 128 };
    if element.get("cidr_block").and_then(Value::as_i64).is_some_and(|n| n > bits) {
        return Err(ApiError::input(format!("`cidr_block` of {text} is at most {bits}")));
    }
    if let Some(gateway) = element.get("default_gateway_address").and_then(Value::as_str)
        && address("default_gateway_address", gateway)?.is_ipv4() != ip.is_ipv4()
    {
        return Err(ApiError::input(format!(
            "`default_gateway_address` of {text} must be of the same family"
        )));
    }
    element.insert("loopback".into(), ip.is_loopback().into());
    let network = element.get("network").is_some_and(|n| !n.is_null());
    if network && element.get("network_detection_mode").is_none_or(Value::is_null) {
        element.insert("network_detection_mode".into(), "manual".into());
    }
    for name in NULLS {
        if !element.contains_key(*name) {
            element.insert((*name).to_owned(), Value::Null);
        }
    }
    Ok(())
}

/// Checks and completes the interfaces of a workload.
///
/// # Errors
/// As [`normalise`]; `input_validation_error` for the same name and address twice.
pub(super) fn all(list: &mut [Value]) -> Result<(), ApiError> {
    for element in list.iter_mut().filter_map(Value::as_object_mut) {
        normalise(element)?;
    }
    if list.len() < 2 {
        return Ok(());
    }
    let mut seen = HashSet::with_capacity(list.len());
    for element in list.iter() {
        let text = |name: &str| element.get(name).and_then(Value::as_str).unwrap_or_default();
        if !seen.insert((text("name"), text("address"))) {
            return Err(ApiError::input(format!(
                "interface `{}` has the address {} twice",
                text("name"),
                text("address")
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(list: Value) -> Result<Value, String> {
        let Value::Array(mut list) = list else { panic!("no list") };
        all(&mut list).map_err(|e| e.items().remove(0).token.into_owned())?;
        Ok(list.into())
    }

    #[test]
    fn an_element_is_completed() {
        let want = json!([{
            "name": "lo", "address": "127.0.0.1", "cidr_block": null, "default_gateway_address": null,
            "friendly_name": null, "link_state": null, "loopback": true, "network": null,
            "network_detection_mode": null, "public_ip": null,
        }]);
        assert_eq!(run(json!([{"name": "lo", "address": "127.0.0.1"}])), Ok(want.clone()));
        assert_eq!(run(want.clone()), Ok(want), "completing twice changes nothing");
    }

    #[test]
    fn bad_elements_are_refused() {
        for (list, token) in [
            (json!([{"name": "e"}]), "input_validation_error"),
            (json!([{"name": "e", "address": "10.0.0.1/24"}]), "invalid_ip_address"),
            (json!([{"name": "e", "address": "fe80::1%eth0"}]), "invalid_ip_address"),
            (json!([{"name": "e", "address": "::ffff:10.0.0.1"}]), "invalid_ip_address"),
            (json!([{"name": "e", "address": "10.0.0.1-10.0.0.9"}]), "invalid_ip_address"),
            (
                json!([{"name": "e", "address": "10.0.0.1", "cidr_block": 33}]),
                "input_validation_error",
            ),
            (
                json!([{"name": "e", "address": "10.0.0.1", "default_gateway_address": "fe80::1"}]),
                "input_validation_error",
            ),
            (
                json!([{"name": "e", "address": "10.0.0.1"}, {"name": "e", "address": "10.0.0.1"}]),
                "input_validation_error",
            ),
        ] {
            assert_eq!(run(list.clone()), Err(token.to_owned()), "{list}");
        }
        let two =
            json!([{"name": "e", "address": "10.0.0.1"}, {"name": "e", "address": "fe80::1"}]);
        assert!(run(two).is_ok());
    }
}
