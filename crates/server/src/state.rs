//! The write path: validate against the head, commit in groups, publish.
//!
//! Readers take the published [`World`] and are never blocked. A writer works on the *head*, which
//! already holds the writes that wait for their commit, then waits for its own. One thread commits:
//! it takes all writers that wait, writes them in one transaction with one fsync, publishes the newest
//! worlds and lets the writers answer. If a commit fails, every writer that built on it fails too, and
//! the head falls back to what is published: nothing unwritten is ever shown.

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::resource::events;
use crate::txn::{Origin, Txn};
use crate::world::{self, Doc, Obj, Row, Summary, World};
use arc_swap::ArcSwap;
use bulkhead_api::ApiError;
use bulkhead_ids::{Id, Kind};
use bulkhead_store::{ChangeSet, Key, Loaded, Op, Store, StoreError, UpdateType};
use bytes::Bytes;
use parking_lot::Mutex;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use tokio::sync::{Notify, oneshot};

/// Most writers in one commit.
const GROUP_MAX: usize = 512;
/// Most writers that wait; more are told to come back.
const QUEUE_MAX: usize = 4096;

type Worlds = BTreeMap<u32, Arc<World>>;

struct Waiting {
    changes: ChangeSet,
    world: Arc<World>,
    done: oneshot::Sender<Result<(), ApiError>>,
}

/// All organisations, and the way to change them.
///
/// Dropping it waits until everything that was accepted is stored, so that the store is let go of.
pub struct State {
    /// Where the state rests.
    pub store: Arc<dyn Store>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Told when the store can take no more changes until the server starts anew.
    pub fatal: Arc<Notify>,
    worlds: Arc<Sides>,
    /// Absent only while the state is dropped.
    queue: Option<mpsc::SyncSender<Waiting>>,
    thread: Option<JoinHandle<()>>,
}

/// The two sides of each organisation: as readers see it, and with the writes that wait.
struct Sides {
    published: ArcSwap<Worlds>,
    heads: Mutex<Worlds>,
}

impl Drop for State {
    fn drop(&mut self) {
        // Without senders the thread ends when the queue is empty.
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the commit thread panicked");
        }
    }
}

impl State {
    /// Loads every organisation and starts the commit thread.
    ///
    /// # Errors
    /// When the store cannot be read, or holds a document that cannot.
    pub fn load(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Result<Arc<Self>, LoadError> {
        let loaded = load_worlds(store.as_ref())?;
        let heads: Worlds = loaded.into_iter().map(|(n, w)| (n, Arc::new(w))).collect();
        let worlds = Arc::new(Sides {
            published: ArcSwap::from_pointee(heads.clone()),
            heads: Mutex::new(heads),
        });
        let (queue, waiting) = mpsc::sync_channel(QUEUE_MAX);
        let (metrics, fatal) = (Arc::new(Metrics::default()), Arc::new(Notify::new()));
        let committer = Committer {
            store: store.clone(),
            metrics: metrics.clone(),
            fatal: fatal.clone(),
            worlds: worlds.clone(),
            queue: waiting,
        };
        let thread = std::thread::Builder::new()
            .name("commit".into())
            .spawn(move || committer.run())
            .map_err(LoadError::Thread)?;
        let (queue, thread) = (Some(queue), Some(thread));
        Ok(Arc::new(Self { store, clock, metrics, fatal, worlds, queue, thread }))
    }

    /// The published world of an organisation.
    pub fn world(&self, org: u32) -> Option<Arc<World>> {
        self.worlds.published.load().get(&org).cloned()
    }

    /// All published worlds, the PCE's own included.
    pub fn worlds(&self) -> Arc<Worlds> {
        self.worlds.published.load_full()
    }

    /// Runs a change against the head of an organisation and waits until it is durable.
    ///
    /// The change must be quick and must not block; it sees all writes before it. When it fails
    /// nothing happened.
    ///
    /// # Errors
    /// Those of the change; `NotFound` without the organisation; `Unavailable` when it could not be
    /// committed.
    pub async fn write<T>(
        &self,
        org: u32,
        origin: &Origin,
        change: impl FnOnce(&mut Txn<'_>) -> Result<T, ApiError>,
    ) -> Result<(T, Arc<World>), ApiError> {
        let (out, world, done) = self.enqueue(org, origin, change)?;
        if let Some(done) = done {
            done.await.map_err(|_| ApiError::Internal("the commit thread is gone".into()))??;
        }
        Ok((out, world))
    }

    /// [`State::write`] for threads that may block.
    ///
    /// # Errors
    /// As [`State::write`].
    pub fn write_blocking<T>(
        &self,
        org: u32,
        origin: &Origin,
        change: impl FnOnce(&mut Txn<'_>) -> Result<T, ApiError>,
    ) -> Result<(T, Arc<World>), ApiError> {
        let (out, world, done) = self.enqueue(org, origin, change)?;
        if let Some(done) = done {
            done.blocking_recv()
                .map_err(|_| ApiError::Internal("the commit thread is gone".into()))??;
        }
        Ok((out, world))
    }

    #[expect(clippy::type_complexity, reason = "one private caller pair takes it apart at once")]
    fn enqueue<T>(
        &self,
        org: u32,
        origin: &Origin,
        change: impl FnOnce(&mut Txn<'_>) -> Result<T, ApiError>,
    ) -> Result<(T, Arc<World>, Option<oneshot::Receiver<Result<(), ApiError>>>), ApiError> {
        let mut heads = self.worlds.heads.lock();
        let head = heads.get(&org).ok_or(ApiError::NotFound)?;
        let mut txn = Txn::new(World::clone(head), origin, self.clock.now());
        let out = change(&mut txn)?;
        let (mut world, mut ops) = txn.finish(head);
        let severity_of = |org: u32| match org == world.org {
            true => events::min_severity(&world),
            false => heads.get(&org).map(|w| events::min_severity(w)).unwrap_or_default(),
        };
        ops.retain(|op| events::recorded(op, severity_of));
        if ops.is_empty() {
            return Ok((out, Arc::new(world), None));
        }
        world.revision += 1;
        let world = Arc::new(world);
        let wait = self
            .send(&mut heads, ops, &world)
            .ok_or_else(|| ApiError::Unavailable("too many writes wait for the disk".into()))?;
        Ok((out, world, Some(wait)))
    }

    /// Queues changes and makes their world the head; `None` where too many wait.
    fn send(
        &self,
        heads: &mut Worlds,
        ops: Vec<Op>,
        world: &Arc<World>,
    ) -> Option<oneshot::Receiver<Result<(), ApiError>>> {
        let org = world.org;
        let changes = ChangeSet { org, expected_revision: Some(world.revision - 1), ops };
        let (done, wait) = oneshot::channel();
        self.queue.as_ref()?.try_send(Waiting { changes, world: world.clone(), done }).ok()?;
        heads.insert(org, world.clone());
        Some(wait)
    }

    /// Writes audit events that belong to no change (refused requests); nobody waits for them.
    pub fn note(&self, org: u32, mut ops: Vec<Op>) {
        let mut heads = self.worlds.heads.lock();
        let Some(head) = heads.get(&org) else { return };
        ops.retain(|op| events::recorded(op, |_| events::min_severity(head)));
        if ops.is_empty() {
            return;
        }
        let mut world = World::clone(head);
        world.revision += 1;
        if self.send(&mut heads, ops, &Arc::new(world)).is_none() {
            tracing::warn!("audit event dropped: too many writes wait for the disk");
        }
    }

    /// Adds an organisation that does not exist yet, empty and not yet stored.
    pub fn add_org(&self, org: u32) {
        self.worlds.heads.lock().entry(org).or_insert_with(|| Arc::new(World::empty(org)));
    }
}

/// What the commit thread holds: nothing that keeps the state alive.
struct Committer {
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
    fatal: Arc<Notify>,
    worlds: Arc<Sides>,
    queue: mpsc::Receiver<Waiting>,
}

impl Committer {
    /// Commits what waits, until nobody can send any more and the queue is empty.
    fn run(self) {
        while let Ok(first) = self.queue.recv() {
            let mut group = vec![first];
            group.extend(self.queue.try_iter().take(GROUP_MAX - 1));
            self.commit(group);
        }
    }

    fn commit(&self, group: Vec<Waiting>) {
        let mut sets = Vec::with_capacity(group.len());
        let mut waiters = Vec::with_capacity(group.len());
        let mut newest = Worlds::new();
        for w in group {
            newest.insert(w.changes.org, w.world);
            sets.push(w.changes);
            waiters.push(w.done);
        }
        let started = std::time::Instant::now();
        let result = self.store.commit(&sets);
        self.metrics.commit(sets.len(), started.elapsed(), result.is_ok());
        let answer = match &result {
            Ok(()) => {
                self.worlds.published.rcu(|old| {
                    let mut worlds = Worlds::clone(old);
                    worlds.extend(newest.iter().map(|(n, w)| (*n, w.clone())));
                    worlds
                });
                None
            }
            Err(e) => {
                tracing::error!(error = %e, "commit failed");
                if matches!(e, StoreError::Unsure { .. }) {
                    self.fatal.notify_one();
                }
                waiters.extend(self.fall_back());
                Some(e)
            }
        };
        for done in waiters {
            // The requester may have gone away; its write stands all the same.
            let _ = done.send(answer.map_or(Ok(()), |e| Err(unavailable(e))));
        }
    }

    /// Takes the heads back to what is published and returns all that waited on them.
    fn fall_back(&self) -> Vec<oneshot::Sender<Result<(), ApiError>>> {
        let mut heads = self.worlds.heads.lock();
        *heads = Worlds::clone(&self.worlds.published.load());
        self.queue.try_iter().map(|w| w.done).collect()
    }
}

fn unavailable(e: &StoreError) -> ApiError {
    ApiError::Unavailable(format!("the change could not be stored: {e}"))
}

/// Why the state could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store failed.
    #[error("cannot read the store")]
    Store(#[from] StoreError),
    /// A stored document is no JSON.
    #[error("stored {kind} {id:?} of organisation {org} is damaged: {reason}")]
    Document {
        /// The organisation.
        org: u32,
        /// The kind.
        kind: &'static str,
        /// The id.
        id: Id,
        /// What is wrong.
        reason: String,
    },
    /// The commit thread could not start.
    #[error("cannot start the commit thread")]
    Thread(#[source] std::io::Error),
}

/// The persisted number of the active policy; the last ids are persisted under the names of kinds.
pub const COUNTER_VERSION: &str = "policy_version";

/// Bytes of documents that are looked through as one piece of work.
const PIECE_BYTES: usize = 256 * 1024;

/// A stored row of an organisation; its document is a part of the text of its piece.
struct Stored {
    key: Key,
    parent: Option<Id>,
    pending: Option<UpdateType>,
    active: bool,
    doc: Range<usize>,
}

/// Some stored rows, still as text.
#[derive(Default)]
struct Piece {
    text: Vec<u8>,
    rows: Vec<Stored>,
}

/// One side of an object.
struct OneSide {
    key: Key,
    active: bool,
    pending: Option<UpdateType>,
    obj: Arc<Obj>,
    summary: Summary,
}

impl Piece {
    /// Looks through the documents; they are made when they are asked for.
    fn sides(self) -> Result<Vec<OneSide>, LoadError> {
        let text = Bytes::from(self.text);
        let side = |row: Stored| {
            let Key { org, kind, id } = row.key;
            let doc = text.slice(row.doc);
            let summary = Summary::of(kind, &doc).map_err(|e| LoadError::Document {
                org,
                kind: kind.name(),
                id,
                reason: e.to_string(),
            })?;
            let obj = Obj::new(kind, id, row.parent, Doc::stored(doc));
            Ok(OneSide { key: row.key, active: row.active, pending: row.pending, obj, summary })
        };
        self.rows.into_iter().map(side).collect()
    }
}

fn load_worlds(store: &dyn Store) -> Result<BTreeMap<u32, World>, LoadError> {
    let mut worlds: BTreeMap<u32, World> = BTreeMap::from([(0, World::empty(0))]);
    for (org, sides) in read(store, &mut worlds)? {
        let world = worlds.entry(org).or_insert_with(|| World::empty(org));
        world.fill(joined(sides));
    }
    Ok(worlds)
}

/// Reads revisions and counters into worlds, and returns the objects of each organisation. While the
/// store reads on, all cores look through what it has read.
fn read(
    store: &dyn Store,
    worlds: &mut BTreeMap<u32, World>,
) -> Result<BTreeMap<u32, Vec<OneSide>>, LoadError> {
    let done: Mutex<Vec<Result<Vec<OneSide>, LoadError>>> = Mutex::default();
    let mut piece = Piece::default();
    let loaded = rayon::in_place_scope(|scope| {
        let done = &done;
        let hand_over = |piece: Piece| scope.spawn(move |_| done.lock().push(piece.sides()));
        let mut keep = |key: Key, parent, pending, (active, doc): (bool, &[u8])| {
            let from = piece.text.len();
            piece.text.extend_from_slice(doc);
            let doc = from..piece.text.len();
            piece.rows.push(Stored { key, parent, pending, active, doc });
            if piece.text.len() >= PIECE_BYTES {
                hand_over(std::mem::take(&mut piece));
            }
        };
        let loaded = store.load(&mut |loaded| match loaded {
            Loaded::Revision { org, revision } => {
                worlds.entry(org).or_insert_with(|| World::empty(org)).revision = revision;
            }
            Loaded::Counter { org, name, value } => {
                let world = worlds.entry(org).or_insert_with(|| World::empty(org));
                match Kind::from_name(name) {
                    Some(kind) => world.set_last_id(kind, value),
                    None if name == COUNTER_VERSION => world.version = value,
                    None => tracing::warn!(counter = name, "unknown counter ignored"),
                }
            }
            Loaded::Current { key, parent, pending, doc } => {
                keep(key, parent, pending, (false, doc));
            }
            Loaded::Active { key, parent, doc, .. } => keep(key, parent, None, (true, doc)),
        });
        hand_over(std::mem::take(&mut piece));
        loaded
    });
    loaded?;
    let mut by_org: BTreeMap<u32, Vec<OneSide>> = BTreeMap::new();
    for sides in done.into_inner() {
        for side in sides? {
            by_org.entry(side.key.org).or_default().push(side);
        }
    }
    Ok(by_org)
}

/// Joins the two sides of each object, in order of kind and id.
fn joined(mut sides: Vec<OneSide>) -> Vec<world::Loaded> {
    sides.par_sort_unstable_by_key(|s| (s.key, s.active));
    let mut rows: Vec<world::Loaded> = Vec::with_capacity(sides.len());
    for OneSide { key, active, pending, obj, summary } in sides {
        let (kind, id) = (key.kind, key.id);
        match rows.last_mut() {
            // The draft comes first; what follows under the same name is its active side.
            Some(last) if (last.kind, last.id) == (kind, id) => {
                last.row.active = Some(obj);
                last.active = Some(summary);
            }
            _ => {
                let (draft, other) = (Some(obj.clone()), active.then_some(obj));
                let row = Row { draft, active: other, pending };
                let (draft, active) =
                    if active { (None, Some(summary)) } else { (Some(summary), None) };
                rows.push(world::Loaded { kind, id, row, draft, active });
            }
        }
    }
    rows
}
