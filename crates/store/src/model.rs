//! What goes into the store and comes out of it.

use bulkhead_ids::{Id, Kind};
use std::fmt;
use std::sync::Arc;

/// Names an object: organisation, kind and id. Organisation 0 is the PCE itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The organisation; 0 holds users, sessions and organisations.
    pub org: u32,
    /// The kind of object.
    pub kind: Kind,
    /// The id within organisation and kind.
    pub id: Id,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} of organisation {}", self.kind.name(), self.id, self.org)
    }
}

/// What a change does to an object. The numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum UpdateType {
    /// It was not there before.
    Create = 1,
    /// It was there and differs.
    Update = 2,
    /// It is no longer there.
    Delete = 3,
}

impl UpdateType {
    /// The name on the wire: `create`, `update` or `delete`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// The inverse of [`UpdateType::as_str`].
    pub fn from_wire(text: &str) -> Option<Self> {
        [Self::Create, Self::Update, Self::Delete].into_iter().find(|u| u.as_str() == text)
    }

    /// The inverse of `self as u8`.
    pub const fn from_u8(n: u8) -> Option<Self> {
        match n {
            1 => Some(Self::Create),
            2 => Some(Self::Update),
            3 => Some(Self::Delete),
            _ => None,
        }
    }
}

/// One change to one row. Ops of a change set apply in their order.
#[derive(Clone, Debug)]
pub enum Op {
    /// Sets the current row of an object: the state of an unversioned object, or the draft of a
    /// policy object that differs from its active side.
    PutCurrent {
        /// Which object.
        key: Key,
        /// The object it lives under, for kinds under another.
        parent: Option<Id>,
        /// What provisioning the draft would do; absent for unversioned objects.
        pending: Option<UpdateType>,
        /// The JSON document.
        doc: Arc<[u8]>,
    },
    /// Removes the current row of an object; no error where there is none.
    DeleteCurrent {
        /// Which object.
        key: Key,
    },
    /// Makes a document the active one from a version on. The object must have no open row.
    OpenVersion {
        /// Which object.
        key: Key,
        /// The object it lives under, for kinds under another.
        parent: Option<Id>,
        /// The first version in which it is active.
        from: u64,
        /// The JSON document.
        doc: Arc<[u8]>,
    },
    /// Ends the open row of an object: it was active in versions `[from, at)`. An object that
    /// changes in a version is closed and then opened at that version.
    CloseVersion {
        /// Which object; it must have an open row with `from < at`.
        key: Key,
        /// The first version in which it is no longer active.
        at: u64,
    },
    /// Sets the result of a job.
    PutBlob {
        /// The organisation.
        org: u32,
        /// The id of the result.
        id: Id,
        /// When it may be swept, in microseconds since 1970.
        expires_us: i64,
        /// The bytes, up to 512 MiB.
        body: Arc<[u8]>,
    },
    /// Removes the result of a job; no error where there is none.
    DeleteBlob {
        /// The organisation.
        org: u32,
        /// The id of the result.
        id: Id,
    },
    /// Adds an audit event; its id must be new in its organisation.
    AddEvent(EventRow),
    /// Removes audit events.
    PruneEvents {
        /// The organisation.
        org: u32,
        /// Events with an earlier timestamp go, in microseconds since 1970.
        before_us: i64,
    },
    /// Sets a persisted counter, such as the next integer id.
    SetCounter {
        /// The organisation.
        org: u32,
        /// Which counter.
        name: &'static str,
        /// Its new value, up to `i64::MAX`.
        value: u64,
    },
}

/// An audit event: its document and what events are found by.
#[derive(Clone, Debug)]
pub struct EventRow {
    /// The organisation.
    pub org: u32,
    /// Its UUID.
    pub id: Id,
    /// When it happened, in microseconds since 1970.
    pub timestamp_us: i64,
    /// Its type, as `label.create`.
    pub event_type: Box<str>,
    /// `success`, `failure`, or absent.
    pub status: Option<Box<str>>,
    /// Its severity, as `info`.
    pub severity: Box<str>,
    /// The href of the actor, or empty.
    pub created_by: Box<str>,
    /// The JSON document.
    pub doc: Arc<[u8]>,
}

/// Changes that become durable together, or not at all.
#[derive(Clone, Debug)]
pub struct ChangeSet {
    /// The organisation whose revision it raises by one. Ops may also touch other organisations,
    /// as a login does that writes a session of the PCE and an event of the organisation.
    pub org: u32,
    /// The revision that the changes were validated against; not checked where absent.
    pub expected_revision: Option<u64>,
    /// The changes, applied in order.
    pub ops: Vec<Op>,
}

/// One row of the current state, lent while it is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loaded<'a> {
    /// How many change sets an organisation has seen.
    Revision {
        /// The organisation.
        org: u32,
        /// Its revision.
        revision: u64,
    },
    /// A persisted counter.
    Counter {
        /// The organisation.
        org: u32,
        /// Which counter.
        name: &'a str,
        /// Its value.
        value: u64,
    },
    /// A current row.
    Current {
        /// Which object.
        key: Key,
        /// The object it lives under.
        parent: Option<Id>,
        /// What provisioning it would do.
        pending: Option<UpdateType>,
        /// The JSON document.
        doc: &'a [u8],
    },
    /// An open version row: the active side of a policy object.
    Active {
        /// Which object.
        key: Key,
        /// The object it lives under.
        parent: Option<Id>,
        /// The version since which it is active.
        from: u64,
        /// The JSON document.
        doc: &'a [u8],
    },
}

/// An object as it was active in a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRow {
    /// Which object.
    pub key: Key,
    /// The object it lives under.
    pub parent: Option<Id>,
    /// The version in which this document became active.
    pub from: u64,
    /// The JSON document.
    pub doc: Vec<u8>,
}

/// What a version did to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modified {
    /// Which object.
    pub key: Key,
    /// The object it lives under.
    pub parent: Option<Id>,
    /// Whether the version created, updated or deleted it.
    pub update: UpdateType,
    /// The new document, or the last one where it was deleted.
    pub doc: Vec<u8>,
}

/// Which audit events to find: those that pass every condition that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// The type is one of these; empty means any.
    pub event_types: Vec<Box<str>>,
    /// The status; empty text means events without one.
    pub status: Option<Box<str>>,
    /// The severity.
    pub severity: Option<Box<str>>,
    /// The href of the actor; empty text means events without one.
    pub created_by: Option<Box<str>>,
    /// The earliest timestamp, inclusive, in microseconds since 1970.
    pub timestamp_gte_us: Option<i64>,
    /// The latest timestamp, inclusive, in microseconds since 1970.
    pub timestamp_lte_us: Option<i64>,
    /// A text that the document holds, ASCII letters compared without case.
    pub text: Option<Box<str>>,
}

/// An event of any organisation, in the order of recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextEvent {
    /// Its place in that order, from 1 on; grows, with gaps.
    pub seq: u64,
    /// The organisation.
    pub org: u32,
    /// The JSON document.
    pub doc: Vec<u8>,
}

/// The newest events that pass a filter, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventPage {
    /// Documents, newest first.
    pub rows: Vec<Vec<u8>>,
    /// Events of the organisation, before the filter.
    pub total: u64,
    /// Events that pass the filter, before the limit.
    pub matched: u64,
}
