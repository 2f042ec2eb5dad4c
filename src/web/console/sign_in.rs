//! Signing in and out: an opaque session in a cookie, rotated at sign-in, known to the record by its hash only.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Form;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;
use subtle::ConstantTimeEq;

use super::super::Edge;
use super::super::access;
use super::super::error::ApiError;
use super::super::extract::{Peer, bytes};
use super::super::keys::{hash, random_text};
use super::accounts;
use crate::desk::reach;
use crate::domain::role::{Reach, Right, may};
use crate::domain::team::Agent;
use crate::store::CaseFile;

const PAGE: &str = concat!(include_str!("head.html"), include_str!("login.html"), include_str!("foot.html"));
pub(super) const FIELD_CHARS_MAX: usize = 200;

/// An agent who signed in, and the token that their forms carry.
pub(super) struct SignedIn {
    pub(super) agent: Agent,
    pub(super) reach: Reach,
    pub(super) csrf: String,
    token_hash: String,
}

impl SignedIn {
    /// Refuses somebody whose role lacks a right.
    pub(super) fn demand(&self, right: Right) -> Result<(), ApiError> {
        access::demand(&self.agent, right)
    }

    /// Whether their role gives them a right, for a page that shows only what they may do.
    pub(super) fn may(&self, right: Right) -> bool {
        may(self.agent.role, right)
    }

    /// A case within their reach, if they may read cases at all.
    pub(super) async fn case(&self, edge: &Edge, id: &str) -> Result<Arc<CaseFile>, ApiError> {
        self.demand(Right::SeeCases)?;
        access::case(edge, id, &self.reach).await
    }
}

/// `__Host-` cookies need https; on a plain loopback address the name is plain.
fn cookie_name(edge: &Edge) -> &'static str {
    if edge.origins.https() { "__Host-firstline" } else { "firstline_session" }
}

fn cookie(edge: &Edge, value: &str, seconds: i64) -> Option<HeaderValue> {
    let secure = if edge.origins.https() { "; Secure" } else { "" };
    let name = cookie_name(edge);
    HeaderValue::from_str(&format!(
        "{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}"
    ))
    .ok()
}

fn token(edge: &Edge, headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == cookie_name(edge)).map(|(_, value)| value.to_owned())
}

/// What a form of this session carries: nobody without the cookie can know it.
fn csrf(token: &str) -> String {
    hash(&format!("csrf:{token}"))
}

impl FromRequestParts<Arc<Edge>> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, edge: &Arc<Edge>) -> Result<Self, Response> {
        let away = || Redirect::to("/console/login").into_response();
        let token = token(edge, &parts.headers).ok_or_else(away)?;
        let token_hash = hash(&token);
        let session = edge.app.store.session(&token_hash, edge.app.clock.now()).await;
        let session = session.map_err(|error| ApiError::from(error).into_response())?.ok_or_else(away)?;
        let reach = reach::of(&session.agent, &edge.app.config);
        Ok(Self { agent: session.agent, reach, csrf: csrf(&token), token_hash })
    }
}

/// The fields of a form that this very site's page sent; anything else is refused.
async fn fields(edge: &Arc<Edge>, request: Request) -> Result<BTreeMap<String, String>, ApiError> {
    if !edge.origins.same(request.headers()) {
        return Err(ApiError::forbidden(
            "this form did not come from this site; open the console and try again",
        ));
    }
    let mut whole = Request::new(Body::default());
    *whole.method_mut() = request.method().clone();
    *whole.headers_mut() = request.headers().clone();
    *whole.body_mut() = Body::from(bytes(request, edge).await?);
    let form = Form::<BTreeMap<String, String>>::from_request(whole, &()).await;
    form.map(|form| form.0)
        .map_err(|error| ApiError::invalid(format!("this is not a form: {}", error.body_text())))
}

/// The fields of a form that was sent under this session.
pub(super) async fn form(
    edge: &Arc<Edge>,
    signed_in: &SignedIn,
    request: Request,
) -> Result<BTreeMap<String, String>, ApiError> {
    let fields = fields(edge, request).await?;
    let carried = fields.get("csrf").map(String::as_bytes).unwrap_or_default();
    if !bool::from(carried.ct_eq(signed_in.csrf.as_bytes())) {
        return Err(ApiError::forbidden(
            "this form is from an earlier sign-in; reload the page and try again",
        ));
    }
    Ok(fields)
}

/// Counts a try of a password from an address.
pub(super) fn throttled(edge: &Edge, address: std::net::IpAddr) -> Result<(), ApiError> {
    edge.sign_ins.count(address, edge.app.clock.now()).map_err(|seconds| {
        ApiError::too_many(format!("too many tries from this address; try again in {seconds} s"), seconds)
    })
}

/// The page to sign in.
pub(super) async fn page(State(edge): State<Arc<Edge>>) -> Result<Response, ApiError> {
    shown(&edge, None)
}

fn shown(edge: &Edge, wrong: Option<&str>) -> Result<Response, ApiError> {
    let business = &edge.app.config.business.name;
    super::page(edge, PAGE, &json!({"business": business, "title": "Sign in", "wrong": wrong}))
}

/// Signs in. What came before under this cookie ends: a session is never carried over.
pub(super) async fn enter(
    State(edge): State<Arc<Edge>>,
    Peer(address): Peer,
    request: Request,
) -> Result<Response, ApiError> {
    throttled(&edge, address)?;
    let earlier = token(&edge, request.headers());
    let mut fields = fields(&edge, request).await?;
    let mut field =
        |name| fields.remove(name).filter(|text: &String| text.chars().count() <= FIELD_CHARS_MAX);
    let (Some(login), Some(password)) = (field("login"), field("password")) else {
        return Err(ApiError::invalid("send `login` and `password`"));
    };
    let Some(agent) = accounts::prove(&edge.app.store, login.trim(), password).await? else {
        let mut response = shown(&edge, Some("The login or the password is wrong."))?;
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        return Ok(response);
    };
    if let Some(earlier) = earlier {
        edge.app.store.end_session(&hash(&earlier)).await?;
    }
    begin(&edge, &agent).await
}

/// Begins a session and leads to the console.
pub(super) async fn begin(edge: &Edge, agent: &Agent) -> Result<Response, ApiError> {
    let (token, lasts_ms) = (random_text(), edge.app.config.console.session_ms);
    let until = edge.app.clock.now().plus_ms(lasts_ms);
    edge.app.store.new_session(&hash(&token), &agent.id, until).await?;
    Ok(with_cookie(Redirect::to("/console").into_response(), cookie(edge, &token, lasts_ms / 1000)))
}

/// Signs out.
pub(super) async fn leave(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    request: Request,
) -> Result<Response, ApiError> {
    form(&edge, &signed_in, request).await?;
    edge.app.store.end_session(&signed_in.token_hash).await?;
    Ok(with_cookie(Redirect::to("/console/login").into_response(), cookie(&edge, "", 0)))
}

fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
