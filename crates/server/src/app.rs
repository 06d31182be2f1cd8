//! The server: what requests share.

use crate::authn::{LastUsed, Sessions};
use crate::compute::Compute;
use crate::health::Node;
use crate::http::dispatch::Routes;
use crate::policy::versions::Objects;
use crate::rate::Rates;
use crate::state::State;
use crate::tasks::Signals;
use crate::txn::Origin;
use crate::world::{Row, World};
use arc_swap::ArcSwapOption;
use bulkhead_api::ApiError;
use bulkhead_ids::{Id, Kind};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The running server.
pub struct App {
    /// All organisations.
    pub state: Arc<State>,
    /// The router, built from the operation table.
    pub routes: Routes,
    /// The name of this PCE, as in answers and events.
    pub fqdn: Arc<str>,
    /// Requests a minute of each credential.
    pub rates: Rates,
    /// When each session was last used.
    pub sessions: Sessions,
    /// When each API key was last used.
    pub keys: LastUsed,
    /// Password checks take memory; few run at once.
    pub password_checks: Semaphore,
    /// Organisations in which a bulk call on workloads runs.
    pub bulk: parking_lot::Mutex<std::collections::BTreeSet<u32>>,
    /// This host.
    pub node: Node,
    /// Wakes background tasks.
    pub signals: Signals,
    /// The policy engines of all organisations.
    pub compute: Compute,
    /// Rule searches that run at once; more wait for their turn.
    pub searches: Semaphore,
    past: ArcSwapOption<Past>,
}

/// A past policy version that was looked at last.
struct Past {
    version: u64,
    of: (u32, u64),
    world: Arc<World>,
}

impl App {
    /// Puts the parts together.
    pub fn new(
        state: Arc<State>,
        routes: Routes,
        fqdn: &str,
        rates: Rates,
        data_dir: PathBuf,
    ) -> Self {
        let node = Node::new(data_dir, state.clock.now());
        let sessions = Sessions::new(state.clock.now());
        Self {
            node,
            signals: Signals::default(),
            state,
            routes,
            fqdn: fqdn.into(),
            rates,
            sessions,
            keys: LastUsed::default(),
            password_checks: Semaphore::new(bulkhead_api::limits::PASSWORD_CHECKS_MAX),
            bulk: parking_lot::Mutex::default(),
            compute: Compute::default(),
            searches: Semaphore::new(bulkhead_api::limits::RULE_SEARCHES_MAX),
            past: ArcSwapOption::empty(),
        }
    }

    /// The server itself, as the actor of changes that nobody asked for.
    pub fn origin(&self) -> Origin {
        Origin { pce_fqdn: self.fqdn.clone(), ..Origin::default() }
    }

    /// The organisation with its policy objects as they were in a past version.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot be read.
    pub async fn world_at(&self, world: &Arc<World>, version: u64) -> Result<Arc<World>, ApiError> {
        if version == world.version {
            return Ok(world.clone());
        }
        let of = (world.org, world.revision);
        if let Some(p) = self.past.load().as_ref()
            && p.version == version
            && p.of == of
        {
            return Ok(p.world.clone());
        }
        let (store, now) = (self.state.store.clone(), world.clone());
        let made = tokio::task::spawn_blocking(move || {
            let rows = store
                .version_rows(now.org, version, None, None)
                .map_err(|e| ApiError::Unavailable(format!("past versions cannot be read: {e}")))?;
            Ok::<_, ApiError>(at_version(&now, crate::policy::versions::objects(&rows)?))
        })
        .await
        .map_err(|e| ApiError::Internal(e.to_string()))??;
        let made = Arc::new(made);
        let kept = Past { version, of, world: made.clone() };
        self.past.store(Some(Arc::new(kept)));
        Ok(made)
    }
}

/// An organisation with other policy objects, each of them on both sides.
pub fn at_version(now: &World, objects: Objects) -> World {
    let mut world = now.clone();
    for kind in Kind::ALL.iter().copied().filter(|k| k.is_policy()) {
        let ids: Vec<Id> = world.rows(kind).map(|(id, _)| id).collect();
        for id in ids {
            world.put(kind, id, None);
        }
    }
    for ((kind, id), obj) in objects {
        let row = Row { draft: Some(obj.clone()), active: Some(obj), pending: None };
        world.put(kind, id, Some(row));
    }
    world
}
