//! Secrets leave the server once, to whom they are for. A binary of its own: it listens to the log.

mod common;

use common::{Auth, Pce};
use serde_json::json;

const LABELS: &str = "/orgs/1/labels";
const GOOD: &str = "Correct-horse-battery-1";

#[test]
fn secrets_are_nowhere_to_be_read() {
    use std::io::Write;
    #[derive(Clone, Default)]
    struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
    impl Write for Log {
        fn write(&mut self, b: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(b);
            Ok(b.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _guard = tracing::subscriber::set_default(subscriber);
    let pce = Pce::start(0);
    let mut secrets = vec![pce.password.clone(), GOOD.to_owned()];
    let mut answers = String::new();
    runtime.block_on(async {
        let made = pce
            .call("POST", "/users/1/api_keys", &pce.owner_password(), json!({"name": "k"}))
            .await
            .expect(201);
        let owner = Auth::basic(&made.str("auth_username"), &made.str("secret"));
        secrets.push(made.str("secret"));
        let (account, _) = pce.service_account(&owner, "admin", json!(-1)).await;
        secrets.push(account.body["api_key"]["secret"].as_str().unwrap().to_owned());
        let body = json!({"username": "ann@example.com", "type": "local"});
        let invited = pce.call("POST", "/users", &owner, body).await.expect(201);
        secrets.push(invited.header("x-invitation-token").unwrap().to_owned());
        let with = Auth::basic("ann@example.com", secrets.last().unwrap());
        pce.call("PUT", "/login_users/me/password", &with, json!({"password": GOOD}))
            .await
            .expect(204);
        let login = Auth::basic("ann@example.com", GOOD);
        let token = pce.authenticate(&login).await.expect(201).str("auth_token");
        let session = pce.get("/users/login", &Auth::token(&token)).await.expect(200);
        secrets.extend([token, session.str("session_token")]);
        // Secrets in the wrong places must not be told on either.
        pce.authenticate(&Auth::basic(GOOD, "x")).await.expect(401);
        pce.get(LABELS, &Auth::basic(&format!("api_{}", secrets[2]), "x")).await.expect(401);
        pce.get("/users/login", &Auth::token(&format!("{GOOD}x"))).await.expect(401);
        for path in [
            "/users",
            "/users/1",
            "/users/1/api_keys",
            "/orgs/1/service_accounts",
            "/orgs/1/api_keys?type=user",
            "/orgs/1/api_keys?type=service_account",
            "/orgs/1/auth_security_principals",
            "/users/login",
        ] {
            answers.push_str(&pce.get(path, &owner).await.expect(200).text);
        }
    });
    let events: String =
        [0, 1].iter().flat_map(|org| pce.events(*org)).map(|e| e.to_string()).collect();
    assert!(events.contains("user.authenticate") && events.contains("service_account.create"));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(pce.home.data()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            files.extend(std::fs::read(path).unwrap());
        }
    }
    assert!(files.len() > 100_000);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("/users/login"));
    for secret in &secrets {
        assert!(secret.len() >= 16);
        for (place, text) in [("answers", &answers), ("events", &events), ("log", &log)] {
            assert!(!text.contains(secret.as_str()), "a secret stands in the {place}");
        }
        let stored = files.windows(secret.len()).any(|w| w == secret.as_bytes());
        assert!(!stored, "a secret stands in the data directory");
    }
    for word in ["_password", "_secret", "argon2id"] {
        assert!(!answers.contains(word) && !events.contains(word), "{word}");
    }
}
