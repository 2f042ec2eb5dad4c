//! Sends spans and metrics to an OpenTelemetry collector, beside the work: a collector that is slow or gone costs the
//! work nothing.
//!
//! Only the spans named in [`SPANS`] leave, and no log line: what leaves is what those spans and [`measures`] hold.

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::metrics::{Histogram, MeterProvider};
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Array, KeyValue, Value};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use tracing::{Metadata, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::{EnvFilter, FilterFn, LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

use super::{ExportError, measures};
use crate::config::Telemetry;
use collector::Collector;

mod collector;
mod recorder;

pub(super) use recorder::Both;

/// What a collector is told of.
const SPANS: [&str; 3] = ["chat", "invoke_agent", "execute_tool"];
/// Who measured.
const SCOPE: &str = "firstline";

/// The histograms that a collector gets, by name; set once there is one.
static HISTOGRAMS: OnceLock<Vec<(&'static str, Histogram<f64>)>> = OnceLock::new();

/// The exporters of this process.
pub(super) struct Exports {
    spans: SdkTracerProvider,
    metrics: SdkMeterProvider,
    patience: Duration,
}

/// Starts the exporters, and the logs beside them.
pub(super) fn start(settings: &Telemetry, filter: EnvFilter) -> Result<Exports, ExportError> {
    let collector = Collector::new(settings)?;
    let resource = Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_service_name(settings.service_name.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let spans = spans(settings, &collector, resource.clone())?;
    let metrics = metrics(settings, &collector, resource)?;
    let layer = tracing_opentelemetry::layer()
        .with_tracer(spans.tracer(SCOPE))
        .with_location(false)
        .with_target(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(exported());
    let logs = fmt::layer().with_writer(std::io::stderr);
    let logs: Box<dyn Layer<_> + Send + Sync> =
        if settings.format == "json" { logs.json().boxed() } else { logs.boxed() };
    // The first one wins; a second in one process is harmless.
    _ = Registry::default().with(layer).with(logs.with_filter(filter)).try_init();
    Ok(Exports { spans, metrics, patience: Duration::from_millis(settings.otlp_shutdown_ms) })
}

fn spans(
    settings: &Telemetry,
    collector: &Collector,
    resource: Resource,
) -> Result<SdkTracerProvider, ExportError> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(collector.clone())
        .with_endpoint(address(settings, "traces"))
        .with_headers(headers(settings))
        .with_timeout(Duration::from_millis(settings.otlp_timeout_ms))
        .build()
        .map_err(refused)?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(settings.otlp_queue_spans_max)
        .with_scheduled_delay(Duration::from_millis(settings.otlp_spans_interval_ms))
        .build();
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
    Ok(SdkTracerProvider::builder().with_span_processor(processor).with_resource(resource).build())
}

fn metrics(
    settings: &Telemetry,
    collector: &Collector,
    resource: Resource,
) -> Result<SdkMeterProvider, ExportError> {
    let exporter = MetricExporter::builder()
        .with_http()
        .with_http_client(collector.clone())
        .with_endpoint(address(settings, "metrics"))
        .with_headers(headers(settings))
        .with_timeout(Duration::from_millis(settings.otlp_timeout_ms))
        .build()
        .map_err(refused)?;
    let reader = PeriodicReader::builder(exporter)
        .with_interval(Duration::from_millis(settings.otlp_metrics_interval_ms))
        .build();
    let provider = SdkMeterProvider::builder().with_reader(reader).with_resource(resource).build();
    let meter = provider.meter(SCOPE);
    let histograms = measures().map(|measure| {
        let histogram = meter.f64_histogram(measure.name).with_unit(measure.unit);
        (measure.name, histogram.with_boundaries(measure.buckets).build())
    });
    // The first one wins, as with the logs.
    _ = HISTOGRAMS.set(histograms.into());
    Ok(provider)
}

fn address(settings: &Telemetry, signal: &str) -> String {
    format!("{}/v1/{signal}", settings.otlp_endpoint.trim_end_matches('/'))
}

fn headers(settings: &Telemetry) -> std::collections::HashMap<String, String> {
    let pairs = settings.headers().unwrap_or_default().into_iter();
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn refused(error: impl std::fmt::Display) -> ExportError {
    ExportError(format!("the collector cannot be written to: {error}"))
}

/// Lets through our own spans by name. Log lines stay here: they are for those who run this service.
fn exported() -> FilterFn<impl Fn(&Metadata<'_>) -> bool> {
    filter_fn(|metadata| {
        metadata.is_span() && metadata.target().starts_with("firstline::") && SPANS.contains(&metadata.name())
    })
    .with_max_level_hint(LevelFilter::DEBUG)
}

/// The collector's histogram of this name, if there is a collector and it is told of it.
fn histogram(name: &str) -> Option<&'static Histogram<f64>> {
    HISTOGRAMS.get()?.iter().find(|(known, _)| *known == name).map(|(_, histogram)| histogram)
}

/// Records a list of one for the collector. False when there is none.
pub(super) fn record_list(span: &Span, name: &'static str, only: &'static str) -> bool {
    if HISTOGRAMS.get().is_none() {
        return false;
    }
    span.set_attribute(name, Value::Array(Array::String(vec![only.into()])));
    true
}

impl Exports {
    /// Sends what is left. The exporters block while they do, so each has a thread that nobody joins: when patience
    /// ends, the process may.
    pub(super) async fn stop(self) {
        let patience = self.patience;
        let spans = self.spans;
        let metrics = self.metrics;
        let sent = futures_util::future::join(
            aside(move || spans.shutdown_with_timeout(patience).is_ok()),
            aside(move || metrics.shutdown_with_timeout(patience).is_ok()),
        );
        if tokio::time::timeout(patience, sent).await != Ok((true, true)) {
            tracing::warn!("not every span and metric reached the collector before the end");
        }
    }
}

/// Runs `work` on a thread of its own; false when it failed or never ended.
async fn aside(work: impl FnOnce() -> bool + Send + 'static) -> bool {
    let (done, ended) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().spawn(move || _ = done.send(work()));
    thread.is_ok() && ended.await.unwrap_or(false)
}
