//! Sign-in and profiles. Secrets come from a prompt or from standard input, never from flags.

use crate::context::Context;
use crate::error::{Failure, Result};
use crate::output::Printer;
use crate::profile::{Config, Profile, Secret, save_secrets, secrets};
use clap::Subcommand;
use serde_json::json;
use std::io::{IsTerminal, Read};

/// Sign in and out
#[derive(Debug, Subcommand)]
pub(crate) enum Auth {
    /// Keep the address of a PCE and an API key under a profile; the secret is asked for, or read from
    /// standard input
    #[command(
        after_help = "Example:\n  bulkhead auth login --profile lab --pce https://pce.lab:8443 \
        --ca-file ca.pem --key api_1234 < secret.txt"
    )]
    Login {
        /// API key, or user name
        #[arg(long)]
        key: String,
    },
    /// Whether the PCE answers and accepts the credentials
    Status,
    /// Forget the secret of a profile
    Logout,
}

/// Named PCEs
#[derive(Debug, Subcommand)]
pub(crate) enum Profiles {
    /// List the profiles
    List,
    /// Use a profile when none is named
    Use {
        /// Its name
        name: String,
    },
    /// Forget a profile and its secret
    Remove {
        /// Its name
        name: String,
    },
}

fn name(cx: &Context, config: &Config) -> String {
    let named = cx.global.profile.clone().or(config.default.clone());
    named.unwrap_or_else(|| "default".to_owned())
}

pub(crate) async fn run(cx: &Context, command: Auth) -> Result {
    let config = Config::load()?;
    let name = name(cx, &config);
    match command {
        Auth::Login { key } => login(cx, config, name, key).await,
        Auth::Status => match cx.pce()?.must_connect().await {
            Ok(()) => {
                cx.say("signed in");
                Ok(())
            }
            Err(error) => Err(error.into()),
        },
        Auth::Logout => {
            let mut all = secrets()?;
            if all.remove(&name).is_none() {
                return Err(Failure::failed(format!("profile `{name}` has no secret")));
            }
            save_secrets(&all)?;
            cx.say(format!("the secret of `{name}` is forgotten; the key itself still exists"));
            Ok(())
        }
    }
}

async fn login(cx: &Context, mut config: Config, name: String, key: String) -> Result {
    let known = config.profiles.get(&name).cloned().unwrap_or_default();
    let profile = Profile {
        url: cx.global.pce.clone().unwrap_or(known.url),
        org: cx.global.org.or(known.org),
        ca_file: cx.global.ca_file.clone().or(known.ca_file),
        insecure: cx.global.insecure || known.insecure,
        proxy: known.proxy,
    };
    if profile.url.is_empty() {
        return Err(Failure::usage("say where the PCE is: --pce URL"));
    }
    let secret = secret(cx)?;
    let mut builder = bulkhead_sdk::Pce::builder(&profile.url).org(profile.org.unwrap_or(1));
    builder = builder.api_key(key.as_str(), secret.as_str());
    if let Some(path) = &profile.ca_file {
        builder = builder.ca_file(path);
    }
    if profile.insecure {
        builder = builder.verify(bulkhead_sdk::Verify::Off);
    }
    builder.build()?.must_connect().await?;
    config.profiles.insert(name.clone(), profile);
    config.default.get_or_insert_with(|| name.clone());
    let mut all = secrets()?;
    all.insert(name.clone(), Secret { key, secret });
    save_secrets(&all)?;
    config.save()?;
    cx.say(format!("signed in; kept as profile `{name}`"));
    Ok(())
}

fn secret(cx: &Context) -> Result<String> {
    let mut text = String::new();
    if !std::io::stdin().is_terminal() {
        std::io::stdin().lock().read_to_string(&mut text)?;
    } else if cx.global.no_input {
        return Err(Failure::usage("give the secret on standard input"));
    } else {
        text = rpassword::prompt_password("Secret: ")?;
    }
    match text.trim() {
        "" => Err(Failure::usage("the secret is empty")),
        secret => Ok(secret.to_owned()),
    }
}

pub(crate) fn profiles(cx: &Context, command: Profiles) -> Result {
    let mut config = Config::load()?;
    let known = |config: &Config, name: &str| match config.profiles.contains_key(name) {
        true => Ok(()),
        false => Err(Failure::usage(format!("no profile `{name}`"))),
    };
    match command {
        Profiles::List => {
            let mut printer =
                Printer::new(&cx.style, &["name", "default", "url", "org", "ca_file"]);
            for (name, profile) in &config.profiles {
                let mut row = serde_json::to_value(profile).unwrap_or_default();
                if let Some(row) = row.as_object_mut() {
                    let default = config.default.as_ref() == Some(name);
                    row.insert("name".to_owned(), json!(name));
                    row.insert("default".to_owned(), json!(default));
                }
                printer.row(&row)?;
            }
            printer.finish()
        }
        Profiles::Use { name } => {
            known(&config, &name)?;
            config.default = Some(name);
            config.save()
        }
        Profiles::Remove { name } => {
            known(&config, &name)?;
            config.profiles.remove(&name);
            config.default = config.default.filter(|default| *default != name);
            let mut all = secrets()?;
            all.remove(&name);
            save_secrets(&all)?;
            config.save()
        }
    }
}
