//! From draft to active: provisioning, pending changes, versions.

use crate::functions::{collection_of, convert_active_href_to_draft};
use crate::models::{Pending, PolicyChangeset, PolicyDependency, PolicyImpact, PolicyVersion};
use crate::{Error, Pce, Reference, Result, ToHref};
use serde_json::json;

impl PolicyChangeset {
    /// The change set of these objects, whatever their kinds.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an object without href, or of a kind that is not provisioned: name the
    /// rule set of a rule, for instance.
    pub fn build(objects: &[&dyn ToHref]) -> Result<Self> {
        let mut set = Self::default();
        for object in objects {
            let href = convert_active_href_to_draft(&object.to_href().unwrap_or_default());
            // There is one object of firewall settings, so its href ends with the kind.
            let kind = if href.ends_with("/firewall_settings") {
                Some("firewall_settings")
            } else {
                collection_of(&href)
            };
            let list = match kind {
                Some("label_groups") => &mut set.label_groups,
                Some("services") => &mut set.services,
                Some("rule_sets") => &mut set.rule_sets,
                Some("ip_lists") => &mut set.ip_lists,
                Some("virtual_services") => &mut set.virtual_services,
                Some("firewall_settings") => &mut set.firewall_settings,
                Some("enforcement_boundaries") => &mut set.enforcement_boundaries,
                Some("secure_connect_gateways") => &mut set.secure_connect_gateways,
                Some("virtual_servers") => &mut set.virtual_servers,
                _ => {
                    let reason = format!("`{href}` is no object that is provisioned");
                    return Err(Error::invalid("href", reason));
                }
            };
            list.get_or_insert_default().push(Reference::new(href));
        }
        Ok(set)
    }
}

impl Pce {
    /// Makes drafts active: those named, of any kinds, or all that is pending when none is named.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what cannot be provisioned; [`Error::Api`] when the server refuses, for
    /// instance since something that is needed was not named.
    pub async fn provision_policy_changes(
        &self,
        description: &str,
        objects: &[&dyn ToHref],
    ) -> Result<PolicyVersion> {
        let set = PolicyChangeset::build(objects)?;
        let body = json!({"update_description": description, "change_subset": set});
        self.post("/sec_policy").include_org(true).json(&body).await?.json()
    }

    /// What is pending, by kind.
    ///
    /// # Errors
    /// Those of [`crate::Request::send`].
    pub async fn pending_policy_changes(&self) -> Result<Pending> {
        self.get("/sec_policy/pending").include_org(true).await?.json()
    }

    /// Takes drafts back to what is active: those named, or all when none is named.
    ///
    /// # Errors
    /// As [`Pce::provision_policy_changes`].
    pub async fn revert_policy_changes(&self, objects: &[&dyn ToHref]) -> Result<()> {
        if objects.is_empty() {
            return self.delete("/sec_policy/pending").include_org(true).await.map(drop);
        }
        let body = json!({"change_subset": PolicyChangeset::build(objects)?});
        self.put("/sec_policy/delete").include_org(true).json(&body).await.map(drop)
    }

    /// What else must be named to provision these objects.
    ///
    /// # Errors
    /// As [`Pce::provision_policy_changes`].
    pub async fn policy_dependencies(
        &self,
        objects: &[&dyn ToHref],
    ) -> Result<Vec<PolicyDependency>> {
        let set = PolicyChangeset::build(objects)?;
        let body = json!({"operation": "commit", "change_subset": set});
        let path = "/sec_policy/draft/dependencies";
        self.post(path).include_org(true).json(&body).await?.json()
    }

    /// How many workloads provisioning these objects would touch.
    ///
    /// # Errors
    /// As [`Pce::provision_policy_changes`].
    pub async fn policy_impact(&self, objects: &[&dyn ToHref]) -> Result<PolicyImpact> {
        let body = json!({"change_subset": PolicyChangeset::build(objects)?});
        self.post("/sec_policy/impact").include_org(true).json(&body).await?.json()
    }

    /// Makes the difference between a past version and the draft pending.
    ///
    /// # Errors
    /// Those of [`crate::Request::send`].
    pub async fn restore_policy(&self, version: u64) -> Result<()> {
        let path = format!("/sec_policy/{version}/restore");
        self.post(&path).include_org(true).json(&json!({})).await.map(drop)
    }
}
