//! Agents and how hosts pair.

use super::{ContainerCluster, Interface, Json, NotificationEvent, SecureConnect};
use crate::model::model;
use crate::{EnforcementMode, Reference, VenType, VisibilityLevel};

model! {
    /// An enforcement agent.
    Ven, VenPatch: mutable {
        status: String,
        target_pce_fqdn: String,
        golden_image: bool,
    } read {
        hostname: String,
        uid: String,
        os_id: String,
        os_detail: String,
        os_platform: String,
        version: String,
        activation_type: String,
        active_pce_fqdn: String,
        labels: [Reference],
        interfaces: [Interface],
        workloads: [Reference],
        container_cluster: ContainerCluster,
        secure_connect: SecureConnect,
        last_heartbeat_at: String,
        last_goodbye_at: String,
        unpair_allowed: bool,
        conditions: [VenCondition],
        ven_type: VenType,
        authentication_recovery: bool,
        upgrade_target_version: String,
        upgrade_expires_at: String,
    }
}

model! {
    /// Something that is the matter with an agent.
    VenCondition {
        first_reported_timestamp: String,
        latest_event: NotificationEvent,
    }
}

model! {
    /// What a paired host starts with.
    PairingProfile, PairingProfilePatch: mutable {
        enabled: bool,
        agent_software_release: String,
        enforcement_mode: EnforcementMode,
        enforcement_mode_lock: bool,
        visibility_level: VisibilityLevel,
        visibility_level_lock: bool,
        /// A number, or `unlimited`.
        allowed_uses_per_key: Json,
        /// Seconds, or `unlimited`.
        key_lifespan: Json,
        labels: [Reference],
        role_label_lock: bool,
        app_label_lock: bool,
        env_label_lock: bool,
        loc_label_lock: bool,
        mode: String,
        mode_lock: bool,
        log_traffic: bool,
        log_traffic_lock: bool,
        ven_type: String,
    } read {
        total_use_count: i64,
        is_default: bool,
        last_pairing_at: String,
        last_pairing_key_generated_at: String,
        last_pairing_key_generated_by: Reference,
    }
}

impl PairingProfile {
    /// An enabled profile that is to be created.
    pub fn new(name: impl Into<String>) -> Self {
        Self::default().name(name).enabled(true)
    }
}
