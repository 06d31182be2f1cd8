//! What a kind adds to the common mechanism.

use crate::render::{Out, View};
use crate::txn::Txn;
use crate::world::{Obj, Side, World};
use bulkhead_api::ApiError;
use bulkhead_ids::{Id, Kind};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Whether an object passes a filter.
pub type Predicate = Box<dyn Fn(&World, &Obj) -> bool + Send>;

/// [`Hooks::check`].
pub type Check = fn(&mut Txn<'_>, &mut Map<String, Value>, Option<&Obj>) -> Result<(), ApiError>;
/// [`Hooks::saved`].
pub type Saved = fn(&mut Txn<'_>, &Arc<Obj>, Map<String, Value>) -> Result<(), ApiError>;
/// [`Hooks::split`].
pub type Split = fn(&mut Map<String, Value>) -> Map<String, Value>;
/// [`Hooks::deletable`].
pub type Deletable = fn(&Txn<'_>, &Obj) -> Result<(), ApiError>;
/// [`Hooks::deleted`].
pub type Deleted = fn(&mut Txn<'_>, &Obj) -> Result<(), ApiError>;
/// [`Hooks::let_go`].
pub type LetGo = fn(u32, &Obj, (Kind, Id)) -> Option<Map<String, Value>>;
/// [`Hooks::derive`] and [`Hooks::usage`].
pub type Derive = fn(&View<'_>, &Obj, &mut Out<'_>);
/// [`Hooks::filter`].
pub type MakeFilter = fn(&World, Side, &str, &str) -> Result<Predicate, ApiError>;

/// The parts that a kind adds; each may be left out.
#[derive(Clone, Copy)]
pub struct Hooks {
    /// Checks (and may normalise) the whole document of an object before it is saved; the old object
    /// is given on update. Members put under names that begin with `_` are kept and never shown.
    pub check: Option<Check>,
    /// Splits members off a request body that are stored as objects of their own; what it returns is
    /// handed to `saved`.
    pub split: Option<Split>,
    /// Acts after an object is saved, with what `split` took off.
    pub saved: Option<Saved>,
    /// Refuses a deletion for reasons other than references.
    pub deletable: Option<Deletable>,
    /// Acts after an object is removed or marked deleted.
    pub deleted: Option<Deleted>,
    /// What an object (without audit fields changed) becomes when a target that it refers to is deleted.
    /// `None`, as without this hook: the reference keeps the target from being deleted.
    pub let_go: Option<LetGo>,
    /// Adds derived fields to answers. Kinds that have it are rendered anew each time.
    pub derive: Option<Derive>,
    /// Adds what answers show only with `usage=true`.
    pub usage: Option<Derive>,
    /// Makes the predicate of a filter that the descriptor calls custom.
    pub filter: Option<MakeFilter>,
}

impl Hooks {
    /// Nothing added.
    pub const NONE: Self = Self {
        check: None,
        split: None,
        saved: None,
        deletable: None,
        deleted: None,
        let_go: None,
        derive: None,
        usage: None,
        filter: None,
    };
}

/// The hooks of a kind.
pub const fn hooks(kind: Kind) -> Hooks {
    match kind {
        Kind::Label => super::labels::HOOKS,
        Kind::LabelDimension => super::label_dimensions::HOOKS,
        Kind::LabelGroup => super::label_groups::HOOKS,
        Kind::IpList => super::ip_lists::HOOKS,
        Kind::Service => super::services::HOOKS,
        Kind::RuleSet => super::rule_sets::HOOKS,
        Kind::Assertion => super::assertions::HOOKS,
        Kind::SecRule => super::sec_rules::HOOKS,
        Kind::DenyRule => super::deny_rules::HOOKS,
        Kind::IpTablesRule => super::ip_tables_rules::HOOKS,
        Kind::EnforcementBoundary => super::enforcement_boundaries::HOOKS,
        Kind::VirtualService => super::virtual_services::HOOKS,
        Kind::VirtualServer => super::virtual_servers::HOOKS,
        Kind::ServiceBinding => super::service_bindings::HOOKS,
        Kind::SecurityPrincipal => super::security_principals::HOOKS,
        Kind::FirewallSettings => super::firewall_settings::HOOKS,
        Kind::Network => super::networks::HOOKS,
        Kind::Workload => super::workloads::HOOKS,
        Kind::WorkloadInterface => super::workload_interfaces::HOOKS,
        Kind::Ven => super::vens::HOOKS,
        Kind::PairingProfile => super::pairing_profiles::HOOKS,
        Kind::ContainerCluster => super::container_clusters::HOOKS,
        Kind::ContainerWorkloadProfile => super::container_workload_profiles::HOOKS,
        Kind::User => super::users::HOOKS,
        Kind::ApiKey => super::api_keys::HOOKS,
        Kind::ServiceAccount => super::service_accounts::SERVICE_ACCOUNT_HOOKS,
        Kind::ServiceAccountKey => super::service_accounts::SERVICE_ACCOUNT_KEY_HOOKS,
        Kind::AuthSecurityPrincipal => super::permissions::AUTH_SECURITY_PRINCIPAL_HOOKS,
        Kind::Permission => super::permissions::PERMISSION_HOOKS,
        Kind::AccessRestriction => super::access_restrictions::HOOKS,
        Kind::PasswordPolicy => super::password_policy::HOOKS,
        Kind::OrgSettings => super::settings::ORG_SETTINGS_HOOKS,
        Kind::EventSettings => super::settings::EVENT_SETTINGS_HOOKS,
        Kind::WorkloadSettings => super::settings::WORKLOAD_SETTINGS_HOOKS,
        Kind::SyslogDestination => super::settings::SYSLOG_DESTINATION_HOOKS,
        Kind::TrafficCollector => super::settings::TRAFFIC_COLLECTOR_HOOKS,
        Kind::TrustedProxyIps => super::trusted_proxies::HOOKS,
        Kind::Org => super::orgs::HOOKS,
        Kind::OptionalFeatures => super::optional_features::HOOKS,
        Kind::Event => super::events::HOOKS,
        Kind::AuthToken
        | Kind::Datafile
        | Kind::Job
        | Kind::PairingKey
        | Kind::PolicyVersion
        | Kind::Role
        | Kind::Session => Hooks::NONE,
    }
}
