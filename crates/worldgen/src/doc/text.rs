//! Small texts of a world: addresses, services, interfaces.

use std::net::IpAddr;
use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{Interface, NetworkType, Resolve};
use bulkhead_netset::{IpRange, IpSet, IpSetBuilder, ProtoPorts, ServiceSet};

use super::DocError;

/// The error for a text of the wrong form.
pub(crate) fn not(text: &str, wanted: &'static str) -> DocError {
    DocError::Text { text: text.into(), wanted }
}

pub(crate) fn services(text: &str) -> Result<ServiceSet, DocError> {
    let entry = |s: &str| s.parse::<ProtoPorts>().map_err(|_| not(s, "a service"));
    text.split(',').filter(|s| !s.is_empty()).map(entry).collect()
}

pub(crate) fn addresses(texts: &[String]) -> Result<IpSet, DocError> {
    let mut builder = IpSetBuilder::new();
    for text in texts {
        let (excluded, range) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text.as_str()),
        };
        let range: IpRange = range.parse().map_err(|_| not(text, "a range of addresses"))?;
        if excluded {
            builder.exclude(range)
        } else {
            builder.include(range)
        };
    }
    Ok(builder.effective())
}

pub(crate) fn address(text: &str) -> Result<IpAddr, DocError> {
    text.parse().map_err(|_| not(text, "an address"))
}

pub(crate) fn ranges(set: &IpSet) -> Vec<String> {
    set.ranges().map(|range| range.to_string()).collect()
}

pub(crate) fn interface(index: usize, text: &str) -> Result<Interface, DocError> {
    let wrong = || not(text, "an interface");
    let mut words = text.split_whitespace();
    let (ip, prefix) = match words.next().ok_or_else(wrong)?.split_once('/') {
        Some((ip, prefix)) => (ip.to_owned(), Some(prefix.parse().map_err(|_| wrong())?)),
        None => (text.split_whitespace().next().unwrap_or_default().to_owned(), None),
    };
    let mut interface = Interface {
        name: format!("eth{index}").into(),
        address: address(&ip)?,
        prefix,
        network: None,
        ignored: false,
    };
    while let Some(word) = words.next() {
        match word {
            "ignored" => interface.ignored = true,
            "name" => interface.name = Arc::from(words.next().ok_or_else(wrong)?),
            "network" => {
                let id = words.next().and_then(|id| id.parse().ok()).ok_or_else(wrong)?;
                interface.network = Some(Id::int(id));
            }
            _ => return Err(wrong()),
        }
    }
    Ok(interface)
}

pub(crate) fn print_interface(index: usize, i: &Interface) -> Result<String, DocError> {
    let mut text = i.address.to_string();
    if let Some(prefix) = i.prefix {
        text += &format!("/{prefix}");
    }
    if *i.name != format!("eth{index}") {
        text += &format!(" name {}", i.name);
    }
    if let Some(network) = i.network {
        text += &format!(" network {}", number(network)?);
    }
    Ok(if i.ignored { text + " ignored" } else { text })
}

/// The integer of an id.
pub(crate) fn number(id: Id) -> Result<u64, DocError> {
    id.as_int().ok_or_else(|| DocError::Id(format!("{id:?}")))
}

const WORKLOADS: &str = "workloads";
const VIRTUAL_SERVICES: &str = "virtual_services";

pub(crate) fn resolve(texts: Option<&Vec<String>>) -> Result<Resolve, DocError> {
    let Some(texts) = texts else { return Ok(Resolve::default()) };
    let mut resolve = Resolve { workloads: false, virtual_services: false };
    for text in texts {
        match text.as_str() {
            WORKLOADS => resolve.workloads = true,
            VIRTUAL_SERVICES => resolve.virtual_services = true,
            _ => return Err(not(text, "workloads or virtual_services")),
        }
    }
    Ok(resolve)
}

pub(crate) fn print_resolve(resolve: Resolve) -> Option<Vec<String>> {
    let workloads = resolve.workloads.then(|| WORKLOADS.into());
    let virtual_services = resolve.virtual_services.then(|| VIRTUAL_SERVICES.into());
    (resolve != Resolve::default()).then(|| workloads.into_iter().chain(virtual_services).collect())
}

pub(crate) fn network_type(text: Option<&String>) -> Result<NetworkType, DocError> {
    match text.map(String::as_str) {
        None | Some("brn") => Ok(NetworkType::Brn),
        Some("non_brn") => Ok(NetworkType::NonBrn),
        Some("all") => Ok(NetworkType::All),
        Some(other) => Err(not(other, "a network type")),
    }
}

pub(crate) fn print_network_type(network_type: NetworkType) -> Option<String> {
    match network_type {
        NetworkType::Brn => None,
        NetworkType::NonBrn => Some("non_brn".into()),
        NetworkType::All => Some("all".into()),
    }
}
