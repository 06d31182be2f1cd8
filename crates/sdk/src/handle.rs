//! One handle for each kind of object: the same operations for all, typed by the model.

use crate::bulk::{self, BulkResult};
use crate::functions::{collection_of, with_version};
use crate::list::List;
use crate::resource::{ChangeOf, Child, NewOf, Place, Resource, Single, Versioned};
use crate::transport::{Call, Response};
use crate::{Error, Pce, RefTo, Result, href_from};
use reqwest::Method;
use serde::Serialize;
use std::marker::PhantomData;

/// Side of a handle that reads and writes: the draft of policy objects, and all other objects.
#[derive(Clone, Copy, Debug)]
pub enum Draft {}

/// Side of a handle that only reads: the active policy, or a past version.
#[derive(Clone, Copy, Debug)]
pub enum Active {}

/// The objects of one kind.
///
/// ```no_run
/// # async fn example(pce: bulkhead_sdk::Pce) -> bulkhead_sdk::Result<()> {
/// use bulkhead_sdk::models::{Label, LabelPatch};
/// let label = pce.labels().create(&Label::new("role", "R-DB")).await?;
/// pce.labels().update(&label, &LabelPatch::default().value("R-Database")).await?;
/// let label = pce.labels().get(&label).await?;
/// pce.labels().delete(&label).await?;
/// # Ok(()) }
/// ```
///
/// Writes exist on the draft only:
///
/// ```compile_fail
/// # async fn example(pce: bulkhead_sdk::Pce) {
/// pce.services().active().delete("/orgs/1/sec_policy/active/services/3").await;
/// # }
/// ```
pub struct Handle<R, V = Draft> {
    pce: Pce,
    version: String,
    parent: Option<Option<String>>,
    kind: PhantomData<fn() -> (R, V)>,
}

impl<R, V> Clone for Handle<R, V> {
    fn clone(&self) -> Self {
        let (pce, version) = (self.pce.clone(), self.version.clone());
        Self { pce, version, parent: self.parent.clone(), kind: PhantomData }
    }
}

impl<R: Resource, V> std::fmt::Debug for Handle<R, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handle({}, {})", R::ATTRIBUTE, self.version)
    }
}

impl<R: Resource> Handle<R> {
    pub(crate) fn new(pce: &Pce) -> Self {
        let version = crate::constants::DRAFT.to_owned();
        Self { pce: pce.clone(), version, parent: None, kind: PhantomData }
    }
}

impl<R: Versioned> Handle<R> {
    /// The draft side, as it is from the start.
    #[must_use]
    pub fn draft(self) -> Self {
        self
    }

    /// The active side.
    #[must_use]
    pub fn active(self) -> Handle<R, Active> {
        self.at(crate::constants::ACTIVE)
    }

    /// What was active under that number.
    #[must_use]
    pub fn version(self, number: u64) -> Handle<R, Active> {
        self.at(&number.to_string())
    }

    /// The side with that name: `draft`, `active` or a number. Read only.
    #[must_use]
    pub fn policy_version(self, name: &str) -> Handle<R, Active> {
        self.at(name)
    }

    fn at(self, version: &str) -> Handle<R, Active> {
        let version = version.to_owned();
        Handle { pce: self.pce, version, parent: self.parent, kind: PhantomData }
    }
}

impl<R: Child, V> Handle<R, V> {
    /// The object below which the collection lives.
    #[must_use]
    pub fn parent(mut self, parent: &(impl RefTo<R::Parent> + ?Sized)) -> Self {
        self.parent = Some(parent.href_to().map(|href| href.into_owned()));
        self
    }
}

impl<R: Resource, V> Handle<R, V> {
    pub(crate) const fn pce(&self) -> &Pce {
        &self.pce
    }

    /// The path of the collection.
    pub(crate) fn path(&self) -> Result<String> {
        let org = self.pce.org_id();
        Ok(match R::PLACE {
            Place::Global => R::ENDPOINT.to_owned(),
            Place::Org => format!("/orgs/{org}{}", R::ENDPOINT),
            Place::Policy => format!("/orgs/{org}/sec_policy/{}{}", self.version, R::ENDPOINT),
            Place::Under(kind) => match &self.parent {
                None => {
                    let reason = format!("{} live under one of {kind}; name it", R::ATTRIBUTE);
                    return Err(Error::invalid("parent", reason));
                }
                Some(href) => {
                    let href = href_from::<R>(href)?;
                    format!("{}{}", with_version(&href, &self.version), R::ENDPOINT)
                }
            },
        })
    }

    /// The href of an object, checked to be of this kind.
    fn href(&self, reference: &(impl RefTo<R> + ?Sized)) -> Result<String> {
        let href = href_from(reference)?;
        let last = R::ENDPOINT.rsplit('/').next().unwrap_or_default();
        if collection_of(&href) == Some(last) && href.starts_with('/') {
            return Ok(href);
        }
        Err(Error::invalid("href", format!("`{href}` is none of {}", R::ATTRIBUTE)))
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + ?Sized)>,
    ) -> Result<Response> {
        let mut call = Call::new(method, path);
        if let Some(body) = body {
            let bytes =
                serde_json::to_vec(body).map_err(|e| Error::invalid("body", e.to_string()))?;
            call.body = Some(bytes.into());
        }
        self.pce.inner().send(&call).await
    }

    /// The collection, to be filtered and read.
    pub fn list(&self) -> List<R> {
        List::new(self.pce.clone(), self.path())
    }

    /// One object.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an href of another kind; [`Error::Api`] with status 404 when it is not
    /// there; those of [`crate::Request::send`].
    pub async fn get(&self, reference: &(impl RefTo<R> + ?Sized)) -> Result<R> {
        self.pce.inner().send(&Call::get(&self.href(reference)?)).await?.json()
    }

    /// [`Handle::get`] under its name in the Developer Interface.
    ///
    /// # Errors
    /// As [`Handle::get`].
    pub async fn get_by_reference(&self, reference: &(impl RefTo<R> + ?Sized)) -> Result<R> {
        self.get(reference).await
    }

    /// The object with exactly that name.
    ///
    /// # Errors
    /// Those of [`crate::Request::send`].
    pub async fn get_by_name(&self, name: &str) -> Result<Option<R>> {
        // The server's filter matches parts of names, so the exact one may be anywhere.
        let found = self.list().filter("name", name).get_all().await?;
        Ok(found.into_iter().find(|object| object.name() == Some(name)))
    }
}

impl<R: Resource> Handle<R> {
    /// Creates an object and returns it as the server made it.
    ///
    /// # Errors
    /// [`Error::Api`] with the server's tokens; those of [`crate::Request::send`].
    pub async fn create(&self, new: &(impl NewOf<R> + ?Sized)) -> Result<R> {
        let path = self.path()?;
        if R::CREATED_IN_LISTS {
            let answer = self.call(Method::POST, &path, Some(&[new])).await?;
            let mut items = answer.json::<Vec<serde_json::Value>>()?;
            let item = items.pop().unwrap_or_default();
            bulk::refusal(answer.name(), &item)?;
            return crate::transport::parse(answer.name(), item.to_string().as_bytes());
        }
        self.call(Method::POST, &path, Some(new)).await?.json()
    }

    /// Creates several objects by one POST of a list, as service bindings want it: one result per item.
    ///
    /// # Errors
    /// Those of [`crate::Request::send`].
    pub async fn create_list(&self, new: &[impl NewOf<R>]) -> Result<Vec<BulkResult>> {
        self.call(Method::POST, &self.path()?, Some(new)).await?.json()
    }

    /// Changes an object: what the change does not name stays.
    ///
    /// # Errors
    /// [`Error::Api`] with the server's tokens; those of [`crate::Request::send`].
    pub async fn update(
        &self,
        reference: &(impl RefTo<R> + ?Sized),
        change: &(impl ChangeOf<R> + ?Sized),
    ) -> Result<()> {
        self.call(Method::PUT, &self.href(reference)?, Some(change)).await.map(drop)
    }

    /// Deletes an object; policy objects that were provisioned are only marked until the next provision.
    ///
    /// # Errors
    /// [`Error::Api`]; [`Error::is_gone`] tells that it was not there any more.
    pub async fn delete(&self, reference: &(impl RefTo<R> + ?Sized)) -> Result<()> {
        self.call(Method::DELETE, &self.href(reference)?, None::<&()>).await.map(drop)
    }

    /// Creates many objects, [`Resource::BULK_MAX`] at a time: one result per item, in order.
    ///
    /// # Errors
    /// [`Error::Bulk`] with the results so far when a later request fails; else as
    /// [`crate::Request::send`].
    pub async fn bulk_create(&self, new: &[impl NewOf<R>]) -> Result<Vec<BulkResult>> {
        let path = format!("{}/bulk_create", self.path()?);
        bulk::run::<R, _>(&self.pce, &path, new, bulk::results).await
    }

    /// Changes many objects, each named by its `href`: one result per item, in order.
    ///
    /// # Errors
    /// As [`Handle::bulk_create`].
    pub async fn bulk_update(&self, changes: &[impl ChangeOf<R>]) -> Result<Vec<BulkResult>> {
        let path = format!("{}/bulk_update", self.path()?);
        bulk::run::<R, _>(&self.pce, &path, changes, bulk::results).await
    }

    /// Deletes many objects: one result per item, in order.
    ///
    /// # Errors
    /// As [`Handle::bulk_create`].
    pub async fn bulk_delete(&self, references: &[impl RefTo<R>]) -> Result<Vec<BulkResult>> {
        let path = format!("{}/bulk_delete", self.path()?);
        let hrefs = references.iter().map(|r| self.href(r)).collect::<Result<Vec<_>>>()?;
        let items: Vec<_> = hrefs.into_iter().map(crate::Reference::new).collect();
        bulk::run::<R, _>(&self.pce, &path, &items, bulk::deletions).await
    }
}

impl<R: Single> Handle<R> {
    /// Changes the one object of this kind.
    ///
    /// # Errors
    /// [`Error::Api`] with the server's tokens; those of [`crate::Request::send`].
    pub async fn write(&self, change: &(impl ChangeOf<R> + ?Sized)) -> Result<()> {
        self.call(Method::PUT, &self.path()?, Some(change)).await.map(drop)
    }
}
