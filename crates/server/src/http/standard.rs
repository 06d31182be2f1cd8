//! Handlers of the five standard actions, for every kind.

use super::{Answer, Cx, Reply, jobs};
use crate::render;
use crate::resource::{crud, list::Query};
use crate::world::{Obj, Row, Side, World};
use bulkhead_api::{Action, ApiError};
use bulkhead_ids::{Id, Kind};
use http::StatusCode;
use std::sync::Arc;

/// The handler of a standard action.
pub fn handler(action: Action) -> Option<super::Handler> {
    match action {
        Action::List => Some(|cx| Box::pin(list(cx))),
        Action::Get => Some(|cx| Box::pin(get(cx))),
        Action::Create => Some(|cx| Box::pin(create(cx))),
        Action::Update => Some(|cx| Box::pin(update(cx))),
        Action::Delete => Some(|cx| Box::pin(delete(cx))),
        Action::Custom => None,
    }
}

fn kind(cx: &Cx) -> Result<Kind, ApiError> {
    cx.op.kind.ok_or_else(|| ApiError::Internal(format!("{} has no kind", cx.op.id)))
}

/// The object that a nested path is under, which must exist on the side of the path.
pub fn parent(cx: &Cx, world: &World, kind: Kind) -> Result<Option<Id>, ApiError> {
    let Some(parent) = kind.parent() else { return Ok(None) };
    let id = cx.id(parent, "parent")?;
    match world.on(cx.side()?, parent, id) {
        Some(_) => Ok(Some(id)),
        None => Err(ApiError::NotFound),
    }
}

/// The row that the path names, which must exist on the side of the path.
pub fn row<'a>(cx: &Cx, world: &'a World, kind: Kind) -> Result<&'a Row, ApiError> {
    let parent = parent(cx, world, kind)?;
    let row = world.row(kind, cx.id(kind, "id")?).ok_or(ApiError::NotFound)?;
    let there = match cx.side()? {
        Side::Active if kind.is_policy() => row.active.as_ref(),
        _ => row.draft.as_ref(),
    };
    match there {
        Some(obj) if obj.parent == parent => Ok(row),
        _ => Err(ApiError::NotFound),
    }
}

/// The draft (or only) object that the path names, for a change.
pub fn draft(cx: &Cx, world: &World, kind: Kind) -> Result<Arc<Obj>, ApiError> {
    row(cx, world, kind)?.draft.clone().ok_or(ApiError::NotFound)
}

async fn list(cx: &Cx) -> Result<Reply, ApiError> {
    if cx.respond_async {
        return jobs::start(cx).await;
    }
    let kind = kind(cx)?;
    let world = cx.world().await?;
    let (query, parent) = (query(cx, &world, kind)?, parent(cx, &world, kind)?);
    Ok(page(cx, &world, &query, parent)?.0)
}

/// Parses the list query of a request.
pub fn query(cx: &Cx, world: &World, kind: Kind) -> Result<Query, ApiError> {
    Query::parse(world, cx.side()?, kind, &cx.query)
}

/// Answers a list, and says how many rows it has.
pub fn page(
    cx: &Cx,
    world: &World,
    query: &Query,
    parent: Option<Id>,
) -> Result<(Reply, usize), ApiError> {
    let kind = kind(cx)?;
    let page = query.run(world, cx.side()?, kind, parent);
    let mut view = cx.view(world, kind)?;
    view.usage = query.usage;
    let body = render::array(page.rows.iter().filter_map(|r| view.row(r)));
    let reply =
        Reply::ok(body).with("x-total-count", page.total).with("x-matched-count", page.matched);
    Ok((reply, page.rows.len()))
}

async fn get(cx: &Cx) -> Result<Reply, ApiError> {
    let kind = kind(cx)?;
    let world = cx.world().await?;
    let row = row(cx, &world, kind)?;
    let mut view = cx.view(&world, kind)?;
    if let Some(v) = cx.query("usage") {
        view.usage = crate::resource::list::boolean("usage", v)?;
    }
    view.row(row).map(Reply::ok).ok_or(ApiError::NotFound)
}

async fn create(cx: &Cx) -> Result<Reply, ApiError> {
    cx.draft_only()?;
    let kind = kind(cx)?;
    let (obj, world) = cx
        .write(&cx.op.event, |txn| {
            let parent = parent(cx, &txn.world, kind)?;
            let obj = crud::create(txn, kind, parent, cx.object())?;
            Ok(obj)
        })
        .await?;
    created(cx, &world, &obj)
}

/// 201 with the new object.
pub fn created(cx: &Cx, world: &World, obj: &Obj) -> Result<Reply, ApiError> {
    let row = world.row(obj.kind, obj.id).ok_or(ApiError::NotFound)?;
    let view = render::View::draft(world, cx.caps(obj.kind));
    let body = view.row(row).ok_or(ApiError::NotFound)?;
    Ok(Reply::text(StatusCode::CREATED, body))
}

/// PUT of one object.
///
/// # Errors
/// Those of [`crud::update`].
pub async fn update(cx: &Cx) -> Result<Reply, ApiError> {
    cx.draft_only()?;
    let kind = kind(cx)?;
    cx.write(&cx.op.event, |txn| {
        let old = draft(cx, &txn.world, kind)?;
        crud::update(txn, &old, cx.object()).map(|_| ())
    })
    .await?;
    Ok(Reply::no_content())
}

async fn delete(cx: &Cx) -> Result<Reply, ApiError> {
    cx.draft_only()?;
    let kind = kind(cx)?;
    cx.write(&cx.op.event, |txn| {
        let old = draft(cx, &txn.world, kind)?;
        crud::delete(txn, &old)
    })
    .await?;
    Ok(Reply::no_content())
}

/// Answers a handler's future; used by the handlers of other modules.
pub fn boxed<'a>(f: impl Future<Output = Result<Reply, ApiError>> + Send + 'a) -> Answer<'a> {
    Box::pin(f)
}
