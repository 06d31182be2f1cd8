//! One destination: what is new goes there, in order, until the receiver has it.

use super::cursors::Cursors;
use super::format::{Format, Framing, node_state};
use super::receiver::Receiver;
use super::{LOCAL_SOCKET, LOOK, Place, select};
use crate::app::App;
use crate::audit;
use crate::world::Obj;
use bulkhead_api::limits;
use bulkhead_ids::{Id, Kind};
use bulkhead_store::{NextEvent, Op};
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The first pause after a failure; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(limits::SYSLOG_PAUSE_S_MAX);
/// How often the state of the node is sent.
const NODE_STATE: Duration = Duration::from_secs(60);

struct Sender {
    app: Arc<App>,
    place: Place,
    destination: Arc<Obj>,
    cursors: Arc<Cursors>,
    receiver: Option<Receiver>,
    framing: Framing,
    /// Whether the receiver is known not to answer.
    lost: bool,
    pause: Duration,
    node_state_at: Option<Instant>,
}

/// Serves a destination until the task is aborted.
pub(super) async fn run(app: Arc<App>, place: Place, destination: Arc<Obj>, cursors: Arc<Cursors>) {
    let framing = Framing::new(&app.fqdn);
    let node_state_at = None;
    let mut sender = Sender {
        app,
        place,
        destination,
        cursors,
        receiver: None,
        framing,
        lost: false,
        pause: PAUSE,
        node_state_at,
    };
    loop {
        match sender.round().await {
            Ok(true) => {}
            Ok(false) => tokio::time::sleep(LOOK).await,
            Err(e) => sender.failed(&e).await,
        }
    }
}

impl Sender {
    /// Sends the next events; says whether there may be more.
    async fn round(&mut self) -> io::Result<bool> {
        if select::node(&self.destination.doc) {
            self.node_state().await?;
        }
        let events = self.next().await?;
        let Some(last) = events.last().map(|e| e.seq) else { return Ok(false) };
        let (org, destination) = (self.place.0, self.destination.clone());
        let taken: Vec<(Value, Vec<u8>)> = events
            .into_iter()
            .filter_map(|e| {
                let event: Value = serde_json::from_slice(&e.doc).ok()?;
                select::takes(org, &destination.doc, &e, &event).then_some((event, e.doc))
            })
            .collect();
        if !taken.is_empty() {
            self.connect().await?;
            let messages = self.messages(&taken);
            self.send(&messages).await?;
        }
        self.cursors.set(self.place, last);
        Ok(true)
    }

    /// The next events of all organisations.
    async fn next(&self) -> io::Result<Vec<NextEvent>> {
        let at = self.cursors.get(self.place).unwrap_or_default();
        let store = self.app.state.store.clone();
        let read = tokio::task::spawn_blocking(move || {
            // Where all events were removed their places start anew: all there are are new.
            let at = if store.last_event()? < at { 0 } else { at };
            store.events_after(at, limits::SYSLOG_EVENTS_AT_ONCE)
        });
        read.await.map_err(io::Error::other)?.map_err(io::Error::other)
    }

    fn messages(&mut self, events: &[(Value, Vec<u8>)]) -> Vec<String> {
        let format = self.format();
        let bound = self
            .receiver
            .as_ref()
            .is_some_and(Receiver::bounded)
            .then_some(limits::SYSLOG_DATAGRAM_BYTES_MAX);
        events.iter().map(|(event, raw)| self.framing.event(format, event, raw, bound)).collect()
    }

    fn format(&self) -> Format {
        let world = self.app.state.world(self.place.0);
        let settings = world.as_ref().and_then(|w| w.get(Kind::EventSettings, Id::SINGLETON));
        Format::named(settings.and_then(|s| s.doc.str("format")).unwrap_or_default())
    }

    async fn node_state(&mut self) -> io::Result<()> {
        if self.node_state_at.is_some_and(|at| at.elapsed() < NODE_STATE) {
            return Ok(());
        }
        self.connect().await?;
        let state = node_state(&self.app.node.figures(), self.app.node.uptime_s());
        let message = self.framing.node(&state, self.app.state.clock.now());
        self.send(&[message]).await?;
        self.node_state_at = Some(Instant::now());
        Ok(())
    }

    async fn connect(&mut self) -> io::Result<()> {
        if self.receiver.is_none() {
            self.receiver = Some(match self.destination.doc.get("remote_syslog") {
                Some(remote) => Receiver::remote(remote).await?,
                None => Receiver::local(Path::new(LOCAL_SOCKET))?,
            });
        }
        Ok(())
    }

    async fn send(&mut self, messages: &[String]) -> io::Result<()> {
        let Some(receiver) = &mut self.receiver else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        receiver.send(messages).await?;
        self.pause = PAUSE;
        if std::mem::take(&mut self.lost) {
            self.tell("remote_syslog.reachable", None);
        }
        Ok(())
    }

    /// Waits before the next attempt; the first failure is told.
    async fn failed(&mut self, e: &io::Error) {
        self.receiver = None;
        if !std::mem::replace(&mut self.lost, true) {
            self.tell("remote_syslog.unreachable", Some(e));
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }

    /// Writes an event about the receiver, and a line of the log.
    fn tell(&self, what: &str, error: Option<&io::Error>) {
        let (org, doc) = (self.place.0, &self.destination.doc);
        let href = self.app.state.world(org).map(|w| audit::href_of(&w, &self.destination));
        let href = href.map(|h| h.to_string()).unwrap_or_default();
        let remote = doc.get("remote_syslog");
        let address = remote.and_then(|r| r.str("address")).unwrap_or(LOCAL_SOCKET);
        let port = remote.and_then(|r| r.int("port"));
        let reason = error.map(ToString::to_string);
        match &reason {
            Some(reason) => tracing::warn!(href, address, reason, "syslog receiver is lost"),
            None => tracing::info!(href, address, "syslog receiver is back"),
        }
        let info = json!({"syslog_destination": {"href": href}, "address": address, "port": port, "reason": reason});
        let mut event = audit::Event::info(what);
        if error.is_some() {
            event.status = Some("failure");
            event.severity = "warning";
        }
        event.notifications.push(audit::notification(what, info));
        let row = audit::row(org, &self.app.origin(), self.app.state.clock.now(), event);
        self.app.state.note(org, vec![Op::AddEvent(row)]);
    }
}
