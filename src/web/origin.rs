//! Which pages may call: this site itself, and for the widget the sites that may embed it.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::config::Server;

/// The pages that are ours or allowed.
#[derive(Debug)]
pub(super) struct Origins {
    own: Option<String>,
    allowed: Vec<String>,
}

impl Origins {
    /// As configured.
    pub(super) fn of(server: &Server) -> Self {
        let plain = |origin: &String| origin.trim_end_matches('/').to_ascii_lowercase();
        let own = Some(&server.public_base_url).filter(|url| !url.is_empty()).map(plain);
        Self { own, allowed: server.allowed_origins.iter().map(plain).collect() }
    }

    /// Whether the outside reaches us by https.
    pub(super) fn https(&self) -> bool {
        self.own.as_deref().is_some_and(|own| own.starts_with("https://"))
    }

    /// Whether the request comes from a page of this very site. A request without `Origin` does not.
    pub(super) fn same(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = text(headers, header::ORIGIN) else { return false };
        if let Some(own) = &self.own {
            return origin == *own;
        }
        let host = text(headers, header::HOST).unwrap_or_default();
        origin.split_once("://").is_some_and(|(_, named)| named == host)
    }

    /// The value for `Access-Control-Allow-Origin`, when another allowed site calls.
    pub(super) fn embedding(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = text(headers, header::ORIGIN)?;
        self.allowed.contains(&origin).then(|| HeaderValue::from_str(&origin).ok()).flatten()
    }

    /// Whether a page may use the widget's calls: ours, an allowed one, or no page at all.
    pub(super) fn may_chat(&self, headers: &HeaderMap) -> bool {
        headers.get(header::ORIGIN).is_none() || self.same(headers) || self.embedding(headers).is_some()
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origin: &str, host: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        headers.insert(header::HOST, host.parse().unwrap());
        headers
    }

    #[test]
    fn only_the_site_itself_is_the_same_and_only_named_sites_may_embed() {
        let origins = Origins { own: None, allowed: vec!["https://shop.example".to_owned()] };
        assert!(origins.same(&headers("http://127.0.0.1:8080", "127.0.0.1:8080")));
        for (origin, host) in [
            ("http://evil.example", "127.0.0.1:8080"),
            ("http://127.0.0.1:8081", "127.0.0.1:8080"),
            ("null", "127.0.0.1:8080"),
            ("http://127.0.0.1:8080.evil.example", "127.0.0.1:8080"),
        ] {
            assert!(!origins.same(&headers(origin, host)), "{origin}");
            assert!(!origins.may_chat(&headers(origin, host)), "{origin}");
        }
        assert!(!origins.same(&HeaderMap::new()));
        assert!(origins.may_chat(&headers("https://shop.example", "support.example")));
        assert!(!origins.may_chat(&headers("https://shop.example.evil.example", "support.example")));
    }

    #[test]
    fn behind_a_proxy_the_public_address_counts_and_not_the_host() {
        let origins = Origins { own: Some("https://support.example".to_owned()), allowed: Vec::new() };
        assert!(origins.https() && origins.same(&headers("https://support.example", "10.0.0.1")));
        assert!(!origins.same(&headers("https://10.0.0.1", "10.0.0.1")));
    }
}
