//! Light or dark: as the system says, or as chosen here, kept in a cookie so that no page flashes in the other one.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::super::Edge;
use super::super::error::ApiError;
use super::sign_in::{SignedIn, form};

const COOKIE: &str = "firstline_theme";
/// A year.
const KEPT_SECONDS: i64 = 31_536_000;

/// What was chosen: `light`, `dark`, or empty for what the system says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Theme(pub(super) &'static str);

fn known(name: &str) -> &'static str {
    ["light", "dark"].into_iter().find(|theme| *theme == name).unwrap_or_default()
}

impl<S: Sync> FromRequestParts<S> for Theme {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let cookies = parts.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        Ok(Self(pairs.find(|(name, _)| *name == COOKIE).map_or("", |(_, value)| known(value))))
    }
}

/// Chooses one.
pub(super) async fn choose(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    request: Request,
) -> Result<Response, ApiError> {
    let fields = form(&edge, &signed_in, request).await?;
    let theme = known(fields.get("theme").map(String::as_str).unwrap_or_default());
    // Only a path of ours: nothing leads away.
    let back =
        fields.get("back").filter(|path| path.starts_with("/console") && !path.contains(['\\', '\n', '\r']));
    let mut response = Redirect::to(back.map_or("/console", String::as_str)).into_response();
    let secure = if edge.origins.https() { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={theme}; Path=/console; SameSite=Lax; Max-Age={KEPT_SECONDS}{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
