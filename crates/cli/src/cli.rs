//! The command line: nouns from the API's description, and commands of our own.

use crate::auth::{Auth, Profiles};
use crate::bulk::Bulk;
use crate::context::{Context, Global};
use crate::error::{EXIT_CODES, Failure, Result};
use crate::policy::Policy;
use crate::state::{Apply, Dump};
use crate::tools::{Api, Events};
use crate::{noun, tools};
use clap::{Args, Command, FromArgMatches, Subcommand};
use std::path::PathBuf;

// Commands that are no nouns. (A doc comment would become the help of the program.)
#[derive(Debug, Subcommand)]
enum Own {
    #[command(subcommand)]
    Auth(Auth),
    #[command(subcommand)]
    Profile(Profiles),
    #[command(subcommand)]
    Policy(Policy),
    Apply(Apply),
    Dump(Dump),
    Api(Api),
    /// Check server, TLS, clock, credentials, permissions and agents, each with a hint
    Doctor,
    /// Write man pages, or list every command with its flags
    Docs {
        /// Folder for the man pages; without it the list is printed
        #[arg(short, long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Print a completion script that knows labels and names: source it from the shell's start file
    Completion {
        /// bash, zsh, fish, elvish or powershell
        shell: String,
    },
    /// The version of this program
    Version,
}

// Verbs of rules beyond those of every noun.
#[derive(Debug, Subcommand)]
enum Rules {
    /// Rules that apply to what the body names
    #[command(after_help = "Example:\n  bulkhead rule search --file search.yaml --draft")]
    Search(AboutRules),
    /// Rules that cover the connections of the body
    #[command(after_help = "Example:\n  bulkhead rule coverage --file connections.json")]
    Coverage(AboutRules),
}

#[derive(Debug, Args)]
struct AboutRules {
    /// Body in the form of the API, YAML or JSON, `-` for standard input
    #[arg(short, long, value_name = "FILE")]
    file: String,
    /// The draft in place of the active policy
    #[arg(long)]
    draft: bool,
}

/// Everything that can be typed.
pub(crate) fn command() -> Command {
    let mut command = Command::new("bulkhead")
        .about("The command line of Policy Compute Engines")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(format!(
            "Examples:\n  bulkhead auth login --pce https://pce.example.com:8443 --key api_1234\n  \
             bulkhead workload list --labels app:Shop,env:Prod\n  \
             bulkhead policy diff\n\n{EXIT_CODES}"
        ));
    command = Global::augment_args(command);
    for noun in noun::all() {
        let own = noun.command();
        command = command.subcommand(match noun.name().as_str() {
            "workload" => Bulk::augment_subcommands(own),
            "event" => Events::augment_subcommands(own),
            "rule" => Rules::augment_subcommands(own),
            _ => own,
        });
    }
    Own::augment_subcommands(command)
}

/// Runs what was typed.
pub(crate) async fn run(cx: &Context, matches: &clap::ArgMatches) -> Result {
    let Some((name, below)) = matches.subcommand() else {
        return Err(Failure::usage("name a command; see --help"));
    };
    if let Some(noun) = noun::named(name) {
        return match below.subcommand() {
            Some(("label" | "mode", _)) => crate::bulk::run(cx, typed(below)?).await,
            Some(("follow", _)) => tools::events(cx, typed(below)?).await,
            Some(("search" | "coverage", _)) => rules(cx, typed(below)?).await,
            Some((verb, matches)) => noun::verbs::run(cx, noun, verb, matches).await,
            None => Err(Failure::usage("name a verb; see --help")),
        };
    }
    match typed::<Own>(matches)? {
        Own::Auth(command) => crate::auth::run(cx, command).await,
        Own::Profile(command) => crate::auth::profiles(cx, command),
        Own::Policy(command) => crate::policy::run(cx, command).await,
        Own::Apply(args) => crate::state::apply(cx, args).await,
        Own::Dump(args) => crate::state::dump(cx, args).await,
        Own::Api(args) => tools::api(cx, args).await,
        Own::Doctor => tools::doctor(cx).await,
        Own::Docs { dir: Some(dir) } => tools::man(cx, &dir),
        Own::Docs { dir: None } => crate::complete::write(&tools::tree()),
        Own::Completion { shell } => crate::complete::script(&shell),
        Own::Version => {
            crate::complete::write(&format!("bulkhead {}\n", env!("CARGO_PKG_VERSION")))
        }
    }
}

fn typed<T: FromArgMatches>(matches: &clap::ArgMatches) -> Result<T> {
    T::from_arg_matches(matches).map_err(|e| Failure::usage(e.to_string()))
}

async fn rules(cx: &Context, command: Rules) -> Result {
    let (Rules::Search(args) | Rules::Coverage(args)) = &command;
    let body = noun::body::parse(&args.file, &noun::body::text(&args.file)?)?;
    let side = if args.draft { "draft" } else { "active" };
    let pce = cx.pce()?;
    match command {
        Rules::Search(_) => crate::explain::search(cx, &pce, side, &body).await,
        Rules::Coverage(_) => crate::explain::coverage(cx, &pce, side, &body).await,
    }
}
