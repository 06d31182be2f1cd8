//! Label dimensions: the keys that labels have.

use super::Hooks;
use crate::http::Handler;
use crate::render::{Out, View};
use crate::txn::Txn;
use crate::world::{Obj, Side, World, unique_key};
use bulkhead_api::ApiError;
use bulkhead_ids::Kind;
use serde_json::json;

/// What LabelDimension adds to the common mechanism.
pub const HOOKS: Hooks = Hooks { deletable: Some(deletable), derive: Some(derive), ..Hooks::NONE };

/// Handlers of the operations that are not standard.
pub fn handler(_id: &str) -> Option<Handler> {
    None
}

/// Whether labels and whether label groups of a key exist.
fn used(world: &World, key: &str) -> (bool, bool) {
    let labels = unique_key(0, &[key, ""]).to_lowercase();
    let groups = [Side::Draft, Side::Active]
        .into_iter()
        .any(|side| world.objects(side, Kind::LabelGroup).any(|g| g.doc.str("key") == Some(key)));
    (world.holds(Kind::Label, &labels), groups)
}

fn deletable(txn: &Txn<'_>, obj: &Obj) -> Result<(), ApiError> {
    let key = obj.doc.str("key").unwrap_or_default();
    let refused = |why: String| Err(ApiError::invalid("label_dimension_referenced", why));
    if obj.doc.is("_builtin") {
        return refused(format!("the label dimension `{key}` is built in"));
    }
    match used(&txn.world, key) {
        (false, false) => Ok(()),
        (true, _) => refused(format!("labels of key `{key}` exist: delete them first")),
        (false, true) => refused(format!("label groups of key `{key}` exist: delete them first")),
    }
}

fn derive(view: &View<'_>, obj: &Obj, out: &mut Out<'_>) {
    let (labels, groups) = used(view.world, obj.doc.str("key").unwrap_or_default());
    out.member("usage", &json!({"labels": labels, "label_groups": groups}));
}
