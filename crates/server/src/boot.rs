//! First start: organisation 1, its owner and the built-in objects; and what the server says of itself.

use crate::app::App;
use crate::authn;
use crate::authn::password;
use crate::config::Serve;
use crate::doc::Val;
use crate::resource::crud;
use crate::run::RunError;
use crate::state::State;
use crate::tls::Files;
use crate::txn::{Origin, Txn};
use crate::world::{Obj, SYSTEM, Side};
use bulkhead_api::{ApiError, Role, descriptors};
use bulkhead_ids::{Id, IdStyle, Kind, Place};
use serde_json::{Map, Value, json};
use std::io::{IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The e-mail address of the owner that the first start makes.
const OWNER_EMAIL: &str = "owner@bulkhead.local";
/// The file in the data directory that keeps the first owner's password for the bootstrap file.
const PASSWORD_FILE: &str = "owner-password";

/// The owner of organisation 1: who gets the bootstrap key.
pub struct Login {
    /// The user.
    pub user: Id,
    /// Its e-mail address.
    pub email: String,
    /// The password, when this start made it.
    pub password: Option<String>,
}

fn object(v: Value) -> Map<String, Value> {
    match v {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Makes organisation 1 with its owner on the first start; finds the owner on later ones.
///
/// # Errors
/// When the store cannot be written.
pub fn ensure(state: &State) -> Result<Login, ApiError> {
    let system = state.world(SYSTEM).ok_or(ApiError::NotFound)?;
    let owner = system.objects(Side::Draft, Kind::User).find(|u| u.doc.is("_first"));
    if let Some(user) = owner {
        let email = user.doc.str("username").unwrap_or_default().to_owned();
        return Ok(Login { user: user.id, email, password: None });
    }
    let (user, password) = make_org(state, 1, "Bulkhead", OWNER_EMAIL)?;
    Ok(Login { user, email: OWNER_EMAIL.to_owned(), password: Some(password) })
}

/// Makes a further organisation with an owner of its own.
///
/// # Errors
/// 406 when the e-mail address is taken.
pub fn add_org(state: &State, name: &str, email: &str) -> Result<Value, ApiError> {
    ensure(state)?;
    let system = state.world(SYSTEM).ok_or(ApiError::NotFound)?;
    let last = system.rows(Kind::Org).filter_map(|(id, _)| id.as_int()).max().unwrap_or(1);
    let org = u32::try_from(last + 1).map_err(|_| ApiError::input("too many organisations"))?;
    let (user, password) = make_org(state, org, name, email)?;
    let origin = Origin::default();
    let ((key, secret), _) = state.write_blocking(SYSTEM, &origin, |txn| {
        authn::new_key(txn, user, "bootstrap", "made with the organisation")
    })?;
    Ok(json!({
        "org_id": org,
        "email": email,
        "password": password,
        "api_key": format!("{}{key}", authn::KEY_PREFIX),
        "api_secret": secret,
    }))
}

/// Gives a local user a new password, for owners who cannot sign in any more.
///
/// # Errors
/// 406 when there is no such local user.
pub fn reset_password(state: &State, email: &str) -> Result<Value, ApiError> {
    let system = state.world(SYSTEM).ok_or(ApiError::NotFound)?;
    let user = authn::login::find(&system, email).filter(|u| u.doc.str("type") == Some("local"));
    let user = user.ok_or_else(|| ApiError::input(format!("there is no local user `{email}`")))?;
    let password = new_password()?;
    let hash = password::hash(&password)?;
    let home = user.doc.list("_orgs").first().and_then(|org| match org {
        Val::Int(org) => u32::try_from(*org).ok(),
        _ => None,
    });
    state.write_blocking(SYSTEM, &Origin::default(), |txn| {
        authn::login::put_password(txn, user.id, &hash, None)?;
        authn::login::patch(
            txn,
            user.id,
            object(json!({"locked": false, "_locked_until_us": null})),
        )?;
        txn.event_type = Some("user.reset_password".into());
        let info = json!({"user": {"href": format!("/users/{}", user.id.as_int().unwrap_or_default()),
            "username": user.doc.str("username")}});
        txn.notifications.push(crate::audit::notification("user.pw_reset_completed", info));
        if let Some(home) = home {
            txn.event_in(home);
        }
        Ok(())
    })?;
    Ok(json!({"email": user.doc.str("username"), "password": password}))
}

fn make_org(state: &State, org: u32, name: &str, email: &str) -> Result<(Id, String), ApiError> {
    let password = new_password()?;
    let hash = password::hash(&password)?;
    let origin = Origin::default();
    state.add_org(org);
    // The organisation's own objects come first: a crash between the two leaves an organisation that
    // nobody owns yet, which the next start completes.
    if state.world(org).is_none_or(|w| w.version == 0) {
        state.write_blocking(org, &origin, |txn| fill(txn, email))?;
    }
    let (user, _) = state.write_blocking(SYSTEM, &origin, |txn| {
        system_objects(txn, org, name)?;
        let body = object(json!({
            "username": email,
            "type": "local",
            "full_name": "Owner",
            "_password": hash,
            "_password_us": txn.now.as_microsecond(),
            "_orgs": [org],
            "_first": org == 1,
        }));
        Ok(crud::create(txn, Kind::User, None, body)?.id)
    })?;
    Ok((user, password))
}

fn system_objects(txn: &mut Txn<'_>, org: u32, name: &str) -> Result<(), ApiError> {
    if txn.world.get(Kind::PasswordPolicy, Id::SINGLETON).is_none() {
        crud::create(txn, Kind::PasswordPolicy, None, Map::new())?;
    }
    let now = txn.time();
    let doc = json!({"name": name, "display_name": name, "created_at": now, "updated_at": now});
    txn.save(Obj::new(Kind::Org, Id::int(org.into()), None, Val::from_json(&doc)));
    Ok(())
}

/// A password that passes the default policy: 24 characters of three classes.
fn new_password() -> Result<String, ApiError> {
    let failed = |e: getrandom::Error| ApiError::Internal(format!("no randomness: {e}"));
    let hex = crate::clock::hex(&crate::clock::random::<11>().map_err(failed)?);
    Ok(format!("B1{hex}"))
}

/// Fills a new organisation with what every organisation has from the start, all of it provisioned.
///
/// Source: names of default objects as public clients look them up (illumio-py, workloader, pylo);
/// ruleset `Default`: reading R-DEFAULT.
fn fill(txn: &mut Txn<'_>, owner: &str) -> Result<(), ApiError> {
    for (kind, d) in descriptors() {
        let once = kind.id_style() == IdStyle::Singleton && kind.place() != Place::Global;
        if once && !d.fields.is_empty() {
            crud::create(txn, kind, None, Map::new())?;
        }
    }
    label_dimensions(txn)?;
    let builtin = |mut v: Value| {
        v.as_object_mut().map(|m| m.insert("_builtin".into(), true.into()));
        object(v)
    };
    let any = builtin(json!({
        "name": "Any (0.0.0.0/0 and ::/0)",
        "ip_ranges": [{"from_ip": "0.0.0.0/0"}, {"from_ip": "::/0"}],
    }));
    let any = crud::create(txn, Kind::IpList, None, any)?;
    let all = builtin(json!({"name": "All Services", "service_ports": [{"proto": -1}]}));
    let all = crud::create(txn, Kind::Service, None, all)?;
    let rule_set = object(json!({"name": "Default", "enabled": true, "scopes": [[]]}));
    let rule_set = crud::create(txn, Kind::RuleSet, None, rule_set)?;
    let href = |txn: &Txn<'_>, o: &Obj| crate::audit::href_of(&txn.world, o).to_string();
    let rule = object(json!({
        "enabled": true,
        "providers": [{"ip_list": {"href": href(txn, &any)}}],
        "consumers": [{"actors": "ams"}],
        "ingress_services": [{"href": href(txn, &all)}],
        "resolve_labels_as": {"providers": ["workloads"], "consumers": ["workloads"]},
        "unscoped_consumers": false,
    }));
    crud::create(txn, Kind::SecRule, Some(rule_set.id), rule)?;
    let profile = object(json!({"name": "Default (Servers)", "enabled": true, "is_default": true}));
    crud::create(txn, Kind::PairingProfile, None, profile)?;
    for name in ["Corporate", "External"] {
        let network = builtin(json!({"name": name, "data_center": name, "managed_by": "system"}));
        crud::create(txn, Kind::Network, None, network)?;
    }
    local_syslog(txn)?;
    grants(txn, owner)?;
    crate::policy::provision_all(txn, "Built-in objects")
}

/// The destination that is always there: the log of this host.
fn local_syslog(txn: &mut Txn<'_>) -> Result<(), ApiError> {
    let body = object(json!({
        "pce_scope": [],
        "type": "local_syslog",
        "description": "Local",
        "audit_event_logger": {
            "configuration_event_included": true,
            "system_event_included": true,
            "min_severity": "informational",
        },
        "traffic_event_logger": {
            "traffic_flow_allowed_event_included": false,
            "traffic_flow_potentially_blocked_event_included": false,
            "traffic_flow_blocked_event_included": false,
        },
        "node_status_logger": {"node_status_included": false},
    }));
    crud::create(txn, Kind::SyslogDestination, None, body).map(|_| ())
}

fn label_dimensions(txn: &mut Txn<'_>) -> Result<(), ApiError> {
    let builtin = [
        ("role", "Role", "Roles", "R", "#4c6ef5"),
        ("app", "Application", "Applications", "A", "#12b886"),
        ("env", "Environment", "Environments", "E", "#f59f00"),
        ("loc", "Location", "Locations", "L", "#e64980"),
    ];
    for (n, (key, name, plural, initial, colour)) in (1_i64..).zip(builtin) {
        let body = object(json!({
            "key": key,
            "display_name": name,
            "display_info": {
                "icon": key,
                "initial": initial,
                "background_color": colour,
                "foreground_color": "#ffffff",
                "display_name_plural": plural,
                "sort_ordinal": n * 1_000_000,
            },
            "external_data_set": "defaults.illumio.com",
            "external_data_reference": format!("{key}_label_dimension"),
            "_builtin": true,
        }));
        crud::create(txn, Kind::LabelDimension, None, body)?;
    }
    Ok(())
}

/// The owner's grant, and the read-only grant that users without one of their own have.
fn grants(txn: &mut Txn<'_>, owner: &str) -> Result<(), ApiError> {
    let org = txn.world.org;
    for (name, role) in [(json!(owner), Role::Owner), (Value::Null, Role::ReadOnly)] {
        let principal = object(json!({"name": name, "display_name": name, "type": "user"}));
        let principal = crud::create(txn, Kind::AuthSecurityPrincipal, None, principal)?;
        let href = crate::audit::href_of(&txn.world, &principal).to_string();
        let permission = object(json!({
            "role": {"href": format!("/orgs/{org}/roles/{}", role.name())},
            "scope": [],
            "auth_security_principal": {"href": href},
        }));
        crud::create(txn, Kind::Permission, None, permission)?;
    }
    Ok(())
}

/// Writes the bootstrap file and, on a terminal, what to do first.
///
/// # Errors
/// When the file cannot be written.
pub async fn announce(
    app: &App,
    serve: &Serve,
    files: &Files,
    (urls, login): (&[Option<String>; 3], Login),
) -> Result<(), RunError> {
    let kept = serve.data_dir.join(PASSWORD_FILE);
    if let Some(p) = &login.password {
        write_secret(&kept, p)?;
    }
    let terminal = std::io::stderr().is_terminal();
    if serve.bootstrap_out.is_none() && !terminal {
        return Ok(());
    }
    // A key for every start at a terminal would be one too many: later ones name the login only.
    let with_key = serve.bootstrap_out.is_some() || login.password.is_some();
    let password = login.password.or_else(|| std::fs::read_to_string(&kept).ok());
    let mut made = None;
    if with_key {
        let origin = Origin::default();
        let key = |txn: &mut Txn<'_>| {
            authn::new_key(txn, login.user, "bootstrap", "made at the start of the server")
        };
        made = Some(app.state.write(SYSTEM, &origin, key).await?.0);
    }
    let [https, http, agent] = urls;
    let ca = std::fs::canonicalize(&files.ca_cert)
        .map_err(|e| RunError::File(files.ca_cert.clone(), e))?;
    let out = json!({
        "https_url": https,
        "http_url": http,
        "agent_url": agent,
        "ca_file": ca,
        "org_id": 1,
        "email": login.email,
        "password": password,
        "api_key": made.as_ref().map(|(key, _)| format!("{}{key}", authn::KEY_PREFIX)),
        "api_secret": made.as_ref().map(|(_, secret)| secret),
    });
    if let Some(file) = &serve.bootstrap_out {
        write_secret(file, &format!("{out:#}\n"))?;
    }
    if terminal {
        let text = welcome(&out, serve.demo, login.user);
        // A closed terminal is no reason to stop serving.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
    Ok(())
}

/// Writes a file that only its owner may read; it appears whole or not at all.
fn write_secret(path: &Path, text: &str) -> Result<(), RunError> {
    let failed = |e| RunError::File(path.to_owned(), e);
    let part = path.with_extension("part");
    // A file left by a start that was killed is of no use.
    let _ = std::fs::remove_file(&part);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&part)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&part, path).map_err(failed)
}

/// What a person at the terminal is told: where the server is, the login, and a first command.
fn welcome(out: &Value, demo: bool, user: Id) -> String {
    let s = |k: &str| out.get(k).and_then(Value::as_str).unwrap_or_default();
    let url = [s("https_url"), s("http_url")].into_iter().find(|u| !u.is_empty()).unwrap_or("-");
    let mut text = format!(
        "\n  Bulkhead is running at {url}\n\n  login     {}\n  password  {}\n",
        s("email"),
        s("password"),
    );
    let ca = s("ca_file");
    let curl = format!("curl --cacert {ca} -H 'Content-Type: application/json' \\\n     ");
    let key = format!("-u {}:{}", s("api_key"), s("api_secret"));
    let (what, command) = match (s("api_key").is_empty(), demo) {
        (true, _) => (
            "Make an API key",
            format!(
                "-u {}:{} -d '{{\"name\":\"first\"}}' {url}/api/v2/users/{}/api_keys",
                s("email"),
                s("password"),
                user.as_int().unwrap_or_default(),
            ),
        ),
        (false, true) => (
            "See what waits to be provisioned",
            format!("{key} {url}/api/v2/orgs/1/sec_policy/pending"),
        ),
        (false, false) => (
            "Make a label",
            format!("{key} -d '{{\"key\":\"app\",\"value\":\"HRM\"}}' {url}/api/v2/orgs/1/labels"),
        ),
    };
    if !s("api_key").is_empty() {
        text += &format!("  API key   {}\n  secret    {}\n", s("api_key"), s("api_secret"));
    }
    text + &format!("  CA        {ca}\n\n  {what}:\n\n    {curl} {command}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_welcome_names_a_first_command() {
        let mut out = json!({
            "https_url": "https://127.0.0.1:8443", "http_url": null, "ca_file": "/d/tls/ca.pem",
            "email": "owner@example.com", "password": "secret", "api_key": "api_1", "api_secret": "s",
        });
        let text = welcome(&out, true, Id::int(1));
        let want = "    curl --cacert /d/tls/ca.pem -H 'Content-Type: application/json' \\\n      -u \
            api_1:s https://127.0.0.1:8443/api/v2/orgs/1/sec_policy/pending\n";
        assert!(text.contains(want), "{text}");
        assert!(welcome(&out, false, Id::int(1)).contains("/orgs/1/labels"));
        out["api_key"] = Value::Null;
        out["api_secret"] = Value::Null;
        let later = welcome(&out, true, Id::int(1));
        assert!(
            later.contains("-u owner@example.com:secret") && later.contains("/users/1/api_keys")
        );
        assert!(!later.contains("API key  "), "{later}");
    }
}
