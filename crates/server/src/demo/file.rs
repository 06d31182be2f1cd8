//! The file that says what the sample organisation is.

use bulkhead_api::ApiError;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

static ORGANISATION: &str = include_str!("../../demo/organisation.json");

/// One thing that is done; steps follow on one another.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Step {
    /// Makes objects of a kind; texts `@kind:name` in their bodies stand for references.
    Create {
        /// Name of the kind.
        kind: String,
        /// Bodies of POST.
        items: Vec<Value>,
    },
    /// Makes labels.
    Labels {
        /// Values by key.
        values: BTreeMap<String, Vec<String>>,
    },
    /// Makes workloads.
    Workloads(Estate),
    /// Makes rule sets with their rules.
    RuleSets {
        /// The sets.
        sets: Vec<RuleSet>,
    },
    /// Adds rules to a rule set.
    Rules {
        /// Name of the set.
        set: String,
        /// The rules.
        rules: Vec<Rule>,
    },
    /// Changes an object.
    Update {
        /// Name of the kind.
        kind: String,
        /// Name of the object.
        name: String,
        /// Body of PUT.
        body: Value,
    },
    /// Deletes an object.
    Delete {
        /// Name of the kind.
        kind: String,
        /// Name of the object.
        name: String,
    },
    /// Provisions everything that is pending.
    Provision {
        /// The commit message.
        message: String,
    },
}

/// Workloads by the dozen.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Estate {
    /// Domain of the host names.
    pub(super) domain: String,
    /// By value of the label `loc`.
    pub(super) places: BTreeMap<String, Place>,
    /// By value of the label `role`.
    pub(super) roles: BTreeMap<String, Role>,
    /// Hosts that share all labels but the role; each group has a subnet of its own.
    pub(super) groups: Vec<Group>,
}

/// Where hosts are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    /// The first two octets of addresses.
    pub(super) network: String,
    pub(super) data_center: String,
    pub(super) service_provider: String,
}

/// What hosts of a role are like.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Role {
    /// The middle part of host names.
    pub(super) code: String,
    pub(super) os_id: String,
    pub(super) os_detail: String,
    /// Whether there is a second interface, in the backup network.
    #[serde(default)]
    pub(super) backup: bool,
}

/// Hosts that share all labels but the role.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    /// The first part of host names.
    pub(super) code: String,
    pub(super) loc: String,
    pub(super) app: Option<String>,
    pub(super) env: Option<String>,
    pub(super) data: Option<String>,
    /// The enforcement mode, where it is not the default.
    pub(super) mode: Option<String>,
    /// How many hosts of each role.
    pub(super) hosts: BTreeMap<String, u32>,
    /// Whether nobody has given these hosts labels yet.
    #[serde(default)]
    pub(super) unlabelled: bool,
}

/// A rule set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleSet {
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: String,
    /// Scopes of `key=value` and `group:name`.
    pub(super) scopes: Vec<Vec<String>>,
    #[serde(default)]
    pub(super) rules: Vec<Rule>,
}

/// A rule: exactly one of `allow`, `deny` and `override` gives its description.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) allow: Option<String>,
    pub(super) deny: Option<String>,
    #[serde(rename = "override")]
    pub(super) override_deny: Option<String>,
    /// Consumers.
    pub(super) from: Vec<String>,
    /// Providers.
    pub(super) to: Vec<String>,
    /// Services by name, or `tcp/80`, `udp/100-200`.
    pub(super) via: Vec<String>,
    /// Whether consumers are outside the scope.
    #[serde(default)]
    pub(super) extra: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Organisation {
    steps: Vec<Step>,
}

/// The steps of the sample.
///
/// # Errors
/// When the file is not as it should be, which the tests find.
pub(super) fn read() -> Result<Vec<Step>, ApiError> {
    let organisation: Organisation = serde_json::from_str(ORGANISATION)
        .map_err(|e| ApiError::Internal(format!("the sample organisation: {e}")))?;
    Ok(organisation.steps)
}
