//! What time does to credentials: sessions and tokens end, locks open, old keys go.

use super::sessions;
use crate::app::App;
use crate::audit::{self, Event};
use crate::clock::wire_time;
use crate::resource::crud;
use crate::txn::{Origin, Txn};
use crate::world::{Obj, Row, SYSTEM, Side};
use bulkhead_api::ApiError;
use bulkhead_ids::{Id, Kind};
use bulkhead_store::Op;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Seconds between two rounds: how late an end may be noticed by others. Calls notice it at once.
const ROUND_S: u64 = 10;
/// Rounds after which the last uses of keys are stored.
const STORE_ROUNDS: u64 = 6;
/// Seconds that expired keys stay listed unless the settings say otherwise.
const RETENTION_S: i64 = 7_776_000;

/// Runs rounds until told to stop, then stores what is only in memory.
pub async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(ROUND_S));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut round = 0_u64;
    loop {
        let stopping = tokio::select! {
            _ = ticks.tick() => false,
            _ = stop.changed() => true,
        };
        round += 1;
        let mut result = self::round(&app).await;
        if stopping || round.is_multiple_of(STORE_ROUNDS) {
            result = result.and(store_uses(&app).await);
        }
        if let Err(e) = result {
            tracing::error!(error = %e, "upkeep of credentials failed; it is tried again");
        }
        if stopping {
            return;
        }
    }
}

/// One round.
///
/// # Errors
/// When a change could not be stored.
pub async fn round(app: &App) -> Result<(), ApiError> {
    let origin = Origin { pce_fqdn: app.fqdn.clone(), ..Origin::default() };
    end_sessions(app, &origin).await?;
    let orgs: Vec<u32> = app.state.worlds().keys().copied().filter(|o| *o != SYSTEM).collect();
    for org in orgs {
        sweep_keys(app, &origin, org).await?;
    }
    Ok(())
}

async fn end_sessions(app: &App, origin: &Origin) -> Result<(), ApiError> {
    let Some(system) = app.state.world(SYSTEM) else { return Ok(()) };
    let now = app.state.clock.now();
    let now_us = now.as_microsecond();
    let old = |o: &&Arc<Obj>, field: &str| o.doc.int(field).is_none_or(|t| now_us >= t);
    let idle: Vec<Arc<Obj>> = system
        .objects(Side::Draft, Kind::Session)
        .filter(|s| app.sessions.idle(&system, s, now))
        .cloned()
        .collect();
    let tokens: Vec<Id> = system
        .objects(Side::Draft, Kind::AuthToken)
        .filter(|t| old(t, "_until_us"))
        .map(|t| t.id)
        .collect();
    let opened: Vec<Id> = system
        .objects(Side::Draft, Kind::User)
        .filter(|u| {
            u.doc.is("locked") && u.doc.int("_locked_until_us").is_some_and(|t| now_us >= t)
        })
        .map(|u| u.id)
        .collect();
    app.sessions.keep(|id| system.get(Kind::Session, id).is_some());
    if idle.is_empty() && tokens.is_empty() && opened.is_empty() {
        return Ok(());
    }
    let change = |txn: &mut Txn<'_>| {
        tokens.iter().for_each(|id| txn.revert(Kind::AuthToken, *id));
        for session in &idle {
            // It may have been used since it was looked at.
            if app.sessions.idle(&txn.world, session, txn.now) {
                time_out(txn, session);
            }
        }
        for id in &opened {
            let open = json!({"locked": false, "_locked_until_us": null});
            super::login::patch(txn, *id, open.as_object().cloned().unwrap_or_default())?;
        }
        Ok(())
    };
    app.state.write(SYSTEM, origin, change).await.map(|_| ())
}

fn time_out(txn: &mut Txn<'_>, session: &Obj) {
    txn.revert(Kind::Session, session.id);
    let Some(user) = session.parent else { return };
    let first = txn.world.get(Kind::User, user).and_then(|u| match u.doc.list("_orgs").first() {
        Some(crate::doc::Val::Int(org)) => u32::try_from(*org).ok(),
        _ => None,
    });
    let mut event = Event::info("user.pce_session_terminated");
    event.status = None;
    event.notifications.push(sessions::ended(&txn.world, user, "timeout"));
    let row = audit::row(first.unwrap_or(SYSTEM), txn.origin, txn.now, event);
    txn.op(Op::AddEvent(row));
}

/// Deletes keys of service accounts that expired longer ago than the settings keep them.
async fn sweep_keys(app: &App, origin: &Origin, org: u32) -> Result<(), ApiError> {
    let Some(world) = app.state.world(org) else { return Ok(()) };
    let settings = world.get(Kind::OrgSettings, Id::SINGLETON);
    let keep_s = settings
        .and_then(|s| s.doc.int("expired_api_keys_retention_in_seconds"))
        .unwrap_or(RETENTION_S);
    let now_us = app.state.clock.now().as_microsecond();
    let gone: Vec<Id> = world
        .objects(Side::Draft, Kind::ServiceAccountKey)
        .filter(|k| k.doc.int("_expires_us").is_some_and(|t| now_us >= t + keep_s * 1_000_000))
        .map(|k| k.id)
        .collect();
    if gone.is_empty() {
        return Ok(());
    }
    let change = |txn: &mut Txn<'_>| {
        txn.event_type = Some("system_task.delete_expired_service_account_api_keys".into());
        gone.iter().for_each(|id| txn.remove(Kind::ServiceAccountKey, *id));
        Ok(())
    };
    app.state.write(org, origin, change).await.map(|_| ())
}

/// Stores when keys were last used.
///
/// # Errors
/// When the change could not be stored.
pub async fn store_uses(app: &App) -> Result<(), ApiError> {
    let uses = app.keys.take();
    if uses.is_empty() {
        return Ok(());
    }
    let origin = Origin { pce_fqdn: app.fqdn.clone(), ..Origin::default() };
    let orgs: Vec<u32> = app.state.worlds().keys().copied().collect();
    for org in orgs {
        let kind = if org == SYSTEM { Kind::ApiKey } else { Kind::ServiceAccountKey };
        app.state.write(org, &origin, |txn| store(txn, kind, &uses)).await?;
    }
    Ok(())
}

fn store(txn: &mut Txn<'_>, kind: Kind, uses: &HashMap<Id, i64>) -> Result<(), ApiError> {
    for (id, used_us) in uses {
        let Some(key) = txn.world.get(kind, *id).cloned() else { continue };
        let mut doc = crud::document(txn.world.org, &key);
        doc.insert("_used_us".into(), (*used_us).into());
        if kind == Kind::ServiceAccountKey
            && let Ok(at) = jiff::Timestamp::from_microsecond(*used_us)
        {
            doc.insert("last_login_on".into(), wire_time(at).into());
        }
        let doc = crate::doc::Val::from_json(&doc.into());
        txn.put_current(kind, *id, Row::plain(Obj::new(kind, *id, key.parent, doc)));
    }
    Ok(())
}
