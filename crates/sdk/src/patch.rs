//! A field of a change: left alone, set to null, or given a value.

use serde::{Serialize, Serializer};

/// A field of an update. The API tells the three apart.
///
/// ```
/// use bulkhead_sdk::{Patch, models::IpListPatch};
/// let patch = IpListPatch::default().name("Office").description(Patch::Null);
/// let sent = serde_json::to_value(&patch)?;
/// assert_eq!(sent, serde_json::json!({"name": "Office", "description": null}));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// Not sent: the object keeps what it has.
    #[default]
    Absent,
    /// Sent as null: the object loses its value.
    Null,
    /// Sent: the object gets this value.
    Value(T),
}

impl<T> Patch<T> {
    /// Whether it is left out.
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<T> From<T> for Patch<T> {
    fn from(value: T) -> Self {
        Self::Value(value)
    }
}

impl<T> From<Option<T>> for Patch<T> {
    /// `None` is null.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::Value)
    }
}

impl From<&str> for Patch<String> {
    fn from(value: &str) -> Self {
        Self::Value(value.to_owned())
    }
}

impl<T: Serialize> Serialize for Patch<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent | Self::Null => to.serialize_none(),
            Self::Value(value) => value.serialize(to),
        }
    }
}
