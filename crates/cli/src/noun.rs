//! The nouns: one for each kind of object, made from the API's own description of it.
//!
//! Which verbs a noun has, which filters its list takes and which fields tables show all follow from
//! `bulkhead_api::descriptors`; nothing here is about one kind alone.

pub(crate) mod body;
pub(crate) mod find;
pub(crate) mod verbs;

use bulkhead_api::{Action, Descriptor, Match, descriptor, operations};
use bulkhead_ids::{IdStyle, Kind, Place};
use bulkhead_sdk::Pce;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command};

use crate::error::{Failure, Result};

/// Columns of tables, where an object has them, in this order.
const COLUMNS: &[&str] = &[
    "name",
    "key",
    "value",
    "hostname",
    "username",
    "display_name",
    "event_type",
    "timestamp",
    "status",
    "severity",
    "version",
    "commit_message",
    "public_ip",
    "labels",
    "enforcement_mode",
    "enabled",
    "providers",
    "consumers",
    "ingress_services",
    "job_type",
    "update_type",
];
/// Filters whose names are taken by flags of all commands.
const TAKEN: &[&str] = &["all", "active", "parent", "max-results", "pversion"];

/// A kind of object on the command line.
#[derive(Clone, Copy)]
pub(crate) struct Noun {
    pub(crate) kind: Kind,
    pub(crate) described: &'static Descriptor,
}

/// Every kind that has operations, in alphabetical order.
pub(crate) fn all() -> impl Iterator<Item = Noun> {
    let nouns = Kind::ALL.iter().filter_map(|kind| Noun::of(*kind));
    nouns.filter(|noun| !noun.described.operations.is_empty() && noun.kind != Kind::PolicyVersion)
}

/// The noun with that name.
pub(crate) fn named(name: &str) -> Option<Noun> {
    all().find(|noun| noun.name() == name)
}

impl Noun {
    pub(crate) fn of(kind: Kind) -> Option<Self> {
        descriptor(kind).map(|described| Self { kind, described })
    }

    /// The word on the command line.
    pub(crate) fn name(self) -> String {
        match self.kind {
            Kind::SecRule => "rule".to_owned(),
            Kind::EnforcementBoundary => "boundary".to_owned(),
            Kind::OrgSettings => "org-settings".to_owned(),
            kind => kind.name().replace('_', "-"),
        }
    }

    pub(crate) fn can(self, verb: &str) -> bool {
        self.described.operations.contains_key(verb)
    }

    pub(crate) fn single(self) -> bool {
        self.kind.id_style() == IdStyle::Singleton
    }

    pub(crate) fn columns(self) -> Vec<&'static str> {
        let own = |name: &&&str| self.has(name);
        COLUMNS.iter().filter(own).copied().chain(["href"]).collect()
    }

    /// All fields with one value, for wide tables.
    pub(crate) fn wide(self) -> Vec<&'static str> {
        let mut columns = self.columns();
        let simple = |schema: &serde_json::Value| schema.get("properties").is_none();
        for (name, field) in &self.described.fields {
            if field.in_answers() && simple(&field.schema) && !columns.contains(&name.as_str()) {
                columns.push(name);
            }
        }
        columns
    }

    pub(crate) fn has(self, name: &str) -> bool {
        self.described.fields.get(name).is_some_and(|field| field.in_answers())
            || name == "update_type" && self.described.versioned()
    }

    /// The path of the collection, or of the object where there is one only.
    pub(crate) fn path(self, pce: &Pce, side: &str, parent: Option<&str>) -> Result<String> {
        let collection = self.kind.collection();
        Ok(match self.kind.place() {
            Place::Org => format!("/orgs/{}/{collection}", pce.org_id()),
            Place::Policy => format!("/orgs/{}/sec_policy/{side}/{collection}", pce.org_id()),
            Place::Under(kind) => match parent {
                Some(href) => format!("{href}/{collection}"),
                None => {
                    let text = format!("{} live under a {}; add --parent", collection, kind.name());
                    return Err(Failure::usage(text));
                }
            },
            Place::Global | Place::Internal => format!("/{collection}"),
        })
    }

    /// Its part of the command line.
    pub(crate) fn command(self) -> Command {
        let name = self.name();
        let mut command = Command::new(name.clone())
            .about(self.described.title.clone())
            .long_about(self.described.doc.clone())
            .subcommand_required(true)
            .arg_required_else_help(true);
        // Two kinds of keys share a collection's name.
        if self.kind.collection() != self.kind.name() && self.kind != Kind::ServiceAccountKey {
            command = command.alias(self.kind.collection().replace('_', "-"));
        }
        for verb in ["list", "get", "create", "update", "delete"] {
            if self.can(verb) {
                command = command.subcommand(self.verb(verb));
            }
        }
        if self.exchanged() {
            command = command.subcommand(self.export()).subcommand(self.import());
        }
        command
    }

    /// Whether it can be exported to CSV and imported from it.
    pub(crate) fn exchanged(self) -> bool {
        self.can("list") && self.can("create") && self.can("update") && self.kind.parent().is_none()
    }

    fn verb(self, verb: &'static str) -> Command {
        let name = self.name();
        let title = self.described.title.to_lowercase();
        let mut command = Command::new(verb);
        let about = match verb {
            "list" => format!("List every {title} that matches"),
            "get" => format!("Show a {title}"),
            "create" => format!("Create a {title}"),
            "update" => format!("Change a {title}: what is not named stays"),
            _ => format!("Delete a {title}"),
        };
        let example = match verb {
            "list" => format!("bulkhead {name} list -o json"),
            "get" if self.single() => format!("bulkhead {name} get -o yaml"),
            "get" => format!("bulkhead {name} get HREF -o yaml"),
            "create" => format!("bulkhead {name} create --file new.yaml"),
            "update" if self.single() => format!("bulkhead {name} update --set field=value"),
            "update" => format!("bulkhead {name} update HREF --set description=checked"),
            _ => format!("bulkhead {name} delete HREF --yes"),
        };
        command = command.about(about).after_help(format!("Example:\n  {example}"));
        if self.kind.parent().is_some() && matches!(verb, "list" | "create") {
            let help = "Href of the object that they live under";
            command = command.arg(Arg::new("parent").long("parent").value_name("HREF").help(help));
        }
        if self.described.versioned() && matches!(verb, "list" | "get") {
            command = command.arg(flag("active", "The active policy in place of the draft"));
        }
        if !self.single() && matches!(verb, "get" | "update" | "delete") {
            let help = "Href, name, or key:value of a label";
            command = command.arg(
                Arg::new("object")
                    .value_name("OBJECT")
                    .help(help)
                    .required(true)
                    .add(crate::complete::objects(self)),
            );
        }
        match verb {
            "list" => self.filters(command),
            "create" | "update" => body_args(command),
            _ => command,
        }
    }

    fn filters(self, command: Command) -> Command {
        let help = "All of them, through an asynchronous job";
        let mut command = command.arg(flag("all", help)).arg(value(
            "max-results",
            "N",
            "At most that many; the server cuts at 500 by itself",
        ));
        for (name, filter) in &self.described.filters {
            let names = match filter.matches {
                Match::Range => vec![format!("{name}[gte]"), format!("{name}[lte]")],
                _ => vec![name.clone()],
            };
            for name in names {
                let long = flag_name(&name);
                if TAKEN.contains(&long.as_str()) {
                    continue;
                }
                let mut arg = Arg::new(name.clone()).long(long).alias(name).value_name("VALUE");
                if !filter.doc.is_empty() {
                    arg = arg.help(filter.doc.clone());
                }
                arg = match filter.matches {
                    Match::Labels => arg
                        .action(ArgAction::Append)
                        .value_name("KEY:VALUE,...")
                        .help("Labels that are all there; several times: any of these sets")
                        .add(crate::complete::labels()),
                    _ => match words(filter.schema.as_ref()) {
                        Some(words) => arg.value_parser(PossibleValuesParser::new(words)),
                        None => arg,
                    },
                };
                command = command.arg(arg);
            }
        }
        for name in self.common() {
            command =
                command.arg(Arg::new(name).long(flag_name(name)).alias(name).value_name("VALUE"));
        }
        command
    }

    /// Filters that many lists have and no descriptor names.
    pub(crate) fn common(self) -> impl Iterator<Item = &'static str> {
        let list =
            operations().iter().find(|o| o.kind == Some(self.kind) && o.action == Action::List);
        let query = list.map(|operation| operation.query.as_slice()).unwrap_or_default();
        let own = move |name: &str| self.described.filters.contains_key(name);
        let all = ["external_data_set", "external_data_reference", "include_deleted"];
        all.into_iter()
            .filter(move |name| !own(name) && query.iter().any(|(known, _)| known == name))
    }

    fn export(self) -> Command {
        let about = format!("Write every {} as CSV", self.described.title.to_lowercase());
        let example = format!("bulkhead {} export --file all.csv", self.name());
        Command::new("export").about(about).after_help(format!("Example:\n  {example}")).arg(value(
            "file",
            "FILE",
            "File to write; standard output unless named",
        ))
    }

    fn import(self) -> Command {
        let name = self.name();
        Command::new("import")
            .about("Create and change objects as a CSV file says; shows the changes, acts with --apply")
            .after_help(format!("Example:\n  bulkhead {name} import --file all.csv --apply"))
            .arg(value("file", "FILE", "File to read, `-` for standard input").required(true))
            .arg(flag("apply", "Make the changes"))
            .arg(value("report", "FILE", "Write one CSV line for each row: what was done, or why not"))
    }
}

fn body_args(command: Command) -> Command {
    let file = Arg::new("file").short('f').long("file").value_name("FILE");
    command
        .arg(file.help("YAML or JSON file with the fields, `-` for standard input"))
        .arg(value("json", "JSON", "The fields as JSON"))
        .arg(
            value("set", "FIELD=VALUE", "One field; JSON, or else text; several times")
                .action(ArgAction::Append),
        )
}

/// A flag without value.
pub(crate) fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).help(help).action(ArgAction::SetTrue)
}

/// A flag with a value.
pub(crate) fn value(name: &'static str, what: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(what).help(help)
}

/// The flag for a query parameter: `timestamp[gte]` is `--timestamp-gte`.
fn flag_name(parameter: &str) -> String {
    parameter.replace(['_', '['], "-").replace(']', "")
}

/// The words that a filter takes, from its schema.
fn words(schema: Option<&'static serde_json::Value>) -> Option<Vec<String>> {
    let resolved = bulkhead_api::resolved(schema?);
    if resolved.get("type").and_then(|t| t.as_str()) == Some("boolean") {
        return Some(vec!["true".to_owned(), "false".to_owned()]);
    }
    let list = resolved.get("enum")?.as_array()?;
    Some(list.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect())
}
