//! Users, keys, roles and rights.

use super::{Json, Object};
use crate::Reference;
use crate::model::model;

model! {
    /// A user of the PCE.
    User, UserPatch: plain {
        full_name: String,
        time_zone: String,
        locked: bool,
        username: String,
        /// `local` or `external`.
        r#type: String,
    } read {
        name: String,
        description: String,
        id: i64,
        last_login_on: String,
        last_login_ip_address: String,
        login_count: i64,
        effective_groups: [String],
        local_profile: Object,
        presence_status: String,
        created_at: String,
        updated_at: String,
        caps: [String],
    }
}

model! {
    /// An API key of a user.
    ApiKey, ApiKeyPatch: plain {
        name: String,
        description: String,
        expires_in_seconds: i64,
    } read {
        key_id: String,
        auth_username: String,
        /// Shown once, in the answer to its creation.
        secret: String,
        created_at: String,
    }
}

model! {
    /// Client addresses from which an account may call.
    AccessRestriction, AccessRestrictionPatch: mutable {
        ips: [String],
        enforcement_exclusions: [Json],
    } read {}
}

model! {
    /// A user or group that holds rights in an organisation.
    AuthSecurityPrincipal, AuthSecurityPrincipalPatch: plain {
        name: String,
        display_name: String,
        /// `user`, `group` or `service_account`.
        r#type: String,
        access_restriction: Reference,
    } read {
        uuid: String,
        sid: String,
    }
}

model! {
    /// A role given to a principal, within a scope.
    Permission, PermissionPatch: plain {
        role: Reference,
        scope: [Json],
        auth_security_principal: Reference,
    } read {}
}

model! {
    /// A role; built in.
    Role { href: String, name: String, display_name: String, access_level: String, }
}

model! {
    /// An account for programs.
    ServiceAccount, ServiceAccountPatch: mutable {
        permissions: [Json],
        access_restriction: Reference,
        /// The first key; only when creating.
        api_key: Object,
    } read {
        uuid: String,
        api_keys: [Json],
    }
}

model! {
    /// An API key of a service account.
    ServiceAccountKey, ServiceAccountKeyPatch: plain {
        expires_in_seconds: i64,
    } read {
        name: String,
        description: String,
        key_id: String,
        auth_username: String,
        /// Shown once, in the answer to its creation.
        secret: String,
        state: String,
        created_at: String,
        created_by: Reference,
        last_login_on: String,
    }
}
