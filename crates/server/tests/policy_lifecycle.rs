//! The policy life cycle over the API: who may provision what, closed subsets, rules with their rule
//! sets, restore, counts and events.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

use bulkhead_testkit::{Client, Server};
use serde_json::{Value, json};

const PCE: &str = env!("CARGO_BIN_EXE_bulkhead-pce");
const DRAFT: &str = "sec_policy/draft";

fn ip_list(api: &Client, name: &str) -> String {
    let body = json!({"name": name, "ip_ranges": [{"from_ip": "10.0.0.0/8"}]});
    api.post(&format!("{DRAFT}/ip_lists"), &body).expect(201).href()
}

fn rule_set(api: &Client, name: &str, scope: &Value) -> String {
    let body = json!({"name": name, "scopes": [scope]});
    api.post(&format!("{DRAFT}/rule_sets"), &body).expect(201).href()
}

fn rule(api: &Client, set: &str, side: &Value) -> String {
    let body = json!({
        "enabled": true,
        "providers": [side],
        "consumers": [{"actors": "ams"}],
        "ingress_services": [{"proto": 6, "port": 443}],
        "resolve_labels_as": {"providers": ["workloads"], "consumers": ["workloads"]},
    });
    api.post(&format!("{set}/sec_rules"), &body).expect(201).href()
}

fn subset(hrefs: &[&str]) -> Value {
    let mut out = json!({});
    for href in hrefs {
        let collection = href.split('/').nth(5).unwrap();
        if out[collection].is_null() {
            out[collection] = json!([]);
        }
        out[collection].as_array_mut().unwrap().push(json!({"href": href}));
    }
    json!({"change_subset": out})
}

fn provision(api: &Client, hrefs: &[&str]) -> Value {
    api.post("sec_policy", &subset(hrefs)).expect(201).body
}

fn active(href: &str) -> String {
    href.replace("/draft/", "/active/")
}

/// A service account with one role.
fn with_role(owner: &Client, role: &str) -> Client {
    let body = json!({
        "name": role,
        "permissions": [{"role": {"href": format!("/orgs/1/roles/{role}")}, "scope": []}],
        "api_key": {"expires_in_seconds": -1},
    });
    let made = owner.post("service_accounts", &body).expect(201).body;
    let text = |name: &str| made["api_key"][name].as_str().unwrap().to_owned();
    owner.with(&text("auth_username"), &text("secret"))
}

#[test]
fn provisioner_roles_provision_their_kinds_only() {
    let server = Server::start(PCE);
    let owner = server.client();
    let (list, set) = (ip_list(&owner, "L"), rule_set(&owner, "R", &json!([])));
    let global = with_role(&owner, "global_object_provisioner");
    let rules = with_role(&owner, "ruleset_provisioner");
    let viewer = with_role(&owner, "read_only");
    for (who, refused) in [(&global, &set), (&rules, &list), (&viewer, &set), (&viewer, &list)] {
        who.post("sec_policy", &subset(&[refused])).expect(403);
    }
    global.post("sec_policy", &json!({})).expect(403);
    let pending = rules.get("sec_policy/pending").expect(200).body;
    assert_eq!(pending["rule_sets"][0]["caps"], json!(["provision"]));
    assert_eq!(pending["ip_lists"][0]["caps"], json!([]));
    assert_eq!(provision(&global, &[&list])["object_counts"]["ip_lists"], 2);
    provision(&rules, &[&set]);
    assert_eq!(owner.get("sec_policy/pending").expect(200).body, json!({}));
}

#[test]
fn a_subset_names_pending_drafts_and_nothing_else() {
    let server = Server::start(PCE);
    let api = server.client();
    let list = ip_list(&api, "L");
    let at = |kind: &str, href: &str| json!({"change_subset": {kind: [{"href": href}]}});
    let cases = [
        (json!({"change_subset": {}}), "empty_change_subset"),
        (json!({"change_subset": {"ip_lists": []}}), "empty_change_subset"),
        (at("services", &list), "invalid_uri"),
        (at("ip_lists", &active(&list)), "invalid_uri"),
        (at("ip_lists", &list.replace("/orgs/1/", "/orgs/2/")), "invalid_uri"),
        (at("ip_lists", "/orgs/1/sec_policy/draft/ip_lists/999"), "invalid_uri"),
        (
            at("secure_connect_gateways", "/orgs/1/sec_policy/draft/secure_connect_gateways/1"),
            "invalid_uri",
        ),
        (at("ip_lists", "/orgs/1/sec_policy/draft/ip_lists/1"), "not_pending"),
        (at("labels", "/orgs/1/labels/1"), "input_validation_error"),
        (json!({"change": 1}), "input_validation_error"),
    ];
    for (body, token) in cases {
        let reply = api.post("sec_policy", &body).expect(406);
        assert_eq!(reply.tokens(), [token], "{body}");
    }
    api.put("sec_policy/delete", &json!({})).expect(406);
    provision(&api, &[&list]);
    assert_eq!(api.post("sec_policy", &json!({})).expect(406).tokens(), ["nothing_pending"]);
    for path in
        ["sec_policy/0", "sec_policy/99", "sec_policy/99/ip_lists", "sec_policy/0/modified_objects"]
    {
        api.get(path).expect(404);
    }
    for path in ["sec_policy/99/restore", "sec_policy/draft/restore"] {
        api.post(path, &json!({})).expect(404);
    }
}

#[test]
fn names_that_moved_are_dependencies() {
    let server = Server::start(PCE);
    let api = server.client();
    let first = ip_list(&api, "a");
    provision(&api, &[&first]);
    api.put(&first, &json!({"name": "b"})).expect(204);
    let second = ip_list(&api, "a");
    let says = |reply: bulkhead_testkit::Reply, href: &str| {
        assert_eq!(reply.tokens(), ["change_subset_not_closed"]);
        assert!(reply.body[0]["message"].as_str().unwrap().contains(href), "{}", reply.body);
    };
    says(api.put("sec_policy/delete", &subset(&[&first])).expect(406), &second);
    says(api.post("sec_policy", &subset(&[&second])).expect(406), &first);
    let mut body = subset(&[&first]);
    body["operation"] = json!("revert");
    let needs = api.post("sec_policy/draft/dependencies", &body).expect(200).body;
    assert_eq!(needs[0]["dependency"]["ip_lists"]["href"], second.as_str());
    api.put("sec_policy/delete", &subset(&[&first, &second])).expect(204);
    assert_eq!(api.get(&first).expect(200).body["name"], "a");
    api.get(&second).expect(404);
}

#[test]
fn label_groups_never_contain_themselves_on_either_side() {
    let server = Server::start(PCE);
    let api = server.client();
    let group = |name: &str| {
        let body = json!({"name": name, "key": "app", "labels": []});
        api.post(&format!("{DRAFT}/label_groups"), &body).expect(201).href()
    };
    let (a, b) = (group("a"), group("b"));
    api.put(&a, &json!({"sub_groups": [{"href": b}]})).expect(204);
    provision(&api, &[&a, &b]);
    api.put(&a, &json!({"sub_groups": []})).expect(204);
    api.put(&b, &json!({"sub_groups": [{"href": a}]})).expect(204);
    api.post("sec_policy", &subset(&[&b])).expect(406);
    api.put("sec_policy/delete", &subset(&[&a])).expect(406);
    provision(&api, &[&a, &b]);
}

#[test]
fn a_rule_set_takes_its_rules_along() {
    let server = Server::start(PCE);
    let api = server.client();
    let set = rule_set(&api, "R", &json!([]));
    let kept = rule(&api, &set, &json!({"actors": "ams"}));
    let first = provision(&api, &[&set])["version"].as_u64().unwrap();
    let added = rule(&api, &set, &json!({"actors": "ams"}));
    api.delete(&kept).expect(204);
    api.delete(&set).expect(204);
    api.get(&added).expect(404);
    assert_eq!(api.get(&kept).expect(200).body["update_type"], "delete");
    api.put("sec_policy/delete", &subset(&[&set])).expect(204);
    assert_eq!(api.get(&kept).expect(200).body["update_type"], Value::Null);
    api.delete(&set).expect(204);
    let late = rule(&api, &set, &json!({"actors": "ams"}));
    provision(&api, &[&set]);
    for href in [&set, &kept, &late, &active(&set), &active(&kept)] {
        api.get(href).expect(404);
    }
    let past = api.get(&set.replace("draft", &first.to_string())).expect(200).body;
    assert_eq!(past["rules"][0]["href"], kept.replace("draft", &first.to_string()));
    assert_eq!(past["rules"].as_array().unwrap().len(), 1);
    api.post(&format!("sec_policy/{first}/restore"), &json!({})).expect(201);
    assert_eq!(api.get(&kept).expect(200).body["update_type"], "create");
    provision(&api, &[&set]);
    let server = server.restart();
    let api = server.client();
    assert_eq!(api.get(&active(&set)).expect(200).body["rules"].as_array().unwrap().len(), 1);
    let changed = api.get("sec_policy/active/modified_objects").expect(200).body;
    assert_eq!(changed[0]["object_type"], "rule_set");
    assert_eq!(changed.as_array().unwrap().len(), 1);
}

#[test]
fn restore_refuses_a_version_whose_labels_are_gone() {
    let server = Server::start(PCE);
    let api = server.client();
    let label = api.post("labels", &json!({"key": "app", "value": "A"})).expect(201).href();
    let set = rule_set(&api, "R", &json!([{"label": {"href": label}}]));
    let first = provision(&api, &[&set])["version"].as_u64().unwrap();
    api.delete(&set).expect(204);
    api.delete(&label).expect(406);
    provision(&api, &[&set]);
    api.delete(&label).expect(204);
    let reply = api.post(&format!("sec_policy/{first}/restore"), &json!({})).expect(406);
    assert_eq!(reply.tokens(), ["restore_reference_missing"]);
    assert_eq!(api.get("sec_policy/pending").expect(200).body, json!({}));
}

#[test]
fn workloads_at_the_ends_of_changed_rules_are_affected() {
    let server = Server::start(PCE);
    let api = server.client();
    let label = |key: &str, value: &str| {
        api.post("labels", &json!({"key": key, "value": value})).expect(201).href()
    };
    let (app, other, web, db) =
        (label("app", "A"), label("app", "B"), label("role", "web"), label("role", "db"));
    for (n, labels) in
        [vec![&app, &web], vec![&app, &db], vec![&other, &web], vec![]].iter().enumerate()
    {
        let labels: Vec<Value> = labels.iter().map(|l| json!({"href": l})).collect();
        api.post("workloads", &json!({"name": format!("w{n}"), "labels": labels})).expect(201);
    }
    let affected = |hrefs: &[&str]| {
        let seen = api.post("sec_policy/impact", &subset(hrefs)).expect(200).body;
        let made = provision(&api, hrefs)["workloads_affected"].as_u64().unwrap();
        assert_eq!(seen["num_unmanaged_workloads"].as_u64(), Some(made));
        made
    };
    let set = rule_set(&api, "R", &json!([{"label": {"href": app}}]));
    assert_eq!(affected(&[&set]), 0, "no rules yet");
    let web_only = json!({"label": {"href": web}});
    let first = rule(&api, &set, &web_only);
    assert_eq!(affected(&[&set]), 2, "web as provider, all of the scope as consumers");
    api.put(&first, &json!({"description": "says nothing"})).expect(204);
    assert_eq!(affected(&[&set]), 0);
    api.put(&first, &json!({"consumers": [{"label": {"href": web}}]})).expect(204);
    assert_eq!(affected(&[&set]), 2, "the old consumers as well");
    api.put(&first, &json!({"unscoped_consumers": true})).expect(204);
    assert_eq!(affected(&[&set]), 2, "web of every application");
    let list = ip_list(&api, "L");
    api.put(&first, &json!({"consumers": [{"ip_list": {"href": list}}]})).expect(204);
    assert_eq!(affected(&[&set, &list]), 2);
    api.put(&list, &json!({"ip_ranges": [{"from_ip": "10.1.0.0/16"}]})).expect(204);
    assert_eq!(affected(&[&list]), 1, "through the active rule");
    api.put(&set, &json!({"enabled": false})).expect(204);
    assert_eq!(affected(&[&set]), 1, "what was on before");
    api.put(&set, &json!({"scopes": [[{"label": {"href": other}}]]})).expect(204);
    assert_eq!(affected(&[&set]), 0, "off before and after");
}

#[test]
fn provisioning_is_in_the_audit_trail_and_lists_are_newest_first() {
    let server = Server::start(PCE);
    let api = server.client();
    let list = ip_list(&api, "L");
    let made = provision(&api, &[&list]);
    let events = api.get("events?event_type=sec_policy.create").expect(200).body;
    let changes = events[0]["resource_changes"].as_array().unwrap();
    let of = |kind: &str| changes.iter().find(|c| !c["resource"][kind].is_null()).unwrap();
    assert_eq!(of("ip_list")["resource"]["ip_list"]["href"], list.as_str());
    assert_eq!(of("ip_list")["change_type"], "create");
    assert_eq!(of("sec_policy")["resource"]["sec_policy"]["href"], made["href"]);
    let versions = api.get("sec_policy").expect(200);
    assert_eq!(versions.header("x-total-count"), Some("2"));
    assert_eq!(versions.body[0], made);
    assert_eq!(versions.body[1]["version"], 1);
    assert_eq!(api.get("sec_policy/active").expect(200).body, made);
    let old = api.get("sec_policy/1/ip_lists").expect(200);
    assert_eq!((old.header("x-total-count"), old.body.as_array().unwrap().len()), (Some("1"), 1));
    for (path, status) in [("sec_policy/draft/policy_view", 404), ("sec_policy/delete", 404)] {
        let got = api.get(path).status;
        assert!(got == status || got == 405, "{path}: {got}");
    }
}
