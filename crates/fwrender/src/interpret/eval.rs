//! Takes a packet through the chains.

use std::net::IpAddr;

use super::elements::Elements;
use super::program::{Chain, Entrance, Field, Half, Op, Program, Rule, Source, Value, Verdict};
use super::{CtState, Fate, Judgement, Packet, Transport, Way};

/// How a chain ends.
enum End {
    /// With a verdict for the packet, as far as this base chain goes.
    Fate(Fate),
    /// The chain that led here goes on.
    Return,
}

/// What a rule does to the way of the packet.
enum Step {
    Next,
    Take(Verdict),
    Reject,
}

/// A packet on its way.
struct Walk<'a> {
    program: &'a Program,
    packet: &'a Packet,
    state: CtState,
    priority: u32,
    logs: Vec<String>,
    comments: Vec<String>,
}

/// What becomes of a packet.
pub(super) fn judge(program: &Program, packet: &Packet) -> Judgement {
    let entrances: &[Entrance] = match packet.way {
        Way::Input => &[Entrance::Prerouting, Entrance::Input],
        Way::Output => &[Entrance::Output],
        Way::Forward => &[Entrance::Prerouting, Entrance::Forward],
    };
    let (logs, comments) = (Vec::new(), Vec::new());
    let mut walk = Walk { program, packet, state: packet.state, priority: 0, logs, comments };
    let mut fate = Fate::Accept;
    'all: for entrance in entrances {
        let mut chains: Vec<_> = program
            .chains
            .values()
            .filter_map(|chain| {
                chain.base.map(|(at, priority, drops)| (at, priority, drops, chain))
            })
            .filter(|(at, ..)| at == entrance)
            .collect();
        chains.sort_by_key(|(_, priority, ..)| *priority);
        for (_, _, drops, chain) in chains {
            // An acceptance ends this base chain only; the next one is asked all the same.
            fate = match walk.chain(chain) {
                End::Fate(fate) => fate,
                End::Return if drops => Fate::Drop,
                End::Return => Fate::Accept,
            };
            if fate != Fate::Accept {
                break 'all;
            }
        }
    }
    Judgement { fate, logs: walk.logs, comments: walk.comments }
}

impl Walk<'_> {
    fn chain(&mut self, chain: &Chain) -> End {
        for rule in &chain.rules {
            let verdict = match self.rule(rule) {
                Step::Next => continue,
                Step::Reject => return End::Fate(Fate::Reject),
                Step::Take(verdict) => verdict,
            };
            let program = self.program;
            match &verdict {
                Verdict::Accept => return End::Fate(Fate::Accept),
                Verdict::Drop => return End::Fate(Fate::Drop),
                Verdict::Return => return End::Return,
                Verdict::Jump(name) => {
                    // Names, loops and depth were checked when the text was read.
                    if let Some(target) = program.chains.get(name)
                        && let End::Fate(fate) = self.chain(target)
                    {
                        return End::Fate(fate);
                    }
                }
                Verdict::Goto(name) => {
                    return program.chains.get(name).map_or(End::Return, |t| self.chain(t));
                }
            }
        }
        End::Return
    }

    fn rule(&mut self, rule: &Rule) -> Step {
        for op in &rule.ops {
            let step = match self.op(op) {
                Some(Step::Next) => continue,
                Some(step) => step,
                None => return Step::Next,
            };
            if !matches!(step, Step::Take(Verdict::Jump(_) | Verdict::Goto(_))) {
                self.comments.extend(rule.comment.clone());
            }
            return step;
        }
        Step::Next
    }

    /// What an operation does; none when its condition does not hold.
    fn op(&mut self, op: &Op) -> Option<Step> {
        let holds = match op {
            Op::In(fields, source) => self.find(fields, source).is_some(),
            Op::VerdictMap(fields, source) => match self.find(fields, source)? {
                Value::Verdict(verdict) => return Some(Step::Take(verdict)),
                Value::Member | Value::Class(_) => false,
            },
            Op::MapPriority(field, name) => {
                match self.program.sets.get(name)?.elements.get(&[self.field(*field)?])? {
                    Value::Class(class) => self.priority = *class,
                    Value::Member | Value::Verdict(_) => return None,
                }
                true
            }
            Op::ClearPriority => {
                self.priority = 0;
                true
            }
            Op::Interface(input, name, any_rest) => {
                let packet = self.packet;
                let is = if *input { &packet.input_interface } else { &packet.output_interface };
                if *any_rest { is.starts_with(name) } else { is == name }
            }
            Op::State(states) => states.contains(&self.state),
            Op::Local => self.packet.way == Way::Input,
            Op::Secured(inbound) => {
                let here = match self.packet.way {
                    Way::Input => *inbound,
                    Way::Output => !*inbound,
                    Way::Forward => true,
                };
                here && self.packet.secured
            }
            Op::Log(prefix) => {
                self.logs.push(prefix.clone());
                true
            }
            Op::Untrack => {
                self.state = CtState::Untracked;
                true
            }
            Op::Reject => return Some(Step::Reject),
            Op::Verdict(verdict) => return Some(Step::Take(verdict.clone())),
        };
        holds.then_some(Step::Next)
    }

    fn find(&self, fields: &[Field], source: &Source) -> Option<Value> {
        let key: Option<Vec<u128>> = fields.iter().map(|field| self.field(*field)).collect();
        let elements: &Elements = match source {
            Source::Inline(elements) => elements,
            Source::Named(name) => &self.program.sets.get(name)?.elements,
        };
        elements.get(&key?).cloned()
    }

    /// The value of a field; none where the packet has no such field.
    fn field(&self, field: Field) -> Option<u128> {
        let of = |half| match half {
            Half::Source => self.packet.source,
            Half::Destination => self.packet.destination,
        };
        let v4 = self.packet.source.is_ipv4();
        let byte = |n: u8| Some(u128::from(n));
        match field {
            Field::Ip4(half) => match of(half) {
                IpAddr::V4(a) => Some(a.to_bits().into()),
                IpAddr::V6(_) => None,
            },
            Field::Ip6(half) => match of(half) {
                IpAddr::V6(a) => Some(a.to_bits()),
                IpAddr::V4(_) => None,
            },
            Field::Protocol => byte(protocol(self.packet.transport)),
            Field::Priority => Some(self.priority.into()),
            Field::Port(half) => port(self.packet.transport, half, true, true),
            Field::TcpPort(half) => port(self.packet.transport, half, true, false),
            Field::UdpPort(half) => port(self.packet.transport, half, false, true),
            Field::IcmpType | Field::IcmpCode => match self.packet.transport {
                // The family is part of the condition: nft looks for ICMP in IPv4 packets only.
                Transport::Icmp { icmp_type, .. } if v4 && field == Field::IcmpType => {
                    byte(icmp_type)
                }
                Transport::Icmp { code, .. } if v4 => byte(code),
                _ => None,
            },
            Field::Icmpv6Type | Field::Icmpv6Code => match self.packet.transport {
                Transport::Icmpv6 { icmp_type, .. } if !v4 && field == Field::Icmpv6Type => {
                    byte(icmp_type)
                }
                Transport::Icmpv6 { code, .. } if !v4 => byte(code),
                _ => None,
            },
        }
    }
}

const fn protocol(transport: Transport) -> u8 {
    match transport {
        Transport::Tcp { .. } => 6,
        Transport::Udp { .. } => 17,
        Transport::Icmp { .. } => 1,
        Transport::Icmpv6 { .. } => 58,
        Transport::Other(number) => number,
    }
}

fn port(transport: Transport, half: Half, tcp: bool, udp: bool) -> Option<u128> {
    let (source, destination) = match transport {
        Transport::Tcp { source, destination } if tcp => (source, destination),
        Transport::Udp { source, destination } if udp => (source, destination),
        _ => return None,
    };
    Some(u128::from(if half == Half::Source { source } else { destination }))
}
