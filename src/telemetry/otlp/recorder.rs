//! One recorder for both readers of a measurement: Prometheus, which asks, and the collector, which is told.

use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::PrometheusRecorder;
use opentelemetry::KeyValue;

/// Everything for Prometheus, and for the collector the histograms under OpenTelemetry's names.
pub(in super::super) struct Both(PrometheusRecorder);

impl Both {
    /// Records beside `prometheus`.
    pub(in super::super) fn new(prometheus: PrometheusRecorder) -> Self {
        Self(prometheus)
    }
}

impl Recorder for Both {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.describe_counter(key, unit, description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.describe_gauge(key, unit, description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.describe_histogram(key, unit, description);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        self.0.register_counter(key, metadata)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.0.register_gauge(key, metadata)
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        let asked = self.0.register_histogram(key, metadata);
        let Some(told) = super::histogram(key.name()) else { return asked };
        let attribute =
            |label: &metrics::Label| KeyValue::new(label.key().to_owned(), label.value().to_owned());
        let attributes = key.labels().map(attribute).collect();
        Histogram::from_arc(Arc::new(Twice { asked, told, attributes }))
    }
}

/// A histogram of each reader.
struct Twice {
    asked: Histogram,
    told: &'static opentelemetry::metrics::Histogram<f64>,
    attributes: Vec<KeyValue>,
}

impl HistogramFn for Twice {
    fn record(&self, value: f64) {
        self.asked.record(value);
        self.told.record(value, &self.attributes);
    }
}
