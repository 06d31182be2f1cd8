//! Packets as bytes.

use std::net::IpAddr;

use bulkhead_fwrender::{Packet, Transport};

/// Hop limit of the packets of tests, by which they are told from all others.
pub(crate) const HOP_LIMIT: u8 = 77;

/// A whole IP packet with a number that identifies it, from 1 to 65,535.
pub(crate) fn bytes(packet: &Packet, number: u16) -> Vec<u8> {
    let (protocol, mut payload) = payload(packet.transport, number);
    let length = u16::try_from(payload.len()).unwrap();
    let mut pseudo = Vec::new();
    let mut out = Vec::new();
    match (packet.source, packet.destination) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let [n1, n2] = number.to_be_bytes();
            let [l1, l2] = (length + 20).to_be_bytes();
            out.extend([0x45, 0, l1, l2, n1, n2, 0, 0, HOP_LIMIT, protocol, 0, 0]);
            out.extend(from.octets());
            out.extend(to.octets());
            let sum = checksum(&out).to_be_bytes();
            out[10..12].copy_from_slice(&sum);
            pseudo.extend(from.octets());
            pseudo.extend(to.octets());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let [n1, n2] = number.to_be_bytes();
            let [l1, l2] = length.to_be_bytes();
            out.extend([0x60, 0, n1, n2, l1, l2, protocol, HOP_LIMIT]);
            out.extend(from.octets());
            out.extend(to.octets());
            pseudo.extend(from.octets());
            pseudo.extend(to.octets());
        }
        _ => panic!("one packet, two families"),
    }
    let sum_at = match packet.transport {
        Transport::Tcp { .. } => Some(16),
        Transport::Udp { .. } => Some(6),
        Transport::Icmp { .. } | Transport::Icmpv6 { .. } => Some(2),
        Transport::Other(_) => None,
    };
    if let Some(at) = sum_at {
        if matches!(packet.transport, Transport::Icmp { .. }) {
            pseudo.clear();
        } else {
            let [l1, l2] = length.to_be_bytes();
            pseudo.extend([0, protocol, l1, l2]);
        }
        pseudo.extend(&payload);
        payload[at..at + 2].copy_from_slice(&checksum(&pseudo).to_be_bytes());
    }
    out.extend(payload);
    out
}

/// Protocol number and what follows the IP header, the checksum still zero.
fn payload(transport: Transport, number: u16) -> (u8, Vec<u8>) {
    let two = |n: u16| n.to_be_bytes();
    match transport {
        Transport::Tcp { source, destination } => {
            let mut out = Vec::new();
            out.extend(two(source));
            out.extend(two(destination));
            // Sequence number, no acknowledgement, five words, SYN, window.
            out.extend([0, 0, 9, 9, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0]);
            (6, out)
        }
        Transport::Udp { source, destination } => {
            let mut out = Vec::new();
            out.extend(two(source));
            out.extend(two(destination));
            out.extend([0, 12, 0, 0, b't', b'e', b's', b't']);
            (17, out)
        }
        Transport::Icmp { icmp_type, code } => (1, icmp(icmp_type, code, number)),
        Transport::Icmpv6 { icmp_type, code } => (58, icmp(icmp_type, code, number)),
        Transport::Other(protocol) => (protocol, vec![0; 8]),
    }
}

fn icmp(icmp_type: u8, code: u8, number: u16) -> Vec<u8> {
    let [n1, n2] = number.to_be_bytes();
    vec![icmp_type, code, 0, 0, n1, n2, 0, 1, 1, 2, 3, 4]
}

/// The Internet checksum of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks_exact(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}
