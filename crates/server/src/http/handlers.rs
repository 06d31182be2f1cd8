//! The handler of each row of the operation table.

use super::{Handler, jobs, standard};
use crate::{authn, policy, resource::*, x};
use bulkhead_api::{Action, Operation};

/// Modules that have handlers of their own.
const OWN: &[fn(&str) -> Option<Handler>] = &[
    jobs::handler,
    policy::handler,
    x::handler,
    authn::login::handler,
    labels::handler,
    label_dimensions::handler,
    label_groups::handler,
    ip_lists::handler,
    services::handler,
    rule_sets::handler,
    sec_rules::handler,
    deny_rules::handler,
    ip_tables_rules::handler,
    enforcement_boundaries::handler,
    virtual_services::handler,
    virtual_servers::handler,
    service_bindings::handler,
    security_principals::handler,
    firewall_settings::handler,
    networks::handler,
    workloads::handler,
    workload_interfaces::handler,
    vens::handler,
    pairing_profiles::handler,
    container_clusters::handler,
    container_workload_profiles::handler,
    users::handler,
    api_keys::handler,
    service_accounts::handler,
    permissions::handler,
    access_restrictions::handler,
    password_policy::handler,
    settings::handler,
    orgs::handler,
    optional_features::handler,
    system::handler,
    events::handler,
    search::handler,
];

/// The handler of an operation: one of its own, or that of its standard action.
pub fn find(op: &Operation) -> Option<Handler> {
    OWN.iter().find_map(|f| f(&op.id)).or_else(|| match op.action {
        Action::Custom => None,
        action => standard::handler(action),
    })
}
