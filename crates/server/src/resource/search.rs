//! Looking for objects while a person types: the values of a field, and objects by name.

use super::list::{Query, any};
use crate::doc::Val;
use crate::http::request::whole_number;
use crate::http::{Cx, Handler, Reply, standard};
use crate::world::{Obj, Row, Side};
use bulkhead_api::{ApiError, descriptor, limits};
use bulkhead_ids::Kind;
use http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Fields by which people know an object.
const NAMES: &[&str] = &["name", "hostname", "value", "sid"];
/// Members of an object that its match shows.
const SHOWN: &[&str] = &["href", "name", "hostname", "key", "value", "sid"];

/// Handlers of all searches.
pub fn handler(id: &str) -> Option<Handler> {
    match id.rsplit_once('_')?.1 {
        "facets" => Some(|cx| Box::pin(facets(cx))),
        "autocomplete" => Some(|cx| Box::pin(autocomplete(cx))),
        _ => None,
    }
}

/// What a request asks for: the text, how many matches, and what selects the objects.
struct Asked {
    kind: Kind,
    text: Option<String>,
    most: usize,
    facet: Option<String>,
    rows: Vec<Row>,
    side: Side,
}

async fn asked(cx: &Cx) -> Result<Asked, ApiError> {
    let kind = cx.op.kind.ok_or_else(|| ApiError::Internal(format!("{} has no kind", cx.op.id)))?;
    let (mut text, mut facet, mut most, mut rest) =
        (None, None, limits::SEARCH_MATCHES_DEFAULT, Vec::new());
    for (name, value) in &cx.query {
        match name.as_str() {
            "query" => text = Some(value.to_lowercase()),
            "facet" => facet = Some(value.clone()),
            "max_results" => most = whole_number(name, value)?,
            _ => rest.push((name.clone(), value.clone())),
        }
    }
    let (world, side) = (cx.world().await?, cx.side()?);
    let parent = standard::parent(cx, &world, kind)?;
    let mut query = Query::parse(&world, side, kind, &rest)?;
    query.unlimited();
    let rows = query.run(&world, side, kind, parent).rows;
    Ok(Asked { kind, text, most, facet, rows, side })
}

impl Asked {
    fn objects(&self) -> impl Iterator<Item = &Arc<Obj>> {
        let active = self.side == Side::Active && self.kind.is_policy();
        self.rows
            .iter()
            .filter_map(move |r| if active { r.active.as_ref() } else { r.draft.as_ref() })
    }
}

fn answer(matches: Vec<Value>, count: usize) -> Reply {
    Reply::json(StatusCode::OK, &json!({"matches": matches, "num_matches": count}))
}

/// The text of a value, as a query would give it.
fn shown(v: &Val) -> Option<String> {
    match v {
        Val::Str(s) => Some(s.to_string()),
        Val::Bool(b) => Some(b.to_string()),
        Val::Int(i) => Some(i.to_string()),
        _ => None,
    }
}

async fn facets(cx: &Cx) -> Result<Reply, ApiError> {
    let asked = asked(cx).await?;
    let known: Vec<&str> = descriptor(asked.kind).map(|d| d.facets().collect()).unwrap_or_default();
    let facet = asked.facet.as_deref().unwrap_or_default();
    if !known.contains(&facet) {
        return Err(ApiError::input(format!("`facet` is one of {}", known.join(", "))));
    }
    let filter = descriptor(asked.kind).and_then(|d| d.filters.get(facet));
    let path = filter.and_then(|f| f.field.as_deref()).unwrap_or(facet);
    let mut values = BTreeSet::new();
    for obj in asked.objects() {
        any(&obj.doc, path, &mut |v| {
            values.extend(shown(v));
            false
        });
    }
    if let Some(text) = &asked.text {
        values.retain(|v| v.to_lowercase().contains(text));
    }
    let count = values.len();
    Ok(answer(values.into_iter().take(asked.most).map(Value::from).collect(), count))
}

async fn autocomplete(cx: &Cx) -> Result<Reply, ApiError> {
    let asked = asked(cx).await?;
    let Some(text) = &asked.text else {
        return Err(ApiError::input("`query` is required: a part of the name"));
    };
    let mut found: Vec<(bool, String, &Arc<Obj>)> = asked
        .objects()
        .filter_map(|obj| {
            let names = NAMES.iter().filter_map(|n| obj.doc.str(n)).map(str::to_lowercase);
            let name = names.into_iter().find(|n| n.contains(text))?;
            Some((!name.starts_with(text), name, obj))
        })
        .collect();
    // What begins with the text comes before what merely holds it.
    found.sort_by(|a, b| (a.0, &a.1, a.2.id).cmp(&(b.0, &b.1, b.2.id)));
    let world = cx.world().await?;
    let view = cx.view(&world, asked.kind)?;
    let matches = found.iter().take(asked.most).map(|(.., obj)| {
        let mut value = view.value(obj, None);
        if let Value::Object(map) = &mut value {
            map.retain(|k, _| SHOWN.contains(&k.as_str()));
        }
        value
    });
    Ok(answer(matches.collect(), found.len()))
}
