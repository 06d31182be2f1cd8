//! What rules speak about: addresses, services, virtual services and servers, user groups.

use super::{Json, Object};
use crate::constants::{ICMP_CODE_MAX, ICMP_TYPE_MAX, PORT_MAX};
use crate::model::model;
use crate::{ApplyTo, Error, Reference, Result, convert_protocol};

model! {
    /// A list of addresses, ranges and names.
    IpList, IpListPatch: mutable {
        ip_ranges: [IpRange],
        fqdns: [Fqdn],
        ip_list_attribute_id: String,
    } read {}
}

impl IpList {
    /// A list that is to be created.
    pub fn new(name: impl Into<String>) -> Self {
        Self::default().name(name)
    }
}

model! {
    /// An address, a CIDR block, or a range.
    IpRange {
        /// An address, or a CIDR block without host bits.
        from_ip: String,
        /// The last address; greater than the first.
        to_ip: String,
        /// Whether it is taken out of the list.
        exclusion: bool,
        description: String,
    }
}

impl From<&str> for IpRange {
    /// `10.0.0.0/8`, `10.0.0.1` or `10.0.0.1-10.0.0.9`, with `!` before what is taken out.
    fn from(text: &str) -> Self {
        let (excluded, rest) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        let range = match rest.split_once('-') {
            Some((from, to)) => Self::default().from_ip(from.trim()).to_ip(to.trim()),
            None => Self::default().from_ip(rest.trim()),
        };
        if excluded { range.exclusion(true) } else { range }
    }
}

model! {
    /// A name, with `*` for a part.
    Fqdn { fqdn: String, description: String, }
}

impl From<&str> for Fqdn {
    fn from(name: &str) -> Self {
        Self::default().fqdn(name)
    }
}

model! {
    /// Ports, protocols and processes with a name.
    Service, ServicePatch: mutable {
        process_name: String,
        service_ports: [ServicePort],
        windows_services: [ServicePort],
        windows_egress_services: [ServicePort],
        risk_details: Object,
    } read {
        description_url: String,
    }
}

impl Service {
    /// A service that is to be created.
    pub fn new(name: impl Into<String>) -> Self {
        Self::default().name(name)
    }
}

model! {
    /// A port and protocol, an ICMP message, or a process.
    ServicePort {
        /// Port, or the first of a range; -1 for all.
        port: i32,
        /// The last port of a range.
        to_port: i32,
        /// IANA protocol number; -1 for all.
        proto: i32,
        icmp_type: i32,
        icmp_code: i32,
        service_name: String,
        process_name: String,
        windows_service_name: String,
        user_name: String,
    }
}

impl ServicePort {
    /// A port of a protocol, by name or number.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a port outside 0 to 65535 or an unknown protocol.
    pub fn new(port: i32, proto: &str) -> Result<Self> {
        Self::default().port(port).proto(convert_protocol(proto)?).checked()
    }

    /// A range of ports of a protocol, both ends included.
    ///
    /// # Errors
    /// As [`ServicePort::new`], and when the range is empty or one port.
    pub fn range(port: i32, to_port: i32, proto: &str) -> Result<Self> {
        Self::new(port, proto)?.to_port(to_port).checked()
    }

    /// An ICMP message by type and code.
    ///
    /// # Errors
    /// [`Error::Invalid`] for numbers outside 0 to 255 and 0 to 15.
    pub fn icmp(icmp_type: i32, icmp_code: i32) -> Result<Self> {
        Self::default().proto(1).icmp_type(icmp_type).icmp_code(icmp_code).checked()
    }

    /// Itself, when its numbers are in range.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the first that is not.
    pub fn checked(self) -> Result<Self> {
        for (field, value, least, most) in [
            ("port", self.port, -1, PORT_MAX),
            ("to_port", self.to_port, 0, PORT_MAX),
            ("proto", self.proto, -1, 255),
            ("icmp_type", self.icmp_type, 0, ICMP_TYPE_MAX),
            ("icmp_code", self.icmp_code, 0, ICMP_CODE_MAX),
        ] {
            if let Some(value) = value.filter(|v| !(least..=most).contains(v)) {
                let reason = format!("{value} is not from {least} to {most}");
                return Err(Error::invalid(field, reason));
            }
        }
        match (self.port, self.to_port) {
            (Some(port), Some(to_port)) if to_port <= port => {
                let reason = format!("{to_port} is not above the port {port}");
                Err(Error::invalid("to_port", reason))
            }
            (None, Some(_)) => Err(Error::invalid("to_port", "it needs a port")),
            _ => Ok(self),
        }
    }
}

model! {
    /// A service with labels of its own, bound to workloads or addresses.
    VirtualService, VirtualServicePatch: mutable {
        apply_to: ApplyTo,
        service: Reference,
        service_ports: [ServicePort],
        service_addresses: [ServiceAddress],
        ip_overrides: [String],
        labels: [Reference],
    } read {
        pce_fqdn: String,
        usage: Object,
    }
}

impl VirtualService {
    /// A virtual service that is to be created.
    pub fn new(name: impl Into<String>) -> Self {
        Self::default().name(name)
    }
}

model! {
    /// An address or a name at which a virtual service is reached.
    ServiceAddress {
        ip: String,
        network: Reference,
        fqdn: String,
        description: String,
        port: i32,
        proto: i32,
    }
}

model! {
    /// A workload bound to a virtual service.
    ServiceBinding, ServiceBindingPatch: immutable {
        /// The active side of the virtual service.
        virtual_service: Reference,
        workload: Reference,
        port_overrides: [PortOverride],
    } read {
        bound_service: Reference,
        updated_at: String,
        updated_by: Reference,
    }
}

impl ServiceBinding {
    /// A binding that is to be created.
    pub fn new(service: impl Into<Reference>, workload: impl Into<Reference>) -> Self {
        Self::default().virtual_service(service).workload(workload)
    }
}

model! {
    /// Another port than the service's on one workload.
    PortOverride {
        port: i32,
        proto: i32,
        new_port: i32,
        new_to_port: i32,
    }
}

model! {
    /// A virtual server of a load balancer.
    VirtualServer, VirtualServerPatch: mutable {
        mode: String,
        labels: [Reference],
        service: Reference,
        providers: [Json],
        discovered_virtual_server: Reference,
    } read {
        dvs_name: String,
        dvs_identifier: String,
    }
}

model! {
    /// A user group by SID, for rules on users.
    SecurityPrincipal, SecurityPrincipalPatch: mutable {
        sid: String,
        members: [i64],
    } read {
        deleted: bool,
        used_by_ruleset: bool,
    }
}

impl SecurityPrincipal {
    /// A group that is to be made known.
    pub fn new(sid: impl Into<String>, name: impl Into<String>) -> Self {
        Self::default().sid(sid).name(name)
    }
}

model! {
    /// A network that separates address spaces.
    Network, NetworkPatch: mutable {
        data_center: String,
        scopes: [Json],
    } read {
        managed_by: String,
    }
}
