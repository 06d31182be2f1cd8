//! Collections through the PCE's asynchronous jobs.
//!
//! Source: REST API guide 25.2, "Asynchronous GET Collections": 202 with `Location` and `Retry-After`,
//! the job's `status` until `done` or `failed`, then its `result.href`.

use crate::pce::Inner;
use crate::transport::{Call, decode, header, seconds};
use crate::{Error, Result};
use serde::Deserialize;
use std::time::Duration;

/// First wait for a job when the server asks for none; grows by half each time.
const WAIT_FIRST: Duration = Duration::from_millis(20);
/// Longest wait between two looks, unless the server asks for a longer one.
const WAIT_MAX: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Job {
    status: String,
    #[serde(default)]
    result: Option<JobResult>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum JobResult {
    /// Traffic queries name their result so.
    Href(String),
    Object {
        #[serde(default)]
        href: Option<String>,
        #[serde(default)]
        message: Option<String>,
    },
}

impl Inner {
    /// Starts the job of a collection, waits for it, and opens its result.
    ///
    /// A server that answers at once is taken at its word.
    pub(crate) async fn open_async(&self, path: &str) -> Result<(Call, reqwest::Response)> {
        let call = Call::get(path).header("prefer", "respond-async");
        let answer = self.open(&call).await?;
        if answer.status().as_u16() != 202 {
            return Ok((call, answer));
        }
        let asked = header(answer.headers(), "retry-after").and_then(seconds).unwrap_or_default();
        let Some(job) = header(answer.headers(), "location") else {
            return Err(decode(call.name(), ".", "the server accepts a job without its location"));
        };
        let result = self.job_result(&self.relative(job)?, asked).await?;
        let call = Call::get(&result);
        let answer = self.open(&call).await?;
        Ok((call, answer))
    }

    /// Waits for a job and returns the href of its result.
    pub(crate) async fn job_result(&self, job: &str, asked: Duration) -> Result<String> {
        let started = tokio::time::Instant::now();
        let limit = self.config.job_timeout;
        let mut wait = asked.max(WAIT_FIRST);
        loop {
            if started.elapsed() + wait > limit {
                let request = format!("job {job}");
                return Err(Error::Timeout { request, seconds: limit.as_secs() });
            }
            tokio::time::sleep(wait).await;
            wait = wait.mul_f64(1.5).min(WAIT_MAX.max(asked));
            let answer = self.send(&Call::get(job)).await?;
            let state: Job = answer.json()?;
            let failed = |message: Option<String>| Error::Job {
                href: job.to_owned(),
                message: message.unwrap_or_else(|| format!("it is {}", state.status)),
            };
            match (state.status.as_str(), state.result) {
                (
                    "done" | "completed",
                    Some(JobResult::Href(href) | JobResult::Object { href: Some(href), .. }),
                ) => return self.relative(&href),
                ("done" | "completed", _) => {
                    return Err(decode(answer.name().to_owned(), "result", "a job without result"));
                }
                ("failed", Some(JobResult::Object { message, .. })) => return Err(failed(message)),
                ("failed" | "cancelled" | "canceled" | "cancel_requested", _) => {
                    return Err(failed(None));
                }
                _ => {}
            }
        }
    }

    /// A path of the API from what servers put into `Location` and `result`: a path, or, against the
    /// rule, a URL. Another host never gets our credentials.
    fn relative(&self, location: &str) -> Result<String> {
        let own = self.base.trim_end_matches(|c| c != '/').trim_end_matches("/api/");
        let path = match location.strip_prefix(own) {
            Some(path) => path,
            None if location.starts_with('/') && !location.starts_with("//") => location,
            None => return Err(Error::invalid("Location", format!("`{location}` is elsewhere"))),
        };
        let prefix = format!("/api/{}", self.config.version);
        Ok(path.strip_prefix(&prefix).unwrap_or(path).to_owned())
    }
}
