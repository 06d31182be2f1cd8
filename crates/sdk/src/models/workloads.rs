//! Workloads and what is known of their hosts.

use super::{ContainerCluster, Object, RuleService, Ven};
use crate::model::model;
use crate::{EnforcementMode, LinkState, Reference, VisibilityLevel};

model! {
    /// A host: managed when an agent is paired with it, unmanaged when it is only described.
    Workload, WorkloadPatch: mutable {
        hostname: String,
        service_principal_name: String,
        agent_to_pce_certificate_authentication_id: String,
        distinguished_name: String,
        public_ip: String,
        interfaces: [Interface],
        service_provider: String,
        data_center: String,
        data_center_zone: String,
        os_id: String,
        os_detail: String,
        online: bool,
        labels: [Reference],
        enforcement_mode: EnforcementMode,
        visibility_level: VisibilityLevel,
        datacenter_nat_1to1: bool,
        agent: VenAgent,
    } read {
        managed: bool,
        deleted: bool,
        os_type: String,
        ignored_interface_names: [String],
        firewall_coexistence: FirewallCoexistence,
        containers_inherit_host_policy: bool,
        blocked_connection_action: String,
        services: WorkloadServices,
        vulnerabilities_summary: VulnerabilitiesSummary,
        /// A list in older servers, an object in newer ones.
        detected_vulnerabilities: DetectedVulnerabilities,
        ven: Ven,
        num_enforcement_boundaries: i64,
        selectively_enforced_services: [RuleService],
        container_cluster: ContainerCluster,
        container_policy_convergence_status: Object,
        risk_summary: Object,
        ike_authentication_certificate: Object,
    }
}

impl Workload {
    /// An unmanaged workload that is to be created.
    pub fn new(name: impl Into<String>) -> Self {
        Self::default().name(name)
    }
}

model! {
    /// A change of one workload in a bulk call.
    WorkloadUpdate {
        href: String,
        name: String,
        description: String,
        hostname: String,
        public_ip: String,
        interfaces: [Interface],
        labels: [Reference],
        enforcement_mode: EnforcementMode,
        visibility_level: VisibilityLevel,
        external_data_set: String,
        external_data_reference: String,
    }
}

impl crate::ChangeOf<Workload> for WorkloadUpdate {}

model! {
    /// A network interface, one for each address.
    Interface, InterfacePatch: plain {
        name: String,
        link_state: LinkState,
        address: String,
        cidr_block: i32,
        default_gateway_address: String,
        friendly_name: String,
    } read {
        network: Reference,
        network_detection_mode: String,
        loopback: bool,
        public_ip: String,
    }
}

impl Interface {
    /// An interface with an address.
    pub fn new(name: impl Into<String>, address: impl Into<String>) -> Self {
        Self::default().name(name).address(address).link_state("up")
    }
}

model! {
    /// What a host runs, as its agent reports.
    WorkloadServices {
        uptime_seconds: i64,
        created_at: String,
        open_service_ports: [WorkloadServicePort],
    }
}

model! {
    /// A port on which a process listens.
    WorkloadServicePort {
        port: i32,
        protocol: i32,
        address: String,
        user: String,
        package: String,
        process_name: String,
        win_service_name: String,
    }
}

model! {
    /// Whether other firewalls may run beside.
    FirewallCoexistence { illumio_primary: bool, }
}

model! {
    /// Vulnerability exposure in numbers.
    VulnerabilitiesSummary {
        num_vulnerabilities: i64,
        vulnerable_port_exposure: i64,
        vulnerable_port_wide_exposure: PortWideExposure,
        vulnerability_exposure_score: i64,
        vulnerability_score: i64,
        max_vulnerability_score: i64,
        vulnerability_computation_state: String,
    }
}

model! {
    /// To whom a vulnerable port is open.
    PortWideExposure { any: bool, ip_list: bool, }
}

/// Vulnerabilities found on a host: a list in older servers, an object in newer ones.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum DetectedVulnerabilities {
    /// The older form.
    List(Vec<DetectedVulnerability>),
    /// The newer form.
    Summary(Object),
}

model! {
    /// A vulnerability found on a host.
    DetectedVulnerability {
        ip_address: String,
        port: i32,
        proto: i32,
        port_exposure: i64,
        port_wide_exposure: PortWideExposure,
        workload: Reference,
        vulnerability: Vulnerability,
        vulnerability_report: Reference,
    }
}

model! {
    /// A vulnerability.
    Vulnerability, VulnerabilityPatch: mutable {
        score: i64,
        cve_ids: [String],
        severity: String,
    } read {}
}

model! {
    /// A report of a vulnerability scanner.
    VulnerabilityReport, VulnerabilityReportPatch: mutable {
        report_type: String,
        scanned_ips: [String],
        authoritative: bool,
    } read {
        num_vulnerabilities: i64,
    }
}

model! {
    /// The older view of an agent, as part of its workload.
    VenAgent {
        href: String,
        config: AgentConfig,
        secure_connect: SecureConnect,
        status: AgentStatus,
        unpair_allowed: bool,
        active_pce_fqdn: String,
        target_pce_fqdn: String,
        r#type: String,
    }
}

model! {
    /// How an agent is set up.
    AgentConfig {
        /// `idle`, `illuminated`, `enforced` or `selective`: the older words for enforcement modes.
        mode: String,
        log_traffic: bool,
        security_policy_update_mode: String,
        visibility_level: VisibilityLevel,
    }
}

model! {
    /// What an agent last said.
    AgentStatus {
        status: String,
        uid: String,
        instance_id: String,
        last_heartbeat_on: String,
        uptime_seconds: i64,
        agent_version: String,
        managed_since: String,
        fw_config_current: bool,
        firewall_rule_count: i64,
        security_policy_refresh_at: String,
        security_policy_applied_at: String,
        security_policy_received_at: String,
        security_policy_sync_state: String,
        agent_health_errors: AgentHealthErrors,
        agent_health: [AgentHealth],
    }
}

model! {
    /// Complaints of an agent.
    AgentHealthErrors { errors: [String], warnings: [String], }
}

model! {
    /// A condition of an agent.
    AgentHealth { r#type: String, severity: String, audit_event: String, }
}

model! {
    /// Certificates for encrypted connections between hosts.
    SecureConnect { matching_issuer_name: String, }
}
