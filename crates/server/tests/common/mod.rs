//! A server inside the test, with a clock that the test moves.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what goes wrong here fails the test that calls it"
)]

use bulkhead_server::app::App;
use bulkhead_server::authn::upkeep;
use bulkhead_server::boot;
use bulkhead_server::clock::Clock;
use bulkhead_server::http::dispatch::{self, Routes};
use bulkhead_server::rate::Rates;
use bulkhead_server::state::State;
use bulkhead_store::{EventFilter, SqliteStore};
use bulkhead_testkit::Home;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

/// A clock that stands still until it is moved.
pub struct Hand(Mutex<Timestamp>);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
    pub text: String,
}

impl Answer {
    /// Insists on a status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    pub fn str(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {}", self.text)).into()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    #[track_caller]
    pub fn refused(self, status: u16, token: &str) {
        let found = self.expect(status);
        assert_eq!(found.body[0]["token"], token, "{}", found.text);
    }
}

/// How a request identifies itself and from where it comes.
#[derive(Clone, Default)]
pub struct Auth {
    header: Option<String>,
    peer: Option<IpAddr>,
    forwarded: Option<String>,
}

impl Auth {
    pub fn basic(user: &str, password: &str) -> Self {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        Self { header: Some(format!("Basic {text}")), ..Self::default() }
    }

    pub fn token(token: &str) -> Self {
        Self { header: Some(format!("Token token={token}")), ..Self::default() }
    }

    pub fn from(mut self, peer: &str) -> Self {
        self.peer = Some(peer.parse().unwrap());
        self
    }

    pub fn forwarded(mut self, chain: &str) -> Self {
        self.forwarded = Some(chain.into());
        self
    }
}

/// The server under test.
pub struct Pce {
    pub app: Arc<App>,
    pub home: Home,
    pub email: String,
    pub password: String,
    pub clock: Arc<Hand>,
}

impl Pce {
    pub fn start(rate: u32) -> Self {
        let home = Home::new();
        let clock = Arc::new(Hand(Mutex::new("2026-01-01T00:00:00Z".parse().unwrap())));
        let (app, email, password) = apart(|| open(&home, &clock, rate));
        Self { app, home, email, password: password.unwrap(), clock }
    }

    /// The same data in a new process, as far as the server can tell.
    pub fn restart(self) -> Self {
        let Self { app, home, email, password, clock } = self;
        drop(app);
        let (app, ..) = apart(|| open(&home, &clock, 0));
        Self { app, home, email, password, clock }
    }

    pub fn pass(&self, seconds: i64) {
        let mut now = self.clock.0.lock().unwrap();
        *now += SignedDuration::from_secs(seconds);
    }

    pub async fn upkeep(&self) {
        upkeep::round(&self.app).await.unwrap();
    }

    pub async fn call(&self, method: &str, path: &str, auth: &Auth, body: Value) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/api/v2{path}"));
        if let Some(h) = &auth.header {
            request = request.header("authorization", h);
        }
        if let Some(f) = &auth.forwarded {
            request = request.header("x-forwarded-for", f);
        }
        let bytes = if body.is_null() { String::new() } else { body.to_string() };
        let request = request
            .header("content-type", "application/json")
            .body(Full::new(bytes::Bytes::from(bytes)))
            .unwrap();
        let peer = auth.peer.unwrap_or(IpAddr::from([127, 0, 0, 1]));
        let (parts, body) = dispatch::serve(self.app.clone(), peer, request).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let status = parts.status.as_u16();
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        if status >= 400 {
            assert!(body.as_array().is_some_and(|a| !a.is_empty()), "{status}: {text}");
            assert!(body[0]["token"].is_string() && body[0]["message"].is_string(), "{text}");
        }
        if !text.is_empty() {
            assert_eq!(parts.headers["content-type"], "application/json");
        }
        Answer { status, headers: parts.headers, body, text }
    }

    pub async fn get(&self, path: &str, auth: &Auth) -> Answer {
        self.call("GET", path, auth, Value::Null).await
    }

    pub fn owner_password(&self) -> Auth {
        Auth::basic(&self.email, &self.password)
    }

    /// A key of the first owner.
    pub async fn owner(&self) -> Auth {
        self.key_of("/users/1", &self.owner_password()).await
    }

    pub async fn key_of(&self, user: &str, auth: &Auth) -> Auth {
        let body = serde_json::json!({"name": "k"});
        let made = self.call("POST", &format!("{user}/api_keys"), auth, body).await.expect(201);
        Auth::basic(&made.str("auth_username"), &made.str("secret"))
    }

    pub async fn authenticate(&self, auth: &Auth) -> Answer {
        self.call("POST", "/login_users/authenticate?pce_fqdn=pce", auth, Value::Null).await
    }

    /// A session: how to use it, and the login answer.
    pub async fn session(&self, auth: &Auth) -> (Auth, Answer) {
        let token = self.authenticate(auth).await.expect(201).str("auth_token");
        let answer = self.get("/users/login", &Auth::token(&token)).await.expect(200);
        (Auth::basic(&answer.str("auth_username"), &answer.str("session_token")), answer)
    }

    /// Invites a user who then sets a password; returns its href and login.
    pub async fn user(&self, owner: &Auth, email: &str, password: &str) -> (String, Auth) {
        let body = serde_json::json!({"username": email, "type": "local"});
        let made = self.call("POST", "/users", owner, body).await.expect(201);
        let invitation = made.header("x-invitation-token").unwrap().to_owned();
        let body = serde_json::json!({"password": password});
        let with = Auth::basic(email, &invitation);
        self.call("PUT", "/login_users/me/password", &with, body).await.expect(204);
        (made.str("href"), Auth::basic(email, password))
    }

    /// Grants a role to a user of organisation 1; returns the permission's href.
    pub async fn grant(&self, owner: &Auth, email: &str, role: &str) -> String {
        let body = serde_json::json!({"name": email, "type": "user"});
        let path = "/orgs/1/auth_security_principals";
        let principal = self.call("POST", path, owner, body).await.expect(201).str("href");
        let body = serde_json::json!({
            "role": {"href": format!("/orgs/1/roles/{role}")},
            "scope": [],
            "auth_security_principal": {"href": principal},
        });
        self.call("POST", "/orgs/1/permissions", owner, body).await.expect(201).str("href")
    }

    /// A service account; returns the answer that made it and its key.
    pub async fn service_account(&self, owner: &Auth, role: &str, lives: Value) -> (Answer, Auth) {
        let body = serde_json::json!({
            "name": role,
            "permissions": [{"role": {"href": format!("/orgs/1/roles/{role}")}, "scope": []}],
            "api_key": {"expires_in_seconds": lives},
        });
        let made = self.call("POST", "/orgs/1/service_accounts", owner, body).await.expect(201);
        let key = &made.body["api_key"];
        let auth =
            Auth::basic(key["auth_username"].as_str().unwrap(), key["secret"].as_str().unwrap());
        (made, auth)
    }

    /// All events of an organisation, newest first.
    pub fn events(&self, org: u32) -> Vec<Value> {
        apart(|| self.read_events(org))
    }

    fn read_events(&self, org: u32) -> Vec<Value> {
        // Events of refusals are not waited for; a write that is tells that they are stored.
        self.app
            .state
            .write_blocking(org, &Default::default(), |txn| {
                txn.event_type = Some("test.mark".into());
                txn.notifications.push(Value::Null);
                Ok(())
            })
            .unwrap();
        let page = self.app.state.store.events(org, &EventFilter::default(), 10_000).unwrap();
        page.rows.iter().map(|r| serde_json::from_slice(r).unwrap()).collect()
    }

    pub fn has_event(&self, event_type: &str, holds: &[&str]) -> bool {
        self.events(1).iter().any(|e| {
            e["event_type"] == event_type && holds.iter().all(|h| e.to_string().contains(h))
        })
    }
}

/// Runs what waits for the disk on a thread of its own, which may block.
pub fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|s| s.spawn(work).join().unwrap())
}

fn open(home: &Home, clock: &Arc<Hand>, rate: u32) -> (Arc<App>, String, Option<String>) {
    // The commit thread of the server before may still be on its way out.
    let mut tries = 0;
    let store = loop {
        match SqliteStore::open(&home.data()) {
            Ok(store) => break Arc::new(store),
            Err(e) if tries > 250 => panic!("{e}"),
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(20)),
        }
        tries += 1;
    };
    let state = State::load(store, clock.clone()).unwrap();
    let login = boot::ensure(&state).unwrap();
    let app = App::new(state, Routes::build().unwrap(), "pce.test", Rates::new(rate), home.data());
    (Arc::new(app), login.email, login.password)
}

/// Runs a test that waits.
pub fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(test);
}
