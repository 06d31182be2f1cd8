//! Explorer: queries of the traffic database and the flows that they give.

mod dates;
mod filter;
mod flow;

pub use dates::QueryDate;
pub use filter::{TrafficFilter, TrafficFilterBlock, TrafficServiceBlock};
pub use flow::{TimestampRange, TrafficFlow, TrafficNode};

use crate::models::ServicePort;
use crate::{Error, Pce, PolicyDecision, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// Flows that a query gives at most.
///
/// Source: schema `traffic_flows_async_queries_post` 25.2.20.
pub const TRAFFIC_RESULTS_MAX: u32 = 200_000;
/// Flows that a query asks for unless it says otherwise.
pub const TRAFFIC_RESULTS_DEFAULT: u32 = 100_000;

/// A query of the traffic database; [`TrafficQuery::build`] makes one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrafficQuery {
    /// First moment, RFC 3339.
    pub start_date: String,
    /// Last moment, RFC 3339.
    pub end_date: String,
    /// Where flows come from.
    pub sources: TrafficFilterBlock,
    /// Where flows go to.
    pub destinations: TrafficFilterBlock,
    /// Which services.
    pub services: TrafficServiceBlock,
    /// Which verdicts; empty = all.
    pub policy_decisions: Vec<PolicyDecision>,
    /// Whether flows of known workloads are left out where an IP list is asked for.
    pub exclude_workloads_from_ip_list_query: bool,
    /// `and` or `or`: how sources and destinations combine.
    pub sources_destinations_query_op: String,
    /// Flows at most.
    pub max_results: u32,
    /// Name of the query; asynchronous ones need it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_name: Option<String>,
}

/// A query in the making: what is not set means everything.
#[derive(Debug)]
#[must_use]
pub struct TrafficQueryBuilder(Result<TrafficQuery>);

impl TrafficQuery {
    /// Starts a query of a period. Dates are texts (RFC 3339, without offset in UTC, or a day) or Unix times in
    /// seconds or milliseconds.
    ///
    /// ```
    /// use bulkhead_sdk::TrafficQuery;
    /// use bulkhead_sdk::models::ServicePort;
    /// let query = TrafficQuery::build("2022-02-01T00:00:00Z", 1_646_092_800)
    ///     .include_services([ServicePort::new(3389, "tcp")?])
    ///     .policy_decisions(["potentially_blocked", "unknown"])
    ///     .finish()?;
    /// assert_eq!(query.end_date, "2022-03-01T00:00:00Z");
    /// assert!(TrafficQuery::build("2022-03-01", "2022-02-01").finish().is_err());
    /// # Ok::<(), bulkhead_sdk::Error>(())
    /// ```
    pub fn build(start: impl Into<QueryDate>, end: impl Into<QueryDate>) -> TrafficQueryBuilder {
        TrafficQueryBuilder(Self::of_period(start.into(), end.into()))
    }

    fn of_period(start: QueryDate, end: QueryDate) -> Result<Self> {
        let (start, end) = (start.parse("start_date")?, end.parse("end_date")?);
        if start > end {
            let reason = format!("{end} is before the start {start}");
            return Err(Error::invalid("end_date", reason));
        }
        Ok(Self {
            start_date: dates::show(start),
            end_date: dates::show(end),
            sources: TrafficFilterBlock::default(),
            destinations: TrafficFilterBlock::default(),
            services: TrafficServiceBlock::default(),
            policy_decisions: Vec::new(),
            exclude_workloads_from_ip_list_query: true,
            sources_destinations_query_op: "and".to_owned(),
            max_results: TRAFFIC_RESULTS_DEFAULT,
            query_name: None,
        })
    }
}

impl TrafficQueryBuilder {
    fn with(self, change: impl FnOnce(&mut TrafficQuery) -> Result<()>) -> Self {
        Self(self.0.and_then(|mut query| change(&mut query).map(|()| query)))
    }

    /// Sources, any of them: hrefs of labels, label groups, workloads and IP lists, and addresses.
    pub fn include_sources<T: ToString>(self, any_of: impl IntoIterator<Item = T>) -> Self {
        self.with(|query| query.sources.include_each(any_of, false))
    }

    /// Sources that are left out; also names and kinds of transmission.
    pub fn exclude_sources<T: ToString>(self, all: impl IntoIterator<Item = T>) -> Self {
        self.with(|query| query.sources.exclude_each(all))
    }

    /// Destinations, any of them; also names.
    pub fn include_destinations<T: ToString>(self, any_of: impl IntoIterator<Item = T>) -> Self {
        self.with(|query| query.destinations.include_each(any_of, true))
    }

    /// Destinations that are left out; also names and kinds of transmission.
    pub fn exclude_destinations<T: ToString>(self, all: impl IntoIterator<Item = T>) -> Self {
        self.with(|query| query.destinations.exclude_each(all))
    }

    /// Sources that match all of these at once, such as labels of different keys.
    pub fn include_sources_with<T: ToString>(self, all_of: impl IntoIterator<Item = T>) -> Self {
        self.with(|query| query.sources.include_all(all_of, false))
    }

    /// Destinations that match all of these at once.
    pub fn include_destinations_with<T: ToString>(
        self,
        all_of: impl IntoIterator<Item = T>,
    ) -> Self {
        self.with(|query| query.destinations.include_all(all_of, true))
    }

    /// Services, any of them.
    pub fn include_services(self, any_of: impl IntoIterator<Item = ServicePort>) -> Self {
        self.with(|query| filter::ports(&mut query.services.include, any_of))
    }

    /// Services that are left out.
    pub fn exclude_services(self, all: impl IntoIterator<Item = ServicePort>) -> Self {
        self.with(|query| filter::ports(&mut query.services.exclude, all))
    }

    /// Verdicts: `allowed`, `blocked`, `potentially_blocked`, `unknown`.
    pub fn policy_decisions<T: AsRef<str>>(self, any_of: impl IntoIterator<Item = T>) -> Self {
        self.with(|query| {
            query.policy_decisions =
                any_of.into_iter().map(|word| word.as_ref().parse()).collect::<Result<_>>()?;
            Ok(())
        })
    }

    /// Whether flows of known workloads are left out where an IP list is asked for; true unless set.
    pub fn exclude_workloads_from_ip_list_query(self, exclude: bool) -> Self {
        self.with(|query| {
            query.exclude_workloads_from_ip_list_query = exclude;
            Ok(())
        })
    }

    /// Whether it is enough that the source or the destination matches.
    pub fn either_side(self) -> Self {
        self.with(|query| {
            "or".clone_into(&mut query.sources_destinations_query_op);
            Ok(())
        })
    }

    /// Flows at most, up to [`TRAFFIC_RESULTS_MAX`].
    pub fn max_results(self, count: u32) -> Self {
        self.with(|query| {
            if count > TRAFFIC_RESULTS_MAX {
                let reason = format!("{count} is more than {TRAFFIC_RESULTS_MAX}");
                return Err(Error::invalid("max_results", reason));
            }
            query.max_results = count;
            Ok(())
        })
    }

    /// Name of the query.
    pub fn query_name(self, name: &str) -> Self {
        self.with(|query| {
            query.query_name = Some(name.to_owned());
            Ok(())
        })
    }

    /// The query.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the first value that is refused: a date, the range, a filter, a verdict.
    pub fn finish(self) -> Result<TrafficQuery> {
        self.0
    }
}

#[derive(Deserialize)]
struct Started {
    href: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    result: Option<Value>,
}

impl Pce {
    /// The flows of a query, by the older synchronous call. Prefer [`Pce::get_traffic_flows_async`].
    ///
    /// # Errors
    /// Those of [`crate::Request::send`].
    pub async fn get_traffic_flows(&self, query: &TrafficQuery) -> Result<Vec<TrafficFlow>> {
        let path = "/traffic_flows/traffic_analysis_queries";
        self.post(path).include_org(true).json(query).await?.json()
    }

    /// The flows of a query, by the asynchronous call.
    ///
    /// # Errors
    /// [`Error::Job`] when the query fails, [`Error::Timeout`] when it takes longer than the builder's job
    /// timeout, and those of [`crate::Request::send`].
    pub async fn get_traffic_flows_async(
        &self,
        name: &str,
        query: &TrafficQuery,
    ) -> Result<Vec<TrafficFlow>> {
        use futures_util::TryStreamExt;
        let query = TrafficQuery { query_name: Some(name.to_owned()), ..query.clone() };
        let started: Started = self
            .post("/traffic_flows/async_queries")
            .include_org(true)
            .json(&query)
            .await?
            .json()?;
        let done = started.result.as_ref().and_then(Value::as_str);
        let result = match done {
            Some(result) if started.status == "completed" => result.to_owned(),
            _ => self.inner().job_result(&started.href, Duration::ZERO).await?,
        };
        crate::list::rows_at(self, result).try_collect().await
    }
}
