//! The golden cases of policy, judged by the rendered ruleset of each end.

use std::net::IpAddr;

use bulkhead_engine::Engine;
use bulkhead_fwrender::{
    Fate, Interpreter, LogPrefix, Outcome, Packet, RenderOptions, Transport, render,
};
use bulkhead_ids::Id;
use bulkhead_model::{Flow, FlowEnd, Os, Snapshot, Verdict, Workload};
use bulkhead_netset::{IcmpVersion, PortProtocol, ProtoPorts};
use bulkhead_worldgen::cases::policy_cases;

use crate::worlds::options;

/// The packet of a service that is one point; none for a wider one.
fn transport(service: ProtoPorts) -> Option<Transport> {
    let source = 50_000;
    Some(match service {
        ProtoPorts::Ports(protocol, ports) if ports.first() == ports.last() => {
            let destination = ports.first();
            match protocol {
                PortProtocol::Tcp => Transport::Tcp { source, destination },
                PortProtocol::Udp => Transport::Udp { source, destination },
            }
        }
        ProtoPorts::IcmpTypes(icmp, types) if types.first() == types.last() => {
            let (icmp_type, code) = (types.first(), 0);
            match icmp {
                IcmpVersion::V4 => Transport::Icmp { icmp_type, code },
                IcmpVersion::V6 => Transport::Icmpv6 { icmp_type, code },
            }
        }
        ProtoPorts::IcmpCodes(icmp, icmp_type, codes) if codes.first() == codes.last() => {
            let code = codes.first();
            match icmp {
                IcmpVersion::V4 => Transport::Icmp { icmp_type, code },
                IcmpVersion::V6 => Transport::Icmpv6 { icmp_type, code },
            }
        }
        ProtoPorts::Protocols(range) if range.first() == range.last() => match range.first() {
            1 | 6 | 17 | 58 => return None,
            number => Transport::Other(number),
        },
        _ => return None,
    })
}

/// The address under which an end is seen by the other: as the flow says, or the first of its workload, or
/// between networks its public one.
fn address(s: &Snapshot, end: FlowEnd, other: Option<Id>) -> Option<IpAddr> {
    if end.ip.is_some() {
        return end.ip;
    }
    let mine = s.workloads.get(&end.workload?)?;
    let used =
        |w: &Workload| w.interfaces.iter().filter(|i| !i.ignored).cloned().collect::<Vec<_>>();
    let other = other.and_then(|id| s.workloads.get(&id)).map(|w| used(w));
    let shared = |network| other.as_ref().is_none_or(|o| o.iter().any(|i| i.network == network));
    let near = used(mine).into_iter().find(|i| shared(i.network)).map(|i| i.address);
    near.or(mine.public_ip)
}

/// What the ruleset of a host reports of a flow; none where a packet cannot tell: another system, rules for
/// containers, several addresses.
fn reported(s: &Snapshot, ends: [Option<Id>; 2], flow: &Flow, inbound: bool) -> Option<Verdict> {
    let [source, destination] = ends;
    let host = if inbound { destination } else { source }?;
    let engine = Engine::new(s.clone());
    let intent = engine.intent(host).filter(|i| i.os != Os::Windows)?;
    let mut entries = intent.table.inbound.iter().chain(&intent.table.outbound);
    if entries.any(|e| e.flags.internal_bridge || e.flags.no_log) {
        return None;
    }
    let options = RenderOptions { log_allowed: true, ..options() };
    let text = render(&intent, &engine, &options).unwrap().to_text();
    let interpreter = Interpreter::parse(&text).unwrap();
    let from = address(s, flow.src, destination)?;
    let to = address(s, flow.dst, source)?;
    if from.is_ipv4() != to.is_ipv4() || from == to {
        return None;
    }
    let transport = transport(flow.service)?;
    let packet = match inbound {
        true => Packet::inbound(from, to, transport),
        false => Packet::outbound(to, from, transport),
    };
    let judgement = interpreter.packet(&packet);
    let Some(log) = judgement.logs.first() else {
        assert_eq!(judgement.fate, Fate::Accept);
        return Some(Verdict::Unknown);
    };
    Some(match log.parse::<LogPrefix>().unwrap().outcome {
        Outcome::Accept => Verdict::Allowed,
        Outcome::Pass => Verdict::PotentiallyBlocked,
        Outcome::Drop | Outcome::Reject => Verdict::Blocked,
    })
}

#[test]
fn golden_cases_pass_in_the_ruleset() {
    let (mut told, mut untold) = (0, 0);
    let mut wrong = Vec::new();
    for case in policy_cases().unwrap() {
        let flow = &case.flow;
        // The kernel sees no process, user or name.
        let unseen = flow.process.is_some()
            || flow.windows_service.is_some()
            || flow.dst_fqdn.is_some()
            || !flow.principals.is_empty();
        for run in &case.runs {
            let answer = bulkhead_oracle::decide(&run.snapshot, flow);
            let ends = [answer.source.workload, answer.destination.workload];
            for (want, inbound) in [(run.from, false), (run.to, true)] {
                let Some(want) = want else { continue };
                match reported(&run.snapshot, ends, flow, inbound).filter(|_| !unseen) {
                    None => untold += 1,
                    Some(got) => {
                        told += 1;
                        if got != want {
                            let name = &case.name;
                            wrong.push(format!(
                                "{name} {}: inbound {inbound}: {got:?}, not {want:?}",
                                run.modes
                            ));
                        }
                    }
                }
            }
        }
    }
    println!("{told} ends told, {untold} that packets cannot tell");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(told > 4 * untold, "{told} told, {untold} not");
}
