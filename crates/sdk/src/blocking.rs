//! The same client for code without async: every call waits for its answer.
//!
//! ```no_run
//! use bulkhead_sdk::{blocking, models::Label};
//! let pce = blocking::Pce::from_env()?;
//! let label = pce.labels().create(&Label::new("role", "R-Web"))?;
//! for workload in pce.workloads().list(|list| list.label(&label)) {
//!     let workload = workload?;
//!     # drop(workload);
//! }
//! # Ok::<(), bulkhead_sdk::Error>(())
//! ```

use crate::models::{IpList, PairingProfile, PolicyVersion, Service};
use crate::resource::{Child, Single, Versioned};
use crate::traffic::{TrafficFlow, TrafficQuery};
use crate::{
    Active, BulkResult, ChangeOf, Draft, Error, List, NewOf, RefTo, Request, Resource, Response,
    Result, ToHref,
};
use futures_util::{Stream, StreamExt};
use std::future::Future;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// A Policy Compute Engine; see [`crate::Pce`].
///
/// It must not be used from within async code: waiting there would stop everything else.
#[derive(Clone, Debug)]
pub struct Pce {
    pce: crate::Pce,
    runtime: Arc<Runtime>,
}

/// The objects of one kind; see [`crate::Handle`].
#[derive(Debug)]
pub struct Handle<R: Resource, V = Draft> {
    handle: crate::Handle<R, V>,
    runtime: Arc<Runtime>,
}

/// Objects that arrive one by one.
pub struct Rows<R> {
    rows: Box<dyn Stream<Item = Result<R>> + Send + Unpin>,
    runtime: Arc<Runtime>,
}

impl<R> Iterator for Rows<R> {
    type Item = Result<R>;
    fn next(&mut self) -> Option<Result<R>> {
        self.runtime.block_on(self.rows.next())
    }
}

impl<R> std::fmt::Debug for Rows<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rows")
    }
}

/// Declares calls that wait for the call of the same name.
macro_rules! wait {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// As the call of the same name of the async client.
        pub fn $name(&self, $($arg: $type),*) -> Result<$answer> {
            self.wait(self.inner().$name($($arg),*))
        }
    )*};
}

impl Pce {
    /// A client as the other is set up, with connections of its own: those of an async client belong to
    /// the runtime that opened them.
    ///
    /// # Errors
    /// [`Error::Config`] when the system gives no thread, and those of [`crate::PceBuilder::build`].
    pub fn new(pce: &crate::Pce) -> Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|e| Error::Config(format!("cannot start a runtime: {e}")))?;
        Ok(Self { pce: pce.to_builder().build()?, runtime: Arc::new(runtime) })
    }

    /// As [`crate::Pce::from_env`].
    ///
    /// # Errors
    /// As there.
    pub fn from_env() -> Result<Self> {
        Self::new(&crate::Pce::from_env()?)
    }

    /// The async client, for what has no counterpart here; [`Pce::wait`] for its calls.
    pub const fn inner(&self) -> &crate::Pce {
        &self.pce
    }

    /// Waits for any call of the async client.
    pub fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }

    /// Sends a raw call made by [`crate::Pce::get`] and the like.
    ///
    /// # Errors
    /// As [`Request::send`].
    pub fn send(&self, request: Request) -> Result<Response> {
        self.wait(request.send())
    }

    /// The handle of any resource.
    pub fn resource<R: Resource>(&self) -> Handle<R> {
        Handle { handle: self.pce.resource(), runtime: Arc::clone(&self.runtime) }
    }

    /// Whether the PCE answers and accepts the credentials.
    pub fn check_connection(&self) -> bool {
        self.wait(self.pce.check_connection())
    }

    wait! {
        /// Checks that the PCE answers and accepts the credentials.
        must_connect() -> ();
        /// The IP list that holds every address.
        get_default_ip_list() -> IpList;
        /// The service that holds every port and protocol.
        get_default_service() -> Service;
        /// Makes a key with which hosts pair through a profile.
        generate_pairing_key(profile: &(impl RefTo<PairingProfile> + ?Sized)) -> String;
        /// Makes drafts active.
        provision_policy_changes(description: &str, objects: &[&dyn ToHref]) -> PolicyVersion;
        /// The flows of a query, by the older call.
        get_traffic_flows(query: &TrafficQuery) -> Vec<TrafficFlow>;
        /// The flows of a query.
        get_traffic_flows_async(name: &str, query: &TrafficQuery) -> Vec<TrafficFlow>;
        /// The collection at a path through an asynchronous job.
        get_collection(path: &str) -> Vec<serde_json::Value>;
    }
}

/// Declares the accessors of the kinds of objects.
macro_rules! handles {
    ($($attribute:ident: $model:ident;)*) => {
        /// One handle for each kind of object; those not here are reached by [`Pce::resource`].
        impl Pce {
            $(
                #[doc = concat!("See [`crate::Pce::", stringify!($attribute), "`].")]
                pub fn $attribute(&self) -> Handle<crate::models::$model> {
                    self.resource()
                }
            )*
        }
    };
}

handles! {
    container_clusters: ContainerCluster;
    container_workload_profiles: ContainerWorkloadProfile;
    enforcement_boundaries: EnforcementBoundary;
    events: Event;
    ip_lists: IpList;
    label_groups: LabelGroup;
    labels: Label;
    pairing_profiles: PairingProfile;
    rule_sets: RuleSet;
    rules: Rule;
    security_principals: SecurityPrincipal;
    service_bindings: ServiceBinding;
    services: Service;
    users: User;
    vens: Ven;
    virtual_services: VirtualService;
    workloads: Workload;
}

impl<R: Resource, V> Handle<R, V> {
    const fn inner(&self) -> &crate::Handle<R, V> {
        &self.handle
    }

    fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }

    /// The objects that the query gives, one by one; see [`List::all`].
    pub fn list(&self, query: impl FnOnce(List<R>) -> List<R>) -> Rows<R> {
        let rows = Box::new(query(self.handle.list()).all());
        Rows { rows, runtime: Arc::clone(&self.runtime) }
    }

    /// The objects that the query gives, at once; see [`List::get_all`].
    ///
    /// # Errors
    /// As there.
    pub fn get_all(&self, query: impl FnOnce(List<R>) -> List<R>) -> Result<Vec<R>> {
        self.wait(query(self.handle.list()).get_all())
    }

    /// The objects that the query gives, by an asynchronous job; see [`List::get_async`].
    ///
    /// # Errors
    /// As there.
    pub fn get_async(&self, query: impl FnOnce(List<R>) -> List<R>) -> Result<Vec<R>> {
        self.wait(query(self.handle.list()).get_async())
    }

    wait! {
        /// One object.
        get(reference: &(impl RefTo<R> + ?Sized)) -> R;
        /// One object.
        get_by_reference(reference: &(impl RefTo<R> + ?Sized)) -> R;
        /// The object with exactly that name.
        get_by_name(name: &str) -> Option<R>;
    }
}

impl<R: Resource> Handle<R> {
    wait! {
        /// Creates an object.
        create(new: &(impl NewOf<R> + ?Sized)) -> R;
        /// Changes an object.
        update(
            reference: &(impl RefTo<R> + ?Sized),
            change: &(impl ChangeOf<R> + ?Sized)
        ) -> ();
        /// Deletes an object.
        delete(reference: &(impl RefTo<R> + ?Sized)) -> ();
        /// Creates many objects.
        bulk_create(new: &[impl NewOf<R>]) -> Vec<BulkResult>;
        /// Changes many objects.
        bulk_update(changes: &[impl ChangeOf<R>]) -> Vec<BulkResult>;
        /// Deletes many objects.
        bulk_delete(references: &[impl RefTo<R>]) -> Vec<BulkResult>;
    }
}

impl<R: Single> Handle<R> {
    wait! {
        /// The one object of this kind.
        read() -> R;
        /// Changes the one object of this kind.
        write(change: &(impl ChangeOf<R> + ?Sized)) -> ();
    }
}

impl<R: Child, V> Handle<R, V> {
    /// The object below which the collection lives.
    #[must_use]
    pub fn parent(self, parent: &(impl RefTo<R::Parent> + ?Sized)) -> Self {
        Self { handle: self.handle.parent(parent), runtime: self.runtime }
    }
}

impl<R: Versioned> Handle<R> {
    /// The active side.
    #[must_use]
    pub fn active(self) -> Handle<R, Active> {
        Handle { handle: self.handle.active(), runtime: self.runtime }
    }
}
