//! One declaration for each object of the API: its full form, and its patch.
//!
//! Every field of the full form is an `Option`, since answers leave out what does not apply and requests
//! what is not meant; what this version does not know is kept in `extra`.

/// The Rust type of a field: `[T]` is a list.
macro_rules! field_type {
    ([$item:ident]) => { Vec<$item> };
    ($item:ident) => { $item };
}

/// The method that sets a field of the full form.
macro_rules! setter {
    ($field:ident, [$item:ident]) => {
        /// Sets the field of that name.
        #[must_use]
        pub fn $field(mut self, list: impl IntoIterator<Item = impl Into<$item>>) -> Self {
            self.$field = Some(list.into_iter().map(Into::into).collect());
            self
        }
    };
    ($field:ident, $item:ident) => {
        /// Sets the field of that name.
        #[must_use]
        pub fn $field(mut self, value: impl Into<$item>) -> Self {
            self.$field = Some(value.into());
            self
        }
    };
}

/// The method that sets a field of a patch.
macro_rules! patch_setter {
    ($field:ident, [$item:ident]) => {
        /// Replaces the whole list of that name.
        #[must_use]
        pub fn $field(mut self, list: impl IntoIterator<Item = impl Into<$item>>) -> Self {
            self.$field = $crate::Patch::Value(list.into_iter().map(Into::into).collect());
            self
        }
    };
    ($field:ident, $item:ident) => {
        /// Changes the field of that name.
        #[must_use]
        pub fn $field(mut self, value: impl Into<$crate::Patch<$item>>) -> Self {
            self.$field = value.into();
            self
        }
    };
}

/// Declares objects. `mutable` ones have names, external references and an audit trail of their own;
/// `immutable` ones lack what concerns changes; `plain` ones have nothing but what is written.
macro_rules! model {
    ($(#[$doc:meta])* $name:ident, $patch:ident: mutable { $($own:tt)* } read { $($read:tt)* }) => {
        $crate::model::model! { @full $(#[$doc])* $name {
            href: String, name: String, description: String, external_data_set: String,
            external_data_reference: String, caps: [String], created_at: String,
            created_by: Reference, updated_at: String, updated_by: Reference, deleted_at: String,
            deleted_by: Reference, update_type: String, delete_type: String,
            $($own)* $($read)*
        } }
        $crate::model::model! { @patch $name $patch {
            name: String, description: String, external_data_set: String,
            external_data_reference: String, $($own)*
        } }
    };
    ($(#[$doc:meta])* $name:ident, $patch:ident: immutable { $($own:tt)* } read { $($read:tt)* }) => {
        $crate::model::model! { @full $(#[$doc])* $name {
            href: String, name: String, description: String, external_data_set: String,
            external_data_reference: String, caps: [String], created_at: String,
            created_by: Reference, $($own)* $($read)*
        } }
        $crate::model::model! { @patch $name $patch {
            name: String, description: String, external_data_set: String,
            external_data_reference: String, $($own)*
        } }
    };
    ($(#[$doc:meta])* $name:ident, $patch:ident: plain { $($own:tt)* } read { $($read:tt)* }) => {
        $crate::model::model! { @full $(#[$doc])* $name { href: String, $($own)* $($read)* } }
        $crate::model::model! { @patch $name $patch { $($own)* } }
    };
    ($(#[$doc:meta])* $name:ident { $($own:tt)* }) => {
        $crate::model::model! { @full $(#[$doc])* $name { $($own)* } }
    };
    (@full $(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $type:tt,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        #[allow(missing_docs, reason = "fields are named as in the API and documented there")]
        pub struct $name {
            $(
                $(#[$fdoc])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $field: Option<$crate::model::field_type!($type)>,
            )*
            /// Fields that this version of the library does not know.
            #[serde(flatten)]
            pub extra: serde_json::Map<String, serde_json::Value>,
        }

        impl $name {
            /// Wire names of the fields that have a place of their own.
            pub const FIELDS: &'static [&'static str] = &[$(stringify!($field)),*];

            $($crate::model::setter!($field, $type);)*
        }
    };
    (@patch $name:ident $patch:ident { $($(#[$fdoc:meta])* $field:ident: $type:tt,)* }) => {
        #[doc = concat!("A change of a [`", stringify!($name), "`]: only what is set is sent.")]
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
        #[allow(missing_docs, reason = "fields are named as in the API and documented there")]
        pub struct $patch {
            $(
                #[serde(skip_serializing_if = "crate::Patch::is_absent")]
                pub $field: $crate::Patch<$crate::model::field_type!($type)>,
            )*
        }

        impl $patch {
            $($crate::model::patch_setter!($field, $type);)*
        }

        impl $crate::resource::ChangeOf<$name> for $patch {}
    };
}

pub(crate) use {field_type, model, patch_setter, setter};
