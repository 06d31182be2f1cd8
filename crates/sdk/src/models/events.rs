//! Audit events and jobs.

use super::{Json, Object};
use crate::model::model;
use crate::{ChangeType, ErrorItem, EventSeverity, EventStatus, Reference};

model! {
    /// An audit event.
    Event {
        href: String,
        event_type: String,
        uuid: String,
        timestamp: String,
        pce_fqdn: String,
        severity: EventSeverity,
        status: EventStatus,
        /// Who did it: one member named by the kind of actor.
        created_by: Object,
        info: Object,
        action: ActionEvent,
        resource_changes: [ResourceEvent],
        notifications: [NotificationEvent],
    }
}

model! {
    /// The call or task that an event tells of.
    ActionEvent {
        href: String,
        uuid: String,
        task_name: String,
        api_endpoint: String,
        api_method: String,
        http_status_code: i64,
        src_ip: String,
        errors: [ErrorItem],
        info: Object,
    }
}

model! {
    /// What an event did to an object.
    ResourceEvent {
        href: String,
        uuid: String,
        version: String,
        org_id: i64,
        resource: Object,
        /// By field: value before and after.
        changes: Object,
        change_type: ChangeType,
    }
}

model! {
    /// Something worth telling that an event brought with it.
    NotificationEvent {
        href: String,
        uuid: String,
        notification_type: String,
        event_type: String,
        severity: EventSeverity,
        timestamp: String,
        info: Json,
    }
}

model! {
    /// An asynchronous job.
    Job {
        href: String,
        job_type: String,
        description: String,
        /// `pending`, `running`, `done` or `failed`.
        status: String,
        requested_at: String,
        requested_by: Reference,
        created_by: Reference,
        terminated_at: String,
        result: Json,
    }
}
