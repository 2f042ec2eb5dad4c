//! What a call leaves behind under OpenTelemetry's names for generative models. Never what was said.

use metrics::Label;
use tracing::Span;
use tracing::field::Empty;

use super::super::{ChatReply, ChatRequest, Finish, ModelError};
use super::Endpoint;
use crate::domain::time::Timestamp;
use crate::telemetry::{FIRST_CHUNK_SECONDS, MODEL_SECONDS, MODEL_TOKENS, record_list};

/// One call while it is watched.
pub(super) struct Observed {
    pub(super) span: Span,
    model: String,
    provider: &'static str,
    began: Timestamp,
}

impl Observed {
    pub(super) fn new(endpoint: &Endpoint, request: &ChatRequest, began: Timestamp) -> Self {
        let span = tracing::info_span!(
            "chat",
            otel.name = format_args!("chat {}", endpoint.model),
            otel.kind = "client",
            otel.status_code = Empty,
            gen_ai.operation.name = "chat",
            gen_ai.provider.name = endpoint.provider(),
            gen_ai.request.model = endpoint.model,
            gen_ai.request.max_tokens = i64::from(request.output_tokens_max),
            gen_ai.output.type = if request.output.is_some() { "json" } else { "text" },
            gen_ai.response.model = Empty,
            gen_ai.response.finish_reasons = Empty,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.cache_read.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
            server.address = endpoint.host,
            server.port = i64::from(endpoint.port),
            error.type = Empty,
            model.purpose = request.purpose,
            duration_ms = Empty,
        );
        Self { span, model: endpoint.model.clone(), provider: endpoint.provider(), began }
    }
}

/// Closes the books on one call.
pub(super) fn observe(observed: &Observed, result: &Result<ChatReply, ModelError>, now: Timestamp) {
    let Observed { span, model, provider, began } = observed;
    let milliseconds = now.ms_since(*began);
    span.record("duration_ms", milliseconds);
    let mut labels = labels(provider, model);
    match result {
        Ok(reply) => {
            let finish = match reply.finish {
                Finish::Stop => "stop",
                Finish::ToolCalls => "tool_calls",
            };
            span.record("gen_ai.response.model", &*reply.model);
            record_list(span, "gen_ai.response.finish_reasons", finish);
            // Signed, because a collector knows no other whole numbers.
            span.record("gen_ai.usage.input_tokens", reply.usage.input as i64);
            span.record("gen_ai.usage.cache_read.input_tokens", reply.usage.cached as i64);
            span.record("gen_ai.usage.output_tokens", reply.usage.output as i64);
            for (side, tokens) in [("input", reply.usage.input), ("output", reply.usage.output)] {
                let mut labels = labels.clone();
                labels.push(Label::new("gen_ai.token.type", side));
                metrics::histogram!(MODEL_TOKENS, labels).record(tokens as f64);
            }
        }
        Err(error) => {
            span.record("otel.status_code", "error").record("error.type", error.kind());
            labels.push(Label::new("error.type", error.kind()));
        }
    }
    metrics::histogram!(MODEL_SECONDS, labels).record(milliseconds as f64 / 1000.0);
}

/// Notes when the first part of a stream came.
pub(super) fn begun(endpoint: &Endpoint, asked: Timestamp, now: Timestamp) {
    let seconds = now.ms_since(asked) as f64 / 1000.0;
    metrics::histogram!(FIRST_CHUNK_SECONDS, labels(endpoint.provider(), &endpoint.model)).record(seconds);
}

fn labels(provider: &'static str, model: &str) -> Vec<Label> {
    vec![
        Label::new("gen_ai.operation.name", "chat"),
        Label::new("gen_ai.provider.name", provider),
        Label::new("gen_ai.request.model", model.to_owned()),
    ]
}
