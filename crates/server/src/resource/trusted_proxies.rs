//! Trusted proxies: whose `X-Forwarded-For` is believed. They are used in [`crate::authz`].

use super::Hooks;
use crate::authz;
use crate::txn::Txn;
use crate::world::Obj;
use bulkhead_api::ApiError;
use serde_json::{Map, Value};

/// What TrustedProxyIps adds to the common mechanism.
pub const HOOKS: Hooks = Hooks { check: Some(check), ..Hooks::NONE };

fn check(
    _txn: &mut Txn<'_>,
    doc: &mut Map<String, Value>,
    _old: Option<&Obj>,
) -> Result<(), ApiError> {
    let most = doc.get("max_trusted_proxy_ips_per_region").and_then(Value::as_u64).unwrap_or(8);
    let list = doc.get("trusted_proxy_ips").and_then(Value::as_array);
    let list = list.map(Vec::as_slice).unwrap_or_default();
    for (n, entry) in list.iter().enumerate() {
        let ip = entry.get("ip").and_then(Value::as_str).unwrap_or_default();
        if !authz::is_block(ip) {
            return Err(ApiError::invalid(
                "invalid_ip_address",
                format!("`{ip}` is no address or CIDR block without bits below its prefix"),
            ));
        }
        if list.iter().take(n).any(|other| other == entry) {
            return Err(ApiError::input(format!("the proxy `{ip}` stands twice")));
        }
        let same = |e: &&Value| e.get("pce_fqdn") == entry.get("pce_fqdn");
        if list.iter().filter(same).count() as u64 > most {
            return Err(ApiError::input(format!("at most {most} proxies of one `pce_fqdn`")));
        }
    }
    Ok(())
}
