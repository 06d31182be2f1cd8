//! The operation table: every operation the server offers, one row each.
//!
//! Rows of the standard operations follow from the descriptors; operations with handlers of their own
//! stand in the descriptors' `custom` lists and in `resources/operations/*.json`.

use crate::access::Access;
use crate::descriptor::{CustomOperation, Descriptor, Search, descriptors};
use crate::schema;
use bulkhead_ids::{IdStyle, Kind, Place};
use http::Method;
use include_dir::{Dir, include_dir};
use serde_json::Value;
use std::sync::LazyLock;

static FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/resources/operations");

/// What an operation does with its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// GET of the collection.
    List,
    /// GET of one object.
    Get,
    /// POST to the collection.
    Create,
    /// PUT of one object.
    Update,
    /// DELETE of one object.
    Delete,
    /// A handler of its own.
    Custom,
}

/// One operation of the API.
#[derive(Debug)]
pub struct Operation {
    /// `<resource>_<verb>`, unique.
    pub id: String,
    /// HTTP method.
    pub method: Method,
    /// Path template with `{name}` parameters, without the `/api/v2` prefix.
    pub path: String,
    /// Who may call it.
    pub access: Access,
    /// The kind it is about, for the standard actions.
    pub kind: Option<Kind>,
    /// What it does.
    pub action: Action,
    /// JSON Schema of the body.
    pub request: Option<Value>,
    /// JSON Schema of the answer.
    pub answer: Option<Value>,
    /// Status of success.
    pub status: u16,
    /// `public_stable`, `public_experimental`, `private` or `bulkhead`.
    pub exposure: String,
    /// First product version.
    pub since: String,
    /// What it does, for the reference.
    pub doc: String,
    /// Where the facts come from.
    pub source: String,
    /// Query parameters and their schemas.
    pub query: Vec<(String, Value)>,
    /// What audit events call it: `resource.verb`.
    pub event: String,
    /// Whether the elements of the body are taken one by one: one that breaks its schema fails alone,
    /// told in its place in the answer, and does not refuse the call.
    pub bulk: bool,
}

/// Event types that do not follow from the operation's id: operation id, event type.
static EVENT_NAMES: &str = include_str!("../resources/event_names.txt");

/// The lines of a data file, less comments and empty ones, split at blanks.
pub(crate) fn lines(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    let lines = text.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty());
    lines.map(|l| l.split_whitespace().collect())
}

/// What events call an operation: as [`EVENT_NAMES`] says, else `<kind>.<verb>` or, for operations on
/// many objects, `<collection>.<verb>`; else the id with a dot for its first underscore.
fn event_name(id: &str, kind: Option<Kind>) -> String {
    let named = lines(EVENT_NAMES).find_map(|l| match l.as_slice() {
        [operation, event] if *operation == id => Some((*event).to_owned()),
        _ => None,
    });
    let of = |k: Kind| {
        [k.collection(), k.name()]
            .into_iter()
            .find_map(|noun| Some(format!("{noun}.{}", id.strip_prefix(noun)?.strip_prefix('_')?)))
    };
    named.or_else(|| kind.and_then(of)).unwrap_or_else(|| id.replacen('_', ".", 1))
}

static TABLE: LazyLock<(Vec<Operation>, Vec<String>)> = LazyLock::new(build);

/// Every operation, standard ones first, in the order of [`Kind::ALL`].
pub fn operations() -> &'static [Operation] {
    &TABLE.0
}

/// What is wrong with the compiled-in table; empty in a build that passed its tests.
pub fn table_errors() -> &'static [String] {
    &TABLE.1
}

/// Path of the collection of a kind, `None` for kinds that are not addressed.
pub fn collection_path(kind: Kind) -> Option<String> {
    let c = kind.collection();
    match kind.place() {
        Place::Global => Some(format!("/{c}")),
        Place::Org => Some(format!("/orgs/{{org}}/{c}")),
        Place::Policy => Some(format!("/orgs/{{org}}/sec_policy/{{pv}}/{c}")),
        Place::Under(parent) => Some(format!("{}/{{parent}}/{c}", collection_path(parent)?)),
        Place::Internal => None,
    }
}

fn build() -> (Vec<Operation>, Vec<String>) {
    let mut ops = Vec::new();
    let mut errors = Vec::new();
    for (kind, d) in descriptors() {
        for action in [Action::List, Action::Get, Action::Create, Action::Update, Action::Delete] {
            ops.extend(standard(kind, d, action));
        }
        ops.extend(d.search.iter().filter_map(|s| search(kind, d, *s)));
        ops.extend(d.custom.iter().map(|c| custom(c, Some(kind), &d.exposure)));
    }
    for file in FILES.files() {
        match serde_json::from_slice::<Vec<CustomOperation>>(file.contents()) {
            Ok(list) => ops.extend(list.iter().map(|c| custom(c, None, "public_stable"))),
            Err(e) => errors.push(format!("{}: {e}", file.path().display())),
        }
    }
    let mut ids: Vec<&str> = ops.iter().map(|o| o.id.as_str()).collect();
    ids.sort_unstable();
    errors
        .extend(ids.windows(2).filter(|w| w.first() == w.last()).map(|w| format!("twice: {w:?}")));
    (ops, errors)
}

/// The name of an action in descriptors and operation ids.
pub const fn verb(action: Action) -> &'static str {
    match action {
        Action::List => "list",
        Action::Get => "get",
        Action::Create => "create",
        Action::Update => "update",
        Action::Delete => "delete",
        Action::Custom => "custom",
    }
}

fn standard(kind: Kind, d: &Descriptor, action: Action) -> Option<Operation> {
    let spec = d.operations.get(verb(action))?;
    let collection = collection_path(kind)?;
    let item = match kind.id_style() {
        IdStyle::Singleton => collection.clone(),
        _ => format!("{collection}/{{id}}"),
    };
    let (method, path, status, request, answer) = match action {
        Action::List => (
            Method::GET,
            collection,
            200,
            None,
            Some(serde_json::json!({"type": "array", "items": schema::answer(d)})),
        ),
        Action::Get => (Method::GET, item, 200, None, Some(schema::answer(d))),
        Action::Create => {
            let answer = d.create_answer.clone().unwrap_or_else(|| schema::answer(d));
            let request = d.create_request.clone().unwrap_or_else(|| schema::create(d));
            (Method::POST, collection, 201, Some(request), Some(answer))
        }
        Action::Update => (Method::PUT, item, 204, Some(schema::update(d)), None),
        Action::Delete => (Method::DELETE, item, 204, None, None),
        Action::Custom => return None,
    };
    let id = format!("{}_{}", kind.name(), verb(action));
    Some(Operation {
        event: event_name(&id, Some(kind)),
        id,
        method,
        path,
        access: spec.roles,
        kind: Some(kind),
        action,
        request,
        answer,
        status,
        exposure: spec.exposure.clone().unwrap_or_else(|| d.exposure.clone()),
        since: d.since.clone(),
        doc: spec.doc.clone().unwrap_or_else(|| d.doc.clone()),
        source: d.source.clone(),
        query: if action == Action::List { schema::list_query(d) } else { Vec::new() },
        bulk: false,
    })
}

/// The row of a search of a kind: who may list may search.
fn search(kind: Kind, d: &Descriptor, search: Search) -> Option<Operation> {
    let (name, doc) = match search {
        Search::Facets => {
            ("facets", "The values that the field `facet` has among the objects, in order.")
        }
        Search::Autocomplete => {
            ("autocomplete", "The objects whose name holds the text `query`, best first.")
        }
    };
    let mut query = schema::list_query(d);
    query.push(("query".into(), serde_json::json!({"type": "string"})));
    if search == Search::Facets {
        let all: Vec<&str> = d.facets().collect();
        query.push(("facet".into(), serde_json::json!({"type": "string", "enum": all})));
    }
    let id = format!("{}_{name}", kind.collection());
    Some(Operation {
        event: event_name(&id, Some(kind)),
        id,
        method: Method::GET,
        path: format!("{}/{name}", collection_path(kind)?),
        access: d.operations.get(verb(Action::List))?.roles,
        kind: Some(kind),
        action: Action::Custom,
        request: None,
        answer: Some(schema::search_answer(search)),
        status: 200,
        exposure: "private".into(),
        since: d.since.clone(),
        doc: doc.into(),
        source: "REST API 25.2.10 index; the form of the answer is our own choice".into(),
        query,
        bulk: false,
    })
}

fn custom(c: &CustomOperation, kind: Option<Kind>, exposure: &str) -> Operation {
    let path = c
        .path
        .split('/')
        .map(|s| s.strip_prefix(':').map_or_else(|| s.to_owned(), |p| format!("{{{p}}}")))
        .collect::<Vec<_>>()
        .join("/");
    Operation {
        event: event_name(&c.id, kind),
        id: c.id.clone(),
        method: c.method.parse().unwrap_or(Method::GET),
        path,
        access: c.roles,
        kind,
        action: Action::Custom,
        request: c.request.clone(),
        answer: c.answer.clone(),
        status: c.status,
        exposure: c.exposure.clone().unwrap_or_else(|| exposure.to_owned()),
        since: String::new(),
        doc: c.doc.clone(),
        source: c.source.clone(),
        query: c.query.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        bulk: c.bulk,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn table_is_sound() {
        assert_eq!(super::table_errors(), &[] as &[String]);
        assert!(super::operations().len() > 50);
    }

    #[test]
    fn events_are_named_after_the_resource() {
        let name = |id: &str| {
            let op = super::operations().iter().find(|o| o.id == id).unwrap();
            op.event.as_str()
        };
        assert_eq!(name("label_create"), "label.create");
        assert_eq!(name("workloads_bulk_create"), "workloads.bulk_create");
        assert_eq!(name("pairing_key_create"), "pairing_profile.create_pairing_key");
        assert_eq!(name("users_login"), "user.login");
        for line in super::lines(super::EVENT_NAMES) {
            let known = super::operations().iter().any(|o| o.id == line[0]);
            assert!(known && line.len() == 2, "{line:?}");
        }
    }
}
