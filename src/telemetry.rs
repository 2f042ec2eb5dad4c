//! Logs for queries and metrics for dashboards. Never message bodies, addresses, prompts or secrets.

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::Telemetry;

/// Sends logs to standard error in the configured form. Once per process; later calls change nothing.
pub fn start(settings: &Telemetry) {
    let filter = EnvFilter::try_new(&settings.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // The first one wins; a second in one process is harmless.
    _ = if settings.format == "json" { builder.json().try_init() } else { builder.try_init() };
}

/// Where the metrics of this process are read.
pub fn metrics() -> Result<PrometheusHandle, BuildError> {
    PrometheusBuilder::new().install_recorder()
}
