//! Signing in by the identity provider: there, and back with an answer that belongs to this very browser.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::super::Edge;
use super::super::error::ApiError;
use super::super::extract::{Asked, Peer};
use super::super::keys::{hash, random_text};
use super::super::oidc::{Back, Bound, OidcError, Subject};
use super::accounts::{self, AccountError, NewAgent, Office};
use super::cookie::{self, Purpose};
use super::sign_in;
use crate::domain::team::Agent;
use crate::store::{Proof, ProviderRequest};

/// How long somebody may take at the provider.
const WAITS_MS: i64 = 600_000;
/// How the log of accounts calls the provider.
const BY: &str = "identity provider";
const LOGIN_CHARS: usize = 12;

/// Goes to the provider.
pub(super) async fn leave(
    State(edge): State<Arc<Edge>>,
    Peer(address): Peer,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if !edge.app.config.console.oidc.configured() {
        return Err(ApiError::not_found("identity provider; set [console.oidc]"));
    }
    let now = edge.app.clock.now();
    edge.sign_ins.count(address, now).map_err(|seconds| {
        ApiError::too_many(format!("too many tries; try again in {seconds} s"), seconds)
    })?;
    sign_in::demand_privacy(&edge, &headers)?;
    let (state, nonce, verifier, browser) = (random_text(), random_text(), random_text(), random_text());
    let bound = Bound { state: &state, nonce: &nonce, verifier: &verifier };
    let entrance = edge.oidc.entrance(bound, now).await?;
    let request = ProviderRequest {
        state_hash: hash(&state),
        browser_hash: hash(&browser),
        nonce,
        verifier,
        expires_at: now.plus_ms(WAITS_MS),
    };
    edge.app.store.new_provider_request(&request, now).await?;
    let response = Redirect::to(&entrance).into_response();
    Ok(cookie::set(&edge, response, Purpose::Provider, &browser, WAITS_MS / 1000))
}

/// What the provider sends back. It may add what we do not know.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    #[serde(default)]
    state: String,
    code: Option<String>,
    iss: Option<String>,
}

/// Comes back from the provider. An answer counts once, and only in the browser that asked.
pub(super) async fn back(
    State(edge): State<Arc<Edge>>,
    headers: HeaderMap,
    Asked(answer): Asked<Answer>,
) -> Result<Response, ApiError> {
    let now = edge.app.clock.now();
    let request = edge.app.store.take_provider_request(&hash(&answer.state), now).await?;
    let browser = hash(&cookie::value(&edge, &headers, Purpose::Provider).unwrap_or_default());
    let same =
        |request: &ProviderRequest| bool::from(request.browser_hash.as_bytes().ct_eq(browser.as_bytes()));
    let request = request.filter(same).ok_or_else(|| {
        ApiError::forbidden("this sign-in was not begun here, was used before, or took too long; begin again")
    })?;
    let Some(code) = &answer.code else {
        return Err(ApiError::forbidden("the identity provider did not sign you in; begin again"));
    };
    let back =
        Back { code, issuer: answer.iss.as_deref(), nonce: &request.nonce, verifier: &request.verifier };
    let subject = edge.oidc.identify(back, now).await?;
    let agent = account(&edge, &subject).await?;
    let response = sign_in::begin(&edge, &headers, &agent, Proof::Provider).await?;
    Ok(cookie::clear(&edge, response, Purpose::Provider))
}

/// Whose account a subject is: by issuer and subject alone, never by a name or an address.
async fn account(edge: &Edge, subject: &Subject) -> Result<Agent, ApiError> {
    let oidc = &edge.app.config.console.oidc;
    let store = &edge.app.store;
    if let Some(known) = store.agent_by_subject(&oidc.issuer, &subject.id).await? {
        return Ok(known);
    }
    let Some(role) = oidc.provisioned() else {
        return Err(ApiError::forbidden(format!(
            "nobody here knows you yet: an administrator links your account to the subject `{}`",
            subject.id
        )));
    };
    let office = Office { store, clock: &*edge.app.clock, by: BY };
    let digest = hash(&format!("{} {}", oidc.issuer, subject.id));
    let login = format!("sso-{}", digest.chars().take(LOGIN_CHARS).collect::<String>());
    let name = subject.shown.clone().unwrap_or_else(|| login.clone());
    let new = NewAgent { login: login.clone(), name, role, teams: Vec::new(), languages: Vec::new() };
    match accounts::provision(office, new).await {
        Ok(_) => accounts::link(office, &login, &oidc.issuer, &subject.id).await?,
        // Another process, or another window, was first.
        Err(AccountError::Taken(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let known = store.agent_by_subject(&oidc.issuer, &subject.id).await?;
    known.ok_or_else(|| ApiError::forbidden("your account here was unlinked; ask an administrator"))
}

impl From<OidcError> for ApiError {
    fn from(error: OidcError) -> Self {
        match &error {
            OidcError::Provider(_) => Self::new(StatusCode::BAD_GATEWAY, "provider", error.to_string()),
            OidcError::Code | OidcError::Token(_) => Self::forbidden(error.to_string()),
        }
    }
}
