//! References between objects: hrefs, and whatever has one.

use crate::resource::Resource;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// An object named by its href; answers may show more of it, kept in `extra`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The href; empty when it was made from an object that has none yet, which no server accepts.
    pub href: String,
    /// What else the answer shows, such as key and value of a label.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Reference {
    /// To the object with that href.
    pub fn new(href: impl Into<String>) -> Self {
        Self { href: href.into(), extra: Map::new() }
    }

    /// A text that the answer shows of the object.
    pub fn get(&self, field: &str) -> Option<&str> {
        self.extra.get(field)?.as_str()
    }
}

impl From<&str> for Reference {
    fn from(href: &str) -> Self {
        Self::new(href)
    }
}

impl From<String> for Reference {
    fn from(href: String) -> Self {
        Self::new(href)
    }
}

impl From<&Reference> for Reference {
    fn from(other: &Reference) -> Self {
        Self::new(other.href.as_str())
    }
}

impl<R: Resource> From<&R> for Reference {
    fn from(object: &R) -> Self {
        Self::new(object.href().unwrap_or_default())
    }
}

/// What names an object of kind `R`: an href as text, a parsed href, a [`Reference`], a JSON object with
/// `href`, or the object itself. An object of another kind does not compile.
pub trait RefTo<R> {
    /// The href, if there is one.
    fn href_to(&self) -> Option<Cow<'_, str>>;
}

macro_rules! ref_to {
    ($($type:ty: |$this:ident| $href:expr;)*) => {$(
        impl<R> RefTo<R> for $type {
            fn href_to(&self) -> Option<Cow<'_, str>> {
                let $this = self;
                $href
            }
        }
    )*};
}

ref_to! {
    str: |this| Some(Cow::Borrowed(this));
    &str: |this| Some(Cow::Borrowed(*this));
    String: |this| Some(Cow::Borrowed(this.as_str()));
    Option<String>: |this| this.as_deref().map(Cow::Borrowed);
    Reference: |this| Some(Cow::Borrowed(this.href.as_str()));
    Value: |this| this.get("href").and_then(Value::as_str).map(Cow::Borrowed);
    bulkhead_ids::AnyHref: |this| Some(Cow::Owned(this.to_string()));
}

impl<R: Resource> RefTo<R> for R {
    fn href_to(&self) -> Option<Cow<'_, str>> {
        self.href().map(Cow::Borrowed)
    }
}

impl<R, K> RefTo<R> for bulkhead_ids::Href<K> {
    fn href_to(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Owned(self.to_string()))
    }
}

/// The href in a text, a [`Reference`], a JSON object or an object of the API.
///
/// # Errors
/// [`crate::Error::Invalid`] when there is none, or it is empty.
pub fn href_from<R>(reference: &(impl RefTo<R> + ?Sized)) -> crate::Result<String> {
    match reference.href_to() {
        Some(href) if !href.is_empty() => Ok(href.into_owned()),
        _ => Err(crate::Error::invalid("href", "the object has none; create it first")),
    }
}

/// What has an href, whatever its kind: where objects of several kinds may stand side by side.
pub trait ToHref {
    /// The href, if there is one.
    fn to_href(&self) -> Option<String>;
}

macro_rules! to_href {
    ($($type:ty)*) => {$(
        impl ToHref for $type {
            fn to_href(&self) -> Option<String> {
                RefTo::<()>::href_to(self).map(Cow::into_owned)
            }
        }
    )*};
}

to_href! { &str String Option<String> Reference Value bulkhead_ids::AnyHref }

impl<R: Resource> ToHref for R {
    fn to_href(&self) -> Option<String> {
        self.href().map(str::to_owned)
    }
}

impl<K> ToHref for bulkhead_ids::Href<K> {
    fn to_href(&self) -> Option<String> {
        Some(self.to_string())
    }
}
