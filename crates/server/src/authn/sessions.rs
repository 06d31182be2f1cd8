//! Sessions: one sliding inactivity timer each.
//!
//! That a session exists is durable; when it was last used is kept in memory, so that a use costs no
//! write. After a restart a session counts as used at the start.

use crate::world::{Obj, World};
use bulkhead_api::limits;
use bulkhead_ids::{Id, Kind};
use jiff::Timestamp;
use parking_lot::Mutex;
use std::collections::HashMap;

/// When each session was last used, in microseconds since 1970.
#[derive(Default)]
pub struct Sessions {
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
    /// Uses a session; says whether it was still alive.
    pub fn touch(&self, system: &World, session: &Obj, now: Timestamp) -> bool {
        let now = now.as_microsecond();
        let mut used = self.used.lock();
        let last = used.entry(session.id).or_insert(now);
        if now - *last >= idle_minutes(system) * 60_000_000 {
            return false;
        }
        *last = now;
        true
    }

    /// When a session was last used, where that is known.
    pub fn last_used(&self, session: Id) -> Option<i64> {
        self.used.lock().get(&session).copied()
    }

    /// Notes the first use of a session.
    pub fn begin(&self, session: Id, now: Timestamp) {
        self.used.lock().insert(session, now.as_microsecond());
    }

    /// Forgets a session.
    pub fn end(&self, session: Id) {
        self.used.lock().remove(&session);
    }
}
