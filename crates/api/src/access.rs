//! Who may call an operation: the nine built-in roles and the special callers.
//!
//! Source: REST API guide 25.2 and the authorization names of the vendor's 25.2 index.

use serde::{Deserialize, Deserializer};

macro_rules! roles {
    ($($(#[$doc:meta])* $variant:ident $code:literal $name:literal;)*) => {
        /// A built-in role.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Role { $($(#[$doc])* $variant,)* }

        impl Role {
            /// Every role.
            pub const ALL: &'static [Role] = &[$(Role::$variant,)*];

            /// The two-letter code used in descriptors and in the reference pages.
            pub const fn code(self) -> &'static str {
                match self { $(Role::$variant => $code,)* }
            }

            /// The name on the wire: last segment of the role's href.
            pub const fn name(self) -> &'static str {
                match self { $(Role::$variant => $name,)* }
            }
        }
    };
}

roles! {
    /// Everything, including settings and users.
    Owner "OW" "owner";
    /// Everything but organisation settings and users.
    Admin "AD" "admin";
    /// Reads everything.
    ReadOnly "RO" "read_only";
    /// Provisions IP lists, services, label groups and settings; edits nothing.
    GlobalObjectProvisioner "GP" "global_object_provisioner";
    /// Edits rule sets.
    RulesetManager "RM" "ruleset_manager";
    /// Edits rule sets with both sides in scope.
    LimitedRulesetManager "LM" "limited_ruleset_manager";
    /// Provisions rule sets.
    RulesetProvisioner "RP" "ruleset_provisioner";
    /// Reads rule sets.
    RulesetViewer "RV" "ruleset_viewer";
    /// Workloads, agents and pairing profiles.
    WorkloadManager "WM" "workload_manager";
}

impl Role {
    /// The role with that name on the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|r| r.name() == name)
    }
}

/// A set of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoleSet(u16);

impl RoleSet {
    /// No role.
    pub const NONE: Self = Self(0);
    /// All nine.
    pub const ALL: Self = Self(0x1ff);

    /// This set and a role.
    #[must_use]
    pub const fn with(self, role: Role) -> Self {
        Self(self.0 | 1 << role as u8)
    }

    /// This set without a role.
    #[must_use]
    pub const fn without(self, role: Role) -> Self {
        Self(self.0 & !(1 << role as u8))
    }

    /// Whether the sets share a role.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the role is in the set.
    pub const fn has(self, role: Role) -> bool {
        self.0 & (1 << role as u8) != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The roles, in the order of [`Role::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.iter().copied().filter(move |r| self.has(*r))
    }
}

/// Who may call an operation: any of the roles, or any of the special callers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Holders of one of these roles in the organisation of the path.
    pub roles: RoleSet,
    /// Anybody, without credentials.
    pub anonymous: bool,
    /// Anybody with credentials.
    pub authenticated: bool,
    /// The user that the path names.
    pub this_user: bool,
    /// The one who asked for the job that the path names.
    pub job_owner: bool,
}

/// A text that is no list of roles and callers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown role or caller `{0}`")]
pub struct AccessError(String);

impl std::str::FromStr for Access {
    type Err = AccessError;

    /// Reads `all`, `all-WM`, or codes separated by spaces (`OW AD SELF`).
    fn from_str(s: &str) -> Result<Self, AccessError> {
        let mut access = Self::default();
        for word in s.split_whitespace() {
            match word {
                "all" => access.roles = RoleSet::ALL,
                "all-WM" => access.roles = RoleSet::ALL.without(Role::WorkloadManager),
                "ANON" => access.anonymous = true,
                "ANYAUTH" => access.authenticated = true,
                "SELF" => access.this_user = true,
                "JOBOWNER" => access.job_owner = true,
                // System administrators of the appliance do not exist here: nobody holds that role.
                "SYS" => {}
                code => match Role::ALL.iter().find(|r| r.code() == code) {
                    Some(role) => access.roles = access.roles.with(*role),
                    None => return Err(AccessError(code.to_owned())),
                },
            }
        }
        Ok(access)
    }
}

impl<'de> Deserialize<'de> for Access {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl std::fmt::Display for Access {
    /// Prints what [`std::str::FromStr`] reads.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut words: Vec<&str> = Vec::new();
        if self.roles == RoleSet::ALL {
            words.push("all");
        } else if self.roles == RoleSet::ALL.without(Role::WorkloadManager) {
            words.push("all-WM");
        } else {
            words.extend(self.roles.iter().map(Role::code));
        }
        let specials = [
            (self.anonymous, "ANON"),
            (self.authenticated, "ANYAUTH"),
            (self.this_user, "SELF"),
            (self.job_owner, "JOBOWNER"),
        ];
        words.extend(specials.iter().filter(|(on, _)| *on).map(|(_, w)| *w));
        f.write_str(&words.join(" "))
    }
}
