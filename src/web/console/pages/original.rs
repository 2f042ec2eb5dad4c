//! A mail as it came, as a page of its own that can do nothing: it is shown inside the page of its case.
//!
//! What guards is the sandbox, which the frame and this answer both name, and a policy that lets nothing be fetched. What
//! is taken out of the page here is what neither of them covers: links that would show something else in the frame, hints
//! to a browser to connect somewhere, and frames inside it, for which Chromium connects before it refuses to show them.

use std::sync::{Arc, LazyLock};

use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use regex::{Captures, Regex};

use super::super::super::Edge;
use super::super::super::download;
use super::super::super::error::ApiError;
use super::super::sign_in::SignedIn;
use crate::domain::message::WHOLE_PAGE;
use crate::domain::role::Right;

/// Without scripts, an origin, forms, windows or anything from elsewhere; pictures only that stand in the page itself.
const POLICY: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; \
    base-uri 'none'; frame-ancestors 'self'";
/// Browsers look up the names behind links unless they are told not to.
const NO_LOOKUPS: HeaderName = HeaderName::from_static("x-dns-prefetch-control");
/// What stands before the page: light, as mails are written, no wider than its place, and links show where they led.
const HEAD: &str = "<!doctype html><title>The mail as it came</title><style>\
    :root{color-scheme:light;background:#fff;color:#17211d}\
    body{margin:14px;font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}img{max-width:100%;height:auto}\
    a[x-href]{color:#1b4f91;text-decoration:underline}a[x-href]:hover::after{content:' [' attr(x-href) ']'}\
    </style>";

/// Elements that change what the page is or reach out of it, and the attribute by which anything leads elsewhere. A tag
/// begins with its sign and its name, and an attribute is written out, however the rest is disguised.
static LEADS_OUT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)<(?P<tag>base|meta|link|form|i?frame|object|embed)|(?P<attribute>href\s*=)").ok()
});

/// A mail as it came.
pub(in super::super) async fn original(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    signed_in.demand(Right::SeeCases)?;
    let file = download::within_reach(&edge, &id, &signed_in.reach).await?;
    if file.name != WHOLE_PAGE {
        return Err(ApiError::not_found("original"));
    }
    let page =
        harmless(&String::from_utf8_lossy(&file.content)).ok_or_else(|| ApiError::not_found("original"))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (NO_LOOKUPS, HeaderValue::from_static("off")),
    ];
    Ok((headers, page).into_response())
}

/// The page with nothing in it that leads elsewhere.
fn harmless(page: &str) -> Option<String> {
    let found = LEADS_OUT.as_ref()?;
    let inert = |found: &Captures<'_>| match (found.name("tag"), found.name("attribute")) {
        (Some(tag), _) => format!("<x-{}", tag.as_str()),
        (None, Some(attribute)) => format!("x-{}", attribute.as_str()),
        (None, None) => String::new(),
    };
    Some(format!("{HEAD}{}", found.replace_all(page, inert)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_that_leads_elsewhere_and_everything_else_stays() {
        let page = "<BASE href=//e><Meta http-equiv=refresh><link\nrel=preconnect><form action=x><iFrame src=x><a HREF \n= 'x'>go</a>\
            <svg><a xlink:href='x'>s</a></svg><p style='color:red'>hi 😀</p>";
        let shown = harmless(page).unwrap();
        assert_eq!(
            shown.strip_prefix(HEAD),
            Some(
                "<x-BASE x-href=//e><x-Meta http-equiv=refresh><x-link\nrel=preconnect><x-form action=x><x-iFrame src=x>\
                 <a x-HREF \n= 'x'>go</a><svg><a xlink:x-href='x'>s</a></svg><p style='color:red'>hi 😀</p>"
            )
        );
    }
}
