//! The console's cookies: opaque, for this host alone, and out of reach of scripts.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use super::super::Edge;

/// What a cookie is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Who is signed in.
    Session,
    /// Whose second factor is still to come.
    Code,
    /// Who went to sign in at the identity provider.
    Provider,
}

/// `__Host-` cookies need https; on a plain loopback address the name is plain.
fn name(edge: &Edge, purpose: Purpose) -> &'static str {
    match (purpose, edge.origins.https()) {
        (Purpose::Session, true) => "__Host-firstline",
        (Purpose::Session, false) => "firstline_session",
        (Purpose::Code, true) => "__Host-firstline-code",
        (Purpose::Code, false) => "firstline_code",
        (Purpose::Provider, true) => "__Host-firstline-provider",
        (Purpose::Provider, false) => "firstline_provider",
    }
}

/// The value of a cookie that came with a request.
pub(super) fn value(edge: &Edge, headers: &HeaderMap, purpose: Purpose) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name(edge, purpose)).map(|(_, value)| value.to_owned())
}

/// The answer with a cookie set for so many seconds.
pub(super) fn set(edge: &Edge, response: Response, purpose: Purpose, value: &str, seconds: i64) -> Response {
    let secure = if edge.origins.https() { "; Secure" } else { "" };
    let name = name(edge, purpose);
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    let mut response = response;
    if let Ok(cookie) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The answer with a cookie taken back.
pub(super) fn clear(edge: &Edge, response: Response, purpose: Purpose) -> Response {
    set(edge, response, purpose, "", 0)
}

/// Whether what is sent here may be read on the way by nobody: https, or this very machine.
pub(super) fn private(edge: &Edge, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    edge.origins.https() || host.is_none_or(loopback)
}

/// Whether a `Host` names this very machine.
fn loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.to_ascii_lowercase();
    let address = name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    address || name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_private_without_encryption() {
        for host in
            ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.9.9.9", "[::1]:80", "shop.localhost"]
        {
            assert!(loopback(host), "{host}");
        }
        for host in
            ["", "192.168.0.7:8080", "localhost.evil.example", "127.0.0.1.evil.example", "[2001:db8::1]"]
        {
            assert!(!loopback(host), "{host}");
        }
    }
}
