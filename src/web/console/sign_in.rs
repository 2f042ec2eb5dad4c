//! Signing in and out: an opaque session in a cookie, rotated at sign-in, known to the record by its hash only.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Form;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;
use subtle::ConstantTimeEq;

use super::super::Edge;
use super::super::access;
use super::super::error::ApiError;
use super::super::extract::{Peer, bytes};
use super::super::keys::{hash, random_text};
use super::cookie::{self, Purpose};
use super::{accounts, code, theme};
use crate::config::SecondFactor;
use crate::desk::reach;
use crate::domain::role::{Reach, Right, may};
use crate::domain::team::Agent;
use crate::store::{CaseFile, Lasting, Proof, Session};

const PAGE: &str = include_str!("login.html");
pub(super) const FIELD_CHARS_MAX: usize = 200;

/// Requests that a page makes by itself: they do not keep a session alive.
const BY_ITSELF: [&str; 3] = ["/stream", "/console/offers", "/console/presence"];
/// How a page says so of one that people make too.
const BY_ITSELF_HEADER: &str = "x-by-itself";
/// Where somebody may go who still has to set up the second factor that is asked of everybody.
const SETTING_UP: [&str; 4] =
    ["/console/second-factor", "/console/account", "/console/password", "/console/logout"];
const BROWSER_CHARS_MAX: usize = 60;

/// An agent who signed in, and the token that their forms carry.
pub(super) struct SignedIn {
    pub(super) agent: Agent,
    pub(super) reach: Reach,
    pub(super) csrf: String,
    pub(super) session: Session,
    /// The colours they chose: `light`, `dark`, or empty for what the system says.
    pub(super) theme: &'static str,
    /// The address of the page that they look at, to come back to.
    pub(super) here: String,
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

/// What a form of this session carries: nobody without the cookie can know it.
fn csrf(token: &str) -> String {
    hash(&format!("csrf:{token}"))
}

/// Which sessions still count.
pub(in crate::web) fn lasting(edge: &Edge) -> Lasting {
    let now = edge.app.clock.now();
    Lasting { now, used_since: now.plus_ms(-edge.app.config.console.idle_ms) }
}

impl FromRequestParts<Arc<Edge>> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, edge: &Arc<Edge>) -> Result<Self, Response> {
        let to = |path| Redirect::to(path).into_response();
        let away = || to("/console/login");
        let token = cookie::value(edge, &parts.headers, Purpose::Session).ok_or_else(away)?;
        let lasting = lasting(edge);
        let known = edge.app.store.session(&hash(&token), lasting).await;
        let known = known.map_err(|error| ApiError::from(error).into_response())?.ok_or_else(away)?;
        let path = parts.uri.path();
        let needs_factor = edge.app.config.console.second_factor == SecondFactor::Required
            && known.session.proof == Proof::Password
            && !known.second_factor;
        let below = |start: &str| {
            path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if needs_factor && !SETTING_UP.iter().any(|start| below(start)) {
            return Err(to("/console/second-factor"));
        }
        let by_itself =
            BY_ITSELF.iter().any(|end| path.ends_with(end)) || parts.headers.contains_key(BY_ITSELF_HEADER);
        if !by_itself && let Err(error) = edge.app.store.touch_session(&known.session, lasting.now).await {
            // A note that cannot be written is no reason to turn somebody away.
            tracing::warn!(%error, "the use of a session was not noted");
        }
        let reach = reach::of(&known.agent, &edge.app.config);
        let theme = theme::chosen(&parts.headers);
        let here = parts.uri.path_and_query().filter(|_| parts.method == Method::GET);
        let here = here.map_or_else(|| "/console".to_owned(), ToString::to_string);
        Ok(Self { agent: known.agent, reach, csrf: csrf(&token), session: known.session, theme, here })
    }
}

/// The fields of a form that this very site's page sent; anything else is refused.
pub(super) async fn fields(edge: &Arc<Edge>, request: Request) -> Result<BTreeMap<String, String>, ApiError> {
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

/// Counts a try of a password or a code, for an address and for an account, known or not. Both sound the same.
pub(super) fn throttled(edge: &Edge, address: IpAddr, login: &str) -> Result<(), ApiError> {
    let now = edge.app.clock.now();
    let of_address = edge.sign_ins.count(address, now);
    let of_account = edge.sign_ins_of.count(login.to_lowercase(), now);
    of_address
        .and(of_account)
        .map_err(|seconds| ApiError::too_many(format!("too many tries; try again in {seconds} s"), seconds))
}

/// The page to sign in.
pub(super) async fn page(State(edge): State<Arc<Edge>>) -> Result<Response, ApiError> {
    shown(&edge, None)
}

fn shown(edge: &Edge, wrong: Option<&str>) -> Result<Response, ApiError> {
    let (business, oidc) = (&edge.app.config.business.name, &edge.app.config.console.oidc);
    let provider = Some(&oidc.name).filter(|_| oidc.configured());
    super::alone(
        edge,
        PAGE,
        &json!({"business": business, "title": "Sign in", "wrong": wrong, "provider": provider}),
    )
}

/// Signs in. What came before under this cookie ends: a session is never carried over.
pub(super) async fn enter(
    State(edge): State<Arc<Edge>>,
    Peer(address): Peer,
    request: Request,
) -> Result<Response, ApiError> {
    let headers = request.headers().clone();
    let mut fields = fields(&edge, request).await?;
    let mut field =
        |name| fields.remove(name).filter(|text: &String| text.chars().count() <= FIELD_CHARS_MAX);
    let (login, password) = (field("login").unwrap_or_default(), field("password").unwrap_or_default());
    let login = login.trim();
    throttled(&edge, address, login)?;
    if login.is_empty() || password.is_empty() {
        return Err(ApiError::invalid("send `login` and `password`"));
    }
    demand_privacy(&edge, &headers)?;
    let Some(agent) = accounts::prove(&edge.app.store, login, password).await? else {
        let mut response = shown(&edge, Some("The login or the password is wrong."))?;
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        return Ok(response);
    };
    let factor = edge.app.store.second_factor(&agent.id).await?;
    if factor.is_some_and(|factor| factor.since.is_some()) {
        return code::wait(&edge, &headers, &agent).await;
    }
    begin(&edge, &headers, &agent, Proof::Password).await
}

/// A password that anybody on the way could read is not asked for.
pub(super) fn demand_privacy(edge: &Edge, headers: &HeaderMap) -> Result<(), ApiError> {
    if cookie::private(edge, headers) {
        return Ok(());
    }
    Err(ApiError::forbidden(
        "without https the console is open on this very machine only; set [server] public_base_url to its https address",
    ))
}

/// Ends the session that came with a request, if there was one.
pub(super) async fn end_earlier(edge: &Edge, headers: &HeaderMap) -> Result<(), ApiError> {
    if let Some(earlier) = cookie::value(edge, headers, Purpose::Session) {
        edge.app.store.end_session(&hash(&earlier)).await?;
    }
    Ok(())
}

/// Begins a session in place of any earlier one and leads to the console.
pub(super) async fn begin(
    edge: &Edge,
    headers: &HeaderMap,
    agent: &Agent,
    proof: Proof,
) -> Result<Response, ApiError> {
    end_earlier(edge, headers).await?;
    let (token, lasts_ms, now) = (random_text(), edge.app.config.console.session_ms, edge.app.clock.now());
    let session = Session {
        token_hash: hash(&token),
        agent: agent.id.clone(),
        begun_at: now,
        seen_at: now,
        expires_at: now.plus_ms(lasts_ms),
        browser: browser(headers),
        proof,
    };
    edge.app.store.new_session(&session).await?;
    let response = Redirect::to("/console").into_response();
    Ok(cookie::set(edge, response, Purpose::Session, &token, lasts_ms / 1000))
}

/// A browser and its system, as people call them.
fn browser(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    // In this order: most call themselves by the names of others too.
    let name = |names: &[(&str, &'static str)]| {
        names.iter().find(|(part, _)| agent.contains(part)).map(|(_, name)| *name)
    };
    let program = name(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = name(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (program, system) {
        (Some(program), Some(system)) => format!("{program} on {system}"),
        (Some(program), None) => program.to_owned(),
        (None, _) => agent.chars().take(BROWSER_CHARS_MAX).collect(),
    }
}

/// Signs out.
pub(super) async fn leave(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    request: Request,
) -> Result<Response, ApiError> {
    form(&edge, &signed_in, request).await?;
    edge.app.store.end_session(&signed_in.session.token_hash).await?;
    Ok(cookie::clear(&edge, Redirect::to("/console/login").into_response(), Purpose::Session))
}
