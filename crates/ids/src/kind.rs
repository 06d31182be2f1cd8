//! The kinds of objects: one alphabetical, append-only table.

/// How an object of a kind is named in its href.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdStyle {
    /// A positive integer up to 64 bits.
    Int,
    /// A lower-case UUID.
    Uuid,
    /// Free text, percent-encoded in URLs (SIDs, key ids, role names).
    Text,
    /// No id: the object exists once.
    Singleton,
}

/// Where the collection of a kind lives in the URL space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `/{collection}/{id}`, outside any organisation.
    Global,
    /// `/orgs/{org}/{collection}/{id}`.
    Org,
    /// `/orgs/{org}/sec_policy/{pversion}/{collection}/{id}`.
    Policy,
    /// `{href of an object of that kind}/{collection}/{id}`.
    Under(Kind),
    /// Stored, but never addressed on the wire.
    Internal,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident $name:literal $collection:literal $style:ident $place:expr;)*) => {
        /// A kind of object. The name is stable: it is stored, logged and used in events.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind { $($(#[$doc])* $variant,)* }

        impl Kind {
            /// Every kind, in the order of the table.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant,)*];

            /// The singular name, as in event types and stored rows: `ip_list`.
            pub const fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name,)* }
            }

            /// The path segment of the collection: `ip_lists`.
            pub const fn collection(self) -> &'static str {
                match self { $(Kind::$variant => $collection,)* }
            }

            /// How its objects are named.
            pub const fn id_style(self) -> IdStyle {
                match self { $(Kind::$variant => IdStyle::$style,)* }
            }

            /// Where its collection lives.
            pub const fn place(self) -> Place {
                match self { $(Kind::$variant => $place,)* }
            }
        }
    };
}

kinds! {
    /// Client addresses from which an account may call.
    AccessRestriction "access_restriction" "access_restrictions" Int Place::Org;
    /// An API key of a user.
    ApiKey "api_key" "api_keys" Text Place::Under(Kind::User);
    /// A statement about reachability that the policy must keep.
    Assertion "assertion" "x/assertions" Int Place::Org;
    /// A console user or group that holds rights in an organisation.
    AuthSecurityPrincipal "auth_security_principal" "auth_security_principals" Uuid Place::Org;
    /// A single-use token between authenticate and login.
    AuthToken "auth_token" "auth_tokens" Text Place::Internal;
    /// A Kubernetes or OpenShift cluster.
    ContainerCluster "container_cluster" "container_clusters" Uuid Place::Org;
    /// What a namespace of a cluster gets.
    ContainerWorkloadProfile "container_workload_profile" "container_workload_profiles" Uuid
        Place::Under(Kind::ContainerCluster);
    /// The stored result of a job.
    Datafile "datafile" "datafiles" Uuid Place::Org;
    /// A deny or override deny rule.
    DenyRule "deny_rule" "deny_rules" Int Place::Under(Kind::RuleSet);
    /// A deny statement over labels, the older form of deny rules.
    EnforcementBoundary "enforcement_boundary" "enforcement_boundaries" Int Place::Policy;
    /// An audit event.
    Event "event" "events" Uuid Place::Org;
    /// Settings of the audit events of an organisation.
    EventSettings "event_settings" "settings/events" Singleton Place::Org;
    /// Firewall settings of an organisation.
    FirewallSettings "firewall_settings" "firewall_settings" Singleton Place::Policy;
    /// A list of addresses, ranges and names.
    IpList "ip_list" "ip_lists" Int Place::Policy;
    /// A custom iptables rule.
    IpTablesRule "ip_tables_rule" "ip_tables_rules" Int Place::Under(Kind::RuleSet);
    /// An asynchronous job.
    Job "job" "jobs" Uuid Place::Org;
    /// A key and a value that describe workloads.
    Label "label" "labels" Int Place::Org;
    /// A label key.
    LabelDimension "label_dimension" "label_dimensions" Uuid Place::Org;
    /// A set of labels of one key.
    LabelGroup "label_group" "label_groups" Uuid Place::Policy;
    /// A network that separates address spaces.
    Network "network" "networks" Int Place::Org;
    /// Switches of optional features of an organisation.
    OptionalFeatures "optional_features" "optional_features" Singleton Place::Org;
    /// An organisation.
    Org "org" "orgs" Int Place::Global;
    /// Settings of an organisation.
    OrgSettings "settings" "settings" Singleton Place::Org;
    /// What a paired host starts with.
    PairingProfile "pairing_profile" "pairing_profiles" Int Place::Org;
    /// A key that lets hosts pair through a profile; only its hash is stored.
    PairingKey "pairing_key" "pairing_keys" Text Place::Internal;
    /// Rules for passwords and sessions of this PCE.
    PasswordPolicy "password_policy" "authentication_settings/password_policy" Singleton
        Place::Global;
    /// A role given to a principal, within a scope.
    Permission "permission" "permissions" Uuid Place::Org;
    /// A numbered active policy version.
    PolicyVersion "sec_policy" "sec_policy" Int Place::Org;
    /// A role; built in.
    Role "role" "roles" Text Place::Org;
    /// A set of rules with scopes.
    RuleSet "rule_set" "rule_sets" Int Place::Policy;
    /// An allow rule.
    SecRule "sec_rule" "sec_rules" Int Place::Under(Kind::RuleSet);
    /// A user group by SID, for rules on users.
    SecurityPrincipal "security_principal" "security_principals" Text Place::Org;
    /// Ports, protocols and processes with a name.
    Service "service" "services" Int Place::Policy;
    /// An account for programs.
    ServiceAccount "service_account" "service_accounts" Uuid Place::Org;
    /// An API key of a service account.
    ServiceAccountKey "service_account_key" "api_keys" Text Place::Under(Kind::ServiceAccount);
    /// A workload bound to a virtual service.
    ServiceBinding "service_binding" "service_bindings" Uuid Place::Org;
    /// A console or API session.
    Session "session" "sessions" Text Place::Internal;
    /// Where syslog goes.
    SyslogDestination "syslog_destination" "settings/syslog/destinations" Uuid Place::Org;
    /// A filter on collected traffic.
    TrafficCollector "traffic_collector_setting" "settings/traffic_collector" Uuid Place::Org;
    /// Proxies whose forwarded addresses are believed.
    TrustedProxyIps "trusted_proxy_ips" "settings/trusted_proxy_ips" Singleton Place::Org;
    /// A user of this PCE.
    User "user" "users" Int Place::Global;
    /// An enforcement agent.
    Ven "ven" "vens" Uuid Place::Org;
    /// A virtual server of a load balancer.
    VirtualServer "virtual_server" "virtual_servers" Uuid Place::Policy;
    /// A service with labels of its own.
    VirtualService "virtual_service" "virtual_services" Uuid Place::Policy;
    /// A host.
    Workload "workload" "workloads" Uuid Place::Org;
    /// A network interface of a workload.
    WorkloadInterface "workload_interface" "interfaces" Text Place::Under(Kind::Workload);
    /// Timeouts of the agents of an organisation.
    WorkloadSettings "workload_settings" "settings/workloads" Singleton Place::Org;
}

impl Kind {
    /// The kind with that [`Kind::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|k| k.name() == name)
    }

    /// Whether its objects have a draft and an active side, alone or through their parent.
    pub const fn is_policy(self) -> bool {
        match self.place() {
            Place::Policy => true,
            Place::Under(parent) => matches!(parent.place(), Place::Policy),
            Place::Global | Place::Org | Place::Internal => false,
        }
    }

    /// The kind its objects live under, if they do.
    pub const fn parent(self) -> Option<Self> {
        match self.place() {
            Place::Under(p) => Some(p),
            Place::Global | Place::Org | Place::Policy | Place::Internal => None,
        }
    }
}
