//! Resource descriptors: what an object of each kind is, read from `resources/*.json`.
//!
//! The files are compiled in and parsed once. A file that does not parse is a bug that the crate's
//! tests find; at run time such a kind is absent.

use crate::access::Access;
use bulkhead_ids::Kind;
use include_dir::{Dir, include_dir};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::LazyLock;

static FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/resources");

/// What an object of a kind is: fields, operations, filters, uniqueness.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Descriptor {
    /// [`Kind::name`] of the objects.
    #[serde(rename = "kind")]
    pub kind_name: String,
    /// The name for people.
    pub title: String,
    /// What it is, in a sentence or two.
    pub doc: String,
    /// Where the facts come from.
    #[serde(default)]
    pub source: String,
    /// `public_stable`, `public_experimental` or `private`.
    #[serde(default = "public_stable")]
    pub exposure: String,
    /// First product version.
    #[serde(default)]
    pub since: String,
    /// The operations on the collection and its objects, by action (`list`, `get`, ...).
    #[serde(default)]
    pub operations: BTreeMap<String, OperationSpec>,
    /// Further operations with handlers of their own.
    #[serde(default)]
    pub custom: Vec<CustomOperation>,
    /// How a form that a person types into may look for objects.
    #[serde(default)]
    pub search: Vec<Search>,
    /// Whether answers show who created and updated the object, and when.
    #[serde(default)]
    pub audit: bool,
    /// Whether answers show what the caller may do.
    #[serde(default)]
    pub caps: bool,
    /// Whether objects carry an external reference.
    #[serde(default)]
    pub external_data: bool,
    /// Whether DELETE only marks the object.
    #[serde(default)]
    pub soft_delete: bool,
    /// Whether lists begin with the object that was made last.
    #[serde(default)]
    pub newest_first: bool,
    /// The fields, by wire name.
    #[serde(default)]
    pub fields: BTreeMap<String, Field>,
    /// JSON Schema keywords added to the body of POST.
    #[serde(default)]
    pub create_rules: Map<String, Value>,
    /// JSON Schema keywords added to the body of PUT.
    #[serde(default)]
    pub update_rules: Map<String, Value>,
    /// The schema of the body of POST, where it is not one object. The schemas of one object are the
    /// definitions `post_KIND` and `put_KIND`.
    pub create_request: Option<Value>,
    /// The schema of the answer to POST, where it is not the object.
    pub create_answer: Option<Value>,
    /// Which fields together must differ between objects.
    #[serde(default)]
    pub unique: Vec<Unique>,
    /// Query parameters of the list, by name.
    #[serde(default)]
    pub filters: BTreeMap<String, Filter>,
    /// Properties that answers show of referenced objects, by kind name.
    #[serde(default)]
    pub expand: BTreeMap<String, Vec<String>>,
    /// Checks beyond the schema, for readers.
    #[serde(default)]
    pub checks: Vec<String>,
}

fn public_stable() -> String {
    "public_stable".into()
}

/// A way to look for objects while a person types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Search {
    /// The values that a field has among the objects.
    Facets,
    /// The objects whose name holds a text.
    Autocomplete,
}

/// One of the five standard operations of a kind.
#[derive(Debug, Deserialize)]
pub struct OperationSpec {
    /// Who may call it.
    pub roles: Access,
    /// Exposure, where it differs from the kind's.
    pub exposure: Option<String>,
    /// A remark for the reference.
    pub doc: Option<String>,
}

/// An operation with a handler of its own.
#[derive(Clone, Debug, Deserialize)]
pub struct CustomOperation {
    /// `<resource>_<verb>`.
    pub id: String,
    /// HTTP method.
    pub method: String,
    /// Path template with `:name` parameters.
    pub path: String,
    /// Who may call it.
    #[serde(alias = "auth")]
    pub roles: Access,
    /// JSON Schema of the body; `null` for none.
    #[serde(default)]
    pub request: Option<Value>,
    /// JSON Schema of the answer; `null` for none.
    #[serde(default)]
    pub answer: Option<Value>,
    /// Status of success.
    pub status: u16,
    /// What it does.
    #[serde(default)]
    pub doc: String,
    /// Where the facts come from.
    #[serde(default)]
    pub source: String,
    /// Exposure, where it differs from the kind's.
    pub exposure: Option<String>,
    /// Query parameters, by name.
    #[serde(default)]
    pub query: BTreeMap<String, Value>,
    /// Whether the elements of the body are taken one by one: see [`crate::Operation::bulk`].
    #[serde(default)]
    pub bulk: bool,
}

/// A field of an object.
#[derive(Debug, Deserialize)]
pub struct Field {
    /// `G` in answers, `C` in POST (`C*` required there), `U` in PUT.
    pub ops: String,
    /// What it is.
    #[serde(default)]
    pub doc: String,
    /// JSON Schema in requests, and in answers unless `get_schema` says otherwise.
    pub schema: Value,
    /// JSON Schema in answers.
    pub get_schema: Option<Value>,
    /// Stored on create when absent.
    pub default: Option<Value>,
    /// Shown as null when it has no value.
    #[serde(default)]
    pub null_when_absent: bool,
    /// Present in every answer.
    #[serde(default)]
    pub always: bool,
    /// Accepted and stored, never shown.
    #[serde(default)]
    pub write_only: bool,
    /// The optional feature without which the field does not exist.
    pub feature: Option<String>,
}

impl Field {
    /// Shown in answers.
    pub fn in_answers(&self) -> bool {
        self.ops.contains('G')
    }
    /// Accepted by POST.
    pub fn in_create(&self) -> bool {
        self.ops.contains('C')
    }
    /// Required by POST.
    pub fn required(&self) -> bool {
        self.ops.contains("C*")
    }
    /// Accepted by PUT.
    pub fn in_update(&self) -> bool {
        self.ops.contains('U')
    }
}

/// Fields that together must differ between the objects of a kind in an organisation.
#[derive(Debug, Deserialize)]
pub struct Unique {
    /// The fields.
    pub fields: Vec<String>,
    /// Token of the refusal.
    pub token: String,
    /// Message of the refusal.
    pub message: String,
    /// Whether values that differ in letter case only count as equal.
    #[serde(default)]
    pub ignore_case: bool,
}

/// How a query parameter selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Match {
    /// The field holds the text, in any case.
    Partial,
    /// The field equals the value.
    Exact,
    /// The field refers to the object with that href.
    Href,
    /// JSON list of lists of label hrefs: outer or, inner and.
    Labels,
    /// `name[gte]` and `name[lte]` bounds.
    Range,
    /// The resource's own code.
    Custom,
}

/// A query parameter of a list.
#[derive(Debug, Deserialize)]
pub struct Filter {
    /// How it selects.
    #[serde(rename = "match")]
    pub matches: Match,
    /// Path of the field: dots, `[]` = any element. Default: the parameter's own name.
    pub field: Option<String>,
    /// JSON Schema of the value.
    pub schema: Option<Value>,
    /// What it selects.
    #[serde(default)]
    pub doc: String,
}

impl Descriptor {
    /// The kind described.
    pub fn kind(&self) -> Option<Kind> {
        Kind::from_name(&self.kind_name)
    }

    /// The query parameters of the list that name a field whose values may be asked for: what
    /// [`Search::Facets`] takes as `facet`.
    pub fn facets(&self) -> impl Iterator<Item = &str> {
        let plain = |f: &Filter| matches!(f.matches, Match::Partial | Match::Exact);
        self.filters.iter().filter(move |(_, f)| plain(f)).map(|(name, _)| name.as_str())
    }

    /// Whether answers carry `update_type`, `deleted_at` and `deleted_by`.
    pub fn versioned(&self) -> bool {
        self.kind().is_some_and(Kind::is_policy)
    }
}

struct Loaded {
    by_kind: Vec<Option<Descriptor>>,
    defs: Map<String, Value>,
    errors: Vec<String>,
}

static LOADED: LazyLock<Loaded> = LazyLock::new(load);

fn load() -> Loaded {
    let mut out = Loaded { by_kind: Vec::new(), defs: Map::new(), errors: Vec::new() };
    out.by_kind.resize_with(Kind::ALL.len(), || None);
    let json = |f: &&include_dir::File<'_>| f.path().extension().is_some_and(|e| e == "json");
    for file in FILES.files().filter(json) {
        let name = file.path().display().to_string();
        match serde_json::from_slice::<Descriptor>(file.contents()) {
            Ok(d) => match d.kind().and_then(|k| out.by_kind.get_mut(k as usize)) {
                Some(slot) => *slot = Some(d),
                None => out.errors.push(format!("{name}: unknown kind `{}`", d.kind_name)),
            },
            Err(e) => out.errors.push(format!("{name}: {e}")),
        }
    }
    let defs = FILES.get_dir("defs").into_iter().flat_map(Dir::files);
    for file in defs {
        match serde_json::from_slice::<Map<String, Value>>(file.contents()) {
            Ok(map) => out.defs.extend(map),
            Err(e) => out.errors.push(format!("{}: {e}", file.path().display())),
        }
    }
    for d in out.by_kind.iter().flatten() {
        out.defs.insert(format!("post_{}", d.kind_name), crate::schema::create(d));
        out.defs.insert(format!("put_{}", d.kind_name), crate::schema::update(d));
    }
    out
}

/// The descriptor of a kind, where one is written.
pub fn descriptor(kind: Kind) -> Option<&'static Descriptor> {
    LOADED.by_kind.get(kind as usize).and_then(Option::as_ref)
}

/// All descriptors, in the order of [`Kind::ALL`].
pub fn descriptors() -> impl Iterator<Item = (Kind, &'static Descriptor)> {
    Kind::ALL.iter().filter_map(|k| descriptor(*k).map(|d| (*k, d)))
}

/// The shared schema definitions, by name.
pub fn defs() -> &'static Map<String, Value> {
    &LOADED.defs
}

/// What is wrong with the compiled-in files; empty in a build that passed its tests.
pub fn load_errors() -> &'static [String] {
    &LOADED.errors
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_file_parses() {
        assert_eq!(super::load_errors(), &[] as &[String]);
    }
}
