//! Which crate may use which: the dependency directions of the workspace, as data.
//!
//! Crates are named by their folder. A crate exists to forbid a dependency, so an edge that is
//! not here is an error, and so is a crate without a row. Change a row only together with the
//! reason in `ARCHITECTURE.md` or an ADR.

/// What one crate of the workspace may depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// Folder name under `crates/`, or the folder at the root.
    pub(super) name: &'static str,
    /// Crates of ours that it may use.
    pub(super) may_use: &'static [&'static str],
    /// Crates of ours that its tests may use besides, in `[dev-dependencies]`.
    pub(super) tests_may_use: &'static [&'static str],
    /// Outside crates that must not be in its manifest, with the reason.
    pub(super) never_direct: &'static [Ban],
    /// Outside crates that must not be reached by any path, with the reason.
    pub(super) never_reached: &'static [Ban],
}

/// A group of outside crates and why they are not wanted.
pub(super) type Ban = (&'static [&'static str], &'static str);

/// What the tests of every crate may use.
pub(super) const TESTS_MAY_USE: &[&str] = &["testkit"];

/// Crates that only tests and benchmarks may use: never in `[dependencies]` of another one.
pub(super) const TEST_ONLY: &[&str] = &["testkit", "oracle", "worldgen"];

/// Outside crates that one crate alone may name in its manifest.
pub(super) const ONLY_IN: &[(&[&str], &[&str], &str)] = &[(
    SQL_CRATES,
    // The benchmarks read the same bytes from SQLite to have something to compare with.
    &["store", "bench"],
    "only `store` holds SQL; ask it through `Store`",
)];

const SQL_CRATES: &[&str] = &[
    "deadpool-postgres",
    "diesel",
    "libsqlite3-sys",
    "postgres",
    "r2d2",
    "rusqlite",
    "sqlx",
    "tokio-postgres",
];

const NO_SQL: Ban = (SQL_CRATES, "this crate knows no SQL");

const NO_NETWORK: Ban = (
    &[
        "async-std",
        "axum",
        "h2",
        "hyper",
        "hyper-util",
        "mio",
        "quinn",
        "reqwest",
        "rustls",
        "smol",
        "socket2",
        "tokio",
        "tower-http",
        "ureq",
    ],
    "this crate does no I/O and is not async",
);

const NO_HTTP: Ban = (
    &["axum", "h2", "http", "hyper", "hyper-util", "reqwest", "tower-http", "ureq"],
    "this crate knows nothing of HTTP",
);

const NO_CLOCK_OR_CHANCE: Ban = (
    &["chrono", "fastrand", "getrandom", "jiff", "oorandom", "rand", "time", "uuid"],
    "this crate is a pure function of its input: no clock, no randomness",
);

const NO_SYSTEM: Ban = (
    &["libc", "netlink-sys", "nix", "procfs", "rtnetlink", "rustix"],
    "only the agent's drivers touch processes and the kernel",
);

const PURE: &[Ban] = &[NO_NETWORK, NO_SQL];

/// The table, lowest crates first.
pub(super) const TABLE: &[Row] = &[
    Row {
        name: "ids",
        may_use: &[],
        tests_may_use: &[],
        never_direct: &[NO_SYSTEM],
        never_reached: PURE,
    },
    Row {
        name: "netset",
        may_use: &[],
        tests_may_use: &[],
        never_direct: &[NO_SYSTEM, NO_CLOCK_OR_CHANCE],
        never_reached: PURE,
    },
    Row {
        name: "api",
        may_use: &["ids", "netset"],
        tests_may_use: &[],
        never_direct: &[NO_SYSTEM],
        never_reached: PURE,
    },
    Row {
        name: "model",
        may_use: &["ids", "netset"],
        tests_may_use: &[],
        never_direct: &[NO_SYSTEM, NO_CLOCK_OR_CHANCE],
        never_reached: PURE,
    },
    Row {
        name: "engine",
        may_use: &["ids", "netset", "model"],
        tests_may_use: &["oracle", "worldgen"],
        never_direct: &[NO_SYSTEM, NO_CLOCK_OR_CHANCE],
        never_reached: PURE,
    },
    Row {
        name: "oracle",
        may_use: &["ids", "netset", "model"],
        tests_may_use: &["worldgen"],
        never_direct: &[NO_SYSTEM, NO_CLOCK_OR_CHANCE],
        never_reached: PURE,
    },
    Row {
        name: "flows",
        may_use: &["ids", "netset"],
        tests_may_use: &[],
        never_direct: &[NO_SYSTEM, NO_CLOCK_OR_CHANCE],
        never_reached: PURE,
    },
    Row {
        name: "fwrender",
        may_use: &["ids", "netset", "model"],
        tests_may_use: &["engine", "oracle", "worldgen"],
        never_direct: &[NO_SYSTEM, NO_CLOCK_OR_CHANCE],
        never_reached: PURE,
    },
    Row {
        name: "agentproto",
        may_use: &["ids", "netset", "model"],
        tests_may_use: &[],
        never_direct: &[NO_SYSTEM],
        never_reached: PURE,
    },
    Row {
        name: "store",
        may_use: &["ids", "api", "flows"],
        tests_may_use: &[],
        never_direct: &[],
        never_reached: &[NO_HTTP],
    },
    Row {
        name: "server",
        may_use: &[
            "ids",
            "netset",
            "api",
            "model",
            "engine",
            "flows",
            "fwrender",
            "agentproto",
            "store",
        ],
        tests_may_use: &["sdk", "oracle", "worldgen"],
        never_direct: &[],
        never_reached: &[],
    },
    Row {
        // Makes worlds for tests and benchmarks; its chance comes from a seed that the caller gives.
        name: "worldgen",
        may_use: &["ids", "netset", "model"],
        tests_may_use: &[],
        never_direct: &[NO_SYSTEM],
        never_reached: PURE,
    },
    Row {
        name: "agent",
        may_use: &["agentproto", "fwrender", "flows", "netset", "model"],
        tests_may_use: &[],
        never_direct: &[],
        never_reached: &[NO_SQL],
    },
    Row {
        name: "sdk",
        may_use: &["ids", "api"],
        // Itself with all features on.
        tests_may_use: &["server", "sdk"],
        never_direct: &[],
        never_reached: &[NO_SQL],
    },
    Row {
        name: "cli",
        may_use: &["ids", "sdk", "api"],
        tests_may_use: &["server"],
        never_direct: &[],
        never_reached: &[NO_SQL],
    },
    Row {
        name: "testkit",
        may_use: ALL,
        tests_may_use: &[],
        never_direct: &[],
        never_reached: &[],
    },
    Row { name: "bench", may_use: ALL, tests_may_use: &[], never_direct: &[], never_reached: &[] },
    Row {
        name: "fuzz",
        may_use: &["ids", "netset", "api"],
        tests_may_use: &[],
        never_direct: &[],
        never_reached: &[NO_SQL],
    },
    Row {
        name: "xtask",
        may_use: &["api"],
        tests_may_use: &[],
        never_direct: &[],
        never_reached: &[NO_SQL],
    },
];

const ALL: &[&str] = &[
    "ids",
    "netset",
    "api",
    "model",
    "engine",
    "oracle",
    "worldgen",
    "flows",
    "fwrender",
    "agentproto",
    "store",
    "server",
    "agent",
    "sdk",
    "cli",
    "testkit",
];
