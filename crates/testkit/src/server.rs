//! The server process: started, watched, stopped, killed and started again.

use crate::client::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a start or a stop may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often something is looked at that is waited for.
const TICK: Duration = Duration::from_millis(5);

/// A temporary directory with the server's data, its bootstrap file and its log.
///
/// Clones are the same directory; it is removed with the last one.
#[derive(Clone, Debug)]
pub struct Home(Arc<TempDir>);

impl Home {
    /// A new, empty one.
    #[track_caller]
    #[expect(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Self {
        Self(Arc::new(tempfile::tempdir().expect("a temporary directory")))
    }

    /// A path inside.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What `--data-dir` is given.
    pub fn data(&self) -> PathBuf {
        self.join("data")
    }

    /// The file that `--bootstrap-out` names.
    pub fn bootstrap(&self) -> PathBuf {
        self.join("bootstrap.json")
    }

    /// All that the servers of this directory wrote to their error stream.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.join("server.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The server's binary, for tests of other crates: `BULKHEAD_PCE` names it, else it lies where cargo puts
/// what it builds for the workspace's tests.
#[track_caller]
pub fn pce_binary() -> PathBuf {
    if let Some(path) = std::env::var_os("BULKHEAD_PCE") {
        return path.into();
    }
    let test = std::env::current_exe().expect("the path of the test");
    let places = test.ancestors().skip(1).take(3).map(|folder| folder.join("bulkhead-pce"));
    let found = places.into_iter().find(|path| path.is_file());
    let Some(path) = found else {
        panic!("no bulkhead-pce; run `cargo build --package bulkhead-server --bin bulkhead-pce`")
    };
    path
}

/// How to start the server.
#[derive(Clone, Debug)]
pub struct Launch {
    bin: PathBuf,
    home: Home,
    wrapper: Vec<String>,
    args: Vec<String>,
    rate_limit: u32,
}

impl Launch {
    /// The binary on a new directory, with a plain HTTP listener and no rate limit.
    ///
    /// Tests of the server pass `env!("CARGO_BIN_EXE_bulkhead-pce")`.
    #[track_caller]
    pub fn new(bin: impl Into<PathBuf>) -> Self {
        Self {
            bin: bin.into(),
            home: Home::new(),
            wrapper: Vec::new(),
            args: Vec::new(),
            rate_limit: 0,
        }
    }

    /// On an existing directory.
    #[must_use]
    pub fn home(mut self, home: &Home) -> Self {
        self.home = home.clone();
        self
    }

    /// With `--rate-limit`.
    #[must_use]
    pub fn rate_limit(mut self, per_minute: u32) -> Self {
        self.rate_limit = per_minute;
        self
    }

    /// With one more flag.
    #[must_use]
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// Below another program, which must start the server as the very process that it was itself.
    #[must_use]
    pub fn wrapper(mut self, command: &[&str]) -> Self {
        self.wrapper = command.iter().map(|s| (*s).to_owned()).collect();
        self
    }

    /// Starts the process without waiting until it serves.
    #[track_caller]
    pub fn spawn(&self) -> Server {
        // A file of an earlier start would be taken for this start's.
        let _ = std::fs::remove_file(self.home.bootstrap());
        let log = File::options().create(true).append(true).open(self.home.join("server.log"));
        let mut words = self.wrapper.iter().map(Into::into).chain([self.bin.clone()]);
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words);
        command.arg("serve").arg("--data-dir").arg(self.home.data());
        command.arg("--bootstrap-out").arg(self.home.bootstrap());
        command.arg("--rate-limit").arg(self.rate_limit.to_string());
        if !self.args.iter().any(|a| a == "--http") {
            command.args(["--http", "127.0.0.1:0"]);
        }
        command.args(&self.args);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.expect("a log file"));
        let child = match command.spawn() {
            Ok(child) => child,
            Err(e) => panic!("cannot start {}: {e}", self.bin.display()),
        };
        Server { launch: self.clone(), child, boot: Value::Null }
    }

    /// Starts the server and waits until it accepts calls; fails the test when it does not.
    #[track_caller]
    pub fn start(&self) -> Server {
        let mut server = self.spawn();
        if let Err(e) = server.wait_until_ready() {
            panic!("the server did not start: {e}; log:\n{}", tail(&self.home.log()));
        }
        server
    }
}

/// A running server; dropping it kills the process.
#[derive(Debug)]
pub struct Server {
    launch: Launch,
    child: Child,
    boot: Value,
}

impl Server {
    /// Starts the binary on a new directory with the defaults of [`Launch`].
    #[track_caller]
    pub fn start(bin: impl Into<PathBuf>) -> Self {
        Launch::new(bin).start()
    }

    /// Waits for the bootstrap file, which the server writes once it accepts calls.
    ///
    /// # Errors
    /// When the process ends before, or a minute has passed.
    pub fn wait_until_ready(&mut self) -> Result<(), String> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let text = std::fs::read_to_string(self.launch.home.bootstrap()).unwrap_or_default();
            if let Ok(boot) = serde_json::from_str(&text) {
                self.boot = boot;
                return Ok(());
            }
            match self.child.try_wait() {
                Ok(None) => sleep(TICK),
                Ok(Some(status)) => return Err(format!("it ended with {status}")),
                Err(e) => return Err(e.to_string()),
            }
        }
        Err(format!("no bootstrap file after {PATIENCE:?}"))
    }

    /// What the bootstrap file says.
    pub fn boot(&self) -> &Value {
        &self.boot
    }

    /// A string of the bootstrap file; empty when it has none.
    pub fn boot_str(&self, name: &str) -> &str {
        self.boot.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The directory.
    pub fn home(&self) -> &Home {
        &self.launch.home
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A client without credentials.
    pub fn anonymous(&self) -> Client {
        Client::anonymous(self.boot_str("http_url"))
    }

    /// A client with the owner's API key.
    pub fn client(&self) -> Client {
        self.anonymous().with(self.boot_str("api_key"), self.boot_str("api_secret"))
    }

    /// All that was logged in this directory so far.
    pub fn log(&self) -> String {
        self.launch.home.log()
    }

    /// Whether the process still runs.
    pub fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends SIGTERM and returns at once.
    #[track_caller]
    pub fn terminate(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), Signal::TERM).expect("the process runs");
    }

    /// Waits until the process ends; fails the test after a minute.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().expect("the process can be waited for") {
                return status;
            }
            sleep(TICK);
        }
        panic!("the server did not end; log:\n{}", tail(&self.log()));
    }

    /// Sends SIGTERM and fails the test unless the server exits with 0; the directory stays.
    #[track_caller]
    pub fn stop(mut self) -> Home {
        self.terminate();
        let status = self.wait();
        assert!(status.success(), "SIGTERM ended in {status}; log:\n{}", tail(&self.log()));
        self.launch.home.clone()
    }

    /// Kills the process with SIGKILL; the directory stays.
    #[track_caller]
    pub fn kill(mut self) -> Home {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("the process can be waited for");
        self.launch.home.clone()
    }

    /// Stops the server and starts it on the same directory.
    #[track_caller]
    pub fn restart(self) -> Self {
        let launch = self.launch.clone();
        self.stop();
        launch.start()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            // The test has failed already; a closed stream adds nothing.
            let _ = writeln!(std::io::stderr(), "--- end of the server's log\n{}", tail(&log));
        }
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the binary to its end and returns what it wrote.
#[track_caller]
pub fn run(bin: impl AsRef<Path>, args: &[&str]) -> Output {
    Command::new(bin.as_ref())
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("the program can be started")
}

/// The last lines, cut to what a person reads.
fn tail(log: &str) -> String {
    let mut lines: Vec<String> =
        log.lines().rev().take(12).map(|l| l.chars().take(300).collect()).collect();
    lines.reverse();
    lines.join("\n")
}
