//! Many objects in few requests: chunks as large as the server takes, one result per item.

use crate::transport::{Call, Response};
use crate::{ApiError, Error, ErrorItem, Pce, Reference, Resource, Result};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What became of one item of a bulk call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Answer")]
pub struct BulkResult {
    /// The object, when there is one.
    pub href: Option<String>,
    /// `created`, `updated` and so on, where the server says so.
    pub status: Option<String>,
    /// Why the item was refused; empty when it was not.
    pub errors: Vec<ErrorItem>,
}

impl BulkResult {
    /// Whether the item was done.
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty()
    }
}

/// The forms of an item in answers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Href(String),
    Item {
        #[serde(default)]
        href: Option<String>,
        #[serde(default)]
        status: Option<String>,
        #[serde(default)]
        token: Option<String>,
        #[serde(default)]
        message: Option<String>,
        #[serde(default)]
        errors: Vec<ErrorItem>,
    },
}

impl From<Answer> for BulkResult {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Href(href) => Self { href: Some(href), ..Self::default() },
            Answer::Item { href, status, token, message, mut errors } => {
                let failed = status.as_deref().is_some_and(|s| !matches!(s, "created" | "updated"));
                if errors.is_empty() && (failed || token.is_some() || href.is_none()) {
                    let token = token.unwrap_or_default();
                    let message = message.or_else(|| status.clone()).unwrap_or_default();
                    errors.push(ErrorItem { token, message, ..ErrorItem::default() });
                }
                Self { href, status, errors }
            }
        }
    }
}

/// The refusal in an element of a list answer, if it is one.
pub(crate) fn refusal(request: &str, item: &Value) -> Result<()> {
    let result: BulkResult = crate::transport::parse(request, item.to_string().as_bytes())?;
    if result.is_ok() {
        return Ok(());
    }
    let refusal = ApiError::new(406, request.to_owned(), b"");
    Err(Error::Api(Box::new(ApiError { errors: result.errors, ..refusal })))
}

/// Sends the items in chunks and reads each answer by `read`, which gives one result per item.
pub(crate) async fn run<R: Resource, T: Serialize>(
    pce: &Pce,
    path: &str,
    items: &[T],
    read: impl Fn(&Response, &[T]) -> Result<Vec<BulkResult>>,
) -> Result<Vec<BulkResult>> {
    let mut done: Vec<BulkResult> = Vec::with_capacity(items.len());
    for chunk in items.chunks(R::BULK_MAX) {
        let answer = async {
            let mut call = Call::new(Method::PUT, path);
            let body =
                serde_json::to_vec(chunk).map_err(|e| Error::invalid("body", e.to_string()))?;
            call.body = Some(body.into());
            let answer = pce.inner().send(&call).await?;
            read(&answer, chunk)
        };
        match answer.await {
            Ok(results) => done.extend(results),
            Err(error) if done.is_empty() => return Err(error),
            Err(error) => {
                return Err(Error::Bulk { done, total: items.len(), source: Box::new(error) });
            }
        }
    }
    Ok(done)
}

/// The results of bulk_create and bulk_update: one element per item, in order.
pub(crate) fn results<T>(answer: &Response, items: &[T]) -> Result<Vec<BulkResult>> {
    let results: Vec<BulkResult> = answer.json()?;
    if results.len() == items.len() {
        return Ok(results);
    }
    let reason = format!("{} results for {} items", results.len(), items.len());
    Err(crate::transport::decode(answer.name().to_owned(), ".", reason))
}

/// The results of bulk_delete, whose answer lists failures only.
pub(crate) fn deletions(answer: &Response, items: &[Reference]) -> Result<Vec<BulkResult>> {
    let listed: Vec<BulkResult> =
        if answer.body.is_empty() { Vec::new() } else { answer.json()? };
    let mut failed: BTreeMap<String, BulkResult> = BTreeMap::new();
    for result in listed.into_iter().filter(|result| !result.is_ok()) {
        failed.insert(result.href.clone().unwrap_or_default(), result);
    }
    let result = |item: &Reference| {
        let fine = BulkResult {
            href: Some(item.href.clone()),
            status: Some("deleted".to_owned()),
            errors: Vec::new(),
        };
        failed.get(&item.href).cloned().unwrap_or(fine)
    };
    Ok(items.iter().map(result).collect())
}
