//! Statements of one class by port: what a decision looks up.

use bulkhead_model::{Direction, NetworkType, Os, ServiceMatch};

use crate::hosts::Class;
use crate::service::Span;
use crate::store::{PeerKind, SelIx, StmtIx, StmtTarget, Store};

/// One range of ports of one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) span: Span,
    pub(crate) statement: StmtIx,
    pub(crate) alternative: u32,
    /// The selector that the peer must be in, for peers that are workloads by address; else [`NO_SELECTOR`].
    pub(crate) selector: SelIx,
    /// True when nothing but ports and peers counts.
    pub(crate) plain: bool,
}

/// In place of a selector where peers are something else.
pub(crate) const NO_SELECTOR: SelIx = SelIx::MAX;

/// One direction of a class.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ports {
    /// Single points, sorted.
    points: Vec<Item>,
    /// Wider ranges.
    ranges: Vec<Item>,
}

/// Both directions of a class.
#[derive(Debug, Clone, Default)]
pub(crate) struct HostIndex {
    inbound: Ports,
    outbound: Ports,
}

impl Ports {
    /// The items that meet a range of points.
    pub(crate) fn meeting(&self, span: Span) -> impl Iterator<Item = &Item> {
        let from = self.points.partition_point(|i| i.span.0 < span.0);
        let points = self.points.get(from..).unwrap_or(&[]).iter();
        let points = points.take_while(move |i| i.span.0 <= span.1);
        let wide = self.ranges.iter();
        points.chain(wide.filter(move |i| i.span.0 <= span.1 && span.0 <= i.span.1))
    }
}

impl HostIndex {
    pub(crate) fn new(class: &Class, store: &Store) -> Self {
        let mut index = Self::default();
        let windows = class.key.os == Os::Windows;
        let rows = class.selectors.iter().filter_map(|ix| store.selectors.get(*ix));
        for ix in rows.flat_map(|row| &row.statements) {
            let Some(statement) = store.statements.get(*ix) else { continue };
            if !r_brn(statement.flags.network_type) {
                continue;
            }
            let ports = match statement.direction {
                Direction::Inbound => &mut index.inbound,
                Direction::Outbound => &mut index.outbound,
            };
            let selector = match &statement.target {
                StmtTarget::Peer(peer) => match store.peers.get(*peer).map(|row| &row.kind) {
                    Some(PeerKind::Workloads(selector, false)) => *selector,
                    _ => NO_SELECTOR,
                },
                StmtTarget::Any | StmtTarget::Names(_) => NO_SELECTOR,
            };
            let services = statement.services(windows);
            for port in &services.ports {
                let limits = services.matches.get(port.alternative as usize);
                let free = |m: &ServiceMatch| m.process.is_none() && m.windows_service.is_none();
                let item = Item {
                    span: port.span,
                    statement: *ix,
                    alternative: port.alternative,
                    selector,
                    plain: statement.flags.principals.is_empty() && limits.is_some_and(free),
                };
                let single = port.span.0 == port.span.1;
                if single { ports.points.push(item) } else { ports.ranges.push(item) }
            }
        }
        for ports in [&mut index.inbound, &mut index.outbound] {
            ports.points.sort_unstable_by_key(|i| i.span);
        }
        index
    }

    pub(crate) const fn ports(&self, direction: Direction) -> &Ports {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }
}

/// R-BRN, in decisions: every host counts as on the corporate network.
const fn r_brn(network_type: NetworkType) -> bool {
    !matches!(network_type, NetworkType::NonBrn)
}
