//! Logs for queries and metrics for dashboards. Never message bodies, addresses, prompts or secrets.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::Telemetry;

/// Sends logs to standard error in the configured form. Once per process; later calls change nothing.
pub fn start(settings: &Telemetry) {
    let filter = EnvFilter::try_new(&settings.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // The first one wins; a second in one process is harmless.
    _ = if settings.format == "json" { builder.json().try_init() } else { builder.try_init() };
}

/// Where the metrics of this process are read; the first call makes this the process's recorder.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let installed = HANDLE.get_or_init(|| {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        // Another recorder was there first: this one stays empty, which shows in its dashboard.
        _ = metrics::set_global_recorder(recorder);
        handle
    });
    installed.clone()
}
