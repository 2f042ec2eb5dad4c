//! What a call leaves behind under OpenTelemetry's names for generative models. Never what was said.

use tracing::Span;
use tracing::field::{Empty, display};

use super::super::{ChatReply, ChatRequest, Finish, ModelError};
use super::Endpoint;
use crate::domain::time::Timestamp;
use crate::telemetry::{MODEL_SECONDS, MODEL_TOKENS};

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
            gen_ai.operation.name = "chat",
            gen_ai.provider.name = endpoint.provider(),
            gen_ai.request.model = endpoint.model,
            gen_ai.request.max_tokens = request.output_tokens_max,
            gen_ai.output.type = if request.output.is_some() { "json" } else { "text" },
            gen_ai.response.model = Empty,
            gen_ai.response.finish_reasons = Empty,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.cache_read.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
            server.address = endpoint.host,
            server.port = endpoint.port,
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
    let mut labels = vec![
        metrics::Label::new("gen_ai.operation.name", "chat"),
        metrics::Label::new("gen_ai.provider.name", *provider),
        metrics::Label::new("gen_ai.request.model", model.clone()),
    ];
    match result {
        Ok(reply) => {
            let finish = match reply.finish {
                Finish::Stop => "stop",
                Finish::ToolCalls => "tool_calls",
            };
            span.record("gen_ai.response.model", &*reply.model);
            span.record("gen_ai.response.finish_reasons", display(format_args!("[\"{finish}\"]")));
            span.record("gen_ai.usage.input_tokens", reply.usage.input);
            span.record("gen_ai.usage.cache_read.input_tokens", reply.usage.cached);
            span.record("gen_ai.usage.output_tokens", reply.usage.output);
            for (side, tokens) in [("input", reply.usage.input), ("output", reply.usage.output)] {
                let mut labels = labels.clone();
                labels.push(metrics::Label::new("gen_ai.token.type", side));
                metrics::histogram!(MODEL_TOKENS, labels).record(tokens as f64);
            }
        }
        Err(error) => {
            span.record("error.type", error.kind());
            labels.push(metrics::Label::new("error.type", error.kind()));
        }
    }
    metrics::histogram!(MODEL_SECONDS, labels).record(milliseconds as f64 / 1000.0);
}
