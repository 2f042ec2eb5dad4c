//! What a collector is sent, and that nobody waits for one: the real program, a model's server and a collector on
//! loopback. `cargo test --features otel --test otel`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails panics")]

mod collector;
mod program;
#[path = "../it/support/site.rs"]
#[expect(dead_code, reason = "the other tests use more of it")]
mod site;
#[path = "../it/support/stub_model.rs"]
#[expect(dead_code, reason = "the other tests use more of it")]
mod stub_model;

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::metrics::v1::HistogramDataPoint;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use collector::{Attributes, Collector, attributes};
use program::{MODEL_KEY, Program};
use stub_model::{Act, StubModel, call_deltas, honestly, stream_of};

/// Longer than any test: only the end of the program sends anything.
const NEVER_MS: &str = "3600000";
const COLLECTOR_KEY: &str = "hush-collector";

/// A model that looks at the orders and at the account of whoever wants things sorted out, and breaks on demand.
async fn model() -> StubModel {
    StubModel::start(|_, captured| {
        let said = captured.said("user").join("\n");
        if said.contains("break down") {
            return Act::Refuse { status: 500, headers: "", body: "{}" };
        }
        let sorted = captured.body.pointer("/response_format/json_schema/name");
        if sorted.and_then(Value::as_str) == Some("triage") {
            let text = json!({"procedure": "", "confident": true, "language": "en"}).to_string();
            return Act::Stream(stream_of(&[json!({"role": "assistant", "content": text})], "stop"));
        }
        if said.contains("sort it out") && captured.said("tool").is_empty() {
            let calls = call_deltas(&[("list_orders", "{}"), ("account", "{}")]);
            return Act::Stream(stream_of(&calls, "tool_calls"));
        }
        honestly(captured)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_told_with_its_calls_and_its_tools_and_without_a_word_that_was_said() {
    let (model, collector) = (model().await, Collector::start().await);
    let headers = format!("authorization=Bearer {COLLECTOR_KEY}");
    let settings = [
        ("FIRSTLINE__TELEMETRY__OTLP_ENDPOINT", collector.endpoint()),
        ("FIRSTLINE__TELEMETRY__OTLP_HEADERS", headers),
        ("FIRSTLINE__TELEMETRY__SERVICE_NAME", "front-line".to_owned()),
        ("FIRSTLINE__TELEMETRY__OTLP_SPANS_INTERVAL_MS", NEVER_MS.to_owned()),
        ("FIRSTLINE__TELEMETRY__OTLP_METRICS_INTERVAL_MS", NEVER_MS.to_owned()),
        ("FIRSTLINE__TELEMETRY__OTLP_SHUTDOWN_MS", "20000".to_owned()),
    ];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let program = Program::start(&model.base_url(), &settings).await;
    let well =
        program.say("cust-0001", "m1", "please sort it out for me, you know. The word is walnut.").await;
    let badly = program.say("cust-0002", "m2", "please break down, walnut").await;
    let asked = program.page("/metrics").await;
    let key = program.key().to_owned();
    let log = program.stop();

    let (spans, sources) = collector.spans();
    for source in &sources {
        assert_eq!(source["service.name"], "front-line", "{source:?}");
    }
    turn_that_went_well(&of_case(&spans, &well));
    turn_without_a_model(&of_case(&spans, &badly));
    let told = collector.histograms();
    measured(&told);
    for name in told.keys() {
        assert!(asked.contains(&name.replace('.', "_")), "Prometheus does not know {name}");
    }
    let exports = collector.exports();
    assert!(exports.iter().all(|export| export.authorization == format!("Bearer {COLLECTOR_KEY}")));
    let secrets =
        ["walnut", "sort it", "break down", "cust-0001", "mara", "HP-10", MODEL_KEY, COLLECTOR_KEY, &key];
    for secret in secrets {
        for export in &exports {
            let bytes = export.body.to_ascii_lowercase();
            let secret = secret.to_lowercase();
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "`{secret}` is sent to the collector");
        }
        assert!(!log.contains(secret), "`{secret}` is in the log");
    }
}

/// The spans of the turn that an answer tells of, by name, the assistant's own first.
fn of_case<'a>(spans: &'a [Span], answer: &Value) -> Vec<&'a Span> {
    let case = &answer["case_id"];
    let roots: Vec<&Span> = spans
        .iter()
        .filter(|span| span.name == "invoke_agent firstline")
        .filter(|span| attributes(&span.attributes)["gen_ai.conversation.id"] == *case)
        .collect();
    let [root] = roots.as_slice() else { panic!("{} turns of {case}", roots.len()) };
    assert!(root.parent_span_id.is_empty(), "a turn begins a trace");
    let mut own: Vec<&Span> = spans.iter().filter(|span| span.trace_id == root.trace_id).collect();
    own.retain(|span| span.span_id != root.span_id);
    for span in &own {
        assert_eq!(span.parent_span_id, root.span_id, "{} belongs to the turn", span.name);
        assert!(span.events.is_empty(), "log lines stay here: {:?}", span.events);
    }
    own.sort_by(|a, b| a.name.cmp(&b.name));
    own.insert(0, root);
    own
}

fn shape(attributes: Value) -> Attributes {
    serde_json::from_value(attributes).unwrap()
}

fn turn_that_went_well(spans: &[&Span]) {
    let root = attributes(&spans[0].attributes);
    let case = root["gen_ai.conversation.id"].clone();
    let turn = json!({
        "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "firstline", "gen_ai.conversation.id": case,
    });
    assert_eq!((spans[0].kind(), root), (SpanKind::Internal, shape(turn)));
    let names: Vec<&str> = spans.iter().skip(1).map(|span| span.name.as_str()).collect();
    let (tools, chats): (Vec<&Span>, Vec<&Span>) =
        spans.iter().skip(1).copied().partition(|span| span.name.starts_with("execute_tool "));
    assert!(chats.len() >= 2 && chats.iter().all(|span| span.name == "chat stub"), "{names:?}");
    for chat in &chats {
        let mut seen = attributes(&chat.attributes);
        let (purpose, form) = (seen.remove("model.purpose"), seen.remove("gen_ai.output.type"));
        assert!(purpose.is_some() && form == Some("json".into()), "{seen:?}");
        for varies in ["gen_ai.request.max_tokens", "duration_ms", "server.port"] {
            assert!(seen.remove(varies).unwrap().is_i64(), "{varies}");
        }
        let finish = seen.remove("gen_ai.response.finish_reasons").unwrap();
        assert!(finish == json!(["stop"]) || finish == json!(["tool_calls"]), "{finish}");
        let expected = json!({
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "stub",
            "gen_ai.response.model": "stub", "gen_ai.usage.input_tokens": 70, "gen_ai.usage.output_tokens": 9,
            "gen_ai.usage.cache_read.input_tokens": 0, "server.address": "127.0.0.1",
        });
        assert_eq!((chat.kind(), seen), (SpanKind::Client, shape(expected)));
    }
    let tools: Vec<(&str, SpanKind, Attributes)> =
        tools.iter().map(|span| (span.name.as_str(), span.kind(), attributes(&span.attributes))).collect();
    let tool = |name: &str, call: &str| {
        shape(json!({
            "gen_ai.operation.name": "execute_tool", "gen_ai.agent.name": "firstline",
            "gen_ai.conversation.id": case, "gen_ai.tool.name": name, "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": call,
        }))
    };
    let expected = [
        ("execute_tool account", SpanKind::Internal, tool("account", "call-1")),
        ("execute_tool list_orders", SpanKind::Internal, tool("list_orders", "call-0")),
    ];
    assert_eq!(tools, expected);
}

/// The local assistant carries on: the turn is well, the calls are not.
fn turn_without_a_model(spans: &[&Span]) {
    assert!(spans[0].status.as_ref().is_none_or(|status| status.code() != StatusCode::Error));
    let broken: Vec<&&Span> = spans.iter().filter(|span| span.name == "chat stub").collect();
    assert!(!broken.is_empty());
    for chat in broken {
        assert_eq!(chat.status.as_ref().unwrap().code(), StatusCode::Error);
        assert_eq!(attributes(&chat.attributes)["error.type"], "unavailable");
    }
}

fn measured(told: &BTreeMap<String, (String, Vec<HistogramDataPoint>)>) {
    let units: Vec<(&str, &str)> =
        told.iter().map(|(name, (unit, _))| (name.as_str(), unit.as_str())).collect();
    let expected = [
        ("gen_ai.client.operation.duration", "s"),
        ("gen_ai.client.operation.time_to_first_chunk", "s"),
        ("gen_ai.client.token.usage", "{token}"),
        ("gen_ai.execute_tool.duration", "s"),
        ("gen_ai.invoke_agent.duration", "s"),
    ];
    assert_eq!(units, expected);
    let points = |name: &str| told[name].1.iter();
    assert_eq!(points("gen_ai.invoke_agent.duration").map(|point| point.count).sum::<u64>(), 2);
    let values = |name: &str, key: &str| -> BTreeSet<String> {
        let told = points(name).filter_map(|point| attributes(&point.attributes).remove(key));
        told.map(|value| value.as_str().unwrap().to_owned()).collect()
    };
    let set = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(values("gen_ai.execute_tool.duration", "gen_ai.tool.name"), set(&["account", "list_orders"]));
    assert_eq!(values("gen_ai.client.operation.duration", "error.type"), set(&["unavailable"]));
    assert_eq!(values("gen_ai.client.token.usage", "gen_ai.token.type"), set(&["input", "output"]));
    assert_eq!(values("gen_ai.invoke_agent.duration", "gen_ai.agent.name"), set(&["firstline"]));
    let bounds = |name: &str| {
        let bounds = &points(name).next().unwrap().explicit_bounds;
        (bounds[0], *bounds.last().unwrap())
    };
    assert_eq!(bounds("gen_ai.client.token.usage"), (1.0, 67_108_864.0));
    assert_eq!(bounds("gen_ai.client.operation.duration"), (0.01, 81.92));
    assert_eq!(bounds("gen_ai.invoke_agent.duration"), (0.1, 409.6));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_collector_that_never_answers_and_the_log_says_so_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let mut accepting = JoinSet::new();
    accepting.spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    let model = model().await;
    let settings = [
        ("FIRSTLINE__TELEMETRY__OTLP_ENDPOINT", endpoint.as_str()),
        ("FIRSTLINE__TELEMETRY__OTLP_SPANS_INTERVAL_MS", "5"),
        ("FIRSTLINE__TELEMETRY__OTLP_METRICS_INTERVAL_MS", "5"),
        ("FIRSTLINE__TELEMETRY__OTLP_TIMEOUT_MS", "50"),
        ("FIRSTLINE__TELEMETRY__OTLP_QUEUE_SPANS_MAX", "2"),
    ];
    let program = Program::start(&model.base_url(), &settings).await;
    for at in 0..6 {
        let answer = program.say("somebody", &format!("n{at}"), "please sort it out for me").await;
        let outcome = answer["outcome"].as_str();
        assert!(matches!(outcome, Some("resolved" | "replied" | "handed_off")), "{answer}");
    }
    let log = program.stop();
    let complaints = log.matches("the telemetry collector takes nothing");
    assert_eq!(complaints.count(), 1, "{log}");
}
