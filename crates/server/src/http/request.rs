//! What a handler knows of its request.

use crate::app::App;
use crate::authn::Caller;
use crate::authz::Client;
use crate::render::{Caps, View};
use crate::txn::{Origin, Txn};
use crate::world::{SYSTEM, Side, World};
use bulkhead_api::{Action, ApiError, Operation, Role, RoleSet, operations};
use bulkhead_ids::{Id, IdStyle, Kind, PolicyVersion};
use bytes::Bytes;
use serde_json::{Map, Value};
use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};
use uuid::Uuid;

/// Who may change objects of a kind, by kind.
static WRITERS: LazyLock<Vec<RoleSet>> = LazyLock::new(|| {
    let update = |kind: &Kind| {
        let row = operations().iter().find(|o| o.kind == Some(*kind) && o.action == Action::Update);
        row.map(|o| o.access.roles).unwrap_or_default()
    };
    Kind::ALL.iter().map(update).collect()
});

/// A request that passed routing, authentication, permission and schema.
pub struct Cx {
    /// The server.
    pub app: Arc<App>,
    /// The row of the operation table.
    pub op: &'static Operation,
    /// The path's parameters, decoded.
    pub params: Vec<(String, String)>,
    /// The query's parameters, decoded.
    pub query: Vec<(String, String)>,
    /// The parsed body; null without one.
    pub body: Value,
    /// The body as sent.
    pub raw: Bytes,
    /// Who calls; nobody for operations without credentials.
    pub caller: Option<Caller>,
    /// The same, for the audit trail.
    pub origin: Arc<Origin>,
    /// The organisation of the path, 0 for global paths.
    pub org: u32,
    /// Its state.
    pub world: Arc<World>,
    /// Whether the client asked for an asynchronous answer.
    pub respond_async: bool,
    /// The `Authorization` header, for logins.
    pub authorization: Option<String>,
    /// The client's address.
    pub peer: IpAddr,
    /// The connection and what proxies say of the client, for what depends on an organisation.
    pub client: Client,
    /// Set by a handler that wrote the event of its refusal itself.
    pub recorded: AtomicBool,
}

impl Cx {
    /// A parameter of the path.
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str()).unwrap_or_default()
    }

    /// A parameter of the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    /// The policy version of the path; draft for paths without one.
    ///
    /// # Errors
    /// `NotFound` for a segment that is no version, or a version that does not exist.
    pub fn pv(&self) -> Result<PolicyVersion, ApiError> {
        let Some((_, s)) = self.params.iter().find(|(k, _)| k == "pv") else {
            return Ok(PolicyVersion::Draft);
        };
        let pv: PolicyVersion = s.parse().map_err(|_| ApiError::NotFound)?;
        match pv {
            PolicyVersion::Number(n) if n == 0 || n > self.world.version => Err(ApiError::NotFound),
            _ => Ok(pv),
        }
    }

    /// The side of the policy that the path means.
    ///
    /// # Errors
    /// As [`Cx::pv`].
    pub fn side(&self) -> Result<Side, ApiError> {
        Ok(match self.pv()? {
            PolicyVersion::Draft => Side::Draft,
            PolicyVersion::Active | PolicyVersion::Number(_) => Side::Active,
        })
    }

    /// The id of a kind from a parameter of the path.
    ///
    /// # Errors
    /// `NotFound` for a segment that is no id of that kind.
    pub fn id(&self, kind: Kind, param: &str) -> Result<Id, ApiError> {
        let s = self.param(param);
        let id = match kind.id_style() {
            IdStyle::Singleton => Some(Id::SINGLETON),
            IdStyle::Int if s.starts_with('0') || s.starts_with('+') => None,
            IdStyle::Int => s.parse().ok().map(Id::int),
            IdStyle::Uuid => Uuid::try_parse(s).ok().map(Id::uuid),
            IdStyle::Text => Some(Id::text(s)),
        };
        id.ok_or(ApiError::NotFound)
    }

    /// The body as an object.
    pub fn object(&self) -> Map<String, Value> {
        self.body.as_object().cloned().unwrap_or_default()
    }

    /// The body as a list.
    pub fn items(&self) -> &[Value] {
        self.body.as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// The caller's roles in the organisation of the path.
    pub fn roles(&self) -> RoleSet {
        self.caller.as_ref().map(|c| c.roles).unwrap_or_default()
    }

    /// The organisation that events about the PCE itself go to: one that the caller owns, else one
    /// where it has a role.
    pub fn home(&self) -> Option<u32> {
        let orgs = &self.caller.as_ref()?.orgs;
        let owned = orgs.iter().find(|(_, roles)| roles.has(Role::Owner));
        owned.or(orgs.first()).map(|(org, _)| *org)
    }

    /// The organisations that the caller owns.
    pub fn owned(&self) -> impl Iterator<Item = u32> {
        let orgs = self.caller.as_ref().map(|c| c.orgs.as_slice()).unwrap_or_default();
        orgs.iter().filter(|(_, roles)| roles.has(Role::Owner)).map(|(org, _)| *org)
    }

    /// What the caller may do with objects of a kind.
    pub fn caps(&self, kind: Kind) -> Caps {
        let roles = self.roles();
        let write = WRITERS.get(kind as usize).is_some_and(|writers| writers.meets(roles));
        Caps { write, provision: may_provision(kind, roles) }
    }

    /// A view on the version that the path means.
    ///
    /// # Errors
    /// As [`Cx::pv`].
    pub fn view<'a>(&self, world: &'a World, kind: Kind) -> Result<View<'a>, ApiError> {
        Ok(View { world, pv: self.pv()?, caps: self.caps(kind), usage: false })
    }

    /// The world in which to read: that of a past version where the path names one.
    ///
    /// # Errors
    /// As [`Cx::pv`]; `Unavailable` when the store fails.
    pub async fn world(&self) -> Result<Arc<World>, ApiError> {
        match self.pv()? {
            PolicyVersion::Number(n) => self.app.world_at(&self.world, n).await,
            _ => Ok(self.world.clone()),
        }
    }

    /// Refuses writes to anything but the draft.
    ///
    /// # Errors
    /// 406 with token `policy_version_not_writable` (own choice: the product's is not documented).
    pub fn draft_only(&self) -> Result<(), ApiError> {
        match self.pv()? {
            PolicyVersion::Draft => Ok(()),
            pv => Err(ApiError::invalid(
                "policy_version_not_writable",
                format!("only the draft can be changed, not `{pv}`: use sec_policy/draft"),
            )),
        }
    }

    /// Changes the organisation of the path and waits until that is durable; the event of the
    /// change is named, as a rule `&cx.op.event`.
    ///
    /// # Errors
    /// Those of the change.
    pub async fn write<T>(
        &self,
        event_type: &str,
        change: impl FnOnce(&mut Txn<'_>) -> Result<T, ApiError>,
    ) -> Result<(T, Arc<World>), ApiError> {
        self.app
            .state
            .write(self.org, &self.origin, |txn| {
                txn.event_type = Some(event_type.to_owned());
                // Changes of the PCE itself are told in the caller's organisation.
                if let (SYSTEM, Some(home)) = (self.org, self.home()) {
                    txn.event_in(home);
                }
                change(txn)
            })
            .await
    }
}

/// A whole number in a parameter of the query.
///
/// # Errors
/// `input_validation_error` that names the parameter.
pub fn whole_number(name: &str, text: &str) -> Result<usize, ApiError> {
    text.parse().map_err(|_| ApiError::input(format!("`{name}` is a whole number, 0 or more")))
}

/// Whether a role may provision objects of a kind.
///
/// Source: REST API guide 25.2, role descriptions.
pub fn may_provision(kind: Kind, roles: RoleSet) -> bool {
    let global =
        matches!(kind, Kind::IpList | Kind::Service | Kind::LabelGroup | Kind::FirewallSettings);
    let rules = matches!(kind, Kind::RuleSet | Kind::SecRule | Kind::DenyRule | Kind::IpTablesRule);
    roles.has(Role::Owner)
        || roles.has(Role::Admin)
        || (global && roles.has(Role::GlobalObjectProvisioner))
        || (rules && roles.has(Role::RulesetProvisioner))
}
