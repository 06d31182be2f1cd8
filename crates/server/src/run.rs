//! What the program does: serve, back up, restore, add organisations, reset passwords.

use crate::app::App;
use crate::boot;
use crate::clock::{Clock, SystemClock};
use crate::config::{Command, ConfigError, OrgCommand, Serve, UserCommand};
use crate::demo;
use crate::http::{dispatch, listen};
use crate::rate::Rates;
use crate::state::{LoadError, State};
use crate::tls::{Files, TlsError};
use bulkhead_api::{ApiError, limits};
use bulkhead_store::{SqliteStore, StoreError};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store.
    #[error("the data directory cannot be used")]
    Store(#[from] StoreError),
    /// The state in the store.
    #[error("the state cannot be loaded")]
    Load(#[from] LoadError),
    /// Settings.
    #[error("the settings cannot be used")]
    Config(#[from] ConfigError),
    /// Certificates.
    #[error("TLS cannot be set up")]
    Tls(#[from] TlsError),
    /// The operation table.
    #[error("the operation table is broken")]
    Routes(#[from] dispatch::RouteError),
    /// A listener.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// A file.
    #[error("cannot write `{}`", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    /// The runtime.
    #[error("cannot start")]
    Runtime(#[source] std::io::Error),
    /// A change of the state.
    #[error("{}", message(.0))]
    Change(ApiError),
    /// A write to the disk failed in a way that leaves open what it holds.
    #[error("a write to the database failed: start the server again, it recovers by itself")]
    Unsure,
    /// Flags that do not go together.
    #[error("{0}")]
    Usage(String),
}

fn message(e: &ApiError) -> String {
    e.items().iter().map(|i| i.message.as_str()).collect::<Vec<_>>().join("; ")
}

impl From<ApiError> for RunError {
    fn from(e: ApiError) -> Self {
        Self::Change(e)
    }
}

/// Runs a command to its end.
///
/// # Errors
/// [`RunError`], whose text says what to do.
pub fn command(command: Command) -> Result<(), RunError> {
    match command {
        Command::Serve(serve) => {
            log();
            let ready = prepare(serve.resolve()?)?;
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()
                .map_err(RunError::Runtime)?;
            runtime.block_on(run(ready))
        }
        Command::Backup { data_dir, file } => {
            bulkhead_store::backup(&data_dir, &file)?;
            Ok(())
        }
        Command::Restore { data_dir, file } => {
            bulkhead_store::restore(&file, &data_dir)?;
            Ok(())
        }
        Command::Org(OrgCommand::Add { data_dir, name, email }) => {
            print(&boot::add_org(&*open(&data_dir)?, &name, &email)?)
        }
        Command::User(UserCommand::ResetPassword { data_dir, email }) => {
            print(&boot::reset_password(&*open(&data_dir)?, &email)?)
        }
    }
}

fn print(out: &serde_json::Value) -> Result<(), RunError> {
    writeln!(std::io::stdout(), "{out:#}").map_err(|e| RunError::File("standard output".into(), e))
}

fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("BULKHEAD_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,bulkhead_server=info"));
    let result = tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
    // A second initialisation in one process (tests) keeps the first.
    drop(result);
}

fn open(data_dir: &Path) -> Result<Arc<State>, RunError> {
    let store = Arc::new(SqliteStore::open(data_dir)?);
    Ok(State::load(store, Arc::new(SystemClock))?)
}

/// The name of this host, as certificates and events show it.
fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|s| s.trim().to_owned())
        .ok()
        .filter(|s| !s.is_empty())
        .unwrap_or_else(|| "localhost".into())
}

async fn bind(addr: Option<SocketAddr>) -> Result<Option<(TcpListener, SocketAddr)>, RunError> {
    let Some(addr) = addr else { return Ok(None) };
    let listener = TcpListener::bind(addr).await.map_err(|e| RunError::Listen(addr, e))?;
    let local = listener.local_addr().map_err(|e| RunError::Listen(addr, e))?;
    Ok(Some((listener, local)))
}

/// All that is made before the first connection is accepted.
struct Ready {
    serve: Serve,
    app: Arc<App>,
    files: Files,
    tls: TlsAcceptor,
    login: boot::Login,
}

fn prepare(mut serve: Serve) -> Result<Ready, RunError> {
    if serve.https.is_none() && serve.http.is_none() && serve.agent.is_none() {
        serve.https = Some(SocketAddr::from(([127, 0, 0, 1], 8443)));
        serve.agent = Some(SocketAddr::from(([127, 0, 0, 1], 8444)));
    }
    let state = open(&serve.data_dir)?;
    let demo = demo::wanted(&state, &serve.data_dir, serve.demo)?;
    let files = Files::of(&serve.data_dir);
    let host = host_name();
    files.ensure(&host, SystemClock.now())?;
    let tls = TlsAcceptor::from(files.server_config()?);
    let login = boot::ensure(&state)?;
    if demo {
        demo::load(&state, &login, (&host, &serve.data_dir))?;
    }
    let rate = serve.rate_limit.unwrap_or(limits::RATE_PER_MINUTE_DEFAULT);
    let (routes, rates) = (dispatch::Routes::build()?, Rates::new(rate));
    let app = Arc::new(App::new(state, routes, &host, rates, serve.data_dir.clone()));
    Ok(Ready { serve, app, files, tls, login })
}

async fn run(ready: Ready) -> Result<(), RunError> {
    let Ready { serve, app, files, tls, login } = ready;
    let https = bind(serve.https).await?;
    let http = bind(serve.http).await?;
    let agent = bind(serve.agent).await?;
    let metrics = bind(serve.metrics).await?;
    let url = |scheme: &str, l: &Option<(TcpListener, SocketAddr)>| {
        l.as_ref().map(|(_, a)| format!("{scheme}://{a}"))
    };
    let urls = [url("https", &https), url("http", &http), url("https", &agent)];
    let (stop, stopped) = watch::channel(false);
    let mut servers = tokio::task::JoinSet::new();
    let listeners = [(https, Some(tls.clone())), (http, None), (agent, Some(tls))];
    for (bound, tls) in listeners {
        if let Some((listener, _)) = bound {
            servers.spawn(listen::run(app.clone(), listener, tls, stopped.clone()));
        }
    }
    if let Some((listener, addr)) = metrics {
        tracing::info!(metrics.url = format!("http://{addr}/metrics"), "metrics");
        servers.spawn(crate::metrics::run(app.clone(), listener, stopped.clone()));
    }
    let mut tasks = crate::tasks::start(&app, &stopped);
    servers.spawn(crate::syslog::run(app.clone(), stopped.clone()));
    servers.spawn(crate::authn::upkeep::run(app.clone(), stopped));
    // Who reads the announcement may stop the server at once.
    let signals = (signal_of(SignalKind::terminate())?, signal_of(SignalKind::interrupt())?);
    crate::boot::announce(&app, &serve, &files, (&urls, login)).await?;
    let failed = wait_for_stop(&app.state, signals).await;
    tracing::info!("stopping: open requests may finish");
    stop.send_replace(true);
    while servers.join_next().await.is_some() {}
    while tasks.join_next().await.is_some() {}
    if failed { Err(RunError::Unsure) } else { Ok(()) }
}

fn signal_of(kind: SignalKind) -> Result<Signal, RunError> {
    signal(kind).map_err(RunError::Runtime)
}

/// Waits for a signal, or (`true`) until the store can take no more changes.
async fn wait_for_stop(state: &State, (mut term, mut int): (Signal, Signal)) -> bool {
    tokio::select! {
        _ = term.recv() => false,
        _ = int.recv() => false,
        () = state.fatal.notified() => true,
    }
}
