//! Where an endpoint is and how it wants to be spoken to.

use async_openai::config::Config;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;

use super::{ModelError, Prices};
use crate::config::{Model, OutputLimit, Structured};

/// One endpoint. Its key is in a header that neither `Debug` nor a log shows.
#[derive(Debug)]
pub struct Endpoint {
    base_url: String,
    headers: HeaderMap,
    api_version: String,
    /// The crate wants one to hand out; nothing reads it.
    no_key: SecretString,
    pub(super) model: String,
    pub(super) structured: Structured,
    pub(super) output_limit: OutputLimit,
    pub(super) temperature: Option<f32>,
    pub(super) context_tokens: u64,
    pub(super) prices: Prices,
    pub(super) connect_timeout_ms: u64,
    pub(super) stall_ms: u64,
    pub(super) response_bytes_max: usize,
    pub(super) json_depth_max: usize,
    pub(super) host: String,
    pub(super) port: u16,
}

impl Endpoint {
    /// Checks the settings; `key` is the API key, empty for none.
    pub fn new(settings: &Model, key: &str) -> Result<Self, ModelError> {
        let wrong = |problem: &str| Err(ModelError::NotConfigured(problem.to_owned()));
        let Ok(url) = reqwest::Url::parse(&settings.base_url) else {
            return wrong("base_url is not a URL; write for example https://api.openai.com/v1");
        };
        let (Some(host), Some(port), "http" | "https") =
            (url.host_str(), url.port_or_known_default(), url.scheme())
        else {
            return wrong("base_url must begin with http:// or https:// and a host");
        };
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            return wrong("base_url must have no user, password or query; use api_key and api_version");
        }
        let azure = !settings.api_version.is_empty();
        let mut headers = HeaderMap::new();
        if !key.is_empty() {
            let (name, text) = if azure {
                (HeaderName::from_static("api-key"), key.to_owned())
            } else {
                (AUTHORIZATION, format!("Bearer {key}"))
            };
            let Ok(mut value) = HeaderValue::from_str(&text) else {
                return wrong("api_key holds characters that no key has");
            };
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(Self {
            base_url: settings.base_url.trim_end_matches('/').to_owned(),
            headers,
            api_version: settings.api_version.clone(),
            no_key: SecretString::default(),
            model: settings.name.clone(),
            structured: settings.structured,
            output_limit: settings.output_limit,
            temperature: (settings.temperature >= 0.0).then_some(settings.temperature),
            context_tokens: settings.context_tokens,
            prices: Prices::new(settings),
            connect_timeout_ms: settings.connect_timeout_ms,
            stall_ms: settings.stall_ms,
            response_bytes_max: settings.response_bytes_max,
            json_depth_max: settings.json_depth_max,
            host: host.to_owned(),
            port,
        })
    }

    /// The provider under OpenTelemetry's names.
    pub(super) fn provider(&self) -> &'static str {
        if self.api_version.is_empty() { "openai" } else { "azure.ai.openai" }
    }
}

impl Config for Endpoint {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    fn query(&self) -> Vec<(&str, &str)> {
        if self.api_version.is_empty() { Vec::new() } else { vec![("api-version", &self.api_version)] }
    }

    fn api_base(&self) -> &str {
        &self.base_url
    }

    fn api_key(&self) -> &SecretString {
        &self.no_key
    }
}
