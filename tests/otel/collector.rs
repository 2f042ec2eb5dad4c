//! A collector on loopback: takes OTLP over HTTP, keeps every byte, and reads it as the protocol says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, metric};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Attributes by name.
pub(crate) type Attributes = BTreeMap<String, Value>;

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Export {
    pub(crate) authorization: String,
    pub(crate) body: Vec<u8>,
}

#[derive(Default)]
struct Taken {
    spans: Vec<Export>,
    metrics: Vec<Export>,
}

/// A running collector; ends when dropped.
pub(crate) struct Collector {
    address: SocketAddr,
    taken: Arc<Mutex<Taken>>,
    _serving: JoinSet<()>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::<Mutex<Taken>>::default();
        let router = Router::new()
            .route("/v1/traces", post(take_spans))
            .route("/v1/metrics", post(take_metrics))
            .with_state(taken.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, taken, _serving: serving }
    }

    /// For `[telemetry] otlp_endpoint`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request, whatever it was about.
    pub(crate) fn exports(&self) -> Vec<Export> {
        let taken = self.taken.lock().unwrap();
        taken.spans.iter().chain(&taken.metrics).cloned().collect()
    }

    /// Every span, and what it is said to come from.
    pub(crate) fn spans(&self) -> (Vec<Span>, Vec<Attributes>) {
        let (mut spans, mut sources) = (Vec::new(), Vec::new());
        for export in &self.taken.lock().unwrap().spans {
            let request = ExportTraceServiceRequest::decode(&*export.body).unwrap();
            for one in request.resource_spans {
                sources.push(source(one.resource));
                spans.extend(one.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        }
        (spans, sources)
    }

    /// The last word on every histogram: its unit and its points, by name.
    pub(crate) fn histograms(&self) -> BTreeMap<String, (String, Vec<HistogramDataPoint>)> {
        let mut found = BTreeMap::new();
        for export in &self.taken.lock().unwrap().metrics {
            let request = ExportMetricsServiceRequest::decode(&*export.body).unwrap();
            let scopes = request.resource_metrics.into_iter().flat_map(|one| one.scope_metrics);
            for metric in scopes.flat_map(|scope| scope.metrics) {
                let Some(metric::Data::Histogram(histogram)) = metric.data else {
                    panic!("{} is no histogram", metric.name);
                };
                found.insert(metric.name, (metric.unit, histogram.data_points));
            }
        }
        found
    }
}

async fn take_spans(State(taken): State<Arc<Mutex<Taken>>>, headers: HeaderMap, body: Bytes) {
    taken.lock().unwrap().spans.push(export(&headers, &body));
}

async fn take_metrics(State(taken): State<Arc<Mutex<Taken>>>, headers: HeaderMap, body: Bytes) {
    taken.lock().unwrap().metrics.push(export(&headers, &body));
}

fn export(headers: &HeaderMap, body: &Bytes) -> Export {
    let authorization = headers.get("authorization").map_or("", |value| value.to_str().unwrap());
    Export { authorization: authorization.to_owned(), body: body.to_vec() }
}

fn source(resource: Option<Resource>) -> Attributes {
    attributes(&resource.unwrap().attributes)
}

/// Attributes by name; one that comes twice is an error.
pub(crate) fn attributes(pairs: &[KeyValue]) -> Attributes {
    let mut found = BTreeMap::new();
    for pair in pairs {
        let earlier = found.insert(pair.key.clone(), value(pair.value.as_ref()));
        assert_eq!(earlier, None, "`{}` comes twice", pair.key);
    }
    found
}

fn value(value: Option<&AnyValue>) -> Value {
    match value.and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => json!(text),
        Some(any_value::Value::IntValue(number)) => json!(number),
        Some(any_value::Value::ArrayValue(list)) => {
            list.values.iter().map(|one| self::value(Some(one))).collect()
        }
        other => panic!("an attribute of a kind that none of ours has: {other:?}"),
    }
}
