//! What the assistant does, as OpenTelemetry names it: a span and a duration for each turn it works on and each tool
//! it calls. Never what was said, asked for or found.

use metrics::Label;
use tracing::Span;
use tracing::field::Empty;

use super::{AGENT_SECONDS, TOOL_SECONDS};
use crate::domain::ids::CaseId;
use crate::domain::time::{Clock, Timestamp};

/// The assistant, as spans and metrics name it.
pub const AGENT: &str = "firstline";
/// Longest name of a call that is passed on.
const CALL_ID_CHARS_MAX: usize = 64;

/// One operation under way. Dropped before its end, it counts as abandoned.
pub struct Operation<'a> {
    span: Span,
    clock: &'a dyn Clock,
    began: Timestamp,
    metric: &'static str,
    labels: Vec<Label>,
    ended: bool,
}

impl<'a> Operation<'a> {
    /// The assistant's work on one turn of `case`.
    pub fn invoke_agent(case: &CaseId, clock: &'a dyn Clock) -> Self {
        // Debug: whoever reads logs finds the case in the lines themselves, and a turn without a collector pays nothing.
        let span = tracing::debug_span!(
            "invoke_agent",
            otel.name = format_args!("invoke_agent {AGENT}"),
            otel.kind = "internal",
            otel.status_code = Empty,
            gen_ai.operation.name = "invoke_agent",
            gen_ai.agent.name = AGENT,
            gen_ai.conversation.id = case.as_str(),
            error.type = Empty,
        );
        Self::begin(span, clock, AGENT_SECONDS, vec![Label::new("gen_ai.agent.name", AGENT)])
    }

    /// One call of `tool`; `call` is the name a model gave to it.
    pub fn execute_tool(tool: &str, case: &CaseId, call: Option<&str>, clock: &'a dyn Clock) -> Self {
        let span = tracing::debug_span!(
            "execute_tool",
            otel.name = format_args!("execute_tool {tool}"),
            otel.kind = "internal",
            otel.status_code = Empty,
            gen_ai.operation.name = "execute_tool",
            gen_ai.agent.name = AGENT,
            gen_ai.conversation.id = case.as_str(),
            gen_ai.tool.name = tool,
            gen_ai.tool.type = "function",
            gen_ai.tool.call.id = call.filter(|call| is_plain(call)),
            error.type = Empty,
        );
        let labels = vec![
            Label::new("gen_ai.agent.name", AGENT),
            Label::new("gen_ai.tool.name", tool.to_owned()),
            Label::new("gen_ai.tool.type", "function"),
        ];
        Self::begin(span, clock, TOOL_SECONDS, labels)
    }

    fn begin(span: Span, clock: &'a dyn Clock, metric: &'static str, labels: Vec<Label>) -> Self {
        Self { span, clock, began: clock.now(), metric, labels, ended: false }
    }

    /// The span to work in.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// Closes the books; `error` is one word for what went wrong. Returns how long it took, milliseconds.
    pub fn end(mut self, error: Option<&'static str>) -> i64 {
        self.ended = true;
        self.close(error)
    }

    fn close(&mut self, error: Option<&'static str>) -> i64 {
        let milliseconds = self.clock.now().ms_since(self.began);
        let mut labels = std::mem::take(&mut self.labels);
        if let Some(error) = error {
            self.span.record("otel.status_code", "error").record("error.type", error);
            labels.push(Label::new("error.type", error));
        }
        metrics::histogram!(self.metric, labels).record(milliseconds as f64 / 1000.0);
        milliseconds
    }
}

impl Drop for Operation<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.close(Some("abandoned"));
        }
    }
}

/// Whether the name of a call is a name: it comes from a model's server, which has read what the customer wrote.
fn is_plain(call: &str) -> bool {
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    call.len() <= CALL_ID_CHARS_MAX && call.bytes().all(sign)
}

/// Records a list of one, which a log shows as JSON and a collector is sent as a list.
pub fn record_list(span: &Span, name: &'static str, only: &'static str) {
    #[cfg(feature = "otel")]
    if super::otlp::record_list(span, name, only) {
        return;
    }
    span.record(name, tracing::field::display(format_args!("[\"{only}\"]")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_no_name_of_a_call() {
        for (call, plain) in [("call_0-aB", true), ("my parcel", false), ("a@b.example", false)] {
            assert_eq!(is_plain(call), plain, "{call}");
        }
        assert!(!is_plain(&"a".repeat(CALL_ID_CHARS_MAX + 1)));
    }
}
