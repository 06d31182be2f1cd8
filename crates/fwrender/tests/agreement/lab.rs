//! Two network namespaces with a cable between them: a host that has a ruleset, and the net around it.
//!
//! Packets of the tests carry a hop limit of their own and a number in the identification field (IPv4) or
//! flow label (IPv6). A table beside the one under test notes the numbers that arrive, those that pass
//! the ruleset, and then drops them: nothing is answered, and connection tracking keeps nothing of them.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::intents::{LOCAL, peers};
use crate::wire::HOP_LIMIT;

/// Hardware addresses of the host and of the net.
const MACS: [&str; 2] = ["02:00:00:00:09:01", "02:00:00:00:09:02"];

/// The two namespaces; removed when dropped.
pub(crate) struct Lab {
    names: [String; 2],
    host: [Socket; 2],
    net: [Socket; 2],
}

/// Which packets were seen where.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) arrived: BTreeSet<u32>,
    pub(crate) passed_in: BTreeSet<u32>,
    pub(crate) passed_out: BTreeSet<u32>,
}

/// Runs a command with a text as its input; what it says when it fails.
fn run(program: &str, args: &[&str], input: &str) -> Result<String, String> {
    let spawned = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.map_err(|e| format!("{program}: {e}"))?;
    let mut stdin = child.stdin.take().unwrap();
    let text = input.to_owned();
    // A program that ends without reading says why on its own.
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().map_err(|e| format!("{program}: {e}"))?;
    let _ = writer.join();
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{program} {args:?}: {}", error.trim()))
}

/// Moves the calling thread into a namespace.
pub(crate) fn enter(name: &str) -> Result<(), String> {
    let file = std::fs::File::open(format!("/run/netns/{name}")).map_err(|e| e.to_string())?;
    let kind = Some(LinkNameSpaceType::Network);
    move_into_link_name_space(std::os::fd::AsFd::as_fd(&file), kind).map_err(|e| e.to_string())
}

/// Sockets that send whole IP packets of both families from the namespace of the thread.
fn raw_sockets() -> Result<[Socket; 2], String> {
    let raw = |domain| Socket::new(domain, Type::RAW, Some(Protocol::from(255)));
    let make = || Ok([raw(Domain::IPV4)?, raw(Domain::IPV6)?]);
    make().map_err(|e: std::io::Error| format!("raw sockets: {e}"))
}

impl Lab {
    /// Builds the namespaces and moves the calling thread into that of the host. The reason when this
    /// machine does not permit it.
    pub(crate) fn new(name: &str) -> Result<Self, String> {
        run("nft", &["--version"], "")?;
        let pid = std::process::id();
        let names = [format!("bulkhead-{name}-{pid}-host"), format!("bulkhead-{name}-{pid}-net")];
        let [host, net] = &names;
        for name in &names {
            run("ip", &["netns", "add", name], "")?;
        }
        let guard = Guard(&names);
        // Addresses beyond the link are reached over it too.
        let routes = "route add default dev up0\nroute add ::/0 dev up0\n";
        let cable = format!(
            "link add up0 address {} type veth peer name up0 address {} netns {net}\n",
            MACS[0], MACS[1]
        );
        let ours = LOCAL.map(|address| address.parse().unwrap());
        let others: Vec<IpAddr> = peers();
        let setup = cable + &interface(&ours, &others, MACS[1]) + routes;
        run("ip", &["-n", host, "-batch", "-"], &setup)?;
        run("ip", &["-n", net, "-batch", "-"], &interface(&others, &ours, MACS[0]))?;
        let net_name = net.clone();
        let of_net = std::thread::spawn(move || enter(&net_name).and_then(|()| raw_sockets()));
        let net = of_net.join().unwrap()?;
        enter(host)?;
        let host = raw_sockets()?;
        run("nft", &["-f", "-"], &observer())?;
        std::mem::forget(guard);
        Ok(Self { names, host, net })
    }

    /// The namespace of the net around the host.
    pub(crate) fn net_name(&self) -> &str {
        &self.names[1]
    }

    /// Puts a ruleset in force and forgets what was seen.
    pub(crate) fn load(&self, text: &str) {
        let flush: String = SETS.iter().map(|s| format!("flush set inet observer {s}\n")).collect();
        run("nft", &["-f", "-"], &format!("{text}\n{flush}"))
            .unwrap_or_else(|e| panic!("{e}\n{text}"));
    }

    /// Sends a packet, from the host or to it.
    pub(crate) fn send(&self, inbound: bool, packet: &[u8], to: IpAddr) {
        let sockets = if inbound { &self.net } else { &self.host };
        let address = SockAddr::from(SocketAddr::new(to, 0));
        let sent = sockets[usize::from(to.is_ipv6())].send_to(packet, &address);
        // A packet that the host's own ruleset drops is an error to its sender.
        assert!(!inbound || sent.is_ok(), "{sent:?}");
    }

    /// What was seen, once so many packets have come to the host.
    pub(crate) fn seen(&self, arriving: usize) -> Seen {
        for attempt in 0u64.. {
            let text = run("nft", &["list", "table", "inet", "observer"], "").unwrap();
            let seen = Seen {
                arrived: numbers(&text, "arrived"),
                passed_in: numbers(&text, "in"),
                passed_out: numbers(&text, "out"),
            };
            if seen.arrived.len() >= arriving {
                return seen;
            }
            assert!(attempt < 100, "{} of {arriving} packets arrived", seen.arrived.len());
            std::thread::sleep(std::time::Duration::from_millis(5 * attempt.min(20)));
        }
        unreachable!()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(Guard(&self.names));
    }
}

/// Removes namespaces.
struct Guard<'a>(&'a [String; 2]);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        for name in self.0 {
            let _ = run("ip", &["netns", "delete", name], "");
        }
    }
}

/// Commands that give an interface addresses and the hardware address of those on the other end.
fn interface(ours: &[IpAddr], others: &[IpAddr], mac: &str) -> String {
    let mut text = "link set lo up\n".to_owned();
    for address in ours {
        let rest = if address.is_ipv4() { "/24" } else { "/64 dev up0 nodad" };
        let device = if address.is_ipv4() { " dev up0" } else { "" };
        text += &format!("address add {address}{rest}{device}\n");
    }
    text += "link set up0 up\n";
    for address in others {
        text += &format!("neighbour replace {address} lladdr {mac} dev up0 nud permanent\n");
    }
    text
}

const SETS: [&str; 6] = ["arrived4", "arrived6", "in4", "in6", "out4", "out6"];

/// The table that notes what arrives and what passes.
fn observer() -> String {
    let mut text = "table inet observer {\n".to_owned();
    for set in SETS {
        let field = if set.ends_with('4') { "ip id" } else { "ip6 flowlabel" };
        text += &format!("set {set} {{\ntypeof {field}\nsize 65535\nflags dynamic\n}}\n");
    }
    for (hook, priority, set, end) in [
        ("prerouting", -450, "arrived", "accept"),
        ("input", 100, "in", "drop"),
        ("output", 100, "out", "drop"),
    ] {
        text += &format!(
            "chain {hook} {{\ntype filter hook {hook} priority {priority}; policy accept;\n\
             ip ttl {HOP_LIMIT} add @{set}4 {{ ip id }} {end}\n\
             ip6 hoplimit {HOP_LIMIT} add @{set}6 {{ ip6 flowlabel }} {end}\n}}\n"
        );
    }
    text + "}\n"
}

/// The elements of both sets of a kind.
fn numbers(text: &str, kind: &str) -> BTreeSet<u32> {
    let mut out = BTreeSet::new();
    for family in ["4", "6"] {
        let head = format!("set {kind}{family} {{");
        let (_, rest) = text.split_once(&head).unwrap();
        let (body, _) = rest.split_once("\n\t}").unwrap();
        if let Some((_, elements)) = body.split_once("elements = {") {
            let (elements, _) = elements.split_once('}').unwrap();
            out.extend(elements.split(',').map(|n| n.trim().parse::<u32>().unwrap()));
        }
    }
    out
}
