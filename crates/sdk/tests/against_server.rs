//! The whole client against a real server, over TLS and plain.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of tests fails the test that uses it"
)]

use bulkhead_sdk::models::*;
use bulkhead_sdk::*;
use bulkhead_testkit::{Server, pce_binary};
use futures_util::TryStreamExt;
use serde_json::{Value, json};

/// Starts the server and runs everything that only needs one.
#[test]
fn the_client_drives_a_real_server() {
    let server = Server::start_with_tls();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pce = pce(&server).build().unwrap();
        connecting(&server, &pce).await;
        raw_calls(&server, &pce).await;
        objects(&pce).await;
        changes_tell_absent_from_null(&pce).await;
        collections(&pce).await;
        streams(&pce).await;
        bulk(&pce).await;
        defaults_and_settings(&pce).await;
        policy_sides(&pce).await;
        every_resource_is_served(&pce).await;
        every_documented_field_has_a_place();
    });
}

trait WithTls {
    fn start_with_tls() -> Server;
}

impl WithTls for Server {
    fn start_with_tls() -> Server {
        bulkhead_testkit::Launch::new(pce_binary()).arg("--https").arg("127.0.0.1:0").start()
    }
}

fn pce(server: &Server) -> PceBuilder {
    Pce::builder(server.boot_str("https_url"))
        .no_proxy()
        .ca_file(server.boot_str("ca_file"))
        .api_key(server.boot_str("api_key"), server.boot_str("api_secret"))
}

async fn connecting(server: &Server, pce: &Pce) {
    pce.must_connect().await.unwrap();
    assert!(pce.check_connection().await);

    let untrusting = pce.to_builder().verify(Verify::System).build().unwrap();
    let error = untrusting.must_connect().await.unwrap_err();
    assert!(error.hint().unwrap().contains("CA bundle"), "{:?}", error.hint());
    let other_ca = untrusting.to_builder().verify(Verify::CaPem("no pem".to_owned())).build();
    assert!(matches!(other_ca, Err(Error::Config(_))));
    let trusting = pce.to_builder().verify(Verify::Off).build().unwrap();
    trusting.must_connect().await.unwrap();

    let stranger = pce.with_credentials("api_0000000000000000", "no").unwrap();
    let error = stranger.must_connect().await.unwrap_err();
    assert_eq!(error.status(), Some(401));
    assert!(error.hint().unwrap().contains("key"), "{error}");
    let elsewhere = pce.to_builder().org(7).build().unwrap();
    assert_eq!(elsewhere.must_connect().await.unwrap_err().status(), Some(403));

    let var = |name: &str| {
        Some(match name {
            "ILLUMIO_PCE_HOST" => server.boot_str("https_url").to_owned(),
            "ILLUMIO_CA_FILE" => server.boot_str("ca_file").to_owned(),
            "ILLUMIO_API_KEY_USERNAME" => server.boot_str("api_key").to_owned(),
            "ILLUMIO_API_KEY_SECRET" => server.boot_str("api_secret").to_owned(),
            _ => return None,
        })
    };
    PceBuilder::from_vars(var).unwrap().no_proxy().build().unwrap().must_connect().await.unwrap();
}

async fn raw_calls(server: &Server, pce: &Pce) {
    let me = pce.with_credentials(server.boot_str("email"), server.boot_str("password")).unwrap();
    let token = me.post("/login_users/authenticate").include_org(false).await;
    drop(token);
    let users = pce.users().list().send().await.unwrap();
    let me = users.items.iter().find(|u| u.username.as_deref() == Some(server.boot_str("email")));
    let path = format!("{}/api_keys", me.unwrap().href.as_ref().unwrap());
    let made = pce.post(&path).include_org(false).json(&json!({"name": "sdk"})).await.unwrap();
    assert_eq!(made.status, 201);
    let key: ApiKey = made.json().unwrap();
    let (user, secret) = (key.auth_username.clone().unwrap(), key.secret.clone().unwrap());
    pce.with_credentials(&user, &secret).unwrap().must_connect().await.unwrap();
    pce.delete(key.href.as_ref().unwrap()).include_org(false).await.unwrap();

    let dimensions = pce.get_collection("/label_dimensions").await.unwrap();
    assert!(dimensions.iter().any(|d| d["key"] == "role"));
    let answer = pce.get("/labels").query("max_results", 1).await.unwrap();
    assert!(answer.total_count().is_some() && answer.header("X-Request-Id").is_some());
    pce.put("/settings/events").json(&json!({"format": "CEF"})).await.unwrap();
    let settings = pce.event_settings().read().await.unwrap();
    assert_eq!(settings.format.as_deref(), Some("CEF"));
    assert!(pce.get("/health").await.unwrap_err().status().unwrap() >= 400, "not in the org");
}

async fn objects(pce: &Pce) {
    let label = pce.labels().create(&Label::new("role", "R-DB")).await.unwrap();
    assert_eq!((label.key.as_deref(), label.value.as_deref()), (Some("role"), Some("R-DB")));
    let href = label.href.clone().unwrap();
    assert_eq!(
        pce.labels().get(&label).await.unwrap(),
        pce.labels().get_by_reference(&href).await.unwrap()
    );
    let typed: bulkhead_ids::Href<bulkhead_ids::kinds::Label> = href.parse().unwrap();
    assert_eq!(pce.labels().get(&typed).await.unwrap().href, label.href);
    pce.labels().update(&label, &LabelPatch::default().value("R-Database")).await.unwrap();
    let found = pce.find_label("role", "R-Database").await.unwrap().unwrap();
    assert_eq!(found.href, label.href);
    assert_eq!(href_from::<Label>(&found).unwrap(), href);
    pce.labels().delete(&json!({ "href": href })).await.unwrap();
    let error = pce.labels().delete(&label).await.unwrap_err();
    assert!(error.is_gone(), "{error}");

    let twice = IpList::new("IPL-INTERNAL").ip_ranges([IpRange::from("192.168.0.0/16")]);
    pce.ip_lists().create(&twice).await.unwrap();
    let error = pce.ip_lists().create(&twice).await.unwrap_err();
    assert_eq!((error.status(), error.is_retryable()), (Some(406), false));
    assert!(error.token().is_some() && !error.message().unwrap().is_empty(), "{error}");
    pce.ip_lists().create(&json!({"name": "IPL-INTERNAL-2"})).await.unwrap();
    let one = pce.ip_lists().get_by_name("IPL-INTERNAL").await.unwrap().unwrap();
    assert_eq!(one.name.as_deref(), Some("IPL-INTERNAL"));
    assert_eq!(pce.ip_lists().get_by_name("IPL-INTER").await.unwrap(), None, "exact names only");

    let group = SecurityPrincipal::new("S-1-5-21-1-2-3-1001", "Domain Admins");
    let group = pce.security_principals().create(&group).await.unwrap();
    assert!(group.href.unwrap().contains("S-1-5-21"));
}

async fn changes_tell_absent_from_null(pce: &Pce) {
    let new = IpList::new("patched").description("first").ip_ranges([IpRange::from("10.0.0.1")]);
    let list = pce.ip_lists().create(&new.fqdns([Fqdn::from("a.example.com")])).await.unwrap();
    let change = IpListPatch::default().fqdns(Vec::<Fqdn>::new());
    pce.ip_lists().update(&list, &change).await.unwrap();
    let now = pce.ip_lists().get(&list).await.unwrap();
    assert_eq!(now.fqdns, Some(vec![]));
    assert_eq!((now.description.as_deref(), now.ip_ranges), (Some("first"), list.ip_ranges));

    let workload = pce.workloads().create(&Workload::new("w").description("x")).await.unwrap();
    let change = WorkloadPatch::default().description(Patch::Null);
    pce.workloads().update(&workload, &change).await.unwrap();
    assert_eq!(pce.workloads().get(&workload).await.unwrap().description, None);
    pce.workloads().delete(&workload).await.unwrap();
}

async fn collections(pce: &Pce) {
    for n in 0..12 {
        pce.labels().create(&Label::new("app", format!("A-{n}"))).await.unwrap();
    }
    let page = pce.labels().list().filter("key", "app").max_results(5).send().await.unwrap();
    assert_eq!((page.items.len(), page.matched, page.is_cut()), (5, Some(12), true));
    assert!(page.total.unwrap() >= 12);
    let all = pce.labels().list().filter("key", "app").get_all().await.unwrap();
    let asynchronous = pce.labels().list().filters([("key", "app")]).get_async().await.unwrap();
    assert_eq!((all.len(), &asynchronous), (12, &all));
    let error = pce.labels().list().filter("colour", "red").send().await.unwrap_err();
    assert_eq!(error.status(), Some(406));
    let used = pce.labels().list().filter("usage", true).max_results(1).send().await.unwrap();
    assert!(used.items[0].usage.is_some());
}

async fn streams(pce: &Pce) {
    let role = pce.labels().create(&Label::new("role", "R-Stream")).await.unwrap();
    let new: Vec<Workload> =
        (0..1_201).map(|n| Workload::new(format!("stream-{n:04}")).labels([&role])).collect();
    let made = pce.workloads().bulk_create(&new).await.unwrap();
    assert!(made.len() == 1_201 && made.iter().all(BulkResult::is_ok));

    let seen: Vec<Workload> =
        pce.workloads().list().label(&role).all().try_collect().await.unwrap();
    let mut names: Vec<_> = seen.iter().filter_map(|w| w.name.clone()).collect();
    names.sort();
    assert_eq!((names.len(), names[1_200].as_str()), (1_201, "stream-1200"));
    let whole = pce.workloads().list().label(&role).get_all().await.unwrap();
    assert_eq!(whole.len(), 1_201, "more than a page");
    let few = pce.workloads().list().label(&role).max_results(3).all();
    assert_eq!(few.try_collect::<Vec<_>>().await.unwrap().len(), 3);
    let first = seen[0].labels.as_ref().unwrap()[0].clone();
    assert_eq!((first.get("key"), first.get("value")), (Some("role"), Some("R-Stream")));

    let hrefs: Vec<_> = made.iter().map(|m| m.href.clone()).collect();
    let gone = pce.workloads().bulk_delete(&hrefs).await.unwrap();
    assert!(gone.iter().all(BulkResult::is_ok));
    let left = pce.workloads().list().label(&role).send().await.unwrap();
    assert_eq!(left.items.len(), 0);
}

async fn bulk(pce: &Pce) {
    let new = vec![
        Workload::new("good"),
        Workload::new("bad").public_ip("not an address"),
        Workload::new("fine"),
    ];
    let made = pce.workloads().bulk_create(&new).await.unwrap();
    assert_eq!(made.iter().map(BulkResult::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(made[0].status.as_deref(), Some("created"));
    assert!(!made[1].errors[0].token.is_empty());
    let changes: Vec<WorkloadUpdate> = [0, 2]
        .map(|n| {
            let href = made[n].href.clone().unwrap();
            WorkloadUpdate::default().href(href).enforcement_mode(EnforcementMode::Selective)
        })
        .into();
    let changed = pce.workloads().bulk_update(&changes).await.unwrap();
    assert!(changed.iter().all(|c| c.status.as_deref() == Some("updated")), "{changed:?}");
    let now = pce.workloads().get(&made[0].href).await.unwrap();
    assert_eq!(now.enforcement_mode, Some(EnforcementMode::Selective));
    let there = made[0].href.clone().unwrap();
    let unknown = "/orgs/1/workloads/00000000-0000-4000-8000-000000000000".to_owned();
    let gone = pce.workloads().bulk_delete(&[unknown, there]).await.unwrap();
    assert_eq!(gone.iter().map(BulkResult::is_ok).collect::<Vec<_>>(), [false, true]);

    let services: Vec<VirtualService> = (0..3)
        .map(|n| {
            let port = ServicePort::new(8000 + n, "tcp").unwrap();
            VirtualService::new(format!("VS-{n}")).apply_to("host_only").service_ports([port])
        })
        .collect();
    let made = pce.virtual_services().bulk_create(&services).await.unwrap();
    assert!(made.iter().all(BulkResult::is_ok), "{made:?}");
    let groups = [SecurityPrincipal::new("S-1-5-21-1-2-3-1002", "Users")];
    let made = pce.security_principals().bulk_create(&groups).await.unwrap();
    assert!(made[0].is_ok() && made[0].href.is_some(), "{made:?}");
    let bindings = [ServiceBinding::new(
        "/orgs/1/sec_policy/active/virtual_services/x",
        "/orgs/1/workloads/x",
    )];
    assert!(pce.service_bindings().create_list(&bindings).await.map_or(true, |r| !r[0].is_ok()));
}

async fn defaults_and_settings(pce: &Pce) {
    assert_eq!(pce.get_default_ip_list().await.unwrap().name.as_deref(), Some(ANY_IP_LIST_NAME));
    let service = pce.get_default_service().await.unwrap();
    assert_eq!(service.name.as_deref(), Some(ALL_SERVICES_NAME));
    assert_eq!(service.service_ports.unwrap()[0].proto, Some(-1));
    pce.get_workload_settings().await.unwrap();
    pce.org_settings().read().await.unwrap();
    pce.firewall_settings().read().await.unwrap();
    let profile = pce.pairing_profiles().create(&PairingProfile::new("PP")).await.unwrap();
    let key = pce.generate_pairing_key(&profile).await.unwrap();
    assert!(key.len() > 20);
    let change = EventSettingsPatch::default().format("JSON");
    pce.event_settings().write(&change).await.unwrap();
}

async fn policy_sides(pce: &Pce) {
    let set = pce.rule_sets().create(&RuleSet::new("RS-RINGFENCE")).await.unwrap();
    let any = pce.get_default_ip_list().await.unwrap();
    let rules = pce.rules().parent(&set);
    let rule = Rule::build(&[&AMS], &[&any], &[&(443, "tcp")]).unwrap();
    let rule = rules.create(&rule).await.unwrap();
    assert_eq!(rule.update_type.as_deref(), Some("create"));
    assert!(
        matches!(&rule.ingress_services.as_ref().unwrap()[0], RuleService::Port(p) if p.proto == Some(6))
    );

    let pending = pce.pending_policy_changes().await.unwrap();
    assert!(pending["rule_sets"].iter().any(|item| item.href == set.href));
    assert_eq!(pce.policy_dependencies(&[&set]).await.unwrap(), []);
    pce.policy_impact(&[&set]).await.unwrap();
    let version = pce.provision_policy_changes("Ring-fence", &[&set]).await.unwrap();
    let number = version.version.unwrap();
    assert_eq!(version.commit_message.as_deref(), Some("Ring-fence"));
    assert!(version.object_counts.unwrap().rule_sets.unwrap() >= 1);

    let active = pce.rule_sets().active().get_by_name("RS-RINGFENCE").await.unwrap().unwrap();
    let href = convert_draft_href_to_active(set.href.as_ref().unwrap());
    assert_eq!(active.href.as_deref(), Some(href.as_str()));
    assert_eq!(convert_active_href_to_draft(&href), set.href.clone().unwrap());
    let there = pce.rules().active().parent(&set).list().send().await.unwrap();
    assert_eq!(there.items.len(), 1);
    let then =
        pce.rule_sets().version(number).list().filter("name", "RS-RING").send().await.unwrap();
    assert_eq!(then.items.len(), 1);
    assert_eq!(pce.policy_versions().list().max_results(1).send().await.unwrap().items.len(), 1);

    rules.update(&rule, &RulePatch::default().enabled(false)).await.unwrap();
    pce.revert_policy_changes(&[&set]).await.unwrap();
    assert_eq!(rules.get(&rule).await.unwrap().enabled, Some(true));
    rules.delete(&rule).await.unwrap();
    let error = pce.provision_policy_changes("x", &[&"/orgs/1/users/1"]).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error}");
    pce.provision_policy_changes("all that is pending", &[&set]).await.unwrap();
    pce.restore_policy(number).await.unwrap();
    pce.revert_policy_changes(&[]).await.unwrap();

    let boundary = EnforcementBoundary::build("EB", &[&AMS], &[&any.href], &[&(3389, "udp")]);
    let boundary = pce.enforcement_boundaries().create(&boundary.unwrap()).await.unwrap();
    pce.enforcement_boundaries().delete(&boundary).await.unwrap();
    let deny = DenyRule::default().providers([Actor::ams()]).enabled(true);
    let deny = deny.consumers([Actor::from_href(any.href.as_deref().unwrap()).unwrap()]);
    let deny = deny.ingress_services([ServicePort::new(23, "tcp").unwrap()]);
    pce.deny_rules().parent(&set).create(&deny).await.unwrap();
}

/// Each registered resource has a path that the server knows.
async fn every_resource_is_served(pce: &Pce) {
    for (attribute, endpoint) in bulkhead_sdk::models::RESOURCES {
        let ours = bulkhead_api::operations().iter();
        let known = ours.filter(|o| o.path.trim_end_matches("/{id}").ends_with(endpoint)).count();
        assert!(known > 0, "{attribute}: no operation ends in {endpoint}");
    }
    assert!(!pce.roles().list().send().await.unwrap().is_cut());
    assert!(pce.jobs().list().send().await.unwrap().items.len() >= 2);
    let event = pce.events().list().max_results(1).send().await.unwrap().items.remove(0);
    assert!(event.event_type.is_some() && event.status.is_some());
    assert_eq!(pce.events().get(&event).await.unwrap().href, event.href);
    pce.networks().list().send().await.unwrap();
    pce.permissions().list().send().await.unwrap();
    pce.service_accounts().list().send().await.unwrap();
    pce.container_clusters().list().send().await.unwrap();
    pce.label_dimensions().list().get_async().await.unwrap();
    pce.syslog_destinations().list().send().await.unwrap();
    assert!(pce.resource::<Label>().list().send().await.is_ok());
    assert!(pce.get("/nowhere").await.unwrap_err().is_gone());
}

/// The fields that the API's description shows of a kind are fields of its model.
fn every_documented_field_has_a_place() {
    macro_rules! models {
        ($($kind:literal $model:ident;)*) => { [$(($kind, $model::FIELDS)),*] };
    }
    let models = models! {
        "access_restriction" AccessRestriction; "api_key" ApiKey;
        "auth_security_principal" AuthSecurityPrincipal; "container_cluster" ContainerCluster;
        "container_workload_profile" ContainerWorkloadProfile; "deny_rule" DenyRule;
        "enforcement_boundary" EnforcementBoundary; "event" Event; "event_settings" EventSettings;
        "firewall_settings" FirewallSetting; "ip_list" IpList; "ip_tables_rule" IpTablesRule;
        "job" Job; "label" Label; "label_dimension" LabelDimension; "label_group" LabelGroup;
        "network" Network; "pairing_profile" PairingProfile; "password_policy" PasswordPolicy;
        "permission" Permission; "role" Role; "rule_set" RuleSet; "sec_policy" PolicyVersion;
        "sec_rule" Rule; "security_principal" SecurityPrincipal; "service" Service;
        "service_account" ServiceAccount; "service_account_key" ServiceAccountKey;
        "service_binding" ServiceBinding; "settings" OrgSettings;
        "syslog_destination" SyslogDestination; "traffic_collector_setting" TrafficCollectorSetting;
        "trusted_proxy_ips" TrustedProxyIps; "user" User; "ven" Ven; "virtual_server" VirtualServer;
        "virtual_service" VirtualService; "workload" Workload; "workload_interface" Interface;
        "workload_settings" WorkloadSettings;
    };
    for (kind, fields) in models {
        let kind = bulkhead_ids::Kind::from_name(kind).unwrap();
        let described = bulkhead_api::descriptor(kind).unwrap();
        let has = |name: &str| fields.iter().any(|f| f.trim_start_matches("r#") == name);
        // What is added to a descriptor gets a place in `crates/sdk/src/models`.
        let missing: Vec<_> = described.fields.keys().filter(|name| !has(name)).collect();
        assert_eq!(missing, [] as [&String; 0], "{}", kind.name());
    }
    let unknown: Value = json!({"href": "/orgs/1/labels/1", "mood": "good"});
    let label: Label = serde_json::from_value(unknown.clone()).unwrap();
    assert_eq!(serde_json::to_value(&label).unwrap(), unknown, "newer fields are kept");
}
