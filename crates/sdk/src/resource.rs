//! What a kind of object declares about itself; everything else follows.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Where a collection lives in the URL space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Outside any organisation.
    Global,
    /// Below the organisation.
    Org,
    /// Below the organisation's policy, with a draft and an active side.
    Policy,
    /// Below an object of the kind named here, by its attribute.
    Under(&'static str),
}

/// A kind of object that the API serves.
///
/// Implement it for a type of your own to reach a resource that this library does not know:
///
/// ```
/// use bulkhead_sdk::{Place, Resource};
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Slb { href: Option<String>, name: String }
/// impl Resource for Slb {
///     const ATTRIBUTE: &'static str = "slbs";
///     const ENDPOINT: &'static str = "/slbs";
///     const PLACE: Place = Place::Org;
///     fn href(&self) -> Option<&str> { self.href.as_deref() }
///     fn name(&self) -> Option<&str> { Some(&self.name) }
/// }
/// ```
pub trait Resource: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Name of the collection in clients, such as `rules`.
    const ATTRIBUTE: &'static str;
    /// Last part of the collection's path, such as `/sec_rules`.
    const ENDPOINT: &'static str;
    /// Where the collection lives.
    const PLACE: Place;
    /// Whether POST takes and answers a list.
    const CREATED_IN_LISTS: bool = false;
    /// Objects of one bulk call.
    const BULK_MAX: usize = crate::constants::BULK_CHANGE_LIMIT;

    /// Its href, once it has one.
    fn href(&self) -> Option<&str>;
    /// Its name, if its kind has names.
    fn name(&self) -> Option<&str>;
}

/// A kind with a draft and an active side, itself or through its parent.
pub trait Versioned: Resource {}

/// A kind that lives under another.
pub trait Child: Resource {
    /// The other.
    type Parent: Resource;
}

/// A kind of which there is one object: read and written, never listed.
pub trait Single: Resource {}

/// What may be sent to create an `R`: the object, or JSON.
pub trait NewOf<R>: Serialize {}

/// What may be sent to change an `R`: its patch, the object, or JSON.
pub trait ChangeOf<R>: Serialize {}

impl<R: Resource> NewOf<R> for R {}
impl<R: Resource> ChangeOf<R> for R {}
impl<R> NewOf<R> for serde_json::Value {}
impl<R> ChangeOf<R> for serde_json::Value {}

/// Declares which model is which resource, and the accessors of [`crate::Pce`].
macro_rules! resources {
    ($($(#[$doc:meta])* $attribute:ident: $model:ident, $endpoint:literal, $place:ident
        $(($parent:ident))? $([$($option:ident),*])?;)*) => {
        $(
            impl $crate::Resource for $model {
                const ATTRIBUTE: &'static str = stringify!($attribute);
                const ENDPOINT: &'static str = $endpoint;
                const PLACE: $crate::Place = $crate::resource::resources!(@place $place $($parent)?);
                $crate::resource::resources!(@consts $($($option)*)?);
                fn href(&self) -> Option<&str> {
                    self.href.as_deref()
                }
                fn name(&self) -> Option<&str> {
                    $crate::resource::resources!(@name self $place $($($option)*)?)
                }
            }
            $crate::resource::resources!(@traits $model $place $($parent)? $($($option)*)?);
        )*

        /// One handle for each kind of object.
        impl $crate::Pce {
            $($(#[$doc])* pub fn $attribute(&self) -> $crate::Handle<$model> {
                $crate::Handle::new(self)
            })*
        }

        /// Attribute and path of every resource, for tests of completeness.
        pub const RESOURCES: &[(&str, &str)] = &[$((stringify!($attribute), $endpoint)),*];
    };
    (@place Under $parent:ident) => {
        $crate::Place::Under(<$parent as $crate::Resource>::ATTRIBUTE)
    };
    (@place $place:ident) => { $crate::Place::$place };
    (@consts) => {};
    (@consts lists $($rest:ident)*) => {
        const CREATED_IN_LISTS: bool = true;
        $crate::resource::resources!(@consts $($rest)*);
    };
    (@consts $other:ident $($rest:ident)*) => { $crate::resource::resources!(@consts $($rest)*); };
    (@name $this:ident $place:ident) => { $this.name.as_deref() };
    (@name $this:ident $place:ident nameless $($rest:ident)*) => { None };
    (@name $this:ident $place:ident $other:ident $($rest:ident)*) => {
        $crate::resource::resources!(@name $this $place $($rest)*)
    };
    (@traits $model:ident Policy $($option:ident)*) => {
        impl $crate::resource::Versioned for $model {}
        $crate::resource::resources!(@options $model $($option)*);
    };
    (@traits $model:ident Under $parent:ident $($option:ident)*) => {
        impl $crate::resource::Child for $model { type Parent = $parent; }
        $crate::resource::resources!(@options $model $($option)*);
    };
    (@traits $model:ident $place:ident $($option:ident)*) => {
        $crate::resource::resources!(@options $model $($option)*);
    };
    (@options $model:ident) => {};
    (@options $model:ident single $($rest:ident)*) => {
        impl $crate::resource::Single for $model {}
        $crate::resource::resources!(@options $model $($rest)*);
    };
    (@options $model:ident versioned $($rest:ident)*) => {
        impl $crate::resource::Versioned for $model {}
        $crate::resource::resources!(@options $model $($rest)*);
    };
    (@options $model:ident $other:ident $($rest:ident)*) => {
        $crate::resource::resources!(@options $model $($rest)*);
    };
}

pub(crate) use resources;
