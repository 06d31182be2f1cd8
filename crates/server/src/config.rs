//! The command line.

use clap::{Args, Parser, Subcommand};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Bulkhead's Policy Compute Engine.
#[derive(Debug, Parser)]
#[command(name = "bulkhead-pce", version, about, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  bulkhead-pce serve --data-dir data
  bulkhead-pce serve --data-dir data --https 0.0.0.0:8443 --bootstrap-out login.json
  bulkhead-pce backup --data-dir data --url https://127.0.0.1:8443 backup.db
  bulkhead-pce org add --data-dir data --name 'Second org' --email owner@example.com";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server.
    Serve(ServeArgs),
    /// Copy the database of a running or stopped server to a file.
    Backup {
        /// The data directory of the server.
        #[arg(long)]
        data_dir: PathBuf,
        /// The file to write.
        file: PathBuf,
    },
    /// Put a backup into an empty data directory.
    Restore {
        /// The data directory to fill.
        #[arg(long)]
        data_dir: PathBuf,
        /// The file that `backup` wrote.
        file: PathBuf,
    },
    /// Manage organisations; the server must be stopped.
    #[command(subcommand)]
    Org(OrgCommand),
    /// Manage users; the server must be stopped.
    #[command(subcommand)]
    User(UserCommand),
}

/// What to do with organisations.
#[derive(Debug, Subcommand)]
pub enum OrgCommand {
    /// Make a further organisation with its owner; prints login and API key as JSON.
    Add {
        /// The data directory of the server.
        #[arg(long)]
        data_dir: PathBuf,
        /// The name of the organisation.
        #[arg(long)]
        name: String,
        /// The e-mail address of its owner.
        #[arg(long)]
        email: String,
    },
}

/// What to do with users.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Give a local user a new password, unlock it and end its sessions; prints the login as JSON.
    ResetPassword {
        /// The data directory of the server.
        #[arg(long)]
        data_dir: PathBuf,
        /// The e-mail address of the user.
        #[arg(long)]
        email: String,
    },
}

/// How to serve, as told: by flags, or in the file that `--config` names.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServeArgs {
    /// Directory that holds everything; made when it does not exist.
    #[arg(long, required_unless_present = "config")]
    pub data_dir: Option<PathBuf>,
    /// Address of the HTTPS listener; port 0 lets the system choose.
    #[arg(long, value_name = "ADDR:PORT")]
    pub https: Option<SocketAddr>,
    /// Address of a plain HTTP listener.
    #[arg(long, value_name = "ADDR:PORT")]
    pub http: Option<SocketAddr>,
    /// Address of the listener for agents.
    #[arg(long, value_name = "ADDR:PORT")]
    pub agent: Option<SocketAddr>,
    /// Address of the Prometheus metrics listener.
    #[arg(long, value_name = "ADDR:PORT")]
    pub metrics: Option<SocketAddr>,
    /// File for URLs and a fresh API key, written once the server accepts calls.
    #[arg(long, value_name = "FILE")]
    pub bootstrap_out: Option<PathBuf>,
    /// Requests a minute of each credential; 0 is no limit.
    #[arg(long, value_name = "N")]
    pub rate_limit: Option<u32>,
    /// Fill an empty data directory with a sample organisation.
    #[arg(long)]
    pub demo: bool,
    /// File with the same settings as the flags, in TOML (`data_dir = "data"`); flags win.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
}

/// How to serve.
#[derive(Clone, Debug)]
pub struct Serve {
    /// Directory that holds everything.
    pub data_dir: PathBuf,
    /// Address of the HTTPS listener.
    pub https: Option<SocketAddr>,
    /// Address of a plain HTTP listener.
    pub http: Option<SocketAddr>,
    /// Address of the listener for agents.
    pub agent: Option<SocketAddr>,
    /// Address of the Prometheus metrics listener.
    pub metrics: Option<SocketAddr>,
    /// File for URLs and a fresh API key.
    pub bootstrap_out: Option<PathBuf>,
    /// Requests a minute of each credential; 0 is no limit.
    pub rate_limit: Option<u32>,
    /// Whether an empty data directory is filled with the sample organisation.
    pub demo: bool,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{}`", .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    /// The file holds something else than settings.
    #[error("`{}` is no file of settings", .0.display())]
    Parse(PathBuf, #[source] toml::de::Error),
    /// No data directory is named.
    #[error("give `--data-dir DIR`, or `data_dir` in the file of settings")]
    NoDataDir,
}

impl ServeArgs {
    /// Puts flags and file together; a flag wins over the file.
    ///
    /// # Errors
    /// For a file that cannot be read or names something unknown, and without a data directory.
    pub fn resolve(self) -> Result<Serve, ConfigError> {
        let file = match &self.config {
            Some(path) => read(path)?,
            None => Self::default(),
        };
        Ok(Serve {
            data_dir: self.data_dir.or(file.data_dir).ok_or(ConfigError::NoDataDir)?,
            https: self.https.or(file.https),
            http: self.http.or(file.http),
            agent: self.agent.or(file.agent),
            metrics: self.metrics.or(file.metrics),
            bootstrap_out: self.bootstrap_out.or(file.bootstrap_out),
            rate_limit: self.rate_limit.or(file.rate_limit),
            demo: self.demo || file.demo,
        })
    }
}

fn read(path: &Path) -> Result<ServeArgs, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|e| ConfigError::Read(path.to_owned(), e))?;
    toml::from_str(&text).map_err(|e| ConfigError::Parse(path.to_owned(), e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve(arguments: &[&str]) -> Result<Serve, String> {
        let all = ["bulkhead-pce", "serve"].iter().chain(arguments);
        match Cli::try_parse_from(all).map_err(|e| e.to_string())?.command {
            Command::Serve(args) => args.resolve().map_err(|e| format!("{e:?}")),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn flags_win_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pce.toml");
        std::fs::write(&file, "data_dir = \"a\"\nhttps = \"127.0.0.1:1\"\nrate_limit = 7\n")
            .unwrap();
        let file = file.to_str().unwrap();
        let both = serve(&["--config", file, "--https", "127.0.0.1:2"]).unwrap();
        assert_eq!(both.data_dir, PathBuf::from("a"));
        assert_eq!(both.https.unwrap().port(), 2);
        assert_eq!(both.rate_limit, Some(7));
        std::fs::write(file, "data_dir = \"a\"\nhtps = \"127.0.0.1:1\"\n").unwrap();
        assert!(serve(&["--config", file]).unwrap_err().contains("htps"));
    }

    #[test]
    fn what_cannot_be_served_is_told() {
        assert!(serve(&[]).unwrap_err().contains("--data-dir"));
        assert!(serve(&["--data-dir", "a", "--demo"]).unwrap().demo);
        assert!(serve(&["--config", "/nonexistent/x"]).unwrap_err().contains("Read"));
    }
}
