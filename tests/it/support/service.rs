//! The whole service without its listener: requests go straight to its router, over whichever database a test has.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use firstline::app::{App, SystemClock, Understanding};
use firstline::config::{Config, Sources};
use firstline::domain::time::Clock;
use firstline::knowledge::Origin;
use firstline::web::keys::{self, Scope};
use firstline::{telemetry, web};
use serde_json::Value;
use tower::ServiceExt;

/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 100_000_000;

/// A service, and a key that may do everything.
pub(crate) struct Service {
    pub(crate) app: Arc<App>,
    key: String,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Service {
    /// Over the database at this address, with settings changed first.
    pub(crate) async fn new(url: &str, change: impl FnOnce(&mut Config)) -> Self {
        Self::at(url, Arc::new(SystemClock), change).await
    }

    /// The same by a clock of the test's own.
    pub(crate) async fn at(url: &str, clock: Arc<dyn Clock>, change: impl FnOnce(&mut Config)) -> Self {
        _ = rustls::crypto::ring::default_provider().install_default();
        let mut config = Config::load(Sources::default()).unwrap();
        url.clone_into(&mut config.database.url);
        change(&mut config);
        let (understanding, _) = Understanding::build(&config, Origin::Embedded(Vec::new()), None).unwrap();
        let app = App::build(config, understanding, clock, &[7; 32], telemetry::metrics()).await.unwrap();
        let (stored, key) = keys::mint(&SystemClock, "test", &[Scope::Admin], None);
        app.store.add_key(&stored).await.unwrap();
        Self { app: Arc::new(app), key }
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {}", self.key));
        let request = request.header("content-type", "application/json");
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let response = web::router(self.app.clone()).oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &Value::Null).await
    }

    pub(crate) async fn stop(self) {
        self.app.stop().await;
    }
}
