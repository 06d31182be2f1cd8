//! The policy engine beside the world: fed by what changed, asked by the policy operations.
//!
//! Each organisation has one engine for the draft and one for the active policy. They follow the published
//! worlds ([`follow`]): a background task brings them up to date after every commit, and a question that
//! comes first does it itself. A question about a world is answered by engines at least as new.

pub mod convert;
pub mod follow;
pub mod reasons;

use crate::world::{Side, World};
use bulkhead_engine::Engine;
use bulkhead_engine::search::RuleIndex;
use bulkhead_model::{Change, EssentialRule, Snapshot};
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Both engines of an organisation, and the world they stand at.
pub struct Sides {
    /// Of the draft.
    pub draft: Engine,
    /// Of the active policy.
    pub active: Engine,
    draft_rules: RuleIndex,
    active_rules: RuleIndex,
    world: Arc<World>,
}

impl Sides {
    fn new(org: u32) -> Self {
        let empty = Arc::new(World::empty(org));
        Self {
            draft: Engine::default(),
            active: Engine::default(),
            draft_rules: RuleIndex::default(),
            active_rules: RuleIndex::default(),
            world: empty,
        }
    }

    /// The engine of one side.
    pub const fn side(&self, side: Side) -> &Engine {
        match side {
            Side::Draft => &self.draft,
            Side::Active => &self.active,
        }
    }

    /// What rule searches on one side ask.
    pub const fn search(&self, side: Side) -> (&RuleIndex, &Snapshot) {
        match side {
            Side::Draft => (&self.draft_rules, self.draft.snapshot()),
            Side::Active => (&self.active_rules, self.active.snapshot()),
        }
    }

    /// The world that the engines stand at.
    pub const fn world(&self) -> &Arc<World> {
        &self.world
    }

    fn follow(&mut self, world: &Arc<World>) {
        let step = follow::step(&self.world, world);
        let fresh = self.world.revision == 0;
        let sides = [
            (&mut self.draft, &mut self.draft_rules, step.draft),
            (&mut self.active, &mut self.active_rules, step.active),
        ];
        for (engine, rules, changes) in sides {
            changes.iter().for_each(|change| rules.apply(change));
            if fresh {
                *engine = Engine::new(assembled(&changes));
            } else if !changes.is_empty() {
                engine.apply(&changes);
            }
        }
        self.world = world.clone();
    }
}

/// An organisation of which these are all objects.
fn assembled(objects: &[Change]) -> Snapshot {
    let mut snapshot = Snapshot { essential: EssentialRule::standard(None), ..Snapshot::default() };
    objects.iter().for_each(|change| snapshot.apply(change));
    snapshot
}

/// The policy of a world that nothing follows, such as that of a past version.
fn snapshot_of(world: &World, side: Side) -> Snapshot {
    let step = follow::step(&World::empty(world.org), world);
    assembled(match side {
        Side::Draft => &step.draft,
        Side::Active => &step.active,
    })
}

/// An engine for the policy of a world that nothing follows.
pub fn engine_of(world: &World, side: Side) -> Engine {
    Engine::new(snapshot_of(world, side))
}

/// The engines of all organisations.
#[derive(Default)]
pub struct Compute {
    orgs: Mutex<BTreeMap<u32, Arc<RwLock<Sides>>>>,
    past: Mutex<Option<Past>>,
}

/// The engine of a past policy version that was asked last.
struct Past {
    of: (u32, u64, u64),
    engine: Arc<Engine>,
}

impl Compute {
    fn cell(&self, org: u32) -> Arc<RwLock<Sides>> {
        let mut orgs = self.orgs.lock();
        orgs.entry(org).or_insert_with(|| Arc::new(RwLock::new(Sides::new(org)))).clone()
    }

    /// Whether the engines of an organisation have not come to a world yet; false while they compute.
    pub fn is_behind(&self, world: &World) -> bool {
        let cell = self.cell(world.org);
        cell.try_read().is_some_and(|sides| sides.world.revision < world.revision)
    }

    /// Brings the engines of an organisation up to a world, unless they are there or further.
    ///
    /// Blocks while it computes.
    pub fn catch_up(&self, world: &Arc<World>) {
        let cell = self.cell(world.org);
        let behind = |sides: &Sides| sides.world.revision < world.revision;
        if behind(&cell.read()) {
            let mut sides = cell.write();
            if behind(&sides) && catch_unwind(AssertUnwindSafe(|| sides.follow(world))).is_err() {
                // What broke off half-way is not trusted: everything is computed anew.
                tracing::error!(org.id = world.org, "the policy engine starts from nothing");
                *sides = Sides::new(world.org);
                sides.follow(world);
            }
        }
    }

    /// Asks the engines of an organisation, brought up to a world first.
    ///
    /// Blocks while they compute and while `ask` runs.
    pub fn ask<R>(&self, world: &Arc<World>, ask: impl FnOnce(&Sides) -> R) -> R {
        self.catch_up(world);
        let cell = self.cell(world.org);
        let sides = cell.read();
        ask(&sides)
    }

    /// Asks about the rules of a side of `world`: what follows the newest world where that is it, otherwise an
    /// index made for the question.
    ///
    /// Blocks like [`Compute::ask`].
    pub fn ask_rules<R>(
        &self,
        newest: &Arc<World>,
        world: &Arc<World>,
        side: Side,
        ask: impl FnOnce(&RuleIndex, &Snapshot) -> R,
    ) -> R {
        if Arc::ptr_eq(world, newest) {
            return self.ask(world, |sides| {
                let (index, snapshot) = sides.search(side);
                ask(index, snapshot)
            });
        }
        let snapshot = snapshot_of(world, side);
        ask(&RuleIndex::new(&snapshot), &snapshot)
    }

    /// Asks the engine of a past version, whose world is given. The engine asked last is kept.
    pub fn ask_past<R>(&self, version: u64, world: &World, ask: impl FnOnce(&Engine) -> R) -> R {
        let of = (world.org, version, world.revision);
        let kept = self.past.lock().as_ref().filter(|p| p.of == of).map(|p| p.engine.clone());
        let engine = kept.unwrap_or_else(|| {
            let engine = Arc::new(engine_of(world, Side::Active));
            *self.past.lock() = Some(Past { of, engine: engine.clone() });
            engine
        });
        ask(&engine)
    }
}
