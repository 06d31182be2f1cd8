//! Rule sets, rules, enforcement boundaries, and who and what they name.

use super::{Json, LabelSet, Service, ServicePort};
use crate::constants::{AMS, RESOLVE_AS_WORKLOADS};
use crate::functions::collection_of;
use crate::model::model;
use crate::{Error, Reference, Result};
use serde::{Deserialize, Serialize};

model! {
    /// A set of rules with scopes.
    RuleSet, RuleSetPatch: mutable {
        enabled: bool,
        scopes: [LabelSet],
        rules: [Rule],
        ip_tables_rules: [IpTablesRule],
    } read {
        deny_rules: [DenyRule],
    }
}

impl RuleSet {
    /// A rule set for everything, that is to be created; narrow it with `scopes`.
    pub fn new(name: impl Into<String>) -> Self {
        Self::default().name(name).scopes([LabelSet::default()])
    }
}

model! {
    /// An allow rule.
    Rule, RulePatch: mutable {
        enabled: bool,
        providers: [Actor],
        consumers: [Actor],
        ingress_services: [RuleService],
        egress_services: [RuleService],
        resolve_labels_as: LabelResolutionBlock,
        sec_connect: bool,
        stateless: bool,
        machine_auth: bool,
        consuming_security_principals: [Reference],
        /// Whether consumers may be outside the scope: an extra-scope rule.
        unscoped_consumers: bool,
        network_type: String,
        use_workload_subnets: [String],
        /// Whether every address is meant but those of the IP lists named; 26.x.
        all_ips_except_for_in_providers: bool,
        all_ips_except_for_in_consumers: bool,
        log_flow: bool,
    } read {}
}

impl Rule {
    /// An enabled rule: what provides, who may use it, and which services.
    ///
    /// Actors and services may be objects, [`Reference`]s or hrefs, actors also [`AMS`], services also
    /// [`ServicePort`]s. The rest is set on the result, such as `unscoped_consumers`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no actor or no service, and numbers out of range.
    pub fn build(
        providers: &[&dyn ToActor],
        consumers: &[&dyn ToActor],
        services: &[&dyn ToRuleService],
    ) -> Result<Self> {
        let resolve = LabelResolutionBlock::default()
            .providers([RESOLVE_AS_WORKLOADS])
            .consumers([RESOLVE_AS_WORKLOADS]);
        Ok(Self::default()
            .enabled(true)
            .providers(actors(providers)?)
            .consumers(actors(consumers)?)
            .ingress_services(entries(services)?)
            .resolve_labels_as(resolve))
    }
}

model! {
    /// What labels of a rule stand for: `workloads`, `virtual_services`, or both.
    LabelResolutionBlock { providers: [String], consumers: [String], }
}

model! {
    /// A deny or override deny rule.
    DenyRule, DenyRulePatch: mutable {
        enabled: bool,
        /// Whether it also beats allow rules.
        r#override: bool,
        providers: [Actor],
        consumers: [Actor],
        ingress_services: [RuleService],
        egress_services: [RuleService],
        network_type: String,
        unscoped_consumers: bool,
        /// Whether every address is meant but those of the IP lists named; 26.x.
        all_ips_except_for_in_providers: bool,
        all_ips_except_for_in_consumers: bool,
    } read {}
}

model! {
    /// A deny statement over labels.
    EnforcementBoundary, EnforcementBoundaryPatch: mutable {
        enabled: bool,
        providers: [Actor],
        consumers: [Actor],
        ingress_services: [RuleService],
        network_type: String,
    } read {}
}

impl EnforcementBoundary {
    /// A boundary: between whom, and for which services. Arguments as in [`Rule::build`].
    ///
    /// # Errors
    /// As [`Rule::build`].
    pub fn build(
        name: impl Into<String>,
        providers: &[&dyn ToActor],
        consumers: &[&dyn ToActor],
        services: &[&dyn ToRuleService],
    ) -> Result<Self> {
        Ok(Self::default()
            .name(name)
            .providers(actors(providers)?)
            .consumers(actors(consumers)?)
            .ingress_services(entries(services)?))
    }
}

model! {
    /// A custom iptables rule.
    IpTablesRule, IpTablesRulePatch: mutable {
        enabled: bool,
        ip_version: String,
        statements: [IpTablesStatement],
        actors: [Actor],
    } read {}
}

model! {
    /// One statement of a custom iptables rule.
    IpTablesStatement { table_name: String, chain_name: String, parameters: String, }
}

model! {
    /// One side of a rule; exactly one of the fields is set.
    Actor {
        /// [`AMS`] for all managed workloads, or `container_host`.
        actors: String,
        label: Reference,
        label_group: Reference,
        workload: Reference,
        virtual_service: Reference,
        virtual_server: Reference,
        ip_list: Reference,
        label_dimension: String,
        /// Whether everything but this is meant.
        exclusion: bool,
    }
}

impl Actor {
    /// All managed workloads.
    pub fn ams() -> Self {
        Self::default().actors(AMS)
    }

    /// The actor with that href, or the word [`AMS`].
    ///
    /// # Errors
    /// [`Error::Invalid`] for an href of anything that is no actor.
    pub fn from_href(href: &str) -> Result<Self> {
        let actor = Self::default();
        Ok(match collection_of(href) {
            _ if href == AMS => Self::ams(),
            Some("labels") => actor.label(href),
            Some("label_groups") => actor.label_group(href),
            Some("workloads") => actor.workload(href),
            Some("virtual_services") => actor.virtual_service(href),
            Some("virtual_servers") => actor.virtual_server(href),
            Some("ip_lists") => actor.ip_list(href),
            _ => return Err(Error::invalid("actor", format!("`{href}` is none"))),
        })
    }
}

/// What may stand on a side of a rule.
pub trait ToActor {
    /// The actor.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is none.
    fn to_actor(&self) -> Result<Actor>;
}

impl<T: crate::ToHref> ToActor for T {
    fn to_actor(&self) -> Result<Actor> {
        Actor::from_href(&self.to_href().unwrap_or_default())
    }
}

impl ToActor for Actor {
    fn to_actor(&self) -> Result<Actor> {
        Ok(self.clone())
    }
}

fn actors(list: &[&dyn ToActor]) -> Result<Vec<Actor>> {
    list.iter().map(|actor| actor.to_actor()).collect()
}

/// A service of a rule: one with a name, or ports written into the rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RuleService {
    /// By href.
    Service(Reference),
    /// Ports of this rule alone.
    Port(ServicePort),
    /// Anything newer.
    Other(Json),
}

impl From<&Service> for RuleService {
    fn from(service: &Service) -> Self {
        Self::Service(service.into())
    }
}

impl From<ServicePort> for RuleService {
    fn from(port: ServicePort) -> Self {
        Self::Port(port)
    }
}

impl From<&str> for RuleService {
    fn from(href: &str) -> Self {
        Self::Service(href.into())
    }
}

/// What may stand among the services of a rule.
pub trait ToRuleService {
    /// The entry.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is none, and numbers out of range.
    fn to_rule_service(&self) -> Result<RuleService>;
}

impl<T: crate::ToHref> ToRuleService for T {
    fn to_rule_service(&self) -> Result<RuleService> {
        let href = self.to_href().unwrap_or_default();
        match collection_of(&href) {
            Some("services" | "virtual_services") => Ok(RuleService::Service(href.into())),
            _ => Err(Error::invalid("service", format!("`{href}` is none"))),
        }
    }
}

impl ToRuleService for ServicePort {
    fn to_rule_service(&self) -> Result<RuleService> {
        self.clone().checked().map(RuleService::Port)
    }
}

impl ToRuleService for (i32, &str) {
    fn to_rule_service(&self) -> Result<RuleService> {
        ServicePort::new(self.0, self.1).map(RuleService::Port)
    }
}

impl ToRuleService for RuleService {
    fn to_rule_service(&self) -> Result<RuleService> {
        Ok(self.clone())
    }
}

pub(crate) fn entries(list: &[&dyn ToRuleService]) -> Result<Vec<RuleService>> {
    list.iter().map(|service| service.to_rule_service()).collect()
}
