//! Switches of optional features.
//!
//! Stored as one object that maps names to booleans; the wire form is a list in a fixed order.

use super::{Hooks, crud};
use crate::http::{Cx, Handler, Reply};
use bulkhead_api::{ApiError, operations};
use bulkhead_ids::{Id, Kind};
use http::StatusCode;
use serde_json::{Map, Value, json};

/// What OptionalFeatures adds to the common mechanism.
pub const HOOKS: Hooks = Hooks::NONE;

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "optional_features_get" => Some(|cx| Box::pin(get(cx))),
        "optional_features_update" => Some(|cx| Box::pin(update(cx))),
        _ => None,
    }
}

/// The names in the order of the wire: that of the answer's schema.
fn names() -> impl Iterator<Item = &'static str> {
    let answer = operations()
        .iter()
        .find(|o| o.id == "optional_features_get")
        .and_then(|o| o.answer.as_ref())
        .and_then(|a| a.pointer("/items/properties/name/enum"))
        .and_then(Value::as_array);
    answer.into_iter().flatten().filter_map(Value::as_str)
}

async fn get(cx: &Cx) -> Result<Reply, ApiError> {
    let list: Value = names()
        .map(|name| json!({"name": name, "enabled": super::feature_on(&cx.world, name)}))
        .collect();
    Ok(Reply::json(StatusCode::OK, &list))
}

async fn update(cx: &Cx) -> Result<Reply, ApiError> {
    let mut body = Map::new();
    for item in cx.items() {
        let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
        let enabled = item.get("enabled").cloned().unwrap_or_default();
        if body.insert(name.to_owned(), enabled).is_some() {
            return Err(ApiError::input(format!("feature `{name}` stands twice")));
        }
    }
    cx.write(&cx.op.event, |txn| {
        let old = txn.world.get(Kind::OptionalFeatures, Id::SINGLETON).cloned();
        match old {
            Some(old) => crud::update(txn, &old, body).map(|_| ()),
            None => crud::create(txn, Kind::OptionalFeatures, None, body).map(|_| ()),
        }
    })
    .await?;
    Ok(Reply::no_content())
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_feature_has_a_default_and_a_place_in_the_order() {
        let d = bulkhead_api::descriptor(bulkhead_ids::Kind::OptionalFeatures).unwrap();
        let mut names: Vec<&str> = super::names().collect();
        names.sort_unstable();
        assert_eq!(names, d.fields.keys().map(String::as_str).collect::<Vec<_>>());
    }
}
