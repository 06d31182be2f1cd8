//! Compact documents: what an object holds, in a third of the memory of a general JSON value.
//!
//! Keys are interned (bodies are closed, so there are few), references are stored as kind and id and
//! print in the policy version that is asked for. The stored form is plain JSON text.

use bulkhead_ids::{AnyHref, Id, Kind, Place, PolicyVersion};
use parking_lot::RwLock;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::sync::LazyLock;

/// An interned field name.
pub type Key = &'static str;

/// A value of a document.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Val {
    /// JSON null.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Str(Box<str>),
    /// The href of an object of this organisation or of the PCE.
    Ref(Kind, Id),
    /// A list.
    Arr(Box<[Val]>),
    /// Fields in the order of their names.
    Obj(Box<[(Key, Val)]>),
}

static KEYS: LazyLock<RwLock<HashSet<&'static str>>> = LazyLock::new(Default::default);

/// The interned form of a field name.
pub fn intern(name: &str) -> Key {
    if let Some(k) = KEYS.read().get(name) {
        return k;
    }
    let mut keys = KEYS.write();
    match keys.get(name) {
        Some(k) => k,
        None => {
            let leaked: &'static str = Box::leak(name.into());
            keys.insert(leaked);
            leaked
        }
    }
}

/// Kinds whose hrefs are stored as references: those with a plain id of their own.
fn storable(h: &AnyHref) -> bool {
    h.parent.is_none()
        && h.text.is_none()
        && matches!(h.version, None | Some(PolicyVersion::Draft | PolicyVersion::Active))
        && matches!(h.kind.place(), Place::Org | Place::Policy | Place::Global)
}

impl Val {
    /// Converts a JSON value; texts under `href` that are hrefs become references.
    pub fn from_json(v: &Value) -> Self {
        match v {
            Value::Null => Self::Null,
            Value::Bool(b) => Self::Bool(*b),
            Value::Number(n) => match n.as_i64() {
                Some(i) => Self::Int(i),
                None => Self::Float(n.as_f64().unwrap_or_default()),
            },
            Value::String(s) => Self::Str(s.as_str().into()),
            Value::Array(a) => Self::Arr(a.iter().map(Self::from_json).collect()),
            Value::Object(m) => {
                Self::Obj(m.iter().map(|(k, v)| (intern(k), Self::field(k, v))).collect())
            }
        }
    }

    fn field(key: &str, v: &Value) -> Self {
        if key == "href"
            && let Value::String(s) = v
            && let Ok(h) = s.parse::<AnyHref>()
            && storable(&h)
        {
            return Self::Ref(h.kind, h.id);
        }
        Self::from_json(v)
    }

    /// Converts back to a JSON value, with references in the given policy version.
    pub fn to_json(&self, org: u32, pv: PolicyVersion) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(b) => (*b).into(),
            Self::Int(i) => (*i).into(),
            Self::Float(f) => (*f).into(),
            Self::Str(s) => s.as_ref().into(),
            Self::Ref(kind, id) => href(org, pv, *kind, *id).to_string().into(),
            Self::Arr(a) => a.iter().map(|v| v.to_json(org, pv)).collect(),
            Self::Obj(m) => m
                .iter()
                .map(|(k, v)| ((*k).to_owned(), v.to_json(org, pv)))
                .collect::<Map<_, _>>()
                .into(),
        }
    }

    /// A field of an object.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Obj(m) => m.iter().find(|(k, _)| *k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The text of a field.
    pub fn str(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Self::as_str)
    }

    /// The text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The integer of a field.
    pub fn int(&self, key: &str) -> Option<i64> {
        match self.get(key) {
            Some(Self::Int(i)) => Some(*i),
            _ => None,
        }
    }

    /// Whether a field is `true`.
    pub fn is(&self, key: &str) -> bool {
        matches!(self.get(key), Some(Self::Bool(true)))
    }

    /// The elements of a list; none for anything else.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::Arr(a) => a,
            _ => &[],
        }
    }

    /// The elements of a list field.
    pub fn list(&self, key: &str) -> &[Self] {
        self.get(key).map(Self::items).unwrap_or_default()
    }

    /// The fields of an object; none for anything else.
    pub fn entries(&self) -> &[(Key, Self)] {
        match self {
            Self::Obj(m) => m,
            _ => &[],
        }
    }

    /// What `{"href": ...}` refers to.
    pub fn target(&self) -> Option<(Kind, Id)> {
        match self.get("href") {
            Some(Self::Ref(k, i)) => Some((*k, *i)),
            _ => None,
        }
    }

    /// Every object that the document refers to, in document order, with repeats.
    pub fn for_each_ref(&self, f: &mut impl FnMut(Kind, Id)) {
        match self {
            Self::Ref(k, i) => f(*k, *i),
            Self::Arr(a) => a.iter().for_each(|v| v.for_each_ref(f)),
            Self::Obj(m) => m.iter().for_each(|(k, v)| match v {
                // Objects with text ids (user groups, roles) are kept as text.
                Self::Str(s) if *k == "href" => {
                    if let Ok(h) = s.parse::<AnyHref>() {
                        f(h.kind, h.id);
                    }
                }
                _ => v.for_each_ref(f),
            }),
            _ => {}
        }
    }
}

/// The href of an object with a plain id; policy objects get the given version.
pub fn href(org: u32, pv: PolicyVersion, kind: Kind, id: Id) -> AnyHref {
    let version = matches!(kind.place(), Place::Policy).then_some(pv);
    AnyHref::new(org, version, kind, id)
}
