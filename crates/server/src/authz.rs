//! What a caller may do: the operation's row against the caller's roles, and from where it may call.
//!
//! Source: REST API guide 25.2, "Access restrictions" and "Trusted proxies".

use crate::app::App;
use crate::authn::{self, Account, Caller, Proof};
use crate::world::{Obj, SYSTEM, World};
use bulkhead_api::{ApiError, Operation};
use bulkhead_ids::{Id, Kind};
use bulkhead_netset::IpRange;
use http::HeaderMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Most entries of `X-Forwarded-For` that are looked at, from the nearest on.
const FORWARDED_MAX: usize = 16;

/// Whether the caller may call the operation; `this_user` is the user that the path names.
///
/// # Errors
/// `Forbidden`.
pub fn check(op: &Operation, caller: &Caller, this_user: Option<Id>) -> Result<(), ApiError> {
    let access = op.access;
    let own = matches!((caller.account, this_user), (Account::User(a), Some(b)) if a == b);
    // Who asked for a job is known only from the job: its handler checks.
    if access.authenticated
        || access.anonymous
        || access.job_owner
        || access.roles.meets(caller.roles)
        || (access.this_user && own)
    {
        return Ok(());
    }
    Err(ApiError::Forbidden(format!("`{}` needs one of: {access}", op.id)))
}

/// Where a request comes from: the other end of the connection, and what proxies say.
#[derive(Clone, Debug)]
pub struct Client {
    peer: IpAddr,
    /// Nearest first.
    forwarded: Vec<IpAddr>,
}

impl Client {
    /// Reads the `X-Forwarded-For` headers. What stands beyond an unreadable entry is not believed.
    pub fn of(headers: &HeaderMap, peer: IpAddr) -> Self {
        let values: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .iter()
            .map_while(|v| v.to_str().ok())
            .flat_map(|v| v.split(','))
            .collect();
        let forwarded = values
            .iter()
            .rev()
            .take(FORWARDED_MAX)
            .map_while(|v| v.trim().parse::<IpAddr>().ok())
            .map(|ip| ip.to_canonical())
            .collect();
        Self { peer: peer.to_canonical(), forwarded }
    }

    /// The client's address, with some proxies trusted to tell it.
    pub fn address(&self, trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
        let mut address = self.peer;
        for next in &self.forwarded {
            if !trusted(address) {
                break;
            }
            address = *next;
        }
        address
    }
}

/// The client's address: that of the connection, or what a proxy says that the organisation of the
/// path trusts. On global paths a proxy counts that every organisation trusts.
pub fn client_address(app: &App, client: &Client, org: Option<u32>) -> IpAddr {
    if client.forwarded.is_empty() {
        return client.peer;
    }
    let worlds = app.state.worlds();
    match org {
        Some(org) => match worlds.get(&org) {
            Some(world) => client.address(|ip| trusts(app, world, ip)),
            None => client.peer,
        },
        None => client
            .address(|ip| worlds.values().filter(|w| w.org != SYSTEM).all(|w| trusts(app, w, ip))),
    }
}

/// Whether an organisation believes a proxy.
fn trusts(app: &App, world: &World, proxy: IpAddr) -> bool {
    let Some(settings) = world.get(Kind::TrustedProxyIps, Id::SINGLETON) else { return false };
    settings.doc.list("trusted_proxy_ips").iter().any(|entry| {
        entry.str("pce_fqdn").is_none_or(|name| name == &*app.fqdn)
            && entry.str("ip").is_some_and(|ip| covers(ip, proxy))
    })
}

/// Whether an address or CIDR block holds an address.
pub fn covers(block: &str, address: IpAddr) -> bool {
    IpRange::from_fields(block, None).is_ok_and(|range| range.contains(address))
}

/// Whether a text is an address, or a CIDR block without bits below its prefix.
pub fn is_block(text: &str) -> bool {
    let Ok(range) = IpRange::from_fields(text, None) else { return false };
    let first = text.split_once('/').map(|(address, _)| address.parse());
    first.is_none_or(|address| address == Ok(range.first()))
}

/// Whether the access restrictions of an account let it call from where it does.
///
/// A path of an organisation asks for the account's restriction there; global paths ask for those of
/// all organisations that the account belongs to.
pub fn address_allowed(app: &App, caller: &Caller, client: &Client, org: Option<u32>) -> bool {
    let worlds = app.state.worlds();
    let Some(system) = worlds.get(&SYSTEM) else { return false };
    let allowed = |world: &Arc<World>| {
        let address = client_address(app, client, Some(world.org));
        allowed_in(system, world, caller, address)
    };
    match org {
        Some(org) => worlds.get(&org).is_none_or(allowed),
        None => {
            worlds.values().filter(|w| authn::belongs(system, caller.account, w.org)).all(allowed)
        }
    }
}

/// Whether an account may call an organisation from an address.
pub fn allowed_in(system: &World, world: &World, caller: &Caller, address: IpAddr) -> bool {
    if world.count(Kind::AccessRestriction) == 0 {
        return true;
    }
    let Some(restriction) = restriction(system, world, caller) else { return true };
    let excluded = match caller.proof {
        Proof::Key => "api_keys",
        Proof::Session | Proof::Password => "user_sessions",
    };
    let doc = &restriction.doc;
    doc.list("enforcement_exclusions").iter().any(|e| e.as_str() == Some(excluded))
        || doc.list("ips").iter().filter_map(|ip| ip.as_str()).any(|ip| covers(ip, address))
}

/// The access restriction of an account in an organisation.
fn restriction<'a>(system: &World, world: &'a World, caller: &Caller) -> Option<&'a Arc<Obj>> {
    let principal = authn::principal(world, caller).or_else(|| {
        let user = matches!(caller.account, Account::User(_));
        let member = user && authn::belongs(system, caller.account, world.org);
        if member { authn::everybody(world) } else { None }
    })?;
    let (kind, id) = principal.doc.get("access_restriction")?.target()?;
    world.get(kind, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(forwarded: &[&'static str]) -> Client {
        let mut headers = HeaderMap::new();
        for f in forwarded {
            headers.append("x-forwarded-for", http::HeaderValue::from_static(f));
        }
        Client::of(&headers, "10.0.0.1".parse().unwrap())
    }

    #[test]
    fn blocks_have_no_bits_below_the_prefix() {
        for (text, good) in [
            ("192.0.2.1", true),
            ("192.0.2.0/24", true),
            ("192.0.2.1/24", false),
            ("192.0.2.1/32", true),
            ("2001:db8::/32", true),
            ("2001:db8::1/32", false),
            ("0.0.0.0/0", true),
            ("192.0.2.0/33", false),
            ("x", false),
        ] {
            assert_eq!(is_block(text), good, "{text}");
        }
    }

    #[test]
    fn forwarded_addresses_count_only_from_trusted_proxies() {
        let ip = |s: &str| s.parse::<IpAddr>().unwrap();
        let near = |a: IpAddr| covers("10.0.0.0/24", a);
        for (forwarded, want) in [
            (&["203.0.113.9"][..], "203.0.113.9"),
            (&["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
            (&["198.51.100.1", "10.0.0.2"], "198.51.100.1"),
            (&["198.51.100.1, nonsense, 10.0.0.2"], "10.0.0.2"),
            (&["::ffff:203.0.113.9"], "203.0.113.9"),
            (&[], "10.0.0.1"),
        ] {
            let c = client(forwarded);
            assert_eq!(c.address(near), ip(want), "{forwarded:?}");
            assert_eq!(c.address(|_| false), ip("10.0.0.1"), "{forwarded:?}");
        }
    }
}
