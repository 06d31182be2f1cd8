//! Work in the background: each task brings the state to where it should be, however it was reached.
//!
//! A task runs at the start, on a timer, and when it is woken. It takes no input, may run at any time
//! and any number of times, and does not retry: the timer does. Sessions, tokens and keys have an upkeep
//! of their own, [`crate::authn::upkeep`].

use crate::app::App;
use crate::clock::wire_time;
use crate::http::jobs;
use crate::resource::events;
use crate::world::SYSTEM;
use bulkhead_api::{ApiError, limits};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// The tasks there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Task {
    /// Removes audit events that are older than the organisation keeps them.
    PruneEvents,
    /// Removes old jobs and their results, and fails jobs that a restart cut off.
    SweepJobs,
}

struct Spec {
    task: Task,
    name: &'static str,
    every_s: u64,
    run: fn(&App) -> Result<(), ApiError>,
}

const TASKS: [Spec; 2] = [
    Spec { task: Task::PruneEvents, name: "prune_events", every_s: 600, run: prune_events },
    Spec { task: Task::SweepJobs, name: "sweep_jobs", every_s: 300, run: sweep_jobs },
];

/// Wakes tasks before their time.
#[derive(Default)]
pub struct Signals([Notify; TASKS.len()]);

impl Signals {
    /// Lets a task run soon; several calls before it does count as one.
    pub fn wake(&self, task: Task) {
        if let Some(n) = self.0.get(task as usize) {
            n.notify_one();
        }
    }
}

/// Starts all tasks; they end when told to stop.
pub fn start(app: &Arc<App>, stop: &watch::Receiver<bool>) -> JoinSet<()> {
    let mut set = JoinSet::new();
    for spec in &TASKS {
        set.spawn(repeat(spec, app.clone(), stop.clone()));
    }
    set.spawn(follow(app.clone(), stop.clone()));
    set
}

/// How often the policy engines look for changes: what is enforced follows within a fraction of a second,
/// and many changes at once are one step.
const FOLLOW_EVERY: Duration = Duration::from_millis(100);

/// Keeps the policy engines of all organisations current.
async fn follow(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut timer = tokio::time::interval(FOLLOW_EVERY);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            _ = stop.changed() => return,
        }
        let worlds = app.state.worlds();
        for world in worlds.values().filter(|w| w.org != SYSTEM && app.compute.is_behind(w)) {
            let (worker, world) = (app.clone(), world.clone());
            let done = tokio::task::spawn_blocking(move || worker.compute.catch_up(&world)).await;
            if let Err(e) = done {
                tracing::error!(error = %e, "the policy engine broke off");
            }
        }
    }
}

async fn repeat(spec: &'static Spec, app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let Some(signal) = app.signals.0.get(spec.task as usize) else { return };
    let mut timer = tokio::time::interval(Duration::from_secs(spec.every_s));
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            () = signal.notified() => {}
            _ = stop.changed() => return,
        }
        let worker = app.clone();
        match tokio::task::spawn_blocking(move || (spec.run)(&worker)).await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => tracing::warn!(task = spec.name, error = ?e, "task failed"),
            Err(e) => tracing::error!(task = spec.name, error = %e, "task broke off"),
        }
    }
}

fn prune_events(app: &App) -> Result<(), ApiError> {
    app.state.worlds().values().try_for_each(|w| events::prune(app, w).map(|_| ()))
}

fn ago(now: Timestamp, s: i64) -> Timestamp {
    now.checked_sub(SignedDuration::from_secs(s)).unwrap_or(Timestamp::MIN)
}

fn sweep_jobs(app: &App) -> Result<(), ApiError> {
    let now = app.state.clock.now();
    let old = wire_time(ago(now, i64::from(limits::DATAFILE_KEEP_H) * 3600));
    let started = wire_time(app.node.started_at);
    for world in app.state.worlds().values() {
        if jobs::needs_sweep(world, &old, &started) {
            app.state.write_blocking(world.org, &app.origin(), |txn| {
                jobs::sweep(txn, &old, &started);
                Ok(())
            })?;
        }
    }
    let swept = app.state.store.sweep_blobs(now.as_microsecond());
    swept.map(|_| ()).map_err(|e| ApiError::Unavailable(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_in_the_order_of_their_signals() {
        assert!(TASKS.iter().enumerate().all(|(n, s)| s.task as usize == n));
    }
}
