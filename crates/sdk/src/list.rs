//! A collection: filtered, then read as a page, as a whole, or as a stream.

use crate::pce::Inner;
use crate::rows::Rows;
use crate::transport::{Call, Request, count, decode, parse, push_query};
use crate::{Pce, RefTo, Resource, Result, href_from, models};
use futures_util::{Stream, TryStreamExt, stream};
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::marker::PhantomData;

/// Rows that are asked for in one synchronous answer; larger collections go through a job.
const PAGE_ROWS: u64 = 500;

/// A query of a collection.
#[derive(Debug)]
#[must_use = "nothing is sent until it is read"]
pub struct List<R> {
    pce: Pce,
    path: Result<String>,
    max_results: Option<u64>,
    kind: PhantomData<fn() -> R>,
}

/// Part of a collection, as the server gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<R> {
    /// The objects.
    pub items: Vec<R>,
    /// Objects of the collection without the filters, by `X-Total-Count`.
    pub total: Option<u64>,
    /// Objects that match the filters, by `X-Matched-Count`.
    pub matched: Option<u64>,
}

impl<R> Page<R> {
    /// Whether the server left objects out, as far as its counters tell.
    pub fn is_cut(&self) -> bool {
        let all = self.matched.or(self.total);
        all.is_some_and(|all| all > self.items.len() as u64)
    }
}

impl<R: Resource> List<R> {
    pub(crate) fn new(pce: Pce, path: Result<String>) -> Self {
        Self { pce, path, max_results: None, kind: PhantomData }
    }

    /// Adds a query parameter, under its name in the API.
    pub fn filter(mut self, name: &str, value: impl ToString) -> Self {
        if let Ok(path) = &mut self.path {
            push_query(path, name, &value.to_string());
        }
        self
    }

    /// Adds several query parameters.
    pub fn filters<N: AsRef<str>, V: ToString>(
        self,
        params: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        params.into_iter().fold(self, |list, (name, value)| list.filter(name.as_ref(), value))
    }

    /// Objects that carry one of these sets of labels, each set as a whole.
    pub fn labels<L: RefTo<models::Label>>(mut self, any_of: &[&[L]]) -> Self {
        let sets = any_of.iter().map(|set| set.iter().map(href_from).collect::<Result<Vec<_>>>());
        match sets.collect::<Result<Vec<_>>>() {
            Ok(sets) => self.filter("labels", serde_json::json!(sets)),
            Err(error) => {
                self.path = Err(error);
                self
            }
        }
    }

    /// Objects that carry this label.
    pub fn label(self, label: &(impl RefTo<models::Label> + ?Sized)) -> Self {
        let href = label.href_to().map(|href| href.into_owned());
        self.labels::<Option<String>>(&[&[href]])
    }

    /// At most that many objects.
    pub fn max_results(mut self, count: u64) -> Self {
        self.max_results = Some(count);
        self
    }

    /// One answer, as the server gives it: it cuts silently at 500 unless `max_results` says more.
    ///
    /// # Errors
    /// Those of [`crate::Request::send`].
    pub async fn send(self) -> Result<Page<R>> {
        let limit = self.max_results;
        let (pce, path) = self.ready(limit)?;
        let answer = pce.inner().send(&Call::get(&path)).await?;
        let matched = count(&answer.headers, "x-matched-count");
        Ok(Page { items: answer.json()?, total: answer.total_count(), matched })
    }

    /// Every object, in synchronous answers: one request when all fit into a page, else a second that
    /// asks for as many as there are. For large collections prefer [`List::all`].
    ///
    /// # Errors
    /// Those of [`crate::Request::send`].
    pub async fn get_all(self) -> Result<Vec<R>> {
        if self.max_results.is_some() {
            return self.send().await.map(|page| page.items);
        }
        let (pce, path) = self.ready(None)?;
        let first =
            Self { pce: pce.clone(), path: Ok(path.clone()), max_results: None, kind: PhantomData };
        let page = first.send().await?;
        match page.matched.or(page.total) {
            Some(all) if page.is_cut() => {
                let rest = Self { pce, path: Ok(path), max_results: Some(all), kind: PhantomData };
                rest.send().await.map(|page| page.items)
            }
            _ => Ok(page.items),
        }
    }

    /// Every object, through an asynchronous job.
    ///
    /// # Errors
    /// [`crate::Error::Job`] when the job fails, and those of [`crate::Request::send`].
    pub async fn get_async(self) -> Result<Vec<R>> {
        let limit = self.max_results;
        let (pce, path) = self.ready(limit)?;
        rows::<R>(pce, path, true).try_collect().await
    }

    /// Every object as a stream, whatever the size of the collection: memory for one object at a time.
    /// Goes through an asynchronous job when there is more than one page.
    ///
    /// Nothing is sent until it is polled.
    pub fn all(self) -> impl Stream<Item = Result<R>> + Send + Unpin + 'static {
        let limited = self.max_results.is_some();
        let limit = self.max_results;
        Box::pin(
            stream::once(async move {
                let (pce, path) = self.ready(limit)?;
                let large = match limited {
                    true => false,
                    false => {
                        let mut probe = path.clone();
                        push_query(&mut probe, "max_results", "1");
                        let answer = pce.inner().send(&Call::get(&probe)).await?;
                        let matched = count(&answer.headers, "x-matched-count");
                        matched.or(answer.total_count()).is_none_or(|rows| rows > PAGE_ROWS)
                    }
                };
                Ok(rows::<R>(pce, path, large))
            })
            .try_flatten(),
        )
    }

    /// The client and the path with its query.
    fn ready(self, max_results: Option<u64>) -> Result<(Pce, String)> {
        let mut path = self.path?;
        if let Some(rows) = max_results {
            push_query(&mut path, "max_results", &rows.to_string());
        }
        Ok((self.pce, path))
    }
}

impl Pce {
    /// The rows of the collection at any path, through an asynchronous job, one at a time.
    pub fn stream<T: DeserializeOwned + Send + 'static>(
        &self,
        request: Request,
    ) -> impl Stream<Item = Result<T>> + Send + Unpin + 'static {
        Box::pin(
            stream::once(async move {
                let (pce, call) = request.ready()?;
                Ok(rows::<T>(pce, call.path, true))
            })
            .try_flatten(),
        )
    }
}

/// An answer that is being read.
struct Open {
    request: String,
    call: Call,
    answer: reqwest::Response,
    rows: Rows,
    seen: u64,
    ended: bool,
}

/// The rows at a path, synchronously or through a job.
fn rows<T: DeserializeOwned + Send + 'static>(
    pce: Pce,
    path: String,
    job: bool,
) -> impl Stream<Item = Result<T>> + Send {
    stream::once(async move {
        let open = open(pce.inner(), &path, job).await?;
        let state = (pce, open, VecDeque::new());
        Ok(stream::try_unfold(state, |(pce, mut open, mut ready)| async move {
            loop {
                if let Some(row) = ready.pop_front() {
                    return Ok(Some((row, (pce, open, ready))));
                }
                if open.ended {
                    return Ok(None);
                }
                open.fill(pce.inner(), &mut ready).await?;
            }
        }))
    })
    .try_flatten()
}

async fn open(inner: &Inner, path: &str, job: bool) -> Result<Open> {
    let (call, answer) = match job {
        true => inner.open_async(path).await?,
        false => {
            let call = Call::get(path);
            let answer = inner.open(&call).await?;
            (call, answer)
        }
    };
    Ok(Open { request: call.name(), call, answer, rows: Rows::new(), seen: 0, ended: false })
}

impl Open {
    /// Reads one piece of the body and parses the rows that it completes.
    async fn fill<T: DeserializeOwned>(
        &mut self,
        inner: &Inner,
        ready: &mut VecDeque<T>,
    ) -> Result<()> {
        let chunk = self.answer.chunk().await.map_err(|e| inner.transport(&self.call, e))?;
        let Some(chunk) = chunk else {
            self.ended = true;
            let cut = |e| decode(self.request.clone(), format!("[{}]", self.seen), format!("{e}"));
            return self.rows.finish().map_err(cut);
        };
        self.rows.push(&chunk);
        loop {
            let seen = self.seen;
            let at = || format!("[{seen}]");
            let row = self.rows.next();
            let row = row.map_err(|e| decode(self.request.clone(), at(), e.to_string()))?;
            let Some(row) = row else { return Ok(()) };
            ready.push_back(parse(&self.request, row).map_err(|e| within(e, &at()))?);
            self.seen += 1;
        }
    }
}

/// Puts the number of the row before the path of an error.
fn within(error: crate::Error, at: &str) -> crate::Error {
    match error {
        crate::Error::Decode { request, path, reason } => {
            let path = if path == "." { at.to_owned() } else { format!("{at}.{path}") };
            crate::Error::Decode { request, path, reason }
        }
        other => other,
    }
}

/// The rows at a path of the API, read synchronously.
pub(crate) fn rows_at<T: DeserializeOwned + Send + 'static>(
    pce: &Pce,
    path: String,
) -> impl Stream<Item = Result<T>> + Send {
    rows(pce.clone(), path, false)
}
