//! Delivery of audit events and node states to syslog destinations.
//!
//! A supervisor keeps one sender for each destination that wants something. Senders read the events
//! from the store in the order of recording, so that a backlog waits on disk and not in memory, and
//! remember how far they came in a file of the data directory: after a crash the last moments are sent
//! again, nothing is left out. A receiver that fails is tried again with growing pauses, and an event
//! says when it was lost and found.
//!
//! Source: Events Administration guide 25.2, "Syslog"; framing as public SIEM add-ons parse it.

mod cursors;
mod format;
mod receiver;
mod select;
mod sender;

use crate::app::App;
use crate::world::{Obj, SYSTEM, Side};
use bulkhead_ids::{Id, Kind};
use cursors::Cursors;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often senders look for new events, and the supervisor for changed destinations.
const LOOK: Duration = Duration::from_millis(500);
/// The socket of the syslog of this host.
const LOCAL_SOCKET: &str = "/dev/log";

/// A destination: its organisation and id.
type Place = (u32, Id);

struct Running {
    destination: Arc<Obj>,
    sender: JoinHandle<()>,
}

/// Delivers until told to stop.
pub async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let cursors = Arc::new(Cursors::open(&app.node.data_dir));
    let mut running: BTreeMap<Place, Running> = BTreeMap::new();
    let mut timer = tokio::time::interval(LOOK);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            _ = stop.changed() => break,
        }
        supervise(&app, &cursors, &mut running).await;
        cursors.save();
    }
    running.into_values().for_each(|r| r.sender.abort());
    cursors.save();
}

/// Starts senders for new destinations, and ends or starts anew those whose destination changed.
async fn supervise(app: &Arc<App>, cursors: &Arc<Cursors>, running: &mut BTreeMap<Place, Running>) {
    let wanted = destinations(app);
    running.retain(|place, r| {
        let same = wanted.get(place).is_some_and(|d| d.doc == r.destination.doc);
        if !same {
            r.sender.abort();
        }
        same && !r.sender.is_finished()
    });
    cursors.keep(|place| wanted.contains_key(&place));
    for (place, destination) in wanted {
        if running.contains_key(&place) {
            continue;
        }
        // A new destination gets what happens from now on.
        if cursors.get(place).is_none() {
            let store = app.state.store.clone();
            match tokio::task::spawn_blocking(move || store.last_event()).await {
                Ok(Ok(last)) => cursors.set(place, last),
                other => {
                    tracing::warn!(result = ?other.map(|r| r.is_ok()), "events cannot be read");
                    continue;
                }
            }
        }
        let (app, cursors, obj) = (app.clone(), cursors.clone(), destination.clone());
        let sender = tokio::spawn(sender::run(app, place, obj, cursors));
        running.insert(place, Running { destination, sender });
    }
}

/// All destinations to which something may have to be sent.
fn destinations(app: &App) -> BTreeMap<Place, Arc<Obj>> {
    let local = Path::new(LOCAL_SOCKET).exists();
    let mut out = BTreeMap::new();
    for world in app.state.worlds().values().filter(|w| w.org != SYSTEM) {
        for d in world.objects(Side::Draft, Kind::SyslogDestination) {
            let here = d.doc.list("pce_scope");
            let here = here.is_empty() || here.iter().any(|s| s.as_str() == Some(&app.fqdn));
            let reachable = d.doc.str("type") != Some("local_syslog") || local;
            if here && reachable && select::sends_anything(&d.doc) {
                out.insert((world.org, d.id), d.clone());
            }
        }
    }
    out
}
