//! Container clusters: each with a token for its Kubelink and a profile to start from.

use super::{Hooks, Predicate, crud, list};
use crate::clock::{hex, random};
use crate::http::{Cx, Handler, Reply, standard};
use crate::world::{Side, World};
use bulkhead_api::ApiError;
use bulkhead_ids::Kind;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The profile that a new cluster has, as the product names it.
const DEFAULT_PROFILE: &str = "Default Profile";

/// What ContainerCluster adds to the common mechanism.
pub const HOOKS: Hooks = Hooks {
    deletable: Some(|_, c| match c.doc.is("online") {
        false => Ok(()),
        true => Err(ApiError::invalid(
            "container_cluster_online",
            "the cluster is online: remove Kubelink from it first",
        )),
    }),
    filter: Some(filter),
    ..Hooks::NONE
};

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "container_cluster_create" => Some(|cx| Box::pin(create(cx))),
        _ => None,
    }
}

/// Creates a cluster; the answer is the only place that shows its token, of which a hash is kept.
async fn create(cx: &Cx) -> Result<Reply, ApiError> {
    let failed = |e: getrandom::Error| ApiError::Internal(format!("no randomness: {e}"));
    let token = format!("{}_{}", cx.org, hex(&random::<32>().map_err(failed)?));
    let (cluster, world) = cx
        .write("container_cluster.create", |txn| {
            let mut body = cx.object();
            body.insert("_token".into(), hex(&Sha256::digest(token.as_bytes())).into());
            let cluster = crud::create(txn, Kind::ContainerCluster, None, body)?;
            let profile = Map::from_iter([("name".to_owned(), DEFAULT_PROFILE.into())]);
            crud::create(txn, Kind::ContainerWorkloadProfile, Some(cluster.id), profile)?;
            Ok(cluster)
        })
        .await?;
    let mut reply = standard::created(cx, &world, &cluster)?;
    let mut answer: Value = serde_json::from_slice(&reply.body)
        .map_err(|e| ApiError::Internal(format!("rendered cluster: {e}")))?;
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("container_cluster_token".into(), token.into());
    }
    reply.body = answer.to_string().into();
    Ok(reply)
}

fn filter(_world: &World, _side: Side, name: &str, value: &str) -> Result<Predicate, ApiError> {
    // `clas_mode` is the only filter of this kind with code of its own.
    let clas = list::boolean(name, value)?;
    Ok(Box::new(move |_, o| (o.doc.str("cluster_mode") == Some("clas")) == clas))
}
