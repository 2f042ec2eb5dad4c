//! Light or dark: as the system says, or as chosen here, kept in a cookie so that no page flashes in the other one.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::super::Edge;
use super::super::error::ApiError;
use super::sign_in::{SignedIn, form};

const COOKIE: &str = "firstline_theme";
/// A year.
const KEPT_SECONDS: i64 = 31_536_000;

fn known(name: &str) -> &'static str {
    ["light", "dark"].into_iter().find(|theme| *theme == name).unwrap_or_default()
}

/// What was chosen: `light`, `dark`, or empty for what the system says.
pub(super) fn chosen(headers: &HeaderMap) -> &'static str {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map_or("", |(_, value)| known(value))
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
