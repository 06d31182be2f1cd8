//! Sessions: one sliding inactivity timer each.
//!
//! That a session exists is durable; when it was last used is kept in memory, so that a use costs no
//! write. After a restart a session counts as used at the start.
//!
//! Source: REST APIs 25.4, session credentials. The page names 30 and 10 minutes; the time is that of
//! the password policy, and the login answer tells the same number.

use crate::audit;
use crate::txn::Txn;
use crate::world::{Obj, Row, World};
use bulkhead_api::limits;
use bulkhead_ids::{Id, Kind};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// When each session was last used, in microseconds since 1970.
pub struct Sessions {
    since_us: i64,
    used: Mutex<HashMap<Id, i64>>,
}

/// Minutes that a session lives without use.
pub fn idle_minutes(system: &World) -> i64 {
    system
        .get(Kind::PasswordPolicy, Id::SINGLETON)
        .and_then(|p| p.doc.int("session_timeout_minutes"))
        .unwrap_or(i64::from(limits::SESSION_IDLE_MIN_DEFAULT))
}

impl Sessions {
    /// Knows of no use before a time.
    pub fn new(now: Timestamp) -> Self {
        Self { since_us: now.as_microsecond(), used: Mutex::default() }
    }

    fn last(&self, used: &HashMap<Id, i64>, session: &Obj) -> i64 {
        let begun = session.doc.int("_begun_us").unwrap_or_default();
        used.get(&session.id).copied().unwrap_or(begun.max(self.since_us))
    }

    /// Uses a session; says whether it was still alive.
    pub fn touch(&self, system: &World, session: &Obj, now: Timestamp) -> bool {
        let now = now.as_microsecond();
        let mut used = self.used.lock();
        let alive = now - self.last(&used, session) < idle_minutes(system) * 60_000_000;
        if alive {
            used.insert(session.id, now);
        }
        alive
    }

    /// Whether a session has not been used for too long.
    pub fn idle(&self, system: &World, session: &Obj, now: Timestamp) -> bool {
        let used = self.used.lock();
        now.as_microsecond() - self.last(&used, session) >= idle_minutes(system) * 60_000_000
    }

    /// Forgets sessions that are no more.
    pub fn keep(&self, alive: impl Fn(Id) -> bool) {
        self.used.lock().retain(|id, _| alive(*id));
    }
}

/// Starts a session of a user in a change of the PCE; the oldest go where there are too many.
pub fn begin(txn: &mut Txn<'_>, user: Id, token_digest: &str) {
    let begun = txn.now.as_microsecond();
    let id = Id::text(token_digest);
    let doc = json!({"_begun_us": begun, "_ip": txn.origin.ip});
    let obj = Obj::new(Kind::Session, id, Some(user), crate::doc::Val::from_json(&doc));
    txn.put_current(Kind::Session, id, Row::plain(obj));
    let mut all: Vec<Arc<Obj>> = of(&txn.world, user);
    all.sort_by_key(|s| s.doc.int("_begun_us"));
    let over = all.len().saturating_sub(limits::SESSIONS_PER_USER_MAX);
    for old in all.iter().take(over) {
        txn.revert(Kind::Session, old.id);
    }
}

/// The sessions of a user.
pub fn of(system: &World, user: Id) -> Vec<Arc<Obj>> {
    system.children(Kind::Session, user).filter_map(|r| r.draft.clone()).collect()
}

/// Ends the sessions of a user, but for one.
pub fn end_all(txn: &mut Txn<'_>, user: Id, but: Option<Id>) {
    for session in of(&txn.world, user) {
        if Some(session.id) != but {
            txn.revert(Kind::Session, session.id);
        }
    }
}

/// The notification that a session has ended.
pub fn ended(system: &World, user: Id, reason: &str) -> Value {
    let username = system.get(Kind::User, user).and_then(|u| u.doc.str("username"));
    let href = system.get(Kind::User, user).map(|u| audit::href_of(system, u).to_string());
    audit::notification(
        "user.pce_session_terminated",
        json!({"reason": reason, "user": {"href": href, "username": username}}),
    )
}

/// When keys were last used, in microseconds since 1970, until it is stored with them.
#[derive(Default)]
pub struct LastUsed {
    used: Mutex<HashMap<Id, i64>>,
}

impl LastUsed {
    /// Notes a use.
    pub fn touch(&self, key: Id, now: Timestamp) {
        self.used.lock().insert(key, now.as_microsecond());
    }

    /// The last use of a key, as far as it is not stored yet.
    pub fn get(&self, key: Id) -> Option<i64> {
        self.used.lock().get(&key).copied()
    }

    /// Takes all uses, to store them.
    pub fn take(&self) -> HashMap<Id, i64> {
        std::mem::take(&mut *self.used.lock())
    }
}
