//! All that an organisation shows, for comparing before and after.

use crate::Client;
use crate::stage::{fill_path, kinds_of};
use crate::template::Vars;
use bulkhead_api::{Action, operations};
use bulkhead_ids::{IdStyle, Kind};
use serde_json::Value;
use std::collections::BTreeMap;

/// Lists that grow by being asked for, or with every start of the server.
const RESTLESS: &[Kind] = &[Kind::Event, Kind::ApiKey, Kind::Job];

/// Every collection and every singleton that the owner may read, by path, draft and active; nested
/// collections are those under the objects in `made`.
#[track_caller]
pub fn snapshot(owner: &Client, made: &Vars) -> BTreeMap<String, Value> {
    let mut out = BTreeMap::new();
    let id = |segment: &str| {
        let href = kinds_of(segment).find_map(|k| made.get(k.name())?.as_str())?;
        href.rsplit('/').next().map(str::to_owned)
    };
    for op in operations() {
        let Some(kind) = op.kind.filter(|k| !RESTLESS.contains(k)) else { continue };
        let whole = match op.action {
            Action::List => true,
            Action::Get => kind.id_style() == IdStyle::Singleton,
            _ => false,
        };
        if !whole {
            continue;
        }
        let draft = fill_path(&op.path, owner.org(), &id);
        let active = draft.replace("/sec_policy/draft/", "/sec_policy/active/");
        for path in [draft, active] {
            let reply = owner.get(&format!("{path}{}", query(op.action)));
            // The active side lacks what was never provisioned.
            assert!(matches!(reply.status, 200 | 404), "{path}: {} {}", reply.status, reply.text);
            out.insert(path, reply.body);
        }
    }
    out
}

const fn query(action: Action) -> &'static str {
    match action {
        Action::List => "?max_results=1000000",
        _ => "",
    }
}
