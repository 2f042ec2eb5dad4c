//! Logs for queries, metrics for dashboards, spans for whoever runs a collector. Never message bodies, addresses,
//! prompts or secrets.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::Telemetry;

mod operation;
#[cfg(feature = "otel")]
mod otlp;

pub use operation::{AGENT, Operation, record_list};

/// Tokens of one call to a model, in and out apart. OpenTelemetry's name; Prometheus shows dots as `_`.
pub const MODEL_TOKENS: &str = "gen_ai.client.token.usage";
/// How long one call to a model took.
pub const MODEL_SECONDS: &str = "gen_ai.client.operation.duration";
/// How long a streamed answer took to begin.
pub const FIRST_CHUNK_SECONDS: &str = "gen_ai.client.operation.time_to_first_chunk";
/// How long the assistant worked on one turn.
pub const AGENT_SECONDS: &str = "gen_ai.invoke_agent.duration";
/// How long one call of a tool took.
pub const TOOL_SECONDS: &str = "gen_ai.execute_tool.duration";

/// Libraries whose lines repeat what somebody else said, at any level.
const QUIET: [&str; 1] = ["rmcp=off"];

/// A histogram under OpenTelemetry's names, with the buckets it asks for.
struct Measure {
    name: &'static str,
    #[cfg_attr(not(feature = "otel"), expect(dead_code, reason = "Prometheus knows no units"))]
    unit: &'static str,
    buckets: Vec<f64>,
}

fn measures() -> [Measure; 5] {
    let powers =
        |first: f64, base: f64, count: i32| (0..count).map(|power| first * base.powi(power)).collect();
    let seconds = |name, first, count| Measure { name, unit: "s", buckets: powers(first, 2.0, count) };
    [
        Measure { name: MODEL_TOKENS, unit: "{token}", buckets: powers(1.0, 4.0, 14) },
        seconds(MODEL_SECONDS, 0.01, 14),
        seconds(FIRST_CHUNK_SECONDS, 0.01, 14),
        seconds(AGENT_SECONDS, 0.1, 13),
        seconds(TOOL_SECONDS, 0.01, 14),
    ]
}

/// What is sent to a collector while the process runs; nothing unless one is configured.
#[must_use = "what is measured last is sent by `stop`"]
pub struct Exports {
    #[cfg(feature = "otel")]
    otlp: Option<otlp::Exports>,
}

impl Exports {
    /// Sends what is left, for at most `otlp_shutdown_ms`. Nothing is sent afterwards.
    #[cfg_attr(
        not(feature = "otel"),
        expect(clippy::unused_async, reason = "nothing is sent without the feature")
    )]
    pub async fn stop(self) {
        #[cfg(feature = "otel")]
        if let Some(otlp) = self.otlp {
            otlp.stop().await;
        }
    }
}

/// The configured collector cannot be written to; the text says what to change.
#[derive(Debug, thiserror::Error)]
#[error("[telemetry]: {0}")]
pub struct ExportError(String);

/// Sends logs to standard error in the configured form, and spans and metrics to the configured collector. Once per
/// process; later calls change nothing.
pub fn start(settings: &Telemetry) -> Result<Exports, ExportError> {
    let filter = EnvFilter::try_new(&settings.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let filter = QUIET.iter().filter_map(|quiet| quiet.parse().ok()).fold(filter, EnvFilter::add_directive);
    #[cfg(feature = "otel")]
    if !settings.otlp_endpoint.is_empty() {
        return otlp::start(settings, filter).map(|otlp| Exports { otlp: Some(otlp) });
    }
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // The first one wins; a second in one process is harmless.
    _ = if settings.format == "json" { builder.json().try_init() } else { builder.try_init() };
    Ok(Exports {
        #[cfg(feature = "otel")]
        otlp: None,
    })
}

/// Where the metrics of this process are read; the first call makes this the process's recorder.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let installed = HANDLE.get_or_init(|| {
        let recorder = measures()
            .into_iter()
            .fold(PrometheusBuilder::new(), |builder, measure| {
                let matcher = Matcher::Full(measure.name.to_owned());
                // Refused only for an empty list, which these are not.
                builder.set_buckets_for_metric(matcher, &measure.buckets).unwrap_or_default()
            })
            .build_recorder();
        let handle = recorder.handle();
        #[cfg(feature = "otel")]
        let recorder = otlp::Both::new(recorder);
        // Another recorder was there first: this one stays empty, which shows in its dashboard.
        _ = metrics::set_global_recorder(recorder);
        handle
    });
    installed.clone()
}
