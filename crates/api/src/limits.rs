//! Every limit of the wire, in one place. `docs/reference/limits.md` is generated from [`ALL`].

macro_rules! limits {
    ($($(#[doc = $doc:literal])* $name:ident: $ty:ty = $value:expr, $source:literal;)*) => {
        $($(#[doc = $doc])* #[doc = ""] #[doc = concat!("Source: ", $source)] pub const $name: $ty = $value;)*
        /// Name, value, meaning and source of each limit, in the order of this file.
        pub const ALL: &[(&str, u64, &str, &str)] =
            &[$((stringify!($name), $value as u64, concat!($($doc),*), $source),)*];
    };
}

limits! {
    /// Bytes of a request body.
    BODY_BYTES_MAX: usize = 16 * 1024 * 1024, "own decision: 1,000 workloads of 16 KiB";
    /// Nesting of a JSON body.
    JSON_DEPTH_MAX: usize = 64, "own decision: the deepest body of the schemas has 12";
    /// Bytes of path and query together.
    URI_BYTES_MAX: usize = 64 * 1024, "workloader sends label filters of up to 10,000 characters";
    /// Characters of a name.
    NAME_CHARS_MAX: usize = 255, "REST API guide 25.2, names";
    /// Elements of any array of a body where the schema sets no smaller limit.
    ARRAY_ITEMS_MAX: usize = 65_536, "own decision";
    /// Items of one bulk call on workloads or virtual services.
    BULK_ITEMS_MAX: usize = 1_000, "REST API guide 25.2, bulk operations";
    /// Items of one bulk call on user groups.
    BULK_PRINCIPALS_MAX: usize = 2_000, "REST API guide 25.2, security_principals/bulk_create";
    /// Rows of a synchronous collection answer when `max_results` is absent.
    LIST_ROWS_DEFAULT: usize = 500, "REST API guide 25.2; seen live on 26.30";
    /// Rules in the answer of a rule search.
    RULE_SEARCH_ROWS_MAX: usize = 20_000, "our choice";
    /// Rule searches that run at once.
    RULE_SEARCHES_MAX: usize = 12, "REST API guide 22.2, Rule Search";
    /// Flows of one explain request.
    EXPLAIN_FLOWS_MAX: usize = 10_000, "our choice";
    /// Ranges shown for the peers of one entry.
    INTENT_RANGES_MAX: usize = 100, "our choice";
    /// Matches of a facets or autocomplete answer when `max_results` is absent.
    SEARCH_MATCHES_DEFAULT: usize = 25, "own decision";
    /// Events that a syslog sender takes at once.
    SYSLOG_EVENTS_AT_ONCE: usize = 200, "own decision";
    /// Bytes of a syslog message in a datagram; longer ones go without the changes.
    SYSLOG_DATAGRAM_BYTES_MAX: usize = 65_000, "largest UDP payload is 65,507";
    /// Seconds until a syslog receiver must take a connection or a write.
    SYSLOG_WRITE_S: u64 = 10, "own decision";
    /// Longest pause in seconds before a syslog receiver is tried again.
    SYSLOG_PAUSE_S_MAX: u64 = 60, "own decision";
    /// Rows of an events answer when `max_results` is absent.
    EVENT_ROWS_DEFAULT: usize = 100, "REST API guide 25.2, events";
    /// Largest `max_results` of an events request.
    EVENT_ROWS_MAX: usize = 10_000, "REST API guide 25.2, events";
    /// Requests a minute and credential unless set otherwise.
    RATE_PER_MINUTE_DEFAULT: u32 = 500, "REST API guide 25.2, rate limits";
    /// Seconds a login token lives.
    AUTH_TOKEN_S: u32 = 30, "REST APIs 25.4, session credentials";
    /// Minutes a session lives without use; each use starts the time anew.
    SESSION_IDLE_MIN_DEFAULT: u32 = 10, "REST APIs 25.4, sample answer; the page also says 30";
    /// Failed logins after which an account locks.
    LOGIN_FAILURES_MAX: u32 = 5, "guess: no public page states it";
    /// Minutes that a locked account stays locked.
    LOCKOUT_MIN: u32 = 15, "guess: no public page states it";
    /// Sessions of a user at once; a further one ends the oldest.
    SESSIONS_PER_USER_MAX: usize = 50, "own decision";
    /// Password checks a minute from one address, while requests are limited at all.
    PASSWORD_CHECKS_PER_MINUTE: u32 = 60, "own decision";
    /// Hours that an invitation may be taken up.
    INVITATION_H: u32 = 168, "own decision";
    /// Old passwords that are kept to compare new ones with.
    PASSWORD_HISTORY_MAX: usize = 24, "PCE administration guide, password policy";
    /// Access restrictions of an organisation.
    ACCESS_RESTRICTIONS_MAX: usize = 50, "PCE administration guide";
    /// Addresses of an access restriction.
    ACCESS_RESTRICTION_IPS_MAX: usize = 8, "PCE administration guide";
    /// Stateless rules of an organisation.
    STATELESS_RULES_MAX: usize = 100, "Rules 22.2";
    /// Ranges and names of an IP list.
    IP_LIST_ENTRIES_MAX: usize = 65_536, "own decision, see capacity goals";
    /// Connections at once.
    CONNECTIONS_MAX: usize = 10_000, "own decision";
    /// Connections at once to the metrics listener.
    METRICS_CONNECTIONS_MAX: usize = 16, "own decision";
    /// Rows of an asynchronous events answer.
    EVENT_ROWS_ASYNC_MAX: usize = 100_000, "own decision: 150 MB at the average size";
    /// Days that audit events are kept unless set otherwise.
    EVENT_KEEP_DAYS_DEFAULT: u32 = 30, "REST API guide 25.2, settings/events";
    /// Seconds until a request's headers must be complete.
    HEADER_READ_S: u64 = 10, "own decision";
    /// Seconds until a request's body must be complete.
    BODY_READ_S: u64 = 30, "own decision";
    /// Bytes of request bodies held in memory at once, over all connections.
    BODY_BYTES_TOTAL_MAX: usize = 256 * 1024 * 1024, "own decision";
    /// Password checks at once; more wait.
    PASSWORD_CHECKS_MAX: usize = 2, "own decision: argon2id takes 19 MiB each";
    /// Objects that a refused change subset is told to name as well.
    ERRORS_LISTED_MAX: usize = 100, "own decision";
    /// Objects that the event of a provisioning lists.
    EVENT_CHANGES_MAX: usize = 200, "own decision: an event stays readable and small";
    /// Hours that the result of a job is kept.
    DATAFILE_KEEP_H: u32 = 24, "own decision";
    /// Seconds a client is told to wait between looks at a job.
    JOB_RETRY_AFTER_S: u32 = 0, "integer needed by all clients; 0 is accepted by the known ones";
    /// Jobs of an organisation that are kept or running.
    JOBS_MAX: usize = 1_000, "own decision";
}
