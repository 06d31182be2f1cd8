//! What a query includes and leaves out.

use crate::functions::collection_of;
use crate::models::ServicePort;
use crate::{Error, Reference, Result, Transmission};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Include and exclude of one side of a query.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TrafficFilterBlock {
    /// Any of these sets, each matched as a whole; empty = everything.
    pub include: Vec<Vec<TrafficFilter>>,
    /// None of these.
    pub exclude: Vec<TrafficFilter>,
}

/// Include and exclude of services.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TrafficServiceBlock {
    /// Any of these; empty = everything.
    pub include: Vec<ServicePort>,
    /// None of these.
    pub exclude: Vec<ServicePort>,
}

/// One end of flows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrafficFilter {
    /// Ends with this label.
    Label(Reference),
    /// Ends with a label of this group.
    LabelGroup(Reference),
    /// This workload.
    Workload(Reference),
    /// Addresses of this list.
    IpList(Reference),
    /// This address, or block of addresses.
    IpAddress(String),
    /// This name.
    Fqdn(String),
    /// This kind of addressing.
    Transmission(Transmission),
    /// `ams`: all managed workloads.
    Actors(String),
}

impl TrafficFilter {
    /// From an href, an address, a CIDR block, a kind of transmission, `ams`, or else a name.
    ///
    /// # Errors
    /// [`Error::Invalid`] for hrefs of other kinds, and what may be no name.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.starts_with('/') {
            return match collection_of(text) {
                Some("labels") => Ok(Self::Label(text.into())),
                Some("label_groups") => Ok(Self::LabelGroup(text.into())),
                Some("workloads") => Ok(Self::Workload(text.into())),
                Some("ip_lists") => Ok(Self::IpList(text.into())),
                _ => Err(Error::invalid("traffic filter", format!("`{text}` is no end of flows"))),
            };
        }
        if text == crate::constants::AMS {
            return Ok(Self::Actors(text.to_owned()));
        }
        if let Ok(transmission) = text.parse() {
            return Ok(Self::Transmission(transmission));
        }
        if is_address(text) {
            return Ok(Self::IpAddress(text.to_owned()));
        }
        let in_names = |c: char| c.is_alphanumeric() || "-_.*".contains(c);
        let numbers = text.chars().all(|c| c.is_ascii_digit() || c == '.');
        if text.is_empty() || numbers || !text.chars().all(in_names) {
            let reason = format!("`{text}` is no href, address, name or kind of transmission");
            return Err(Error::invalid("traffic filter", reason));
        }
        Ok(Self::Fqdn(text.to_owned()))
    }
}

fn is_address(text: &str) -> bool {
    let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    bits.is_none_or(|bits| bits.parse::<u8>().is_ok_and(|bits| bits <= most))
}

fn included(text: &str, destination: bool) -> Result<TrafficFilter> {
    let filter = TrafficFilter::parse(text)?;
    let (what, allowed) = match &filter {
        TrafficFilter::Fqdn(_) => ("names can only be destinations", destination),
        TrafficFilter::Transmission(_) => ("kinds of transmission can only be excluded", false),
        _ => return Ok(filter),
    };
    if allowed { Ok(filter) } else { Err(Error::invalid("include", format!("`{text}`: {what}"))) }
}

impl TrafficFilterBlock {
    /// Adds alternatives.
    pub(super) fn include_each<T: ToString>(
        &mut self,
        any_of: impl IntoIterator<Item = T>,
        destination: bool,
    ) -> Result<()> {
        for one in any_of {
            self.include.push(vec![included(&one.to_string(), destination)?]);
        }
        Ok(())
    }

    /// Adds one alternative that several conditions make up.
    pub(super) fn include_all<T: ToString>(
        &mut self,
        all_of: impl IntoIterator<Item = T>,
        destination: bool,
    ) -> Result<()> {
        let set = all_of.into_iter().map(|one| included(&one.to_string(), destination));
        self.include.push(set.collect::<Result<_>>()?);
        Ok(())
    }

    pub(super) fn exclude_each<T: ToString>(
        &mut self,
        all: impl IntoIterator<Item = T>,
    ) -> Result<()> {
        for one in all {
            self.exclude.push(TrafficFilter::parse(&one.to_string())?);
        }
        Ok(())
    }
}

/// Adds services whose numbers are in range.
pub(super) fn ports(
    list: &mut Vec<ServicePort>,
    more: impl IntoIterator<Item = ServicePort>,
) -> Result<()> {
    for port in more {
        list.push(port.checked()?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tells_the_kinds_of_ends_apart() {
        for (text, want) in [
            ("/orgs/1/labels/7", json!({"label": {"href": "/orgs/1/labels/7"}})),
            (
                "/orgs/1/sec_policy/draft/ip_lists/2",
                json!({"ip_list": {"href": "/orgs/1/sec_policy/draft/ip_lists/2"}}),
            ),
            ("10.0.0.1", json!({"ip_address": "10.0.0.1"})),
            ("2001:db8::/32", json!({"ip_address": "2001:db8::/32"})),
            ("*.example.com", json!({"fqdn": "*.example.com"})),
            ("multicast", json!({"transmission": "multicast"})),
            ("ams", json!({"actors": "ams"})),
        ] {
            let filter = TrafficFilter::parse(text).unwrap();
            assert_eq!(serde_json::to_value(filter).unwrap(), want);
        }
        for bad in ["", "/orgs/1/users/1", "10.0.0.256", "10.0.0.0/33", "a b"] {
            assert!(TrafficFilter::parse(bad).is_err(), "{bad}");
        }
        assert!(included("unicast", true).is_err());
        assert!(included("example.com", false).is_err());
    }
}
