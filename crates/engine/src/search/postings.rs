//! Which rules name what on one side.

use bulkhead_ids::Id;
use bulkhead_model::{Actor, Snapshot};
use roaring::RoaringBitmap;
use rustc_hash::FxHashMap;

use super::resolve::is_complete;

/// Rules by the actors of one side.
#[derive(Debug, Clone, Default)]
pub(super) struct SideIndex {
    /// By what the side lists, exclusions as such.
    pub(super) named: FxHashMap<Actor, RoaringBitmap>,
    /// Label sides that are everything in scope.
    pub(super) everything: RoaringBitmap,
    /// Label sides with conditions on keys.
    pub(super) conditional: RoaringBitmap,
}

/// What the entries of one side come to, read once.
struct Shape {
    ams: bool,
    labels: bool,
    exclusions: bool,
}

fn shape(actors: &[Actor]) -> Shape {
    let mut shape = Shape { ams: false, labels: false, exclusions: false };
    for actor in actors {
        match actor {
            Actor::AllWorkloads => shape.ams = true,
            Actor::Label { exclusion, .. } | Actor::LabelGroup { exclusion, .. } => {
                shape.labels = true;
                shape.exclusions |= exclusion;
            }
            Actor::Dimension(_) => shape.labels = true,
            _ => {}
        }
    }
    shape
}

impl SideIndex {
    /// Adds a rule with the actors of its side.
    pub(super) fn add(&mut self, rule: u32, actors: &[Actor]) {
        for actor in actors {
            self.named.entry(actor.clone()).or_default().insert(rule);
        }
        let shape = shape(actors);
        // R-AMS-EXCL: with exclusions, `ams` stands back behind the labels.
        if shape.ams && !shape.exclusions {
            self.everything.insert(rule);
        } else if shape.labels {
            self.conditional.insert(rule);
        }
    }

    /// Takes a rule away.
    pub(super) fn remove(&mut self, rule: u32, actors: &[Actor]) {
        for actor in actors {
            if let Some(rules) = self.named.get_mut(actor) {
                rules.remove(rule);
                if rules.is_empty() {
                    self.named.remove(actor);
                }
            }
        }
        self.everything.remove(rule);
        self.conditional.remove(rule);
    }

    /// Rules that list an actor; an exclusion only where one is asked for.
    pub(super) fn listing(&self, actor: &Actor) -> RoaringBitmap {
        self.named.get(actor).cloned().unwrap_or_default()
    }

    /// The conditions on some label keys, as they stand with the labels and groups of a snapshot.
    pub(super) fn conditions(
        &self,
        snapshot: &Snapshot,
        wanted: impl Fn(&str) -> bool,
    ) -> Vec<Condition> {
        let mut keys: FxHashMap<&str, Condition> = FxHashMap::default();
        for (actor, rules) in &self.named {
            let Some((key, exclusion)) = condition_of(snapshot, actor) else { continue };
            if !wanted(key) {
                continue;
            }
            let condition = keys.entry(key).or_insert_with(|| Condition::new(key));
            condition.any |= rules;
            if exclusion {
                condition.excluding |= rules;
            } else {
                condition.including |= rules;
            }
        }
        keys.into_values().collect()
    }
}

/// The label key of an actor that sets a condition, and whether it is an exclusion. An actor whose label
/// is missing has no key: its rules match nothing through labels.
fn condition_of<'a>(snapshot: &'a Snapshot, actor: &'a Actor) -> Option<(&'a str, bool)> {
    match actor {
        Actor::Label { id, exclusion } => {
            Some((snapshot.labels.get(id).map_or("", |l| &l.key), *exclusion))
        }
        // R-DANGLING: what an incomplete group excludes is not known.
        Actor::LabelGroup { id, exclusion: true } if !is_complete(snapshot, *id) => {
            Some(("", true))
        }
        Actor::LabelGroup { id, exclusion } => {
            Some((snapshot.label_groups.get(id).map_or("", |g| &g.key), *exclusion))
        }
        Actor::Dimension(key) => Some((key, false)),
        _ => None,
    }
}

/// The rules of one side that have a condition on one key.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    /// The key.
    pub(super) key: Box<str>,
    /// Rules with any condition on it.
    pub(super) any: RoaringBitmap,
    /// Rules that include some of its labels.
    pub(super) including: RoaringBitmap,
    /// Rules that exclude some of its labels.
    pub(super) excluding: RoaringBitmap,
}

impl Condition {
    fn new(key: &str) -> Self {
        Self {
            key: key.into(),
            any: RoaringBitmap::new(),
            including: RoaringBitmap::new(),
            excluding: RoaringBitmap::new(),
        }
    }

    /// Rules whose condition a workload with this label of the key meets.
    pub(super) fn met(&self, side: &SideIndex, label: Id, groups: &[Id]) -> RoaringBitmap {
        let listing = |exclusion: bool| {
            let label = side.named.get(&Actor::Label { id: label, exclusion });
            let groups = groups
                .iter()
                .filter_map(|id| side.named.get(&Actor::LabelGroup { id: *id, exclusion }));
            label.into_iter().chain(groups).fold(RoaringBitmap::new(), |all, rules| all | rules)
        };
        let dimension = side.named.get(&Actor::Dimension((*self.key).into()));
        let mut met = listing(false) | (&self.excluding - &self.including);
        if let Some(rules) = dimension {
            met |= rules;
        }
        met - listing(true)
    }
}
