//! Everything that rules refer to.

use std::net::IpAddr;
use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{
    Interface, IpList, LabelGroup, Mode, Os, Service, ServiceBinding, ServiceEntry, Snapshot,
    VirtualServer, VirtualService, Workload,
};
use bulkhead_netset::{
    IcmpVersion, IpRange, IpSet, IpSetBuilder, PortProtocol, PortRange, ProtoPorts, ServiceSet,
    U8Range,
};

use super::{
    BINDINGS, GROUPS, IP_LISTS, KEYS, Maker, NETWORKS, SERVICES, VIRTUAL_SERVERS, VIRTUAL_SERVICES,
};

/// Ports that services and flows share.
const PORTS: [u16; 8] = [22, 80, 443, 3306, 3307, 8000, 8100, 65535];
/// Processes by path.
const PATHS: [&str; 3] = [r"C:\Apps\Web.exe", r"c:\other\web.exe", r"C:\Apps\sql.exe"];
/// Processes by file name.
const FILES: [&str; 2] = ["web.exe", "SQL.EXE"];
/// Windows services.
const WINDOWS_SERVICES: [&str; 2] = ["w3svc", "MSSQL"];
/// Name patterns.
const PATTERNS: [&str; 5] =
    ["*.example.com", "db.example.com", "us-*.example.com", "*.*.example.com", "*"];
/// Names that flows have.
const NAMES: [&str; 5] =
    ["db.example.com", "us-east.example.com", "a.b.example.com", "example.com", "DB.example.com"];

impl Maker<'_> {
    pub(super) fn objects(&mut self, s: &mut Snapshot) {
        let ids = |(first, count): (u64, u64)| (first..first + count).map(Id::int);
        for n in 1..=self.workloads {
            s.workloads.insert(Id::int(n), Arc::new(self.workload()));
        }
        s.label_groups = ids(GROUPS).map(|id| (id, Arc::new(self.group(id)))).collect();
        s.ip_lists = ids(IP_LISTS).map(|id| (id, Arc::new(self.ip_list()))).collect();
        s.services = ids(SERVICES).map(|id| (id, Arc::new(self.service()))).collect();
        s.virtual_services =
            ids(VIRTUAL_SERVICES).map(|id| (id, Arc::new(self.virtual_service()))).collect();
        s.virtual_servers =
            ids(VIRTUAL_SERVERS).map(|id| (id, Arc::new(self.virtual_server()))).collect();
        s.bindings = ids(BINDINGS).map(|id| (id, Arc::new(self.binding()))).collect();
    }

    /// Labels of a workload, virtual service or server: at most one of each key.
    pub(super) fn labels(&mut self) -> Vec<Id> {
        let mut labels = Vec::new();
        for key in 0..KEYS.len() {
            if self.chance(75) {
                labels.push(self.label(key));
            }
        }
        labels.sort_unstable();
        labels
    }

    /// An address of the few that everything shares.
    pub(super) fn address(&mut self) -> IpAddr {
        let low = self.rng.u8(1..24);
        match self.rng.u8(0..10) {
            0..=5 => IpAddr::from([10, 0, 0, low]),
            6..=7 => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(low)]),
            8 => IpAddr::from([203, 0, 113, low % 4]),
            _ => IpAddr::from([192, 0, 2, low]),
        }
    }

    fn interface(&mut self, n: usize) -> Interface {
        let address = match self.rng.u8(0..4) {
            0 => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(self.rng.u8(1..24))]),
            _ => IpAddr::from([10, 0, 0, self.rng.u8(1..24)]),
        };
        let network = self.chance(25).then(|| self.id(NETWORKS));
        let prefix = self.one(None, &[Some(24), Some(28), Some(30), Some(64), Some(126), Some(0)]);
        let name = format!("eth{n}").into();
        Interface { name, address, prefix, network, ignored: self.chance(10) }
    }

    pub(super) fn interfaces(&mut self) -> Vec<Interface> {
        let n = self.one(1, &[0, 1, 1, 2, 2, 3]);
        (0..n).map(|n| self.interface(n)).collect()
    }

    pub(super) fn mode(&mut self) -> Mode {
        self.one(Mode::Full, &[Mode::Full, Mode::Selective, Mode::VisibilityOnly, Mode::Idle])
    }

    pub(super) fn workload(&mut self) -> Workload {
        Workload {
            labels: self.labels(),
            interfaces: self.interfaces(),
            public_ip: self.chance(25).then(|| IpAddr::from([203, 0, 113, self.rng.u8(0..4)])),
            mode: self.mode(),
            managed: self.chance(85),
            os: self.one(Os::Other, &[Os::Other, Os::Windows]),
            container_host: self.chance(15),
            endpoint: self.chance(15),
        }
    }

    /// A group of one key, the same for the same id, so that sub-groups mostly fit.
    pub(super) fn group(&mut self, id: Id) -> LabelGroup {
        let place =
            |id: Id| usize::try_from(id.as_int().unwrap_or_default()).unwrap_or_default() % 3;
        let key = place(id);
        let mut sub_groups = Vec::new();
        while self.chance(35) {
            let sub = self.id(GROUPS);
            if place(sub) == key {
                sub_groups.push(sub);
            }
        }
        let labels = self.some(0, 3, |maker| maker.label(key));
        LabelGroup { key: KEYS.get(key).copied().unwrap_or_default().into(), labels, sub_groups }
    }

    fn range(&mut self) -> IpRange {
        let (a, b) = (self.address(), self.address());
        let wide = self.one("10.0.0.0/28", &["10.0.0.8/30", "fd00::/124", "0.0.0.0/0", "::/0"]);
        match self.rng.u8(0..4) {
            0 => a.into(),
            1 => IpRange::new(a.min(b), a.max(b)).unwrap_or(a.into()),
            _ => wide.parse().unwrap_or(a.into()),
        }
    }

    pub(super) fn addresses(&mut self) -> IpSet {
        let mut set = IpSetBuilder::new();
        for range in self.some(0, 3, Self::range) {
            set.include(range);
        }
        while self.chance(35) {
            set.exclude(self.range());
        }
        set.effective()
    }

    pub(super) fn ip_list(&mut self) -> IpList {
        let fqdns = if self.chance(40) { self.some(1, 2, Self::pattern) } else { Vec::new() };
        IpList { addresses: Arc::new(self.addresses()), fqdns }
    }

    fn pattern(&mut self) -> Arc<str> {
        self.one(PATTERNS[0], &PATTERNS).into()
    }

    /// A name that some pattern may fit.
    pub(super) fn name(&mut self) -> Arc<str> {
        self.one(NAMES[0], &NAMES).into()
    }

    fn port(&mut self) -> u16 {
        let port = self.one(PORTS[0], &PORTS);
        match self.rng.u8(0..6) {
            0 => port.saturating_add(1),
            1 => port.saturating_sub(1),
            _ => port,
        }
    }

    /// One entry of a service.
    pub(super) fn ports(&mut self) -> ProtoPorts {
        let tcp = self.one(PortProtocol::Tcp, &[PortProtocol::Tcp, PortProtocol::Udp]);
        let icmp = self.one(IcmpVersion::V4, &[IcmpVersion::V6]);
        let (a, b) = (self.port(), self.port());
        let kind = self.one(8, &[0, 8, 13]);
        match self.rng.u8(0..20) {
            0 => ProtoPorts::ALL,
            1 => ProtoPorts::protocol(self.one(6, &[17, 1, 58, 47, 2])),
            2..=4 => ProtoPorts::Ports(
                tcp,
                PortRange::new(a.min(b), a.max(b)).unwrap_or(PortRange::single(a)),
            ),
            5 => ProtoPorts::IcmpTypes(icmp, U8Range::single(kind)),
            6 => ProtoPorts::IcmpCodes(icmp, kind, U8Range::single(self.one(0, &[1]))),
            _ => ProtoPorts::Ports(tcp, PortRange::single(a)),
        }
    }

    pub(super) fn service_set(&mut self, most: usize) -> ServiceSet {
        self.some(1, most, Self::ports).into_iter().collect()
    }

    /// A process, by path or by file name.
    pub(super) fn process(&mut self) -> Arc<str> {
        if self.chance(50) {
            self.one(PATHS[0], &PATHS).into()
        } else {
            self.one(FILES[0], &FILES).into()
        }
    }

    pub(super) fn windows_service(&mut self) -> Arc<str> {
        self.one(WINDOWS_SERVICES[0], &WINDOWS_SERVICES).into()
    }

    fn entry(&mut self) -> ServiceEntry {
        let windows = self.chance(30);
        let ports = self.service_set(2);
        ServiceEntry {
            ports: if windows && self.chance(40) { ServiceSet::all() } else { ports },
            windows,
            process: (windows && self.chance(60)).then(|| self.process()),
            windows_service: (windows && self.chance(30)).then(|| self.windows_service()),
        }
    }

    fn egress_entry(&mut self) -> ServiceEntry {
        let by_service = self.chance(30);
        ServiceEntry {
            ports: ServiceSet::all(),
            windows: true,
            process: (!by_service).then(|| self.process()),
            windows_service: by_service.then(|| self.windows_service()),
        }
    }

    pub(super) fn service(&mut self) -> Service {
        let egress = if self.chance(40) { self.some(1, 2, Self::egress_entry) } else { Vec::new() };
        Service { entries: self.some(0, 3, Self::entry), egress }
    }

    pub(super) fn virtual_service(&mut self) -> VirtualService {
        let by_service = self.chance(40);
        let ports = |maker: &mut Self| maker.chance(50).then(|| maker.service_set(2));
        let address = |maker: &mut Self| (Arc::new(maker.addresses()), ports(maker));
        let name = |maker: &mut Self| (maker.pattern(), ports(maker));
        VirtualService {
            labels: self.labels(),
            service: by_service.then(|| self.id(SERVICES)),
            ports: if by_service { ServiceSet::new() } else { self.service_set(2) },
            ip_overrides: Arc::new(if self.chance(25) { self.addresses() } else { IpSet::new() }),
            addresses: self.some(0, 1, address),
            fqdns: if self.chance(25) { self.some(1, 2, name) } else { Vec::new() },
            internal_bridge: self.chance(15),
        }
    }

    pub(super) fn virtual_server(&mut self) -> VirtualServer {
        let address = self.address();
        VirtualServer {
            labels: self.labels(),
            address: self.chance(90).then_some(address),
            ports: self.service_set(2),
        }
    }

    pub(super) fn binding(&mut self) -> ServiceBinding {
        let port = |maker: &mut Self| ServiceSet::from(ProtoPorts::tcp(maker.port()));
        let pair = |maker: &mut Self| (port(maker), port(maker));
        ServiceBinding {
            virtual_service: self.id(VIRTUAL_SERVICES),
            workload: self.workload_id(),
            port_overrides: if self.chance(50) { self.some(1, 3, pair) } else { Vec::new() },
        }
    }
}
