//! Hrefs of what the engine names by id.

use bulkhead_ids::{AnyHref, Id, Kind, PolicyVersion};
use bulkhead_model::{RuleKey, RuleRef};

/// How ids of one organisation print, for one version of the policy.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// The organisation.
    pub org: u32,
    /// The version in hrefs of policy objects.
    pub pv: PolicyVersion,
}

impl Names {
    fn under(&self, kind: Kind, (parent, id): RuleKey) -> String {
        let href = AnyHref::new(self.org, Some(self.pv), kind, id);
        AnyHref { parent: Some(parent), ..href }.to_string()
    }

    /// The href of a custom iptables rule.
    pub fn ip_tables_rule(&self, key: RuleKey) -> String {
        self.under(Kind::IpTablesRule, key)
    }

    /// The href of a rule of any other kind.
    pub fn rule(&self, rule: RuleRef) -> String {
        match rule {
            RuleRef::Allow(key) => self.under(Kind::SecRule, key),
            RuleRef::Deny(key) => self.under(Kind::DenyRule, key),
            RuleRef::Boundary(id) => self.policy(Kind::EnforcementBoundary, id),
            RuleRef::Essential(id) => {
                let id = id.as_int().unwrap_or_default();
                format!("/orgs/{}/sec_policy/{}/essential_service_rules/{id}", self.org, self.pv)
            }
        }
    }

    /// The href of a policy object that stands on its own.
    pub fn policy(&self, kind: Kind, id: Id) -> String {
        AnyHref::new(self.org, Some(self.pv), kind, id).to_string()
    }

    /// The href of a workload.
    pub fn workload(&self, id: Id) -> String {
        AnyHref::new(self.org, None, Kind::Workload, id).to_string()
    }
}
