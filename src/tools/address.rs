//! Addresses of tools: a template never chooses the host, and an argument never leaves its path segment.

use std::net::IpAddr;

use reqwest::Url;
use serde_json::{Map, Value};

use super::http;

/// Everything but letters, digits and `-._~` as `%XX` (RFC 3986, 2.3).
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&hex::encode_upper([byte]));
        }
    }
    encoded
}

/// The same value with every text in it percent-encoded, keys too.
pub(super) fn encoded(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(percent_encoded(text)),
        Value::Array(items) => items.iter().map(encoded).collect(),
        Value::Object(map) => {
            let map: Map<_, _> = map.iter().map(|(k, v)| (percent_encoded(k), encoded(v))).collect();
            Value::Object(map)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Where a tool lives, fixed when it was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: String,
    pub(super) host: String,
    port: Option<u16>,
    trailing_slash: bool,
}

impl Origin {
    /// Reads the origin of a rendered sample address; the error says what is wrong with it.
    pub(super) fn of(rendered: &str) -> Result<Self, String> {
        let url = Url::parse(rendered).map_err(|error| format!("the address cannot be read: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("the address must be http or https, not `{}`", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err("the address must have no user part and no fragment".to_owned());
        }
        let host = url.host_str().ok_or("the address has no host")?.to_owned();
        Ok(Self {
            scheme: url.scheme().to_owned(),
            host,
            port: url.port_or_known_default(),
            trailing_slash: url.path().ends_with('/'),
        })
    }

    /// Refuses an address that is never a tool (cloud metadata lives on link-local ones).
    pub(super) fn reachable(&self) -> Result<(), String> {
        let literal = self.host.trim_matches(['[', ']']).parse::<IpAddr>();
        if literal.is_ok_and(|address| !http::reachable(address)) {
            return Err(format!("`{}` is never the address of a tool", self.host));
        }
        Ok(())
    }

    /// Whether another sample lives at the same place.
    pub(super) fn same_place(&self, other: &Self) -> bool {
        (&self.scheme, &self.host, self.port) == (&other.scheme, &other.host, other.port)
    }

    /// The address that was rendered with encoded values, if it still is where it was declared.
    pub(super) fn checked(&self, rendered: &str) -> Result<Url, String> {
        let raw = rendered.split_once("://").map_or("", |(_, rest)| rest);
        let raw = raw.split(['?', '#']).next().unwrap_or_default();
        let segments: Vec<&str> = raw.split('/').skip(1).collect();
        for (at, segment) in segments.iter().enumerate() {
            let dots = segment.to_ascii_lowercase().replace("%2e", ".");
            let last = at + 1 == segments.len();
            if matches!(dots.as_str(), "." | "..") || (segment.is_empty() && !(last && self.trailing_slash)) {
                return Err("an argument may not be empty or dots in the path of an address".to_owned());
            }
        }
        let url = Url::parse(rendered).map_err(|error| format!("the address cannot be read: {error}"))?;
        let same_place = url.scheme() == self.scheme
            && url.host_str() == Some(self.host.as_str())
            && url.port_or_known_default() == self.port
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none();
        if same_place { Ok(url) } else { Err("the address is not the one that was declared".to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::templates::Templates;

    const URL: &str =
        "https://shop.example/api/customers/{{ customer }}/orders/{{ order }}/status?q={{ order }}";

    fn rendered(order: &str) -> Result<Url, String> {
        let context = encoded(&json!({"customer": "cust-0007", "order": order}));
        let origin = Origin::of("https://shop.example/api/customers/x/orders/x/status?q=x").unwrap();
        origin.checked(&Templates::new().render(URL, context).unwrap())
    }

    proptest! {
        #[test]
        fn no_text_changes_the_host_or_the_depth_of_the_path(order in any::<String>()) {
            if let Ok(url) = rendered(&order) {
                prop_assert_eq!(url.host_str(), Some("shop.example"));
                prop_assert_eq!(url.path_segments().unwrap().count(), 6);
                prop_assert!(url.path().starts_with("/api/customers/cust-0007/orders/"));
                prop_assert!(url.path().ends_with("/status"));
                prop_assert_eq!(url.query_pairs().collect::<Vec<_>>(), vec![("q".into(), order.as_str().into())]);
            }
        }
    }

    #[test]
    fn smuggled_paths_queries_and_hosts_stay_one_segment() {
        for order in [
            "HP-1/../../admin",
            "a/b",
            "a?b=c",
            "a#b",
            "a&b=c",
            "@evil.example/",
            "\\..\\x",
            "a\r\nHost: x",
            "%2e%2e",
        ] {
            let url = rendered(order).unwrap();
            assert_eq!(url.path_segments().unwrap().count(), 6, "{order}");
            assert_eq!(url.query_pairs().count(), 1, "{order}");
        }
        for order in ["..", ".", ""] {
            assert!(rendered(order).is_err(), "{order:?}");
        }
    }

    #[test]
    fn an_address_elsewhere_is_refused() {
        let origin = Origin::of("https://shop.example/api/x").unwrap();
        assert!(origin.checked("https://shop.example/api/y").is_ok());
        for other in [
            "https://evil.example/api/y",
            "http://shop.example/api/y",
            "https://shop.example:8443/api/y",
            "https://shop.example@evil.example/y",
            "https://user@shop.example/y",
            "https://shop.example/a#b",
            "https://shop.example.evil.example/a",
            "https://shop.example/a/%2E%2e/b",
            "https://shop.example//b",
            "x",
        ] {
            assert!(origin.checked(other).is_err(), "{other}");
        }
        for bad in
            ["ftp://shop.example/", "file:///etc/passwd", "shop.example/x", "https://u:p@shop.example/"]
        {
            assert!(Origin::of(bad).is_err(), "{bad}");
        }
    }
}
