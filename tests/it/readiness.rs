//! `/readyz` says which part is not ready, and is ready again when that part is.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use firstline::app::{App, Understanding};
use firstline::config::{Config, Sources};
use firstline::knowledge::Origin;
use firstline::{telemetry, web};
use serde_json::Value;
use tower::ServiceExt;

use crate::support::world::{ManualClock, clock};

async fn app(folder: &tempfile::TempDir, clock: &Arc<ManualClock>) -> Arc<App> {
    let mut config = Config::load(Sources::default()).unwrap();
    config.database.url = format!("sqlite://{}/record.db", folder.path().display());
    let (understanding, _) = Understanding::build(&config, Origin::Embedded(Vec::new()), None).unwrap();
    let secret = [7; 32];
    Arc::new(App::build(config, understanding, clock.clone(), &secret, telemetry::metrics()).await.unwrap())
}

async fn ready(app: &Arc<App>) -> (StatusCode, Value) {
    let request = Request::get("/readyz").body(Body::empty()).unwrap();
    let response = web::router(app.clone()).oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

/// Until the workers have come round at this moment of the clock.
async fn tick(app: &App) {
    let now = firstline::domain::time::Clock::now(app.clock.as_ref());
    while app.pipeline.last_tick() != Some(now) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_names_the_part_that_is_not_ready() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let app = app(&folder, &clock).await;
    let (status, body) = ready(&app).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "the workers have not begun: {body}");
    assert_ne!(body["parts"]["workers"], "ok");
    assert_eq!((&body["parts"]["database"], &body["parts"]["index"]), (&"ok".into(), &"ok".into()));
    app.pipeline.start();
    tick(&app).await;
    assert_eq!(ready(&app).await.0, StatusCode::OK);
    // The loop is ended with the process; what it said last grows old.
    app.shutdown.cancel();
    let (status, body) = ready(&app).await;
    assert_eq!((status, body["parts"]["process"] == "ok"), (StatusCode::SERVICE_UNAVAILABLE, false));
    app.tasks.close();
    app.tasks.wait().await;
    clock.advance(app.config.worker.tick_age_ms_max + 1);
    assert_ne!(ready(&app).await.1["parts"]["workers"], "ok");
    app.store.clone().close().await;
    let (status, body) = ready(&app).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_ne!(body["parts"]["database"], "ok");
}
