//! A question in the words of the protocol.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::{ChatRequest, Message, OutputSchema};
use super::Endpoint;
use crate::config::{OutputLimit, Structured};

#[derive(Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    messages: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Format<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    stream: bool,
    stream_options: StreamOptions,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Entry<'a> {
    role: &'static str,
    content: Content<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(&'a str),
    Joined(String),
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    function: Declared<'a>,
}

#[derive(Serialize)]
struct Declared<'a> {
    name: &'a str,
    description: &'a str,
    parameters: &'a RawValue,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Format<'a> {
    JsonSchema { json_schema: Shape<'a> },
    JsonObject,
}

#[derive(Serialize)]
struct Shape<'a> {
    name: &'a str,
    schema: &'a Value,
    strict: bool,
}

/// What is sent to `endpoint`.
pub(super) fn body<'a>(request: &'a ChatRequest, endpoint: &'a Endpoint) -> Body<'a> {
    let output = request.output.as_deref();
    let in_words = output.filter(|_| endpoint.structured != Structured::Schema);
    let limit = Some(request.output_tokens_max);
    let (max_completion_tokens, max_tokens) = match endpoint.output_limit {
        OutputLimit::MaxCompletionTokens => (limit, None),
        OutputLimit::MaxTokens => (None, limit),
    };
    Body {
        model: &endpoint.model,
        messages: entries(&request.messages, in_words),
        tools: request.tools.iter().map(tool).collect(),
        response_format: output.and_then(|output| format(output, endpoint.structured)),
        max_completion_tokens,
        max_tokens,
        temperature: endpoint.temperature,
        stream: true,
        stream_options: StreamOptions { include_usage: true },
    }
}

fn tool(tool: &super::super::ToolSpec) -> Tool<'_> {
    let function =
        Declared { name: &tool.name, description: &tool.description, parameters: &tool.parameters };
    Tool { r#type: "function", function }
}

fn format(output: &OutputSchema, how: Structured) -> Option<Format<'_>> {
    match how {
        Structured::Schema => Some(Format::JsonSchema {
            json_schema: Shape { name: &output.name, schema: &output.schema, strict: true },
        }),
        Structured::Object => Some(Format::JsonObject),
        Structured::Prompt => None,
    }
}

/// The conversation. What must be said of the schema joins the first system entry: many models take only one.
fn entries<'a>(messages: &'a [Message], in_words: Option<&'a OutputSchema>) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = messages.iter().map(entry).collect();
    let Some(output) = in_words else { return entries };
    let explained = format!("{}\n\n{}", output.instruction, output.schema);
    match entries.first_mut() {
        Some(Entry { role: "system", content, .. }) => {
            let before = match content {
                Content::Text(text) => (*text).to_owned(),
                Content::Joined(text) => std::mem::take(text),
            };
            *content = Content::Joined(format!("{before}\n\n{explained}"));
        }
        Some(_) | None => entries.insert(0, plain("system", Content::Joined(explained))),
    }
    entries
}

fn plain<'a>(role: &'static str, content: Content<'a>) -> Entry<'a> {
    Entry { role, content, tool_calls: Vec::new(), tool_call_id: None }
}

fn entry(message: &Message) -> Entry<'_> {
    match message {
        Message::System(text) => plain("system", Content::Text(text)),
        Message::User(text) => plain("user", Content::Text(text)),
        Message::Tool { call, text } => {
            Entry { tool_call_id: Some(call), ..plain("tool", Content::Text(text)) }
        }
        Message::Assistant { text, tool_calls } => Entry {
            tool_calls: tool_calls
                .iter()
                .map(|call| Call {
                    id: &call.id,
                    r#type: "function",
                    function: Function { name: &call.name, arguments: &call.arguments },
                })
                .collect(),
            ..plain("assistant", Content::Text(text))
        },
    }
}
