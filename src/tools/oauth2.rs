//! Tokens of the client-credentials grant (RFC 6749, section 4.4): fetched once for all who wait, kept until shortly
//! before they end, and never in a message, a log or a receipt.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::config::OAuth2;
use crate::domain::time::{Clock, Timestamp};

/// A token is renewed this long before it ends.
const MARGIN_MS: i64 = 30_000;
/// How long a token holds whose server does not say.
const HOLDS_MS: i64 = 300_000;
/// Longest answer of a token server.
const ANSWER_BYTES_MAX: usize = 65_536;

/// Where tokens come from, and the one that holds.
pub(super) struct TokenSource {
    url: Url,
    client_id: String,
    client_secret: SecretString,
    scope: Option<String>,
    held: Mutex<Option<Held>>,
}

struct Held {
    value: HeaderValue,
    until: Timestamp,
}

#[derive(Deserialize)]
struct Answer {
    access_token: SecretString,
    #[serde(default)]
    expires_in: Option<i64>,
}

impl TokenSource {
    /// A source with its settings filled in; `fill` renders a template over the environment.
    pub(super) fn new(
        settings: &OAuth2,
        fill: impl Fn(&str) -> Result<String, String>,
    ) -> Result<Self, String> {
        let url = fill(&settings.token_url)?;
        let url = Url::parse(&url).map_err(|error| format!("`oauth2.token_url`: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err("`oauth2.token_url` must be an http or https address".to_owned());
        }
        let scope = settings.scope.as_deref().map(&fill).transpose()?;
        Ok(Self {
            url,
            client_id: fill(&settings.client_id)?,
            client_secret: fill(&settings.client_secret)?.into(),
            scope,
            held: Mutex::new(None),
        })
    }

    /// Its host, which the shared client must be allowed to reach.
    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The value of `Authorization`; none when no token can be had.
    pub(super) async fn bearer(
        &self,
        client: &reqwest::Client,
        clock: &dyn Clock,
        limit: Duration,
    ) -> Option<HeaderValue> {
        // Whoever comes while one is fetched waits here and finds it.
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| clock.now() < held.until) {
            return Some(held.value.clone());
        }
        let answer = match self.fetch(client, limit).await {
            Ok(answer) => answer,
            Err(why) => {
                tracing::warn!(host = self.host(), why, "no token could be had for a tool");
                return None;
            }
        };
        let mut value =
            HeaderValue::from_str(&format!("Bearer {}", answer.access_token.expose_secret())).ok()?;
        value.set_sensitive(true);
        let holds = answer.expires_in.map_or(HOLDS_MS, |seconds| seconds.saturating_mul(1000));
        let until = clock.now().plus_ms((holds - MARGIN_MS).max(0));
        *held = Some(Held { value: value.clone(), until });
        Some(value)
    }

    /// The other side does not take this token any more; the next call fetches another.
    pub(super) async fn forget(&self, value: &HeaderValue) {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|held| held.value == *value) {
            *held = None;
        }
    }

    async fn fetch(&self, client: &reqwest::Client, limit: Duration) -> Result<Answer, &'static str> {
        let scope = self.scope.as_deref().map(|scope| ("scope", scope));
        let form: Vec<(&str, &str)> =
            [("grant_type", "client_credentials")].into_iter().chain(scope).collect();
        let request = client
            .post(self.url.clone())
            .basic_auth(&self.client_id, Some(self.client_secret.expose_secret()))
            .timeout(limit)
            .form(&form);
        let mut response = request.send().await.map_err(|_| "no answer")?;
        if !response.status().is_success() {
            return Err("it was refused");
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| "the answer broke off")? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > ANSWER_BYTES_MAX {
                return Err("the answer is too large");
            }
        }
        serde_json::from_slice(&bytes).map_err(|_| "the answer is no token")
    }
}
