//! Calls to a provider's own interface: bounded, never followed elsewhere, and each failure told by who must act.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;

use super::ChannelError;
use crate::config::Config;

/// Builds the client that all adapters share.
pub(crate) fn client(config: &Config) -> Result<reqwest::Client, String> {
    // Taken by whoever comes first in this process; ring is the only provider that is compiled in.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .connect_timeout(Duration::from_millis(config.limits.tool_connect_timeout_ms))
        .user_agent(concat!("firstline/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| format!("the client for providers cannot be built: {error}"))
}

/// What a provider answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The pause it asks for.
    pub(crate) after_ms: Option<i64>,
    /// The body as JSON; null when it is none.
    pub(crate) body: Value,
}

/// Largest answer of a provider that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 1_048_576;

/// Sends a request whose repetition the customer would notice. A connection that could not be opened has taken nothing;
/// once the request may have left, no answer means that nobody knows.
pub(crate) async fn call(request: RequestBuilder) -> Result<Answer, ChannelError> {
    let mut response = request.send().await.map_err(|error| {
        let opening = error.is_connect();
        let why = error.without_url().to_string();
        if opening { ChannelError::later(why) } else { ChannelError::Unknown(why) }
    })?;
    let status = response.status();
    let seconds =
        response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Ok(Answer { status, after_ms: seconds.map(|seconds| seconds.clamp(0, 86_400) * 1000), body })
}

impl Answer {
    /// The body of a message that was taken; else who must act, with `why` in the provider's words.
    pub(crate) fn taken(self, why: &str) -> Result<Value, ChannelError> {
        let told = || format!("{} {why}", self.status.as_u16()).trim_end().to_owned();
        match self.status.as_u16() {
            200..=299 => Ok(self.body),
            429 | 500 | 503 => Err(ChannelError::Later { why: told(), after_ms: self.after_ms }),
            // Somebody in between gave up waiting; what lies behind may have taken it.
            408 | 502 | 504 => Err(ChannelError::Unknown(told())),
            _ => Err(ChannelError::Permanent(told())),
        }
    }
}
