//! What every command needs: the PCE, how to print, whether to ask. Order: flag, environment, profile.

use crate::error::{Failure, Result};
use crate::output::{Format, Style};
use crate::profile::{Config, secrets};
use bulkhead_sdk::{Pce, PceBuilder, Verify};
use clap::Args;
use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Flags of every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Profile of the configuration file
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Address of the PCE: a name or a URL
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) pce: Option<String>,
    /// Organisation
    #[arg(long, global = true, value_name = "N")]
    pub(crate) org: Option<u32>,
    /// PEM file with the CA of the PCE's certificate
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Do not check the PCE's certificate
    #[arg(long, global = true)]
    pub(crate) insecure: bool,
    /// Seconds to wait for the next byte of an answer
    #[arg(long, global = true, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
    /// Form of the output
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
    /// Fields to show, with dots for parts of fields
    #[arg(long, global = true, value_name = "A,B", value_delimiter = ',')]
    pub(crate) fields: Vec<String>,
    /// No line with the names of the columns
    #[arg(long, global = true)]
    pub(crate) no_header: bool,
    /// Say nothing but results and errors
    #[arg(long, global = true)]
    pub(crate) quiet: bool,
    /// Log what is done; twice: every call, without secrets
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Do not ask before changes
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,
    /// Never ask; what would need an answer fails
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// Show what would be sent, and send nothing
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,
}

/// The global flags, made usable.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) style: Style,
}

impl Context {
    pub(crate) fn new(global: Global) -> Self {
        let style = Style {
            format: global.output.unwrap_or_default(),
            fields: global.fields.clone(),
            header: !global.no_header,
        };
        Self { global, style }
    }

    /// The client.
    pub(crate) fn pce(&self) -> Result<Pce> {
        let mut builder = self.builder()?;
        let g = &self.global;
        if let Some(org) = g.org {
            builder = builder.org(org);
        }
        if let Some(path) = &g.ca_file {
            builder = builder.ca_file(path);
        }
        if g.insecure {
            builder = builder.verify(Verify::Off);
        }
        if let Some(seconds) = g.timeout {
            builder = builder.timeout(Duration::from_secs(seconds));
        }
        Ok(builder.build()?)
    }

    fn builder(&self) -> Result<PceBuilder> {
        let env = |name: &str| std::env::var(name).ok();
        let named = self.global.profile.is_some();
        if !named && (self.global.pce.is_some() || env("ILLUMIO_PCE_HOST").is_some()) {
            let pce = self.global.pce.clone();
            return Ok(PceBuilder::from_vars(|name| match name {
                "ILLUMIO_PCE_HOST" => pce.clone().or_else(|| env(name)),
                // A port of the environment belongs to the host of the environment.
                "ILLUMIO_PCE_PORT" if pce.is_some() => None,
                _ => env(name),
            })?);
        }
        let config = Config::load()?;
        let name = self.global.profile.clone().or(config.default.clone());
        let Some(name) = name else {
            let text = "no PCE; set ILLUMIO_PCE_HOST, or run `bulkhead auth login --pce URL`";
            return Err(Failure::usage(text));
        };
        let Some(profile) = config.profiles.get(&name) else {
            return Err(Failure::usage(format!(
                "no profile `{name}`; see `bulkhead profile list`"
            )));
        };
        let mut builder = Pce::builder(self.global.pce.as_deref().unwrap_or(&profile.url));
        builder = builder.org(profile.org.unwrap_or(1));
        if let Some(path) = &profile.ca_file {
            builder = builder.ca_file(path);
        }
        if profile.insecure {
            builder = builder.verify(Verify::Off);
        }
        if let Some(proxy) = &profile.proxy {
            builder = builder.proxies(Some(proxy), Some(proxy));
        }
        let key = (env("ILLUMIO_API_KEY_USERNAME"), env("ILLUMIO_API_KEY_SECRET"));
        Ok(match (key, secrets()?.get(&name)) {
            ((Some(key), Some(secret)), _) => builder.api_key(key, secret),
            (_, Some(own)) => builder.api_key(own.key.as_str(), own.secret.as_str()),
            _ => builder,
        })
    }

    /// A remark for people, on the error stream.
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        if !self.global.quiet {
            // There is nowhere to complain.
            let _ = writeln!(std::io::stderr(), "{}", text.as_ref());
        }
    }

    /// Progress of long work, in one line that is written over; only for people.
    pub(crate) fn progress(&self, what: &str, done: usize, all: Option<usize>) {
        if self.global.quiet || !std::io::stderr().is_terminal() {
            return;
        }
        let bar = match all.filter(|all| *all > 0) {
            Some(all) => {
                let filled = (done * 30 / all).min(30);
                format!("[{}{}] {done}/{all}", "#".repeat(filled), ".".repeat(30 - filled))
            }
            None => done.to_string(),
        };
        let end = if all == Some(done) { "\n" } else { "" };
        let _ = write!(std::io::stderr(), "\r{what} {bar}{end}");
    }

    /// Asks before a change; without a terminal only `--yes` answers.
    pub(crate) fn confirm(&self, question: &str) -> Result {
        if self.global.yes {
            return Ok(());
        }
        if self.global.no_input || !std::io::stdin().is_terminal() {
            let text = format!("{question} Nothing was changed; add --yes to go ahead");
            return Err(Failure::usage(text));
        }
        write!(std::io::stderr(), "{question} [y/N] ")?;
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        match matches!(answer.trim(), "y" | "Y" | "yes") {
            true => Ok(()),
            false => Err(Failure::failed("not confirmed; nothing was changed")),
        }
    }
}
