//! Compact documents: what an object holds, in a third of the memory of a general JSON value.
//!
//! Keys are interned (bodies are closed, so there are few), references are stored as kind and id and
//! print in the policy version that is asked for. The stored form is plain JSON text.

use bulkhead_ids::{AnyHref, Id, Kind, Place, PolicyVersion};
use parking_lot::Mutex;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::cell::RefCell;
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

static KEYS: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Default::default);

thread_local! {
    static OWN: RefCell<HashSet<&'static str>> = RefCell::default();
}

/// The interned form of a field name.
pub fn intern(name: &str) -> Key {
    OWN.with_borrow_mut(|own| match own.get(name) {
        Some(k) => k,
        None => {
            let key = intern_shared(name);
            own.insert(key);
            key
        }
    })
}

fn intern_shared(name: &str) -> Key {
    let mut keys = KEYS.lock();
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
        match v {
            Value::String(s) if key == "href" => Self::from_href(s),
            _ => Self::from_json(v),
        }
    }

    fn from_href(s: &str) -> Self {
        match s.parse::<AnyHref>() {
            Ok(h) if storable(&h) => Self::Ref(h.kind, h.id),
            _ => Self::Str(s.into()),
        }
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When the bytes are no JSON.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let mut de = serde_json::Deserializer::from_slice(bytes);
        let val = Seed { href: false }.deserialize(&mut de)?;
        de.end()?;
        Ok(val)
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

    /// Appends the stored form: JSON text with references in the draft version.
    pub fn write(&self, org: u32, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
            Self::Int(i) => text(out, i),
            Self::Float(f) => text(out, f),
            Self::Str(s) => text(out, s),
            Self::Ref(k, i) => text(out, &href(org, PolicyVersion::Draft, *k, *i).to_string()),
            Self::Arr(a) => {
                out.push(b'[');
                for (n, v) in a.iter().enumerate() {
                    if n > 0 {
                        out.push(b',');
                    }
                    v.write(org, out);
                }
                out.push(b']');
            }
            Self::Obj(m) => {
                out.push(b'{');
                for (n, (k, v)) in m.iter().enumerate() {
                    if n > 0 {
                        out.push(b',');
                    }
                    text(out, k);
                    out.push(b':');
                    v.write(org, out);
                }
                out.push(b'}');
            }
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

fn text(out: &mut Vec<u8>, v: &(impl serde::Serialize + ?Sized)) {
    // INVARIANT: writing to a Vec does not fail, and plain values are always valid JSON.
    let _ = serde_json::to_writer(out, v);
}

/// The href of an object with a plain id; policy objects get the given version.
pub fn href(org: u32, pv: PolicyVersion, kind: Kind, id: Id) -> AnyHref {
    let version = matches!(kind.place(), Place::Policy).then_some(pv);
    AnyHref::new(org, version, kind, id)
}

/// Reads a value; one that stands under `href` becomes a reference.
#[derive(Clone, Copy)]
struct Seed {
    href: bool,
}

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Val;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Val, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Val;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a document")
    }

    fn visit_unit<E>(self) -> Result<Val, E> {
        Ok(Val::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Val, E> {
        Ok(Val::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Val, E> {
        Ok(Val::Int(v))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Val, E> {
        Ok(i64::try_from(v).map_or(Val::Float(v as f64), Val::Int))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Val, E> {
        Ok(Val::Float(v))
    }

    fn visit_str<E>(self, v: &str) -> Result<Val, E> {
        Ok(if self.href { Val::from_href(v) } else { Val::Str(v.into()) })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Val, A::Error> {
        let mut out = Vec::new();
        while let Some(v) = seq.next_element_seed(Seed { href: false })? {
            out.push(v);
        }
        Ok(Val::Arr(out.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Val, A::Error> {
        let mut out = Vec::new();
        while let Some(key) = map.next_key_seed(Name)? {
            out.push((key, map.next_value_seed(Seed { href: key == "href" })?));
        }
        Ok(Val::Obj(out.into()))
    }
}

/// Reads a field name into its interned form.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Key;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Key, D::Error> {
        d.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Key;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, v: &str) -> Result<Key, E> {
        Ok(intern(v))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_and_wire_form_read_alike_and_print_back() {
        let text = r#"{"a":[1,-2,2.5,null,true],"b":{"href":"/orgs/7/labels/3"},"c":{"href":"/orgs/7/roles/owner"},"d":{"href":"/orgs/7/sec_policy/draft/services/9"}}"#;
        let json: Value = serde_json::from_str(text).unwrap();
        let val = Val::parse(text.as_bytes()).unwrap();
        assert_eq!(val, Val::from_json(&json));
        assert_eq!(val.to_json(7, PolicyVersion::Draft).to_string(), text);
        let mut stored = Vec::new();
        val.write(7, &mut stored);
        assert_eq!(stored, text.as_bytes());
        assert_eq!(val.get("b").and_then(Val::target), Some((Kind::Label, Id::int(3))));
        let active = val.get("d").map(|d| d.to_json(7, PolicyVersion::Active));
        assert_eq!(
            active,
            Some(serde_json::json!({"href": "/orgs/7/sec_policy/active/services/9"}))
        );
    }
}
