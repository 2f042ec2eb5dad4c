//! `[telemetry]`: logs, and where spans and metrics are sent.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// Logs, and where spans and metrics are sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// A tracing filter.
    pub log: String,
    /// Text | json.
    pub format: String,
    /// How often what was measured is summed up.
    pub metrics_tidy_ms: u64,
    /// Where a collector takes OTLP over HTTP, up to and without `/v1/traces`; empty: nothing is sent.
    pub otlp_endpoint: String,
    /// Sent with every export, `name=value,name=value`.
    pub otlp_headers: SecretString,
    /// What this service is called there.
    pub service_name: String,
    /// Pause between exports of spans.
    pub otlp_spans_interval_ms: u64,
    /// Pause between exports of metrics.
    pub otlp_metrics_interval_ms: u64,
    /// Longest one export may take.
    pub otlp_timeout_ms: u64,
    /// Longest the end of the process may wait for the last export.
    pub otlp_shutdown_ms: u64,
    /// Spans that may wait for their export; further ones are dropped.
    pub otlp_queue_spans_max: usize,
}

impl Telemetry {
    /// What is wrong with these settings, each with what to do.
    pub(super) fn problems(&self) -> Vec<String> {
        if self.otlp_endpoint.is_empty() {
            return Vec::new();
        }
        let mut wrong = Vec::new();
        if !cfg!(feature = "otel") {
            wrong.push(
                "[telemetry] otlp_endpoint is set, but this program was built without OpenTelemetry; build it \
                 with `cargo build --features otel`, or leave otlp_endpoint empty"
                    .to_owned(),
            );
        }
        let url = reqwest::Url::parse(&self.otlp_endpoint).ok();
        let plain = url.is_some_and(|url| {
            let named = matches!(url.scheme(), "http" | "https") && url.has_host();
            let bare = url.query().is_none() && url.fragment().is_none();
            named && bare && url.username().is_empty() && url.password().is_none()
        });
        if !plain {
            wrong.push(
                "[telemetry] otlp_endpoint must be a URL without user, password or query; write for example \
                 http://127.0.0.1:4318"
                    .to_owned(),
            );
        }
        if self.headers().is_none() {
            wrong.push(
                "[telemetry] otlp_headers must be name=value pairs with commas between them".to_owned(),
            );
        }
        wrong
    }

    /// The headers of an export; none when they cannot be read.
    pub fn headers(&self) -> Option<Vec<(&str, &str)>> {
        let pairs =
            self.otlp_headers.expose_secret().split(',').map(str::trim).filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=')?;
                let (name, value) = (name.trim(), value.trim());
                http::HeaderName::from_bytes(name.as_bytes()).ok()?;
                http::HeaderValue::from_str(value).ok()?;
                Some((name, value))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, Sources};

    fn load(text: &str) -> Result<Config, String> {
        let text = format!("[telemetry]\n{text}");
        let file = Some((text.as_str(), Path::new("firstline.toml")));
        Config::load(Sources { file, ..Sources::default() }).map_err(|error| error.to_string())
    }

    #[test]
    fn a_collector_is_refused_by_a_program_that_cannot_reach_it() {
        let loaded = load("otlp_endpoint = \"http://127.0.0.1:4318\"");
        if cfg!(feature = "otel") {
            assert!(loaded.is_ok());
        } else {
            assert!(loaded.unwrap_err().contains("cargo build --features otel"));
        }
    }

    #[test]
    fn a_collector_with_a_wrong_address_or_headers_is_refused() {
        for endpoint in
            ["localhost:4318", "ftp://collector", "http://user:hush@collector", "http://c/?key=hush"]
        {
            let error = load(&format!("otlp_endpoint = \"{endpoint}\"")).unwrap_err();
            assert!(error.contains("http://127.0.0.1:4318") && !error.contains("hush"), "{error}");
        }
        let endpoint = "otlp_endpoint = \"http://c\"";
        for headers in ["hush", "a b=hush", "a=hush,c"] {
            let error = load(&format!("{endpoint}\notlp_headers = \"{headers}\"")).unwrap_err();
            assert!(error.contains("otlp_headers") && !error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn headers_are_read_and_never_shown() {
        let config = load("otlp_headers = \"authorization=Basic aHVzaA==, x-scope = one\"").unwrap();
        let expected = vec![("authorization", "Basic aHVzaA=="), ("x-scope", "one")];
        assert_eq!(config.telemetry.headers(), Some(expected));
        for shown in [format!("{config:?}"), config.effective.to_string()] {
            assert!(!shown.contains("aHVzaA"), "{shown}");
        }
    }
}
