//! Flows as queries give them.

use crate::model::model;
use crate::models::{IpList, Label, Object, ServicePort, VirtualServer, VirtualService, Workload};
use crate::{FlowDirection, PolicyDecision, TrafficState, Transmission};

model! {
    /// Connections between two ends over a time, summed up.
    TrafficFlow {
        src: TrafficNode,
        dst: TrafficNode,
        service: ServicePort,
        num_connections: u64,
        state: TrafficState,
        timestamp_range: TimestampRange,
        /// Bytes to the destination.
        dst_bi: u64,
        /// Bytes from the destination.
        dst_bo: u64,
        policy_decision: PolicyDecision,
        draft_policy_decision: String,
        boundary_decision: String,
        flow_direction: FlowDirection,
        transmission: Transmission,
        icmp_type: i32,
        icmp_code: i32,
        network: Object,
    }
}

model! {
    /// One end of a flow.
    TrafficNode {
        ip: String,
        label: Label,
        workload: Workload,
        ip_lists: [IpList],
        virtual_server: VirtualServer,
        virtual_service: VirtualService,
    }
}

model! {
    /// When a flow was first and last seen.
    TimestampRange { first_detected: String, last_detected: String, }
}
