//! API keys: 256 random bits behind a prefix people recognise; only the hash is kept.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::error::ApiError;
use super::extract::bearer;
use super::{Edge, access};
use crate::desk::act::Actor;
use crate::desk::reach;
use crate::domain::role::{Reach, Right};
use crate::domain::team::Agent;
use crate::domain::time::{Clock, Timestamp};
use crate::store::ApiKey;

/// What every key begins with.
pub const KEY_PREFIX: &str = "flk_";
const SHOWN_CHARS: usize = 12;

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Send customers' messages.
    Messages,
    /// Read cases and customers.
    CasesRead,
    /// Act on cases.
    CasesWrite,
    /// Say whose an address is, and which customers are one person.
    Customers,
    /// Approve or refuse the writes that wait for a person.
    Approvals,
    /// Search the knowledge base.
    Knowledge,
    /// Read `/metrics`.
    Metrics,
    /// Read the measures.
    Reports,
    /// Everything.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 9] = [
        Self::Messages,
        Self::CasesRead,
        Self::CasesWrite,
        Self::Customers,
        Self::Approvals,
        Self::Knowledge,
        Self::Metrics,
        Self::Reports,
        Self::Admin,
    ];

    /// The name used on the command line and in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::CasesRead => "cases:read",
            Self::CasesWrite => "cases:write",
            Self::Customers => "customers",
            Self::Approvals => "approvals",
            Self::Knowledge => "knowledge",
            Self::Metrics => "metrics",
            Self::Reports => "reports",
            Self::Admin => "admin",
        }
    }

    /// What a person must be allowed to do for their own key to do it. People do not speak for customers.
    fn right(self) -> Right {
        match self {
            Self::CasesRead | Self::Knowledge => Right::SeeCases,
            Self::CasesWrite => Right::Act,
            Self::Customers => Right::MergeCustomers,
            Self::Approvals => Right::Approve,
            Self::Reports => Right::SeeReports,
            Self::Messages | Self::Metrics | Self::Admin => Right::Administer,
        }
    }

    /// Reads the name used on the command line and in the record.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// A new key: what to store, and the key itself, which is shown once and kept nowhere.
/// Without scopes it may do all but administration. It is a program's own; name a person in `agent` before it is stored
/// and it acts as them, with no more rights than theirs.
pub fn mint(
    clock: &dyn Clock,
    name: &str,
    scopes: &[Scope],
    expires_at: Option<Timestamp>,
) -> (ApiKey, String) {
    let key = format!("{KEY_PREFIX}{}", random_text());
    let all_but_admin = Scope::ALL.into_iter().filter(|scope| *scope != Scope::Admin);
    let scopes = if scopes.is_empty() { all_but_admin.collect() } else { scopes.to_vec() };
    let stored = ApiKey {
        id: clock.new_id().to_string(),
        name: name.to_owned(),
        prefix: key.chars().take(SHOWN_CHARS).collect(),
        hash: hash(&key),
        scopes: scopes.into_iter().map(|scope| scope.as_str().to_owned()).collect(),
        agent: None,
        created_at: clock.now(),
        expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    (stored, key)
}

/// 256 random bits as text.
pub(super) fn random_text() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<32>())
}

/// So many random bytes.
pub(super) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    // Without randomness from the system no secret may be made; there is nothing to fall back to.
    while getrandom::fill(&mut bytes).is_err() {
        std::thread::yield_now();
    }
    bytes
}

/// SHA-256 in hexadecimal: enough for 256 random bits, which cannot be guessed.
pub(super) fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// Who calls with a key: a program of its own, or a person by a program of theirs.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    key: Arc<ApiKey>,
    person: Option<Agent>,
    reach: Reach,
}

impl Caller {
    async fn of(edge: &Edge, key: Arc<ApiKey>) -> Result<Self, ApiError> {
        let Some(id) = &key.agent else { return Ok(Self { key, person: None, reach: Reach::All }) };
        // Never remembered: what was taken from a person is taken from their keys at once.
        let person = edge.app.store.agent(id).await?.ok_or_else(|| {
            ApiError::unauthorized("the person this API key belongs to has no account any more")
        })?;
        let reach = reach::of(&person, &edge.app.config);
        Ok(Self { key, person: Some(person), reach })
    }

    /// Refuses a key that was not given this scope, and one of a person whose role does not allow what it stands for.
    pub(super) fn may(&self, scope: Scope) -> Result<(), ApiError> {
        self.demand(scope, scope.right())
    }

    /// Refuses a key that was not given this scope, and one of a person whose role lacks this right.
    pub(super) fn demand(&self, scope: Scope, right: Right) -> Result<(), ApiError> {
        let granted = |wanted: Scope| self.key.scopes.iter().any(|scope| scope == wanted.as_str());
        if !granted(scope) && !granted(Scope::Admin) {
            let name = scope.as_str();
            return Err(ApiError::forbidden(format!(
                "this key has no scope `{name}`; make one with `firstline key add --scope {name}`"
            )));
        }
        self.person.as_ref().map_or(Ok(()), |person| access::demand(person, right))
    }

    /// The same caller as the record has them now, while their key is in force and they may read cases.
    pub(super) async fn again(&self, edge: &Edge) -> Result<Option<Self>, ApiError> {
        let now = edge.app.clock.now();
        let key = edge.app.store.key_by_hash(&self.key.hash, now).await?.filter(|key| key.in_force(now));
        let Some(key) = key else { return Ok(None) };
        match Self::of(edge, Arc::new(key)).await {
            Ok(caller) => Ok(caller.may(Scope::CasesRead).is_ok().then_some(caller)),
            Err(error) if error.status == StatusCode::UNAUTHORIZED => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The person for whom the key acts.
    pub(super) fn person(&self) -> Option<&Agent> {
        self.person.as_ref()
    }

    /// Which cases the caller reaches.
    pub(super) fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Who acts when this caller acts on a case.
    pub(super) fn actor(&self) -> Actor {
        match &self.person {
            Some(person) => Actor::Agent(person.id.clone()),
            None => Actor::Program(self.key.name.clone()),
        }
    }
}

impl FromRequestParts<Arc<Edge>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, edge: &Arc<Edge>) -> Result<Self, ApiError> {
        let key = bearer(parts).filter(|key| key.starts_with(KEY_PREFIX)).ok_or_else(|| {
            ApiError::unauthorized(
                "send an API key as `Authorization: Bearer flk_…`; `firstline key add` makes one",
            )
        })?;
        let hash = hash(key);
        let now = edge.app.clock.now();
        if let Some(known) = edge.keys.get(&hash)
            && known.in_force(now)
        {
            return Self::of(edge, known).await;
        }
        let refuse =
            |why: String| ApiError::unauthorized(format!("{why}; `firstline key add` makes a new one"));
        let key = edge.app.store.key_by_hash(&hash, now).await?;
        let key = key.ok_or_else(|| refuse("this API key is unknown".to_owned()))?;
        // Whoever shows the whole key may know what became of it.
        if key.revoked_at.is_some() {
            return Err(refuse("this API key was revoked".to_owned()));
        }
        if let Some(at) = key.expires_at.filter(|at| *at <= now) {
            return Err(refuse(format!("this API key expired at {at}")));
        }
        let key = Arc::new(key);
        edge.keys.insert(hash, key.clone());
        Self::of(edge, key).await
    }
}
