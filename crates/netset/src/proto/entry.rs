//! One entry of a service: from the fields of the API, from and to text.

use super::{IcmpVersion, PortProtocol, ServiceError, U8Range};
use crate::port::PortRange;
use std::fmt;
use std::str::FromStr;

/// Longest text that is looked at, in bytes: `icmpv6/255/255-255`, some room.
pub const SERVICE_TEXT_LEN_MAX: usize = 24;

/// The greatest ICMP code in a field of the API; packets go up to 255.
///
/// Source: `service_ports[].icmp_code` of the REST API 26.3.
pub const ICMP_CODE_FIELD_MAX: u8 = 15;

/// A range of services of one kind: one entry of a service.
///
/// Text: `all`, `tcp`, `47`, `0-5`, `tcp/443`, `udp/8000-8100`, `icmp/8`, `icmp/3-5`, `icmpv6/1/0-4`.
/// A number in place of a name is read and printed back as the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProtoPorts {
    /// Whole protocols, with all their ports or types; the full range is every protocol.
    Protocols(U8Range),
    /// Ports of TCP or UDP.
    Ports(PortProtocol, PortRange),
    /// ICMP types with all their codes.
    IcmpTypes(IcmpVersion, U8Range),
    /// Codes of one ICMP type.
    IcmpCodes(IcmpVersion, u8, U8Range),
}

/// The fields of an entry of `service_ports`, as numbers of any size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceFields {
    /// IANA protocol number, or -1 for every protocol.
    pub proto: i64,
    /// First port, for TCP and UDP.
    pub port: Option<i64>,
    /// Last port; needs `port`.
    pub to_port: Option<i64>,
    /// ICMP type, for ICMP and ICMPv6.
    pub icmp_type: Option<i64>,
    /// ICMP code, 0 to [`ICMP_CODE_FIELD_MAX`]; needs `icmp_type`.
    pub icmp_code: Option<i64>,
}

impl ServiceFields {
    fn ports(&self) -> Result<Option<PortRange>, ServiceError> {
        match (self.port, self.to_port) {
            (None, None) => Ok(None),
            (first, last) => {
                PortRange::from_fields(first, last).map(Some).map_err(ServiceError::Port)
            }
        }
    }

    fn icmp(&self) -> Result<Option<(u8, Option<u8>)>, ServiceError> {
        let icmp_type = self.icmp_type.map(u8::try_from).transpose();
        let icmp_type = icmp_type.map_err(|_| ServiceError::IcmpType)?;
        let code = self.icmp_code.map(u8::try_from).transpose();
        match (icmp_type, code.map_err(|_| ServiceError::IcmpCode)?) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(ServiceError::CodeWithoutType),
            (_, Some(code)) if code > ICMP_CODE_FIELD_MAX => Err(ServiceError::IcmpCode),
            (Some(icmp_type), code) => Ok(Some((icmp_type, code))),
        }
    }
}

impl ProtoPorts {
    /// Every protocol and port: protocol -1, the service `All Services`.
    pub const ALL: Self = Self::Protocols(U8Range::ALL);

    /// One whole protocol, by IANA number.
    pub const fn protocol(number: u8) -> Self {
        Self::Protocols(U8Range::single(number))
    }

    /// One TCP port.
    pub const fn tcp(port: u16) -> Self {
        Self::Ports(PortProtocol::Tcp, PortRange::single(port))
    }

    /// One UDP port.
    pub const fn udp(port: u16) -> Self {
        Self::Ports(PortProtocol::Udp, PortRange::single(port))
    }

    /// What the fields of an entry mean.
    ///
    /// TCP and UDP without a port: every port. ICMP and ICMPv6 without a type: every type; a type without a
    /// code: every code. Protocol -1 has neither ports nor types. Errors: any [`ServiceError`] but those of
    /// text.
    pub fn from_fields(fields: &ServiceFields) -> Result<Self, ServiceError> {
        let (ports, icmp) = (fields.ports()?, fields.icmp()?);
        if fields.proto == -1 {
            return match (ports, icmp) {
                (None, None) => Ok(Self::ALL),
                (Some(_), _) => Err(ServiceError::PortNotAllowed),
                (None, Some(_)) => Err(ServiceError::IcmpNotAllowed),
            };
        }
        let proto = u8::try_from(fields.proto).map_err(|_| ServiceError::Protocol)?;
        match (ports, icmp) {
            (None, None) => Ok(Self::protocol(proto)),
            (Some(_), Some(_)) if PortProtocol::from_number(proto).is_some() => {
                Err(ServiceError::IcmpNotAllowed)
            }
            (Some(ports), _) => {
                let proto = PortProtocol::from_number(proto);
                proto.map(|p| Self::Ports(p, ports)).ok_or(ServiceError::PortNotAllowed)
            }
            (None, Some((icmp_type, code))) => {
                let icmp = IcmpVersion::from_number(proto).ok_or(ServiceError::IcmpNotAllowed)?;
                Ok(match code {
                    None => Self::IcmpTypes(icmp, U8Range::single(icmp_type)),
                    Some(code) => Self::IcmpCodes(icmp, icmp_type, U8Range::single(code)),
                })
            }
        }
    }

    /// The lowest protocol number of the entry.
    pub const fn first_protocol(&self) -> u8 {
        match self {
            Self::Protocols(range) => range.first(),
            Self::Ports(protocol, _) => protocol.number(),
            Self::IcmpTypes(icmp, _) | Self::IcmpCodes(icmp, ..) => icmp.number(),
        }
    }
}

/// The number a protocol name stands for.
fn number_of(name: &str) -> Option<u8> {
    match name {
        "tcp" => Some(PortProtocol::Tcp.number()),
        "udp" => Some(PortProtocol::Udp.number()),
        "icmp" => Some(IcmpVersion::V4.number()),
        "icmpv6" => Some(IcmpVersion::V6.number()),
        _ => None,
    }
}

/// The name of a protocol number, if it has one here.
const fn name_of(number: u8) -> Option<&'static str> {
    match number {
        1 => Some("icmp"),
        6 => Some("tcp"),
        17 => Some("udp"),
        58 => Some("icmpv6"),
        _ => None,
    }
}

/// Protocols as text: a name, a number or a range of numbers.
fn protocols(s: &str) -> Result<U8Range, ServiceError> {
    match number_of(s) {
        Some(number) => Ok(U8Range::single(number)),
        None if s == "all" => Ok(U8Range::ALL),
        None => U8Range::parse(s, ServiceError::Protocol),
    }
}

impl FromStr for ProtoPorts {
    type Err = ServiceError;
    fn from_str(s: &str) -> Result<Self, ServiceError> {
        if s.len() > SERVICE_TEXT_LEN_MAX {
            return Err(ServiceError::TooLong);
        }
        let Some((name, detail)) = s.split_once('/') else {
            return protocols(s).map(Self::Protocols);
        };
        let range = protocols(name)?;
        let number = (range.first() == range.last()).then_some(range.first());
        let icmp = number.and_then(IcmpVersion::from_number);
        let ports = number.and_then(PortProtocol::from_number);
        match (icmp, ports, detail.split_once('/')) {
            (Some(icmp), _, None) => {
                U8Range::parse(detail, ServiceError::IcmpType).map(|r| Self::IcmpTypes(icmp, r))
            }
            (Some(icmp), _, Some((icmp_type, codes))) => {
                let icmp_type = U8Range::parse(icmp_type, ServiceError::IcmpType)?;
                let codes = U8Range::parse(codes, ServiceError::IcmpCode)?;
                let single = icmp_type.first() == icmp_type.last();
                let entry = Self::IcmpCodes(icmp, icmp_type.first(), codes);
                single.then_some(entry).ok_or(ServiceError::IcmpType)
            }
            (None, Some(protocol), _) => {
                let ports = detail.parse().map_err(ServiceError::Port)?;
                Ok(Self::Ports(protocol, ports))
            }
            (None, None, _) => Err(ServiceError::PortNotAllowed),
        }
    }
}

/// Writes one protocol, by name if it has one.
fn write_protocol(f: &mut fmt::Formatter<'_>, number: u8) -> fmt::Result {
    match name_of(number) {
        Some(name) => f.write_str(name),
        None => write!(f, "{number}"),
    }
}

impl fmt::Display for ProtoPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocols(U8Range::ALL) => return f.write_str("all"),
            Self::Protocols(range) if range.first() != range.last() => return write!(f, "{range}"),
            _ => write_protocol(f, self.first_protocol())?,
        }
        match self {
            Self::Protocols(_) => Ok(()),
            Self::Ports(_, ports) => write!(f, "/{ports}"),
            Self::IcmpTypes(_, types) => write!(f, "/{types}"),
            Self::IcmpCodes(_, icmp_type, codes) => write!(f, "/{icmp_type}/{codes}"),
        }
    }
}
