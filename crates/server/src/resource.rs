//! What resources share, and where each says what is its own.
//!
//! Create, update and delete are one mechanism driven by the descriptors; a kind adds checks, derived
//! fields and filters through its [`Hooks`].

pub mod access_restrictions;
pub mod api_keys;
pub mod assertions;
pub mod bulk;
pub mod container_clusters;
pub mod container_workload_profiles;
pub mod crud;
pub mod deny_rules;
pub mod enforcement_boundaries;
pub mod events;
pub mod firewall_settings;
pub mod hooks;
pub mod ip_lists;
pub mod ip_tables_rules;
pub mod label_dimensions;
pub mod label_groups;
pub mod labels;
pub mod list;
pub mod networks;
pub mod optional_features;
pub mod orgs;
pub mod pairing_profiles;
pub mod password_policy;
pub mod permissions;
pub mod ports;
pub mod refs;
pub mod rule_sets;
pub mod rules;
pub mod search;
pub mod sec_rules;
pub mod security_principals;
pub mod service_accounts;
pub mod service_bindings;
pub mod services;
pub mod settings;
pub mod system;
pub mod trusted_proxies;
pub mod users;
pub mod vens;
pub mod virtual_servers;
pub mod virtual_services;
pub mod workload_interfaces;
pub mod workloads;

pub use hooks::{Hooks, Predicate, hooks};

use crate::render::{Out, View};
use crate::world::{Obj, World};
use bulkhead_ids::{Id, Kind};

/// Whether answers about a kind hold fields that are derived from other objects, so that their text
/// cannot be kept beside the object.
pub fn derives(kind: Kind) -> bool {
    hooks(kind).derive.is_some()
}

/// Adds the derived fields of an object.
pub fn derive(view: &View<'_>, obj: &Obj, out: &mut Out<'_>) {
    let h = hooks(obj.kind);
    if let Some(f) = h.derive {
        f(view, obj, out);
    }
    if let (Some(f), true) = (h.usage, view.usage) {
        f(view, obj, out);
    }
}

/// Whether an optional feature is on in an organisation.
pub fn feature_on(world: &World, name: &str) -> bool {
    world.get(Kind::OptionalFeatures, Id::SINGLETON).is_some_and(|o| o.doc.is(name))
}
