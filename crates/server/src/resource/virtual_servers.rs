//! Virtual servers of load balancers.

use super::{Hooks, Predicate, labels};
use crate::http::Handler;
use crate::txn::Txn;
use crate::world::{Obj, Side, World};
use bulkhead_api::ApiError;
use serde_json::{Map, Value};

/// What VirtualServer adds to the common mechanism.
pub const HOOKS: Hooks =
    Hooks { check: Some(check), split: Some(split), filter: Some(filter), ..Hooks::NONE };

/// The virtual server found on a load balancer, by its href: no object until one is connected.
const FOUND: &str = "_discovered_virtual_server";

/// Handlers of the operations that are not standard.
pub fn handler(_id: &str) -> Option<Handler> {
    None
}

/// Keeps the href of what was found aside: it names no object here, and answers show null.
fn split(body: &mut Map<String, Value>) -> Map<String, Value> {
    let found = body.remove("discovered_virtual_server");
    if let Some(href) = found.as_ref().and_then(|f| f.get("href")) {
        body.insert(FOUND.to_owned(), href.clone());
    }
    Map::new()
}

fn check(txn: &mut Txn<'_>, doc: &mut Map<String, Value>, _: Option<&Obj>) -> Result<(), ApiError> {
    labels::one_per_key(&txn.world, doc, "labels")?;
    let found = doc.get(FOUND).and_then(Value::as_str).unwrap_or_default();
    let own = format!("/orgs/{}/discovered_virtual_servers/", txn.world.org);
    if found.starts_with(&own) { Ok(()) } else { Err(ApiError::invalid_uri(found)) }
}

/// Filters on what load balancers report: nothing is known of any.
fn filter(_: &World, _: Side, _: &str, _: &str) -> Result<Predicate, ApiError> {
    Ok(Box::new(|_, _| false))
}
