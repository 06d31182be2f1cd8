//! What the indexes need to know of an object: taken from its document, or from the stored text of it
//! without making a document.

use super::index::{external_pair, key_of};
use super::object::Obj;
use crate::doc::Val;
use bulkhead_api::descriptor;
use bulkhead_ids::{AnyHref, Id, Kind};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

const DELETED: &str = "deleted";
const EXTERNAL: [&str; 2] = ["external_data_set", "external_data_reference"];

/// What the indexes need to know of an object. Of one that is soft-deleted, that it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The values that must be unique; see [`key_of`].
    pub(super) unique: Vec<Arc<str>>,
    /// The external reference.
    pub(super) external: Option<Arc<str>>,
    /// What it refers to, in order, each once. Users are not counted: everything was made by one.
    pub(super) targets: Vec<(Kind, Id)>,
    /// Whether it is only marked deleted.
    pub(super) deleted: bool,
}

impl Summary {
    /// That of an object.
    pub(super) fn of_object(obj: &Obj) -> Self {
        if obj.doc.is(DELETED) {
            return Self { deleted: true, ..Self::default() };
        }
        let mut targets = Vec::new();
        obj.doc.for_each_ref(&mut |k, i| targets.push((k, i)));
        Self::made(obj.kind, targets, |name| obj.doc.get(name).and_then(Val::as_str))
    }

    /// That of the stored form of an object.
    ///
    /// # Errors
    /// When the text is no JSON.
    pub fn of(kind: Kind, text: &[u8]) -> Result<Self, serde_json::Error> {
        let mut found = Found::default();
        // Checked as a whole, which is much faster than text by text.
        let text = std::str::from_utf8(text).map_err(serde_json::Error::custom)?;
        let mut de = serde_json::Deserializer::from_str(text);
        Walk { found: &mut found, place: Place::Top }.deserialize(&mut de)?;
        de.end()?;
        if found.deleted {
            return Ok(Self { deleted: true, ..Self::default() });
        }
        let texts = found.texts;
        let text = |name: &str| texts.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_ref());
        Ok(Self::made(kind, found.targets, text))
    }

    fn made<'a>(
        kind: Kind,
        mut targets: Vec<(Kind, Id)>,
        text: impl Fn(&str) -> Option<&'a str>,
    ) -> Self {
        targets.retain(|(k, _)| *k != Kind::User);
        targets.sort_unstable();
        targets.dedup();
        let constraints = descriptor(kind).map(|d| d.unique.as_slice()).unwrap_or_default();
        let unique = constraints.iter().enumerate().filter_map(|(n, u)| {
            let values: Option<Vec<&str>> = u.fields.iter().map(|f| text(f)).collect();
            Some(key_of(n, u, &values?))
        });
        let [set, reference] = EXTERNAL.map(&text);
        let external = set.zip(reference).map(|(set, reference)| external_pair(set, reference));
        Self { unique: unique.collect(), external, targets, deleted: false }
    }
}

/// What a walk through a stored document picks up.
#[derive(Default)]
struct Found<'de> {
    targets: Vec<(Kind, Id)>,
    /// The texts at the top, by name.
    texts: Vec<(Cow<'de, str>, Cow<'de, str>)>,
    deleted: bool,
}

/// Where a value stands.
enum Place<'de> {
    /// It is the document.
    Top,
    /// It is a member of the document.
    Member(Cow<'de, str>),
    /// It stands under `href`.
    Href,
    /// Anywhere else.
    Below,
}

struct Walk<'a, 'de> {
    found: &'a mut Found<'de>,
    place: Place<'de>,
}

impl<'de> Walk<'_, 'de> {
    fn text(self, s: &str, keep: impl FnOnce() -> Cow<'de, str>) {
        match self.place {
            Place::Href => self.found.targets.extend(s.parse::<AnyHref>().map(|h| (h.kind, h.id))),
            Place::Member(name) => self.found.texts.push((name, keep())),
            Place::Top | Place::Below => {}
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, v: bool) -> Result<(), E> {
        if let Place::Member(name) = &self.place
            && name == DELETED
        {
            self.found.deleted = v;
        }
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_borrowed_str<E>(self, s: &'de str) -> Result<(), E> {
        self.text(s, || Cow::Borrowed(s));
        Ok(())
    }

    fn visit_str<E>(self, s: &str) -> Result<(), E> {
        self.text(s, || Cow::Owned(s.to_owned()));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Walk { found: self.found, place: Place::Below })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let top = matches!(self.place, Place::Top);
        while let Some(name) = map.next_key_seed(Name)? {
            let place = match () {
                () if name == "href" => Place::Href,
                () if top => Place::Member(name),
                () => Place::Below,
            };
            map.next_value_seed(Walk { found: self.found, place })?;
        }
        Ok(())
    }
}

/// Reads the name of a member.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_borrowed_str<E: Error>(self, s: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(s))
    }

    fn visit_str<E: Error>(self, s: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(s.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_text_tells_what_the_document_does() {
        let service = r#""ingress_services":[{"href":"/orgs/1/sec_policy/draft/services/9"}]"#;
        for (kind, text) in [
            (Kind::Label, r#"{"key":"app","value":"a \"b\" \u00e9","n":[1,-2,2.5,null]}"#.to_owned()),
            (Kind::Label, r#"{"deleted":true,"key":"app","value":"x"}"#.to_owned()),
            (Kind::Label, r#"{"deleted":false,"key":"app","value":"x"}"#.to_owned()),
            (
                Kind::Workload,
                r#"{"external_data_reference":"r","external_data_set":"s","labels":[{"href":"/orgs/1/labels/3"},{"href":"/orgs/1/labels/2"},{"href":"/orgs/1/labels/3"}],"href":"none","updated_by":{"href":"/users/1"}}"#
                    .to_owned(),
            ),
            (Kind::SecRule, format!(r#"{{"a":{{"href":["/orgs/1/labels/1"]}},{service}}}"#)),
            (Kind::Permission, r#"{"role":{"href":"/orgs/1/roles/owner"}}"#.to_owned()),
        ] {
            let obj = Obj::new(kind, Id::int(1), None, Val::parse(text.as_bytes()).unwrap());
            let summary = Summary::of(kind, text.as_bytes()).unwrap();
            assert_eq!(summary, Summary::of_object(&obj), "{text}");
            let stored = super::super::object::Doc::stored(text.clone().into());
            assert_eq!(*stored, *obj.doc, "{text}");
        }
        for text in ["", "{", r#"{"a":1e999}"#, "{} x", r#"{"a":"\q"}"#] {
            assert!(Summary::of(Kind::Label, text.as_bytes()).is_err(), "{text}");
        }
    }
}
