//! The objects of the API.
//!
//! Each has its full form (`Label`), which answers hold and which may also be sent to create one, and a
//! patch (`LabelPatch`) for updates. Fields are named as on the wire; every one may be absent.

mod access;
mod containers;
mod events;
mod labels;
mod policy_objects;
mod provision;
mod rules;
mod settings;
mod vens;
mod workloads;

pub use access::*;
pub use containers::*;
pub use events::*;
pub use labels::*;
pub use policy_objects::*;
pub use provision::*;
pub use rules::*;
pub use settings::*;
pub use vens::*;
pub use workloads::*;

/// A JSON object of which the library knows nothing more.
pub type Object = serde_json::Map<String, serde_json::Value>;
/// Any JSON.
pub type Json = serde_json::Value;

crate::resource::resources! {
    /// Client addresses from which accounts may call.
    access_restrictions: AccessRestriction, "/access_restrictions", Org;
    /// API keys of a user; name the user as parent.
    api_keys: ApiKey, "/api_keys", Under(User);
    /// Users and groups that hold rights.
    auth_security_principals: AuthSecurityPrincipal, "/auth_security_principals", Org;
    /// Kubernetes and OpenShift clusters.
    container_clusters: ContainerCluster, "/container_clusters", Org;
    /// What namespaces of a cluster get; name the cluster as parent.
    container_workload_profiles: ContainerWorkloadProfile, "/container_workload_profiles",
        Under(ContainerCluster);
    /// Deny rules of a rule set; name the rule set as parent.
    deny_rules: DenyRule, "/deny_rules", Under(RuleSet) [nameless, versioned];
    /// Deny statements over labels.
    enforcement_boundaries: EnforcementBoundary, "/enforcement_boundaries", Policy;
    /// Settings of audit events.
    event_settings: EventSettings, "/settings/events", Org [nameless, single];
    /// Audit events.
    events: Event, "/events", Org [nameless];
    /// Firewall settings.
    firewall_settings: FirewallSetting, "/firewall_settings", Policy [single];
    /// Lists of addresses and names.
    ip_lists: IpList, "/ip_lists", Policy;
    /// Custom iptables rules of a rule set; name the rule set as parent.
    ip_tables_rules: IpTablesRule, "/ip_tables_rules", Under(RuleSet) [nameless, versioned];
    /// Asynchronous jobs.
    jobs: Job, "/jobs", Org [nameless];
    /// Label keys.
    label_dimensions: LabelDimension, "/label_dimensions", Org;
    /// Groups of labels of one key.
    label_groups: LabelGroup, "/label_groups", Policy;
    /// Labels.
    labels: Label, "/labels", Org;
    /// Networks that separate address spaces.
    networks: Network, "/networks", Org;
    /// Settings of the organisation.
    org_settings: OrgSettings, "/settings", Org [nameless, single];
    /// What hosts start with when they pair.
    pairing_profiles: PairingProfile, "/pairing_profiles", Org;
    /// Rules for passwords and sessions.
    password_policy: PasswordPolicy, "/authentication_settings/password_policy", Global
        [nameless, single];
    /// Roles given to principals.
    permissions: Permission, "/permissions", Org [nameless];
    /// Numbered policy versions.
    policy_versions: PolicyVersion, "/sec_policy", Org [nameless];
    /// Roles.
    roles: Role, "/roles", Org;
    /// Sets of rules.
    rule_sets: RuleSet, "/rule_sets", Policy;
    /// Rules of a rule set; name the rule set as parent.
    rules: Rule, "/sec_rules", Under(RuleSet) [nameless, versioned];
    /// User groups by SID.
    security_principals: SecurityPrincipal, "/security_principals", Org;
    /// API keys of a service account; name the account as parent.
    service_account_keys: ServiceAccountKey, "/api_keys", Under(ServiceAccount);
    /// Accounts for programs.
    service_accounts: ServiceAccount, "/service_accounts", Org;
    /// Workloads bound to virtual services.
    service_bindings: ServiceBinding, "/service_bindings", Org [lists];
    /// Services.
    services: Service, "/services", Policy;
    /// Where syslog goes.
    syslog_destinations: SyslogDestination, "/settings/syslog/destinations", Org [nameless];
    /// Filters on collected traffic.
    traffic_collector_settings: TrafficCollectorSetting, "/settings/traffic_collector", Org
        [nameless];
    /// Proxies whose forwarded addresses are believed.
    trusted_proxy_ips: TrustedProxyIps, "/settings/trusted_proxy_ips", Org [nameless, single];
    /// Users of the PCE.
    users: User, "/users", Global;
    /// Agents.
    vens: Ven, "/vens", Org;
    /// Virtual servers of load balancers.
    virtual_servers: VirtualServer, "/virtual_servers", Policy;
    /// Services with labels of their own.
    virtual_services: VirtualService, "/virtual_services", Policy;
    /// Interfaces of a workload; name the workload as parent.
    workload_interfaces: Interface, "/interfaces", Under(Workload);
    /// Timeouts of agents.
    workload_settings: WorkloadSettings, "/settings/workloads", Org [nameless, single];
    /// Workloads.
    workloads: Workload, "/workloads", Org;
}
