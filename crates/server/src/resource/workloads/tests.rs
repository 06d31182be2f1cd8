//! Workloads and container workload profiles through create, update and delete.

use crate::render::{Caps, View};
use crate::resource::crud;
use crate::txn::{Origin, Txn};
use crate::world::{Obj, World};
use bulkhead_api::ApiError;
use bulkhead_ids::{Id, Kind};
use serde_json::{Map, Value, json};
use std::sync::Arc;

fn map(v: Value) -> Map<String, Value> {
    v.as_object().cloned().unwrap_or_default()
}

fn token(e: &ApiError) -> String {
    e.items().remove(0).token.into_owned()
}

fn create(txn: &mut Txn<'_>, kind: Kind, body: Value) -> Arc<Obj> {
    crud::create(txn, kind, None, map(body.clone())).unwrap_or_else(|e| panic!("{body}: {e:?}"))
}

fn update(txn: &mut Txn<'_>, old: &Arc<Obj>, body: Value) -> Arc<Obj> {
    crud::update(txn, old, map(body.clone())).unwrap_or_else(|e| panic!("{body}: {e:?}"))
}

fn label(txn: &mut Txn<'_>, key: &str, value: &str) -> Value {
    let label = create(txn, Kind::Label, json!({"key": key, "value": value}));
    json!({"href": crate::audit::href_of(&txn.world, &label).to_string()})
}

fn shown(txn: &Txn<'_>, obj: &Arc<Obj>) -> Value {
    View::draft(&txn.world, Caps::default()).value(obj, None)
}

/// Runs a test on an organisation with the label dimensions that it needs.
fn with_txn(test: impl FnOnce(&mut Txn<'_>)) {
    let origin = Origin { href: "/users/1".into(), ..Origin::default() };
    let mut txn = Txn::new(World::empty(1), &origin, jiff::Timestamp::UNIX_EPOCH);
    for key in ["role", "app", "env", "loc"] {
        let body = json!({"key": key, "display_name": key.to_uppercase()});
        create(&mut txn, Kind::LabelDimension, body);
    }
    test(&mut txn);
}

#[test]
fn the_bulk_bodies_are_the_bodies_of_one_workload() {
    let d = bulkhead_api::descriptor(Kind::Workload).unwrap_or_else(|| panic!("no descriptor"));
    let of = |name: &str| {
        let def = bulkhead_api::descriptor::defs().get(name).cloned();
        def.unwrap_or_else(|| panic!("no definition {name}"))
    };
    let plain = |mut schema: Value| {
        let pairs = ["external_data_set", "external_data_reference"];
        if let Some(p) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            // The pair is written out in one place and a reference in the other.
            pairs.iter().for_each(|name| assert!(p.remove(*name).is_some(), "{name}"));
        }
        schema
    };
    assert_eq!(plain(of("workload_create")), plain(bulkhead_api::schema::create(d)));
    let mut one = bulkhead_api::schema::update(d);
    one["required"] = json!(["href"]);
    assert_eq!(plain(of("workload_update_item")), plain(one));
}

#[test]
fn a_bare_workload_shows_every_member_that_clients_read() {
    with_txn(|txn| {
        let w = create(txn, Kind::Workload, json!({"hostname": "h", "public_ip": ""}));
        let mut seen = shown(txn, &w);
        let Some(map) = seen.as_object_mut() else { panic!("no object") };
        for name in ["href", "created_at", "created_by", "updated_at", "updated_by"] {
            assert!(map.remove(name).is_some(), "{name}");
        }
        for absent in ["deleted_at", "deleted_by", "blocked_connection_action", "container_cluster"]
        {
            assert!(!map.contains_key(absent), "{absent}");
        }
        for (name, want) in [
            ("name", json!(null)),
            ("hostname", json!("h")),
            ("public_ip", json!(null)),
            ("managed", json!(false)),
            ("online", json!(true)),
            ("ven", json!(null)),
            ("services", json!({})),
            ("deleted", json!(false)),
            ("enforcement_mode", json!("visibility_only")),
            ("risk_summary", json!({"ransomware": null})),
            (
                "agent",
                json!({"config": {
                    "mode": "illuminated", "log_traffic": false, "visibility_level": "flow_summary",
                }}),
            ),
        ] {
            assert_eq!(map.get(name), Some(&want), "{name}");
        }
    });
}

#[test]
fn bad_bodies_are_refused_with_the_product_s_token() {
    with_txn(|txn| {
        let (a, b) = (label(txn, "app", "a"), label(txn, "app", "b"));
        let w = create(txn, Kind::Workload, json!({"name": "w"}));
        let other = format!("/orgs/1/workloads/{}", crate::clock::new_uuid());
        for (body, want) in [
            (json!({"labels": [a, b]}), "input_validation_error"),
            (json!({"labels": [{"href": "/orgs/1/labels/99"}]}), "invalid_uri"),
            (json!({"public_ip": "no"}), "invalid_ip_address"),
            (json!({"name": ""}), "input_validation_error"),
            (json!({"href": other}), "invalid_uri"),
            (json!({"datacenter_nat_1to1": true}), "input_validation_error"),
            (json!({"agent": {"status": {"status": "suspended"}}}), "input_validation_error"),
            (
                json!({"enforcement_mode": "full", "agent": {"config": {"mode": "idle"}}}),
                "input_validation_error",
            ),
            (json!({"external_data_set": "s"}), "input_validation_error"),
        ] {
            let refused = crud::update(txn, &w, map(body.clone())).err().map(|e| token(&e));
            assert_eq!(refused.as_deref(), Some(want), "{body}");
        }
    });
}

#[test]
fn what_was_read_can_be_sent_back() {
    with_txn(|txn| {
        let app = label(txn, "app", "a");
        let body = json!({
            "name": "w", "labels": [app], "interfaces": [{"name": "e", "address": "10.0.0.1"}],
        });
        let w = create(txn, Kind::Workload, body);
        let mut seen = map(shown(txn, &w));
        let d = bulkhead_api::descriptor(Kind::Workload).unwrap_or_else(|| panic!("no descriptor"));
        seen.retain(|k, _| d.fields.get(k).is_some_and(bulkhead_api::Field::in_update));
        seen.insert("href".into(), crate::audit::href_of(&txn.world, &w).to_string().into());
        let same = update(txn, &w, seen.into());
        assert!(Arc::ptr_eq(&w, &same), "nothing changed");
    });
}

#[test]
fn deletion_is_soft_and_happens_once() {
    with_txn(|txn| {
        let app = label(txn, "app", "a");
        let w = create(txn, Kind::Workload, json!({"name": "w", "labels": [app]}));
        crud::delete(txn, &w).unwrap_or_else(|e| panic!("{e:?}"));
        let w = txn.world.get(Kind::Workload, w.id).cloned().unwrap_or_else(|| panic!("gone"));
        assert_eq!(shown(txn, &w).get("deleted"), Some(&json!(true)));
        for refused in [crud::delete(txn, &w).err(), crud::update(txn, &w, Map::new()).err()] {
            assert_eq!(refused.map(|e| token(&e)).as_deref(), Some("workload_already_deleted"));
        }
        let label = txn.world.get(Kind::Label, Id::int(1)).cloned();
        let label = label.unwrap_or_else(|| panic!("no label"));
        assert!(crud::delete(txn, &label).is_ok(), "a deleted workload holds no label");
    });
}

fn profile(txn: &mut Txn<'_>, body: Value) -> Result<Arc<Obj>, ApiError> {
    let cluster = create(txn, Kind::ContainerCluster, json!({}));
    crud::create(txn, Kind::ContainerWorkloadProfile, Some(cluster.id), map(body))
}

#[test]
fn labels_of_a_profile_and_their_older_form_agree() {
    with_txn(|txn| {
        let (env, app) = (label(txn, "env", "prod"), label(txn, "app", "a"));
        let body = json!({"name": "p", "managed": true, "assign_labels": [env]});
        let p = profile(txn, body).unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!(p.doc.str("enforcement_mode"), Some("visibility_only"));
        let labels = json!([
            {"key": "env", "assign": env}, {"key": "role", "assignment": {}},
            {"key": "app", "restriction": [app]},
        ]);
        let p = update(txn, &p, json!({"labels": labels}));
        let seen = shown(txn, &p);
        let value = |r: &Value, value: &str| json!({"href": r["href"], "value": value});
        assert_eq!(seen["assign_labels"], json!([env]));
        let want = json!([
            {"key": "env", "assignment": value(&env, "prod")}, {"key": "role", "assignment": {}},
            {"key": "app", "restriction": [value(&app, "a")]},
        ]);
        assert_eq!(seen["labels"], want);
        let label = |n| txn.world.get(Kind::Label, Id::int(n)).cloned();
        let (fixed, offered) = (label(1), label(2));
        let refused = fixed.map(|l| crud::delete(txn, &l).is_err());
        assert_eq!(refused, Some(true), "a fixed label is in use");
        let gone = offered.map(|l| crud::delete(txn, &l).is_ok());
        assert_eq!(gone, Some(true), "a label that is only offered is not");
        let p = txn.world.get(p.kind, p.id).cloned().unwrap_or_else(|| panic!("gone"));
        assert_eq!(shown(txn, &p)["labels"][2], json!({"key": "app", "restriction": []}));
    });
}

#[test]
fn bad_profiles_are_refused() {
    with_txn(|txn| {
        let (env, app) = (label(txn, "env", "prod"), label(txn, "app", "a"));
        for (body, want) in [
            (json!({"assign_labels": [env]}), "unmanaged_container_workload_profile_labels"),
            (json!({"managed": true, "enforcement_mode": "idle"}), "input_validation_error"),
            (
                json!({"managed": true, "labels": [{"key": "env", "assignment": app}]}),
                "input_validation_error",
            ),
            (
                json!({"managed": true, "assign_labels": [env], "labels": [{"key": "env", "restriction": []}]}),
                "input_validation_error",
            ),
            (
                json!({"managed": true, "labels": [{"key": "app", "restriction": []}, {"key": "app", "assignment": app}]}),
                "input_validation_error",
            ),
        ] {
            let refused = profile(txn, body.clone()).err().map(|e| token(&e));
            assert_eq!(refused.as_deref(), Some(want), "{body}");
        }
    });
}
