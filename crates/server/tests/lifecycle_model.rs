//! The policy life cycle against a naive model: random sequences of edits, provisionings, reverts and
//! restores on a real store. After each step all rows are compared, at the end also what a restart
//! loads and what every past version reads as.
//!
//! `BULKHEAD_SEED` repeats a run, `BULKHEAD_CASES` sets how many sequences there are.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

#[path = "lifecycle_model/model.rs"]
mod model;

use bulkhead_api::ApiError;
use bulkhead_ids::{Id, Kind};
use bulkhead_server::app::at_version;
use bulkhead_server::clock::Clock;
use bulkhead_server::policy::closure::{Deed, Node, all_pending, missing};
use bulkhead_server::policy::{self, versions};
use bulkhead_server::resource::crud;
use bulkhead_server::state::State;
use bulkhead_server::txn::{Origin, Txn};
use bulkhead_server::world::{Side, World, exclusive_keys, unique_key};
use bulkhead_server::{audit, boot};
use bulkhead_store::{SqliteStore, UpdateType};
use model::Model;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const ORG: u32 = 1;

#[derive(Clone, Debug)]
enum Step {
    Create { kind: usize, name: u8, external: u8, at: usize, to: usize },
    Update { at: usize, name: Option<u8>, to: usize },
    Delete { at: usize },
    Commit { mask: Option<u16> },
    Revert { mask: Option<u16> },
    Restore { version: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let any = any::<usize>;
    prop_oneof![
        6 => (0..4_usize, 0..6_u8, 0..4_u8, any(), any())
            .prop_map(|(kind, name, external, at, to)| Step::Create { kind, name, external, at, to }),
        6 => (any(), prop::option::of(0..6_u8), any())
            .prop_map(|(at, name, to)| Step::Update { at, name, to }),
        4 => any().prop_map(|at| Step::Delete { at }),
        4 => prop::option::of(0..=u16::MAX).prop_map(|mask| Step::Commit { mask }),
        3 => prop::option::weighted(0.9, 0..=u16::MAX).prop_map(|mask| Step::Revert { mask }),
        1 => any().prop_map(|version| Step::Restore { version }),
    ]
}

/// A clock that never shows the same time twice.
struct Tick(AtomicI64);

impl Clock for Tick {
    fn now(&self) -> jiff::Timestamp {
        let ms = self.0.fetch_add(1, Ordering::Relaxed);
        jiff::Timestamp::from_millisecond(1_700_000_000_000 + ms).unwrap()
    }
}

fn body(v: Value) -> Map<String, Value> {
    v.as_object().unwrap().clone()
}

struct Run {
    state: Arc<State>,
    model: Model,
    _dir: tempfile::TempDir,
}

impl Run {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(dir.path()).unwrap());
        let state = State::load(store, Arc::new(Tick(AtomicI64::new(0)))).unwrap();
        boot::ensure(&state).unwrap();
        let model = Model::of(&state.world(ORG).unwrap());
        Self { state, model, _dir: dir }
    }

    fn world(&self) -> Arc<World> {
        self.state.world(ORG).unwrap()
    }

    fn write<T>(&self, f: impl FnOnce(&mut Txn<'_>) -> Result<T, ApiError>) -> Result<T, ApiError> {
        self.state.write_blocking(ORG, &Origin::default(), f).map(|(out, _)| out)
    }

    /// The `at`th of the draft objects of some kinds.
    fn pick(&self, kinds: &[Kind], at: usize) -> Option<Node> {
        let all: Vec<Node> =
            self.model.rows.keys().filter(|n| kinds.contains(&n.0)).copied().collect();
        all.get(at % all.len().max(1)).copied()
    }

    fn href(&self, node: Option<Node>) -> Option<String> {
        let world = self.world();
        node.and_then(|(k, i)| Some(audit::href_of(&world, world.get(k, i)?).to_string()))
    }

    fn refs(&self, kind: Kind, to: usize) -> Value {
        let target = match kind {
            Kind::LabelGroup => Kind::LabelGroup,
            _ => Kind::IpList,
        };
        let href = self.href(self.pick(&[target], to));
        match (kind, href.filter(|_| !to.is_multiple_of(4))) {
            (Kind::LabelGroup, Some(h)) => json!({"sub_groups": [{"href": h}]}),
            (Kind::LabelGroup, None) => json!({"sub_groups": []}),
            (Kind::SecRule, Some(h)) => json!({"consumers": [{"ip_list": {"href": h}}]}),
            (Kind::SecRule, None) => json!({"consumers": [{"actors": "ams"}]}),
            _ => json!({}),
        }
    }

    fn create(&mut self, kind: usize, (name, external): (u8, u8), (at, to): (usize, usize)) {
        let kind = [Kind::IpList, Kind::LabelGroup, Kind::RuleSet, Kind::SecRule][kind];
        let mut v = body(match kind {
            Kind::IpList => {
                json!({"name": format!("n{name}"), "ip_ranges": [{"from_ip": "10.0.0.1"}]})
            }
            Kind::LabelGroup => json!({"name": format!("n{name}"), "key": "app", "labels": []}),
            Kind::RuleSet => json!({"name": format!("n{name}"), "scopes": [[]], "enabled": true}),
            _ => json!({
                "enabled": true,
                "providers": [{"actors": "ams"}],
                "ingress_services": [{"proto": 6, "port": 443}],
                "resolve_labels_as": {"providers": ["workloads"], "consumers": ["workloads"]},
            }),
        });
        v.extend(body(self.refs(kind, to)));
        if external > 0 && kind != Kind::SecRule {
            v.insert("external_data_set".into(), "set".into());
            v.insert("external_data_reference".into(), format!("r{external}").into());
        }
        let set = self.pick(&[Kind::RuleSet], at).map(|n| n.1);
        let parent = set.filter(|_| kind == Kind::SecRule);
        if kind == Kind::SecRule && parent.is_none() {
            return;
        }
        if let Ok(obj) = self.write(|txn| crud::create(txn, kind, parent, v)) {
            self.model.saved((kind, obj.id), obj.parent, crud::document(ORG, &obj).into());
        }
    }

    fn update(&mut self, at: usize, name: Option<u8>, to: usize) {
        let kinds = [Kind::IpList, Kind::LabelGroup, Kind::RuleSet, Kind::SecRule];
        let Some(node) = self.pick(&kinds, at) else { return };
        let mut v = body(self.refs(node.0, to));
        match name {
            Some(n) if node.0 != Kind::SecRule => {
                v.insert("name".into(), format!("n{n}").into());
            }
            _ => {
                v.insert("description".into(), format!("d{to}").into());
            }
        }
        if self.model.would_cycle(node, &v) {
            return;
        }
        let old = self.world().get(node.0, node.1).unwrap().clone();
        if let Ok(obj) = self.write(|txn| crud::update(txn, &old, v))
            && !Arc::ptr_eq(&obj, &old)
        {
            self.model.saved(node, obj.parent, crud::document(ORG, &obj).into());
        }
    }

    fn delete(&mut self, at: usize) {
        let kinds = [Kind::IpList, Kind::LabelGroup, Kind::RuleSet, Kind::SecRule];
        let Some(node) = self.pick(&kinds, at) else { return };
        let old = self.world().get(node.0, node.1).unwrap().clone();
        if self.write(|txn| crud::delete(txn, &old)).is_ok() {
            self.model.removed(node);
        }
    }

    /// The pending units that a mask picks, and that set made closed; the closure must say of a set
    /// what the model says of its outcome.
    fn set(&self, deed: Deed, mask: Option<u16>) -> BTreeSet<Node> {
        let world = self.world();
        let all = all_pending(&world);
        assert_eq!(all, self.model.units(), "pending units");
        let picked = |n: &usize| mask.is_none_or(|m| m >> (n % 16) & 1 == 1);
        let set: BTreeSet<Node> =
            all.iter().enumerate().filter(|(n, _)| picked(n)).map(|(_, u)| *u).collect();
        let lacks = missing(&world, deed, &set).unwrap();
        let fault = self.model.fault(deed, &set);
        assert_eq!(lacks.is_empty(), fault.is_none(), "{deed:?} {set:?}: {lacks:?}, {fault:?}");
        let closed: BTreeSet<Node> = set.iter().chain(lacks.keys()).copied().collect();
        assert_eq!(self.model.fault(deed, &closed), None, "{deed:?} {closed:?}");
        assert!(closed.is_subset(&all), "only pending objects are lacking: {lacks:?}");
        closed
    }

    fn commit(&mut self, mask: Option<u16>) {
        let set = self.set(Deed::Commit, mask);
        if set.is_empty() {
            return;
        }
        let made = self.write(|txn| Ok(policy::provision(txn, &set, None, 0))).unwrap();
        self.model.commit(&set);
        let counts = made.doc.get("object_counts").unwrap();
        let lists = self.model.versions.last().unwrap().keys().filter(|n| n.0 == Kind::IpList);
        assert_eq!(counts.int("ip_lists"), i64::try_from(lists.count()).ok());
    }

    fn revert(&mut self, mask: Option<u16>) {
        let set = self.set(Deed::Revert, mask);
        self.write(|txn| {
            policy::revert(txn, &set);
            Ok(())
        })
        .unwrap();
        self.model.revert(&set);
    }

    fn objects(&self, version: usize) -> versions::Objects {
        let rows = self.state.store.version_rows(ORG, version as u64, None, None).unwrap();
        versions::objects(&rows).unwrap()
    }

    fn restore(&mut self, version: usize) {
        let version = 1 + version % self.model.versions.len();
        let wanted = self.objects(version);
        self.write(|txn| versions::restore(txn, &wanted)).unwrap();
        self.model.restore(version, &self.world());
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Create { kind, name, external, at, to } => {
                self.create(kind, (name, external), (at, to))
            }
            Step::Update { at, name, to } => self.update(at, name, to),
            Step::Delete { at } => self.delete(at),
            Step::Commit { mask } => self.commit(mask),
            Step::Revert { mask } => self.revert(mask),
            Step::Restore { version } => self.restore(version),
        }
        self.model.compare(&self.world());
    }

    /// What a restart loads is what is in memory, rows and indexes.
    fn restart(&self) {
        let (now, again) = (
            self.world(),
            State::load(self.state.store.clone(), Arc::new(Tick(AtomicI64::new(0)))).unwrap(),
        );
        let again = again.world(ORG).unwrap();
        self.model.compare(&again);
        assert_eq!(now.version, again.version);
        for kind in Kind::ALL.iter().copied() {
            assert_eq!(now.last_id(kind), again.last_id(kind));
            assert_eq!(
                (now.count(kind), now.count_active(kind)),
                (again.count(kind), again.count_active(kind))
            );
            for (id, row) in now.rows(kind) {
                let Some(draft) = &row.draft else { continue };
                assert_eq!(now.rivals(draft), again.rivals(draft));
                assert!(exclusive_keys(draft).is_empty() || now.rivals(draft).contains(&id));
                if let Some(name) = draft.doc.str("name") {
                    let key = unique_key(0, &[name]);
                    assert_eq!(now.holder(kind, &key), again.holder(kind, &key));
                }
                for side in [Side::Draft, Side::Active] {
                    let users = |w: &World| w.referrers(side, kind, id).collect::<Vec<_>>();
                    assert_eq!(users(&now), users(&again));
                }
            }
        }
        assert_eq!(now.pending().collect::<Vec<_>>(), again.pending().collect::<Vec<_>>());
    }

    /// Every version reads as what was active then.
    fn past(&self) {
        for n in 1..=self.model.versions.len() {
            let objects = self.objects(n);
            self.model.compare_version(n, &objects);
            let world = at_version(&self.world(), objects);
            let ids =
                |k: Kind| world.objects(Side::Active, k).map(|o| o.id).collect::<BTreeSet<Id>>();
            for kind in [Kind::IpList, Kind::RuleSet, Kind::SecRule, Kind::LabelGroup] {
                assert_eq!(ids(kind), self.model.ids(n, kind));
            }
            assert_eq!(world.pending().count(), 0);
            let changed = self.state.store.modified(ORG, n as u64).unwrap();
            let of = |u: UpdateType| -> BTreeSet<Node> {
                changed.iter().filter(|m| m.update == u).map(|m| (m.key.kind, m.key.id)).collect()
            };
            let (created, deleted, updated) = self.model.difference(n);
            assert_eq!((of(UpdateType::Create), of(UpdateType::Delete)), (created, deleted));
            assert!(updated.is_subset(&of(UpdateType::Update)));
        }
    }
}

#[test]
fn random_sequences_agree_with_the_model_after_each_step_and_a_restart() {
    let number = |name: &str| std::env::var(name).ok().map(|s| s.parse::<u64>().unwrap());
    let seed = number("BULKHEAD_SEED")
        .unwrap_or_else(|| u64::from_be_bytes(bulkhead_server::clock::random::<8>().unwrap()));
    let cases = number("BULKHEAD_CASES").map_or(12, |n| u32::try_from(n).unwrap());
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let result = runner.run(&prop::collection::vec(step(), 1..60), |steps| {
        let mut run = Run::new();
        for step in &steps {
            run.apply(step);
        }
        run.restart();
        run.past();
        Ok(())
    });
    if let Err(e) = result {
        panic!("BULKHEAD_SEED={seed}: {e}");
    }
}
