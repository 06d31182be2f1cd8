//! An object and its two sides.

use crate::doc::Val;
use arc_swap::ArcSwapOption;
use bulkhead_ids::{Id, Kind};
use bulkhead_store::UpdateType;
use bytes::Bytes;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// One side of an object: its document and what identifies it.
pub struct Obj {
    /// The kind.
    pub kind: Kind,
    /// The id within the organisation and kind.
    pub id: Id,
    /// The object it lives under.
    pub parent: Option<Id>,
    /// What it holds; without href, caps and other fields that are derived.
    pub doc: Doc,
    /// The last rendered form; see [`crate::render`].
    pub rendered: ArcSwapOption<Rendered>,
}

/// The document of an object. One that was loaded is parsed when it is first looked at: a start loads
/// very many, and most are not asked for soon.
pub struct Doc {
    parsed: OnceLock<Val>,
    /// The stored form, of documents that were loaded.
    text: Bytes,
}

impl Doc {
    /// A document in its stored form, which must be valid JSON.
    pub const fn stored(text: Bytes) -> Self {
        Self { parsed: OnceLock::new(), text }
    }
}

impl From<Val> for Doc {
    fn from(val: Val) -> Self {
        Self { parsed: OnceLock::from(val), text: Bytes::new() }
    }
}

impl Deref for Doc {
    type Target = Val;

    fn deref(&self) -> &Val {
        // INVARIANT: what is loaded was read through once as JSON (see `Summary::of`).
        self.parsed.get_or_init(|| Val::parse(&self.text).unwrap_or_default())
    }
}

impl PartialEq<Val> for Doc {
    fn eq(&self, other: &Val) -> bool {
        **self == *other
    }
}

impl PartialEq<Doc> for Val {
    fn eq(&self, other: &Doc) -> bool {
        *self == **other
    }
}

impl PartialEq for Doc {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Doc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// A rendered object, valid for one state of what it shows.
pub struct Rendered {
    /// What the form depends on beside the document.
    pub of: (u64, u64),
    /// The JSON text.
    pub text: Bytes,
}

impl Obj {
    /// An object with nothing rendered yet.
    pub fn new(kind: Kind, id: Id, parent: Option<Id>, doc: impl Into<Doc>) -> Arc<Self> {
        let doc = doc.into();
        Arc::new(Self { kind, id, parent, doc, rendered: ArcSwapOption::empty() })
    }
}

/// The sides of an object. Objects without draft and active have the draft side only.
#[derive(Clone, Default)]
pub struct Row {
    /// What is being edited; for objects pending deletion, their last content.
    pub draft: Option<Arc<Obj>>,
    /// What hosts enforce.
    pub active: Option<Arc<Obj>>,
    /// How the draft differs from the active side.
    pub pending: Option<UpdateType>,
}

/// Rows are equal when they hold the very same versions of the object.
impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        let same = |a: &Option<Arc<Obj>>, b: &Option<Arc<Obj>>| match (a, b) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        same(&self.draft, &other.draft)
            && same(&self.active, &other.active)
            && self.pending == other.pending
    }
}

impl Row {
    /// The row of an object without draft and active.
    pub fn plain(obj: Arc<Obj>) -> Self {
        Self { draft: Some(obj), active: None, pending: None }
    }

    /// Whether the object is only marked deleted.
    pub fn soft_deleted(&self) -> bool {
        self.draft.as_ref().is_some_and(|d| d.doc.is("deleted"))
    }
}
