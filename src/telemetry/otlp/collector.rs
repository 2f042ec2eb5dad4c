//! The way to the collector, for exporters that know nothing of our runtime or our log.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};

use super::super::ExportError;
use crate::config::Telemetry;

/// Of an answer, what is read: it says at most how much was refused.
const ANSWER_BYTES_MAX: usize = 65_536;

/// One collector, and whether it was heard of last. Clones know of each other.
#[derive(Debug, Clone)]
pub(super) struct Collector {
    http: reqwest::Client,
    runtime: tokio::runtime::Handle,
    silent: Arc<AtomicBool>,
}

impl Collector {
    /// Prepares to write to it; nothing is sent. Must be called inside the runtime.
    pub(super) fn new(settings: &Telemetry) -> Result<Self, ExportError> {
        let limit = Duration::from_millis(settings.otlp_timeout_ms);
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(limit)
            .timeout(limit)
            .user_agent(concat!("firstline/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ExportError(format!("no HTTP client: {error}")))?;
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|error| ExportError(format!("no runtime to send from: {error}")))?;
        Ok(Self { http, runtime, silent: Arc::default() })
    }

    /// Says once that the collector fails, and once that it is back: exports come every few seconds, for ever.
    fn note(&self, failure: Option<&str>) {
        if failure.is_some() {
            metrics::counter!("firstline_telemetry_export_failures_total").increment(1);
        }
        match (self.silent.swap(failure.is_some(), Ordering::Relaxed), failure) {
            (false, Some(error)) => {
                tracing::warn!(error, "the telemetry collector takes nothing; this is not said again");
            }
            (true, None) => tracing::info!("the telemetry collector is back"),
            (false, None) | (true, Some(_)) => {}
        }
    }
}

impl HttpClient for Collector {
    fn send_bytes<'life0, 'async_trait>(
        &'life0 self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        // The exporters wait on threads of their own, where no socket could wake them.
        let sending = self.runtime.spawn(exchange(self.http.clone(), request));
        Box::pin(async move {
            let result = match sending.await {
                Ok(result) => result,
                // The process ends.
                Err(stopped) => return Err(stopped.into()),
            };
            match &result {
                Ok(response) if response.status().is_success() => self.note(None),
                Ok(response) => self.note(Some(response.status().as_str())),
                Err(error) => self.note(Some(what(error))),
            }
            Ok(result?)
        })
    }
}

async fn exchange(http: reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, reqwest::Error> {
    let mut response = http.execute(request.try_into()?).await?;
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let mut body = Vec::new();
    while let Some(bytes) = response.chunk().await? {
        if body.len() + bytes.len() > ANSWER_BYTES_MAX {
            body.clear();
            break;
        }
        body.extend_from_slice(&bytes);
    }
    let mut answer = Response::new(Bytes::from(body));
    (*answer.status_mut(), *answer.headers_mut()) = (status, headers);
    Ok(answer)
}

/// What a failed connection means, without the address.
fn what(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    }
}
