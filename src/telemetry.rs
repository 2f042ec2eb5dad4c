//! Logs for queries and metrics for dashboards. Never message bodies, addresses, prompts or secrets.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::Telemetry;

/// Tokens of one call to a model, in and out apart. OpenTelemetry's name; Prometheus shows dots as `_`.
pub const MODEL_TOKENS: &str = "gen_ai.client.token.usage";
/// How long one call to a model took.
pub const MODEL_SECONDS: &str = "gen_ai.client.operation.duration";

/// Libraries whose lines repeat what somebody else said, at any level.
const QUIET: [&str; 1] = ["rmcp=off"];

/// The buckets that OpenTelemetry asks for: each four times, and each twice, the one before.
fn model_buckets() -> [(&'static str, Vec<f64>); 2] {
    let tokens = (0..14).map(|power| 4_f64.powi(power)).collect();
    let seconds = (0..14).map(|power| 0.01 * 2_f64.powi(power)).collect();
    [(MODEL_TOKENS, tokens), (MODEL_SECONDS, seconds)]
}

/// Sends logs to standard error in the configured form. Once per process; later calls change nothing.
pub fn start(settings: &Telemetry) {
    let filter = EnvFilter::try_new(&settings.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let filter = QUIET.iter().filter_map(|quiet| quiet.parse().ok()).fold(filter, EnvFilter::add_directive);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // The first one wins; a second in one process is harmless.
    _ = if settings.format == "json" { builder.json().try_init() } else { builder.try_init() };
}

/// Where the metrics of this process are read; the first call makes this the process's recorder.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let installed = HANDLE.get_or_init(|| {
        let recorder = model_buckets()
            .into_iter()
            .fold(PrometheusBuilder::new(), |builder, (name, buckets)| {
                let matcher = Matcher::Full(name.to_owned());
                // Refused only for an empty list, which these are not.
                builder.set_buckets_for_metric(matcher, &buckets).unwrap_or_default()
            })
            .build_recorder();
        let handle = recorder.handle();
        // Another recorder was there first: this one stays empty, which shows in its dashboard.
        _ = metrics::set_global_recorder(recorder);
        handle
    });
    installed.clone()
}
