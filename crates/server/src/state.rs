//! The write path: validate against the head, commit in groups, publish.
//!
//! Readers take the published [`World`] and are never blocked. A writer works on the *head*, which
//! already holds the writes that wait for their commit, then waits for its own. One thread commits:
//! it takes all writers that wait, writes them in one transaction with one fsync, publishes the newest
//! worlds and lets the writers answer. If a commit fails, every writer that built on it fails too, and
//! the head falls back to what is published: nothing unwritten is ever shown.

use crate::clock::Clock;
use crate::doc::Val;
use crate::metrics::Metrics;
use crate::resource::events;
use crate::txn::{Origin, Txn};
use crate::world::{Obj, Row, World};
use arc_swap::ArcSwap;
use bulkhead_api::ApiError;
use bulkhead_ids::{Id, Kind};
use bulkhead_store::{ChangeSet, Key, Loaded, Op, Store, StoreError, UpdateType};
use parking_lot::Mutex;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use tokio::sync::{Notify, oneshot};

/// Most writers in one commit.
const GROUP_MAX: usize = 512;
/// Most writers that wait; more are told to come back.
const QUEUE_MAX: usize = 4096;

type Worlds = BTreeMap<u32, Arc<World>>;

struct Waiting {
    changes: ChangeSet,
    world: Option<Arc<World>>,
    done: oneshot::Sender<Result<(), ApiError>>,
}

/// All organisations, and the way to change them.
pub struct State {
    /// Where the state rests.
    pub store: Arc<dyn Store>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Metrics,
    published: ArcSwap<Worlds>,
    heads: Mutex<BTreeMap<u32, World>>,
    queue: mpsc::SyncSender<Waiting>,
    /// Told when the store can take no more changes until the server starts anew.
    pub fatal: Notify,
}

impl State {
    /// Loads every organisation and starts the commit thread.
    ///
    /// # Errors
    /// When the store cannot be read, or holds a document that cannot.
    pub fn load(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Result<Arc<Self>, LoadError> {
        let heads = load_worlds(store.as_ref())?;
        let published = heads.iter().map(|(n, w)| (*n, Arc::new(w.clone()))).collect::<Worlds>();
        let (queue, waiting) = mpsc::sync_channel(QUEUE_MAX);
        let state = Arc::new(Self {
            store,
            clock,
            metrics: Metrics::default(),
            published: ArcSwap::from_pointee(published),
            heads: Mutex::new(heads),
            queue,
            fatal: Notify::new(),
        });
        let weak = Arc::downgrade(&state);
        std::thread::Builder::new()
            .name("commit".into())
            .spawn(move || {
                while let Ok(first) = waiting.recv() {
                    let mut group = vec![first];
                    group.extend(waiting.try_iter().take(GROUP_MAX - 1));
                    let Some(state) = weak.upgrade() else { return };
                    state.commit(group, &waiting);
                }
            })
            .map_err(LoadError::Thread)?;
        Ok(state)
    }

    /// The published world of an organisation.
    pub fn world(&self, org: u32) -> Option<Arc<World>> {
        self.published.load().get(&org).cloned()
    }

    /// All published worlds, the PCE's own included.
    pub fn worlds(&self) -> Arc<Worlds> {
        self.published.load_full()
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
        let mut heads = self.heads.lock();
        let head = heads.get(&org).ok_or(ApiError::NotFound)?;
        let mut txn = Txn::new(head.clone(), origin, self.clock.now());
        let out = change(&mut txn)?;
        let (mut world, mut ops) = txn.finish(head);
        let severity_of = |org: u32| match org == world.org {
            true => events::min_severity(&world),
            false => heads.get(&org).map(events::min_severity).unwrap_or_default(),
        };
        ops.retain(|op| events::recorded(op, severity_of));
        if ops.is_empty() {
            return Ok((out, Arc::new(world), None));
        }
        world.revision += 1;
        let changes = ChangeSet { org, expected_revision: Some(world.revision - 1), ops };
        let shared = Arc::new(world.clone());
        let (done, wait) = oneshot::channel();
        let waiting = Waiting { changes, world: Some(shared.clone()), done };
        self.queue
            .try_send(waiting)
            .map_err(|_| ApiError::Unavailable("too many writes wait for the disk".into()))?;
        heads.insert(org, world);
        Ok((out, shared, Some(wait)))
    }

    /// Writes audit events that belong to no change (refused requests); nobody waits for them.
    pub fn note(&self, org: u32, mut ops: Vec<Op>) {
        let (done, _) = oneshot::channel();
        let mut heads = self.heads.lock();
        let Some(head) = heads.get_mut(&org) else { return };
        ops.retain(|op| events::recorded(op, |_| events::min_severity(head)));
        if ops.is_empty() {
            return;
        }
        let changes = ChangeSet { org, expected_revision: Some(head.revision), ops };
        let mut world = head.clone();
        world.revision += 1;
        let waiting = Waiting { changes, world: Some(Arc::new(world.clone())), done };
        if self.queue.try_send(waiting).is_ok() {
            *head = world;
        } else {
            tracing::warn!("audit event dropped: too many writes wait for the disk");
        }
    }

    /// Adds an organisation that does not exist yet, empty and not yet stored.
    pub fn add_org(&self, org: u32) {
        self.heads.lock().entry(org).or_insert_with(|| World::empty(org));
    }

    fn commit(&self, group: Vec<Waiting>, queue: &mpsc::Receiver<Waiting>) {
        let mut sets = Vec::with_capacity(group.len());
        let mut waiters = Vec::with_capacity(group.len());
        let mut newest = BTreeMap::new();
        for w in group {
            if let Some(world) = w.world {
                newest.insert(w.changes.org, world);
            }
            sets.push(w.changes);
            waiters.push(w.done);
        }
        let started = std::time::Instant::now();
        let result = self.store.commit(&sets);
        self.metrics.commit(sets.len(), started.elapsed(), result.is_ok());
        let answer = match &result {
            Ok(()) => {
                self.published.rcu(|old| {
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
                waiters.extend(self.fall_back(queue));
                Some(e)
            }
        };
        for done in waiters {
            // The requester may have gone away; its write stands all the same.
            let _ = done.send(answer.map_or(Ok(()), |e| Err(unavailable(e))));
        }
    }

    /// Takes the heads back to what is published and returns all that waited on them.
    fn fall_back(
        &self,
        queue: &mpsc::Receiver<Waiting>,
    ) -> Vec<oneshot::Sender<Result<(), ApiError>>> {
        let mut heads = self.heads.lock();
        *heads = self.published.load().iter().map(|(n, w)| (*n, World::clone(w))).collect();
        queue.try_iter().map(|w| w.done).collect()
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

/// A stored row, still as text.
struct Stored {
    kind: Kind,
    id: Id,
    parent: Option<Id>,
    pending: Option<UpdateType>,
    active: bool,
    doc: Box<[u8]>,
}

fn load_worlds(store: &dyn Store) -> Result<BTreeMap<u32, World>, LoadError> {
    let mut worlds: BTreeMap<u32, World> = BTreeMap::from([(0, World::empty(0))]);
    let mut rows: BTreeMap<u32, Vec<Stored>> = BTreeMap::new();
    let mut keep = |key: Key, parent, pending, active, doc: &[u8]| {
        let row = Stored { kind: key.kind, id: key.id, parent, pending, active, doc: doc.into() };
        rows.entry(key.org).or_default().push(row);
    };
    store.load(&mut |loaded| match loaded {
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
        Loaded::Current { key, parent, pending, doc } => keep(key, parent, pending, false, doc),
        Loaded::Active { key, parent, doc, .. } => keep(key, parent, None, true, doc),
    })?;
    for (org, list) in rows {
        let world = worlds.entry(org).or_insert_with(|| World::empty(org));
        world.fill(assemble(org, list)?);
    }
    Ok(worlds)
}

/// Parses stored rows on all cores and joins the two sides of each object, in order of kind and id.
fn assemble(org: u32, list: Vec<Stored>) -> Result<Vec<(Kind, Id, Row)>, LoadError> {
    let mut sides = list
        .into_par_iter()
        .map(|s| {
            let doc = Val::parse(&s.doc).map_err(|e| LoadError::Document {
                org,
                kind: s.kind.name(),
                id: s.id,
                reason: e.to_string(),
            })?;
            Ok((s.kind, s.id, s.active, s.pending, Obj::new(s.kind, s.id, s.parent, doc)))
        })
        .collect::<Result<Vec<_>, LoadError>>()?;
    sides.par_sort_unstable_by_key(|(kind, id, active, ..)| (*kind, *id, *active));
    let mut rows: Vec<(Kind, Id, Row)> = Vec::with_capacity(sides.len());
    for (kind, id, active, pending, obj) in sides {
        match rows.last_mut() {
            // The draft comes first; what follows under the same name is its active side.
            Some((k, i, row)) if *k == kind && *i == id => row.active = Some(obj),
            _ if active => {
                let row = Row { draft: Some(obj.clone()), active: Some(obj), pending: None };
                rows.push((kind, id, row));
            }
            _ => rows.push((kind, id, Row { draft: Some(obj), active: None, pending })),
        }
    }
    Ok(rows)
}
