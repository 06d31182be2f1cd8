//! Who may call: sign-in, sessions, keys, roles, restrictions, with a clock that the test moves.

mod common;

use bulkhead_api::{Role, limits, operations};
use common::{Auth, Pce, apart, run};
use serde_json::{Value, json};

const LABELS: &str = "/orgs/1/labels";
const POLICY: &str = "/authentication_settings/password_policy";
const GOOD: &str = "Correct-horse-battery-1";

#[test]
fn a_login_token_works_once_and_for_thirty_seconds() {
    run(async {
        let pce = Pce::start(0);
        for (wait, status) in [(29, 200), (31, 401)] {
            let token = pce.authenticate(&pce.owner_password()).await.expect(201).str("auth_token");
            pce.pass(wait);
            pce.get("/users/login", &Auth::token(&token)).await.expect(status);
            pce.get("/users/login", &Auth::token(&token)).await.expect(401);
        }
        pce.get("/users/login", &Auth::token("")).await.expect(401);
        let token = pce.authenticate(&pce.owner_password()).await.expect(201).str("auth_token");
        let auth = Auth::token(&token);
        let (a, b) = tokio::join!(pce.get("/users/login", &auth), pce.get("/users/login", &auth));
        assert_eq!(a.status.min(b.status), 200);
        assert_eq!(a.status.max(b.status), 401);
        assert!(pce.has_event("user.authenticate", &["owner@bulkhead.local"]));
        assert!(pce.has_event("user.login", &["user.pce_session_created"]));
    });
}

#[test]
fn a_session_ends_when_it_is_not_used() {
    run(async {
        let pce = Pce::start(0);
        let (session, login) = pce.session(&pce.owner_password()).await;
        assert_eq!(login.body["inactivity_expiration_minutes"], 10);
        assert_eq!(login.body["orgs"][0]["org_id"], 1);
        for _ in 0..30 {
            pce.pass(60);
            pce.upkeep().await;
            pce.get(LABELS, &session).await.expect(200);
        }
        pce.pass(11 * 60);
        pce.get(LABELS, &session).await.expect(401);
        pce.upkeep().await;
        let holds = ["\"reason\":\"timeout\"", "\"status\":null"];
        assert!(pce.has_event("user.pce_session_terminated", &holds));
        pce.get(LABELS, &session).await.expect(401);
    });
}

#[test]
fn the_session_time_is_a_setting_that_holds_at_once_and_outlives_a_restart() {
    run(async {
        let pce = Pce::start(0);
        let owner = pce.owner().await;
        let (session, _) = pce.session(&pce.owner_password()).await;
        let body = json!({"session_timeout_minutes": 30});
        pce.call("PUT", POLICY, &owner, body).await.expect(204);
        pce.pass(29 * 60);
        pce.get(LABELS, &session).await.expect(200);
        let pce = apart(|| pce.restart());
        pce.pass(29 * 60);
        pce.get(LABELS, &session).await.expect(200);
        pce.call("PUT", "/users/1/logout", &owner, json!({})).await.expect(403);
        pce.call("PUT", "/users/1/logout", &session, json!({})).await.expect(204);
        pce.get(LABELS, &session).await.expect(401);
        assert!(pce.has_event("user.logout", &["user_logout"]));
    });
}

#[test]
fn a_key_has_its_own_share_of_a_minute() {
    run(async {
        let pce = Pce::start(500);
        let (first, second) = (pce.owner().await, pce.owner().await);
        let mut refused = 0;
        for _ in 0..501 {
            let answer = pce.get("/orgs/1/roles", &first).await;
            if answer.status == 429 {
                refused += 1;
                let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
                assert!((1..=61).contains(&wait));
                answer.refused(429, "too_many_requests_error");
            }
        }
        assert_eq!(refused, 1);
        pce.get("/orgs/1/roles", &second).await.expect(200);
        pce.pass(60);
        pce.get("/orgs/1/roles", &first).await.expect(200);
    });
}

/// Fills the parameters of a path with what names nothing.
fn path(template: &str) -> String {
    let nothing = "00000000-0000-4000-8000-000000000000";
    let parts = template.split('/').map(|part| match part {
        "{org}" => "1",
        "{pv}" => "draft",
        p if p.starts_with('{') => nothing,
        p => p,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn every_operation_keeps_to_its_roles() {
    run(async {
        let pce = Pce::start(0);
        let owner = pce.owner().await;
        let mut checked = 0;
        for role in Role::ALL {
            let (_, key) = pce.service_account(&owner, role.name(), json!(-1)).await;
            for op in operations().iter().filter(|o| o.path.starts_with("/orgs/{org}/")) {
                let access = op.access;
                if access.anonymous || access.authenticated || access.job_owner {
                    continue;
                }
                // The owner's calls could change what the others are checked against.
                if *role == Role::Owner && op.method != http::Method::GET {
                    continue;
                }
                let answer = pce.call(op.method.as_str(), &path(&op.path), &key, Value::Null).await;
                if answer.status == 405 || answer.body[0]["message"] == "No such path or object" {
                    continue;
                }
                let may = access.roles.has(*role);
                assert_eq!(
                    answer.status != 403,
                    may,
                    "{} as {}: {}",
                    op.id,
                    role.name(),
                    answer.text
                );
                checked += 1;
            }
        }
        assert!(checked > 500, "{checked}");
        let anonymous = Auth::default();
        for op in operations().iter().filter(|o| !o.access.anonymous) {
            let answer =
                pce.call(op.method.as_str(), &path(&op.path), &anonymous, Value::Null).await;
            assert!(matches!(answer.status, 401 | 404 | 405), "{}: {}", op.id, answer.text);
        }
    });
}

#[test]
fn a_service_account_key_expires_and_is_swept() {
    run(async {
        let pce = Pce::start(0);
        let owner = pce.owner().await;
        let (made, key) = pce.service_account(&owner, "admin", json!(2)).await;
        let key_id = made.body["api_key"]["key_id"].as_str().unwrap().to_owned();
        pce.get(LABELS, &key).await.expect(200);
        pce.pass(3);
        pce.get(LABELS, &key).await.expect(401);
        let holds = [key_id.as_str(), "\"state\":\"expired\"", "expired_at"];
        assert!(pce.has_event("request.authentication_failed", &holds));
        let list = pce.get("/orgs/1/api_keys?type=service_account&state=expired", &owner).await;
        assert_eq!(list.expect(200).body[0]["key_id"], key_id.as_str());
        pce.pass(7_776_001);
        pce.upkeep().await;
        let list = pce.get("/orgs/1/api_keys?type=service_account", &owner).await.expect(200);
        assert_eq!(list.body, json!([]));
        let task = "system_task.delete_expired_service_account_api_keys";
        assert!(pce.has_event(task, &[]));

        let keys = format!("{}/api_keys", made.str("href"));
        for (lives, status) in [(json!("default"), 201), (json!(7_776_001), 406), (json!(-2), 406)]
        {
            let body = json!({"expires_in_seconds": lives});
            pce.call("POST", &keys, &owner, body).await.expect(status);
        }
        let body = json!({"expires_in_seconds": -1});
        let second = pce.call("POST", &keys, &owner, body).await.expect(201);
        let with = Auth::basic(&second.str("auth_username"), &second.str("secret"));
        pce.pass(10 * 365 * 86_400);
        pce.get(LABELS, &with).await.expect(200);
        pce.call("DELETE", &made.str("href"), &owner, Value::Null).await.expect(204);
        pce.get(LABELS, &with).await.expect(401);
        assert!(!pce.get("/orgs/1/permissions", &owner).await.text.contains("roles/admin"));
    });
}

#[test]
fn a_service_account_shows_and_changes_its_roles() {
    run(async {
        let pce = Pce::start(0);
        let owner = pce.owner().await;
        let (made, key) = pce.service_account(&owner, "read_only", json!("default")).await;
        let href = made.str("href");
        let seen = pce.get(&href, &owner).await.expect(200);
        assert_eq!(seen.text.matches("\"permissions\"").count(), 1, "{}", seen.text);
        assert_eq!(seen.body["permissions"][0]["role"]["href"], "/orgs/1/roles/read_only");
        let shown = &seen.body["api_keys"];
        assert_eq!(shown.as_array().map(Vec::len), Some(1), "{}", seen.text);
        assert_eq!(shown[0]["auth_username"], made.body["api_key"]["auth_username"]);
        assert!(!seen.text.contains("secret"), "{}", seen.text);
        let label = json!({"key": "role", "value": "db"});
        pce.call("POST", LABELS, &key, label.clone()).await.expect(403);
        let to = json!({"permissions": [{"role": {"href": "/orgs/1/roles/admin"}, "scope": []}]});
        pce.call("PUT", &href, &owner, to).await.expect(204);
        pce.call("POST", LABELS, &key, label).await.expect(201);
        let principal = href.replace("service_accounts", "auth_security_principals");
        assert_eq!(pce.get(&principal, &owner).await.expect(200).body["type"], "service_account");
        pce.call("DELETE", &principal, &owner, Value::Null).await.expect(405);
        pce.call("PUT", &principal, &owner, json!({"name": "x"})).await.expect(406);
        pce.call("GET", "/users/1/api_keys", &key, Value::Null).await.expect(403);
        assert_eq!(pce.get("/users/login", &key).await.expect(200).body["orgs"][0]["org_id"], 1);
    });
}

#[test]
fn five_failures_lock_an_account_without_a_sign() {
    run(async {
        let pce = Pce::start(0);
        let owner = pce.owner().await;
        let (href, login) = pce.user(&owner, "Ann@example.com", GOOD).await;
        let (session, _) = pce.session(&login).await;
        let wrong = Auth::basic("ann@example.com", "wrong");
        let stranger = pce.authenticate(&Auth::basic("nobody@example.com", "wrong")).await;
        for _ in 0..limits::LOGIN_FAILURES_MAX {
            assert_eq!(pce.authenticate(&wrong).await.expect(401).text, stranger.text);
        }
        let pce = apart(|| pce.restart());
        assert_eq!(pce.authenticate(&login).await.expect(401).text, stranger.text);
        assert_eq!(pce.get(&href, &owner).await.body["locked"], true);
        pce.get(LABELS, &session).await.expect(200);
        let exceeded = ["user.login_failure_count_exceeded", "ann@example.com"];
        assert!(pce.has_event("user.authenticate", &exceeded));

        pce.call("PUT", &href, &session, json!({"locked": false})).await.expect(403);
        pce.call("PUT", &href, &owner, json!({"locked": false})).await.expect(204);
        pce.authenticate(&login).await.expect(201);
        for _ in 0..limits::LOGIN_FAILURES_MAX {
            pce.authenticate(&wrong).await.expect(401);
        }
        pce.pass(i64::from(limits::LOCKOUT_MIN) * 60 - 1);
        pce.authenticate(&login).await.expect(401);
        pce.pass(1);
        pce.authenticate(&login).await.expect(201);
        assert_eq!(pce.get(&href, &owner).await.body["locked"], false);

        let key = pce.key_of(&href, &login).await;
        pce.call("PUT", &href, &owner, json!({"locked": true})).await.expect(204);
        for auth in [&login, &session, &key] {
            pce.get("/users/login", auth).await.expect(401);
        }
        pce.pass(86_400);
        pce.upkeep().await;
        pce.authenticate(&login).await.expect(401);
    });
}

#[test]
fn passwords_follow_the_policy() {
    run(async {
        let pce = Pce::start(0);
        let owner = pce.owner().await;
        let bad = json!({"require_type_number": false, "require_type_uppercase": false});
        pce.call("PUT", POLICY, &owner, bad).await.expect(406);
        let rules =
            json!({"history_count": 2, "min_changed_characters": 4, "expire_time_days": 30});
        pce.call("PUT", POLICY, &owner, rules).await.expect(204);
        let (href, login) = pce.user(&owner, "ann@example.com", GOOD).await;
        let me = "/login_users/me/password";
        let set = |to: &str| json!({"password": to});
        for (to, token) in [
            ("short", "password_complexity_not_met"),
            ("no-capitals-in-here-1", "password_complexity_not_met"),
            (GOOD, "password_complexity_not_met"),
            ("Correct-horse-battery-234", "password_complexity_not_met"),
        ] {
            pce.call("PUT", me, &login, set(to)).await.refused(406, token);
        }
        assert!(pce.has_event("user.update_password", &["user.pw_complexity_not_met"]));
        let (session, _) = pce.session(&login).await;
        let second = "Entirely-other-words-2";
        pce.call("PUT", me, &login, set(second)).await.expect(204);
        pce.get(LABELS, &session).await.expect(401);
        pce.authenticate(&login).await.expect(401);
        let login = Auth::basic("ann@example.com", second);
        pce.call("PUT", me, &login, set(GOOD)).await.refused(406, "password_complexity_not_met");
        pce.call("PUT", me, &owner, set("Third-set-of-words-33")).await.expect(401);

        let (session, _) = pce.session(&login).await;
        let (other, _) = pce.session(&login).await;
        let profile = format!("{href}/local_profile/password");
        let wrong = json!({"current_password": GOOD, "new_password": "Third-set-of-words-33"});
        pce.call("PUT", &profile, &session, wrong).await.refused(406, "input_validation_error");
        assert!(pce.has_event("user_local_profile.update_password", &["user.pw_change_failure"]));
        let right = json!({"current_password": second, "new_password": "Third-set-of-words-33"});
        pce.call("PUT", &profile, &owner, right.clone()).await.expect(403);
        pce.call("PUT", &profile, &session, right).await.expect(204);
        pce.get(LABELS, &session).await.expect(200);
        pce.get(LABELS, &other).await.expect(401);
        // Two passwords later the first may come again.
        let login = Auth::basic("ann@example.com", "Third-set-of-words-33");
        pce.call("PUT", me, &login, set(GOOD)).await.expect(204);

        let login = Auth::basic("ann@example.com", GOOD);
        pce.pass(30 * 86_400);
        pce.authenticate(&login).await.expect(401);
        assert!(pce.has_event("user.use_expired_password", &["ann@example.com"]));
        pce.call("PUT", me, &login, set("Fourth-set-of-words-44")).await.expect(204);
        pce.authenticate(&Auth::basic("ann@example.com", "Fourth-set-of-words-44"))
            .await
            .expect(201);
    });
}

#[test]
fn users_are_invited_changed_and_removed() {
    run(async {
        let pce = Pce::start(0);
        let owner = pce.owner().await;
        let body =
            json!({"username": "Ann@example.com", "type": "local", "time_zone": "Mars/Base"});
        pce.call("POST", "/users", &owner, body).await.expect(406);
        let body = json!({"username": "Ann@example.com", "type": "local"});
        let made = pce.call("POST", "/users", &owner, body).await.expect(201);
        let href = made.str("href");
        assert_eq!(made.body["local_profile"]["pending_invitation"], true);
        let again = json!({"username": "ANN@example.com", "type": "local"});
        pce.call("POST", "/users", &owner, again).await.refused(406, "username_must_be_unique");
        let old = made.header("x-invitation-token").unwrap().to_owned();
        let reinvited =
            pce.call("PUT", &format!("{href}/local_profile/reinvite"), &owner, json!({})).await;
        let new = reinvited.expect(204).header("x-invitation-token").unwrap().to_owned();
        let set = json!({"password": GOOD});
        let me = "/login_users/me/password";
        for (invitation, status) in [(&old, 401), (&new, 204), (&new, 401)] {
            let with = Auth::basic("ann@example.com", invitation);
            pce.authenticate(&with).await.expect(401);
            pce.call("PUT", me, &with, set.clone()).await.expect(status);
        }
        let login = Auth::basic("ANN@EXAMPLE.COM", GOOD);
        let (session, answer) = pce.session(&login).await;
        assert_eq!(
            answer.body["orgs"][0]["role_scopes"][0]["role"]["href"],
            "/orgs/1/roles/read_only"
        );
        let seen = pce.get(&href, &session).await.expect(200);
        assert_eq!(seen.body["presence_status"], "online");
        assert_eq!(seen.body["login_count"], 1);
        pce.call("POST", LABELS, &session, json!({"key": "app", "value": "x"})).await.expect(403);
        pce.call("PUT", &href, &session, json!({"full_name": "Ann"})).await.expect(204);
        pce.call("PUT", "/users/1", &session, json!({"full_name": "Eve"})).await.expect(403);
        pce.call("PUT", &href, &session, Value::Null).await.refused(406, "input_validation_error");

        let key = pce.key_of(&href, &login).await;
        let limit =
            pce.call("POST", &format!("{href}/api_keys"), &session, json!({"name": "2"})).await;
        limit.refused(406, "api_key_limit_exceeded");
        pce.call("GET", "/users/1/api_keys", &key, Value::Null).await.expect(403);
        let profile = format!("{href}/local_profile");
        pce.call("POST", &profile, &owner, json!({})).await.expect(405);
        pce.call("DELETE", &profile, &owner, Value::Null).await.expect(204);
        for auth in [&login, &session, &key] {
            pce.get(LABELS, auth).await.expect(401);
            pce.authenticate(auth).await.expect(401);
        }
        assert_eq!(pce.get(&href, &owner).await.expect(200).body["type"], "external");
        pce.call("POST", &profile, &owner, json!({})).await.expect(201);
        let gone = pce.call("DELETE", "/users/1/local_profile", &owner, Value::Null).await;
        gone.refused(406, "last_owner_required");
    });
}

#[test]
fn an_organisation_keeps_an_owner() {
    run(async {
        let pce = Pce::start(0);
        let owner = pce.owner().await;
        let owned =
            pce.get("/orgs/1/permissions?role=%22/orgs/1/roles/owner%22", &owner).await.expect(200);
        let first = owned.body[0]["href"].as_str().unwrap().to_owned();
        let principal =
            owned.body[0]["auth_security_principal"]["href"].as_str().unwrap().to_owned();
        let lesser = json!({"role": {"href": "/orgs/1/roles/admin"}});
        for (method, path, body) in [
            ("DELETE", &first, Value::Null),
            ("DELETE", &principal, Value::Null),
            ("PUT", &first, lesser.clone()),
            ("PUT", &principal, json!({"type": "group"})),
        ] {
            pce.call(method, path, &owner, body).await.refused(406, "last_owner_required");
        }
        pce.user(&owner, "ann@example.com", GOOD).await;
        let second = pce.grant(&owner, "ANN@example.com", "owner").await;
        let twice = json!({
            "role": {"href": "/orgs/1/roles/owner"}, "scope": [],
            "auth_security_principal": pce.get(&second, &owner).await.body["auth_security_principal"],
        });
        let path = "/orgs/1/permissions";
        pce.call("POST", path, &owner, twice.clone())
            .await
            .refused(406, "permission_must_be_unique");
        let mut scoped = twice;
        scoped["role"]["href"] = "/orgs/1/roles/ruleset_manager".into();
        let label = pce.call("POST", LABELS, &owner, json!({"key": "app", "value": "x"})).await;
        scoped["scope"] = json!([{"label": {"href": label.str("href")}}]);
        pce.call("POST", path, &owner, scoped).await.refused(406, "scoped_roles_not_supported");
        pce.call("DELETE", &principal, &owner, Value::Null).await.expect(204);
        pce.get(&second, &owner).await.expect(403);
        let ann = pce.session(&Auth::basic("ann@example.com", GOOD)).await.0;
        pce.call("PUT", &second, &ann, lesser).await.refused(406, "last_owner_required");
    });
}

#[test]
fn restrictions_hold_on_every_call_by_the_real_address() {
    run(async {
        let pce = Pce::start(0);
        let owner = pce.owner().await;
        let (href, login) = pce.user(&owner, "ann@example.com", GOOD).await;
        pce.grant(&owner, "ann@example.com", "admin").await;
        let (session, _) = pce.session(&login).await;
        let key = pce.key_of(&href, &login).await;
        let body = json!({"name": "office", "ips": ["192.0.2.0/24", "2001:db8::1"],
            "enforcement_exclusions": ["api_keys"]});
        let path = "/orgs/1/access_restrictions";
        let office = pce.call("POST", path, &owner, body).await.expect(201).str("href");
        let bad = json!({"name": "x", "ips": ["192.0.2.1/24"]});
        pce.call("POST", path, &owner, bad).await.expect(406);
        let many: Vec<String> = (0..9).map(|n| format!("192.0.2.{n}")).collect();
        pce.call("POST", path, &owner, json!({"name": "x", "ips": many})).await.expect(406);
        let found = pce.get("/orgs/1/auth_security_principals?name=ann", &owner).await;
        let principal = found.body[0]["href"].as_str().unwrap().to_owned();
        let assign = json!({"access_restriction": {"href": office}});
        pce.call("PUT", &principal, &owner, assign.clone()).await.expect(204);
        pce.call("DELETE", &office, &owner, Value::Null)
            .await
            .refused(406, "access_restriction_referenced");
        let far = "198.51.100.7";
        for (auth, status) in [
            (session.clone().from("192.0.2.77"), 200),
            (session.clone().from("2001:db8::1"), 200),
            (session.clone().from(far), 401),
            (key.clone().from(far), 200),
            (session.clone().from(far).forwarded("192.0.2.1"), 401),
        ] {
            pce.get(LABELS, &auth).await.expect(status);
            pce.get(&href, &auth).await.expect(status);
            pce.get("/users/login", &auth).await.expect(status);
        }
        pce.authenticate(&login.clone().from(far)).await.expect(401);
        assert!(pce.has_event("request.authentication_failed", &[far, "access restriction"]));

        let proxies = json!({"trusted_proxy_ips": [{"pce_fqdn": null, "ip": "198.51.100.0/24"}]});
        let settings = "/orgs/1/settings/trusted_proxy_ips";
        pce.call("PUT", settings, &owner, proxies).await.expect(204);
        for (chain, status) in [("192.0.2.1", 200), ("192.0.2.1, 203.0.113.1", 401), ("junk", 401)]
        {
            let auth = session.clone().from(far).forwarded(chain);
            pce.get(LABELS, &auth).await.expect(status);
            pce.get(&href, &auth).await.expect(status);
        }
        // Whoever would shut the own account out is stopped.
        let found = pce.get("/orgs/1/auth_security_principals?name=owner", &owner).await;
        let own = found.body[0]["href"].as_str().unwrap().to_owned();
        pce.call("PUT", &office, &owner, json!({"enforcement_exclusions": null})).await.expect(204);
        pce.call("PUT", &own, &owner, assign)
            .await
            .refused(406, "access_restriction_excludes_caller");
        pce.get(LABELS, &key.clone().from("192.0.2.1")).await.expect(200);
        pce.get(LABELS, &key.from("203.0.113.1")).await.expect(401);
    });
}

#[test]
fn organisations_do_not_reach_into_each_other() {
    run(async {
        let pce = Pce::start(0);
        let owner = pce.owner().await;
        let made = apart(|| {
            bulkhead_server::boot::add_org(&pce.app.state, "Second", "second@example.com").unwrap()
        });
        let second =
            Auth::basic(made["api_key"].as_str().unwrap(), made["api_secret"].as_str().unwrap());
        for (auth, own, foreign) in [(&owner, 1, 2), (&second, 2, 1)] {
            for path in ["labels", "api_keys?type=user", "permissions", "roles"] {
                pce.get(&format!("/orgs/{own}/{path}"), auth).await.expect(200);
                pce.get(&format!("/orgs/{foreign}/{path}"), auth).await.expect(403);
                pce.get(&format!("/orgs/99/{path}"), auth).await.expect(403);
            }
            let users = pce.get("/users", auth).await.expect(200);
            assert_eq!(users.body.as_array().unwrap().len(), 1);
            assert_eq!(users.header("x-total-count"), Some("1"));
            assert_eq!(users.body[0]["id"], own);
            pce.get(&format!("/users/{foreign}"), auth).await.expect(404);
            let keys = pce.get(&format!("/orgs/{own}/api_keys?type=user"), auth).await.expect(200);
            assert_eq!(keys.body.as_array().unwrap().len(), 1);
        }
        // A grant to a foreign user gives that user rights, and the granting owner none over the user.
        let body = json!({"name": pce.email, "type": "user"});
        let path = "/orgs/2/auth_security_principals";
        let principal = pce.call("POST", path, &second, body).await.expect(201).str("href");
        let grant = json!({"role": {"href": "/orgs/2/roles/read_only"}, "scope": [],
            "auth_security_principal": {"href": principal}});
        pce.call("POST", "/orgs/2/permissions", &second, grant).await.expect(201);
        pce.get("/orgs/2/labels", &owner).await.expect(200);
        pce.call("PUT", "/users/1", &second, json!({"locked": true})).await.expect(403);
        pce.call("DELETE", "/users/1/local_profile", &second, Value::Null).await.expect(403);
        let reinvite = pce.call("PUT", "/users/1/local_profile/reinvite", &second, json!({})).await;
        reinvite.expect(403);
        let keys = pce.get("/orgs/2/api_keys?type=user", &second).await.expect(200);
        assert_eq!(keys.body.as_array().unwrap().len(), 1);
        let foreign = pce.get("/orgs/1/api_keys?type=user", &owner).await.body[0]["key_id"].clone();
        let path = format!("/orgs/2/api_keys/{}", foreign.as_str().unwrap());
        pce.call("DELETE", &path, &second, Value::Null).await.expect(404);
    });
}

#[test]
fn only_those_who_run_the_pce_change_its_password_policy() {
    run(async {
        let pce = Pce::start(0);
        let owner = pce.owner().await;
        let second = apart(|| {
            bulkhead_server::boot::add_org(&pce.app.state, "Second", "second@example.com").unwrap()
        });
        let second = Auth::basic(
            second["api_key"].as_str().unwrap(),
            second["api_secret"].as_str().unwrap(),
        );
        let change = || json!({"history_count": 7});
        pce.call("PUT", POLICY, &second, change()).await.refused(403, "forbidden_error");
        pce.get(POLICY, &second).await.expect(200);
        pce.call("PUT", POLICY, &owner, change()).await.expect(204);
        assert_eq!(pce.get(POLICY, &second).await.expect(200).body["history_count"], 7);
    });
}

#[test]
fn a_rule_makes_no_service_for_those_who_may_make_none() {
    run(async {
        let pce = Pce::start(0);
        let owner = pce.owner().await;
        let (_, manager) = pce.service_account(&owner, "ruleset_manager", json!(-1)).await;
        let body = json!({"name": "Mine", "enabled": true, "scopes": [[]]});
        let sets = "/orgs/1/sec_policy/draft/rule_sets";
        let set = pce.call("POST", sets, &manager, body).await.expect(201).str("href");
        let rule = json!({
            "enabled": true,
            "providers": [{"actors": "ams"}],
            "consumers": [{"actors": "ams"}],
            "ingress_services": [{"name": "Theirs", "external_data_set": "s", "external_data_reference": "r"}],
            "resolve_labels_as": {"providers": ["workloads"], "consumers": ["workloads"]},
        });
        let rules = format!("{set}/sec_rules");
        pce.call("POST", &rules, &manager, rule.clone()).await.refused(403, "forbidden_error");
        let services = "/orgs/1/sec_policy/draft/services?name=Theirs";
        assert_eq!(pce.get(services, &owner).await.expect(200).body, json!([]));
        pce.call("POST", &rules, &owner, rule.clone()).await.expect(201);
        // Once it is there, its name is as good as its href.
        pce.call("POST", &rules, &manager, rule).await.expect(201);
    });
}
