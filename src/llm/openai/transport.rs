//! Sends a request once and brings back a whole answer or says what was seen: the status, when to come back,
//! silence, too many bytes. It never retries.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use futures_util::future::BoxFuture;
use reqwest::Response;
use reqwest::header::HeaderMap;

use super::super::ModelError;
use super::stream::Assembly;
use super::{Endpoint, failure, span};
use crate::domain::time::{Clock, Timestamp};

/// Largest body of a refusal that is read.
const REFUSAL_BYTES_MAX: usize = 65_536;

/// What went wrong, and whether the endpoint had begun to answer.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub(super) struct Fault {
    pub(super) error: ModelError,
    pub(super) answered: bool,
}

/// The way to one endpoint.
#[derive(Clone)]
pub(super) struct Transport {
    http: reqwest::Client,
    endpoint: Arc<Endpoint>,
    clock: Arc<dyn Clock>,
}

impl Transport {
    pub(super) fn new(http: reqwest::Client, endpoint: Arc<Endpoint>, clock: Arc<dyn Clock>) -> Self {
        Self { http, endpoint, clock }
    }

    async fn exchange(&self, factory: HttpRequestFactory) -> Result<Response, Fault> {
        let before = |error: ModelError| Fault { error, answered: false };
        let request = factory.build().await.map_err(|_| {
            before(ModelError::NotConfigured("the request cannot be built; check base_url".to_owned()))
        })?;
        let asked = self.clock.now();
        let sent = tokio::time::timeout(self.patience(), self.http.execute(request)).await;
        let mut response =
            sent.map_err(|_| before(ModelError::Timeout))?.map_err(|error| before(unreachable(&error)))?;
        if !response.status().is_success() {
            let after_ms = welcome_after(response.headers(), self.clock.now());
            let body = self.refusal(&mut response).await;
            return Err(before(failure::of_status(response.status().as_u16(), after_ms, &body)));
        }
        self.whole(response, asked).await.map_err(|error| Fault { error, answered: true })
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.endpoint.stall_ms)
    }

    async fn next(&self, response: &mut Response) -> Result<Option<impl AsRef<[u8]> + use<>>, ModelError> {
        match tokio::time::timeout(self.patience(), response.chunk()).await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) => Err(unreachable(&error)),
            Err(_) => Err(ModelError::Timeout),
        }
    }

    /// As much of a refusal as comes: its status alone says enough.
    async fn refusal(&self, response: &mut Response) -> Vec<u8> {
        let mut body = Vec::new();
        while let Ok(Some(bytes)) = self.next(response).await {
            body.extend_from_slice(bytes.as_ref());
            if body.len() > REFUSAL_BYTES_MAX {
                break;
            }
        }
        body
    }

    async fn whole(&self, mut response: Response, asked: Timestamp) -> Result<Response, ModelError> {
        let (depth_max, mut left) = (self.endpoint.json_depth_max, self.endpoint.response_bytes_max);
        let (mut assembly, mut begun) = (Assembly::default(), false);
        while let Some(bytes) = self.next(&mut response).await? {
            let bytes = bytes.as_ref();
            left = left.checked_sub(bytes.len()).ok_or(ModelError::Malformed("it is too large"))?;
            let whole = assembly.take(bytes, depth_max)?;
            if assembly.streams() && !begun {
                begun = true;
                span::begun(&self.endpoint, asked, self.clock.now());
            }
            if whole {
                break;
            }
        }
        let answer = assembly.end(depth_max)?;
        let body = serde_json::to_vec(&answer).map_err(|_| ModelError::Malformed("it cannot be kept"))?;
        Ok(reqwest_response(body))
    }
}

fn reqwest_response(body: Vec<u8>) -> Response {
    Response::from(http::Response::new(body))
}

impl tower::Service<HttpRequestFactory> for Transport {
    type Response = Response;
    type Error = OpenAIError;
    type Future = BoxFuture<'static, Result<Response, OpenAIError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OpenAIError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, factory: HttpRequestFactory) -> Self::Future {
        let transport = self.clone();
        Box::pin(async move {
            transport.exchange(factory).await.map_err(|fault| OpenAIError::Boxed(Box::new(fault)))
        })
    }
}

/// What a failed connection means, without the address.
fn unreachable(error: &reqwest::Error) -> ModelError {
    let cause = if error.is_connect() {
        "no connection"
    } else if error.is_body() || error.is_decode() {
        "the connection broke in the middle of the answer"
    } else {
        "the connection broke"
    };
    ModelError::Unavailable { cause: cause.to_owned(), after_ms: None }
}

/// When the endpoint wants to be called again: seconds, milliseconds, or a date.
fn welcome_after(headers: &HeaderMap, now: Timestamp) -> Option<u64> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(ms) = text("retry-after-ms").and_then(|ms| ms.parse::<f64>().ok()) {
        return Some(ms.max(0.0) as u64);
    }
    let after = text("retry-after")?;
    if let Ok(seconds) = after.parse::<f64>() {
        return Some((seconds.max(0.0) * 1000.0) as u64);
    }
    let date = jiff::fmt::rfc2822::parse(after).ok()?.timestamp().as_millisecond();
    Some(u64::try_from(date.saturating_sub(now.0)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_milliseconds_and_dates_say_when_to_come_back() {
        let now = Timestamp::parse("2026-11-23T08:00:00Z").unwrap();
        let cases = [
            ("retry-after", "2", Some(2000)),
            ("retry-after", "0.25", Some(250)),
            ("retry-after", "-1", Some(0)),
            ("retry-after-ms", "130", Some(130)),
            ("retry-after", "Mon, 23 Nov 2026 08:00:05 GMT", Some(5000)),
            ("retry-after", "Mon, 23 Nov 2026 07:00:05 GMT", Some(0)),
            ("retry-after", "soon", None),
        ];
        for (name, value, expected) in cases {
            let headers = HeaderMap::from_iter([(
                reqwest::header::HeaderName::from_static(name),
                value.parse().unwrap(),
            )]);
            assert_eq!(welcome_after(&headers, now), expected, "{name}: {value}");
        }
    }
}
