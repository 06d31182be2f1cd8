//! The command line.

use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

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
    Serve(Serve),
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

/// How to serve.
#[derive(Debug, Args)]
pub struct Serve {
    /// Directory that holds everything; made when it does not exist.
    #[arg(long)]
    pub data_dir: PathBuf,
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
    /// File with the same settings as the flags, in TOML; flags win.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}
