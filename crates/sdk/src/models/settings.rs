//! Settings of the organisation and of the PCE.

use super::{Json, LabelSet, Object};
use crate::model::model;
use crate::{Reference, Transmission};

model! {
    /// Firewall settings of an organisation.
    FirewallSetting, FirewallSettingPatch: mutable {
        static_policy_scopes: [Json],
        containers_inherit_host_policy_scopes: [Json],
        blocked_connection_reject_scopes: [Json],
        loopback_interfaces_in_policy_scopes: [Json],
        ip_forwarding_enabled_scopes: [Json],
        rule_hit_count_enabled_scopes: [Json],
        firewall_coexistence: [Json],
        ike_authentication_type: String,
        allow_captive_portal_outbound: bool,
    } read {
        allow_dhcp_client: bool,
        log_dropped_multicast: bool,
        log_dropped_broadcast: bool,
        allow_traceroute: bool,
        allow_ipv6: bool,
        ipv6_mode: String,
        network_detection_mode: String,
    }
}

impl FirewallSetting {
    /// A list of label scopes, as its fields hold them.
    ///
    /// # Errors
    /// When a scope cannot be written as JSON, which does not happen.
    pub fn scopes(sets: &[LabelSet]) -> Result<Vec<Json>, serde_json::Error> {
        sets.iter().map(serde_json::to_value).collect()
    }
}

model! {
    /// Settings of the audit events.
    EventSettings, EventSettingsPatch: plain {
        audit_event_retention_seconds: i64,
        audit_event_min_severity: String,
        format: String,
    } read {}
}

model! {
    /// Settings of an organisation.
    OrgSettings, OrgSettingsPatch: plain {
        num_assets_requiring_ransomware_protection: i64,
        total_lateral_address_space: i64,
        total_internet_address_space: i64,
        automatic_label_application_on_ven_activation: bool,
        rule_based_label_maker_schedule_enabled: bool,
        rule_based_label_maker_schedule: Object,
        max_api_key_expiration_in_seconds: i64,
        expired_api_keys_retention_in_seconds: i64,
        advanced_ruleset_display: bool,
        ven_maintenance_token_required: bool,
        cloud_secure_tenant_id: String,
        use_census_permissions: bool,
    } read {
        max_explorer_query_timespan_days: i64,
        max_rule_search_provider_consumer_entities: i64,
    }
}

model! {
    /// Timeouts of the agents of an organisation, each by label scope.
    WorkloadSettings, WorkloadSettingsPatch: plain {
        workload_disconnected_timeout_seconds: [Json],
        workload_goodbye_timeout_seconds: [Json],
        workload_disconnected_notification_seconds: [Json],
        ven_uninstall_timeout_hours: [Json],
    } read {}
}

model! {
    /// Rules for passwords and sessions.
    PasswordPolicy, PasswordPolicyPatch: plain {
        require_type_number: bool,
        require_type_lowercase: bool,
        require_type_uppercase: bool,
        require_type_symbol: bool,
        min_characters_per_type: i64,
        min_length: i64,
        min_changed_characters: i64,
        history_count: i64,
        expire_time_days: i64,
        session_timeout_minutes: i64,
    } read {
        updated_at: String,
        updated_by: Reference,
    }
}

model! {
    /// Proxies whose forwarded addresses are believed.
    TrustedProxyIps, TrustedProxyIpsPatch: plain {
        trusted_proxy_ips: [Json],
    } read {
        max_trusted_proxy_ips_per_region: i64,
    }
}

model! {
    /// Where syslog goes.
    SyslogDestination, SyslogDestinationPatch: plain {
        pce_scope: [String],
        r#type: String,
        description: String,
        audit_event_logger: Object,
        traffic_event_logger: Object,
        node_status_logger: Object,
        remote_syslog: Object,
    } read {}
}

model! {
    /// A filter on collected traffic.
    TrafficCollectorSetting, TrafficCollectorSettingPatch: plain {
        transmission: Transmission,
        action: String,
        data_source: String,
        network: String,
        target: Object,
    } read {}
}
