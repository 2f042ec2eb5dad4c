//! The wire to language models: what is asked, what comes back, and who must act when nothing does.
//!
//! [`ChatModel`] is the seam. [`openai`] speaks to one endpoint, once; [`resilience`] calls endpoints until one
//! answers or the deadline is near; [`usage`] counts what that cost and says when it is enough. An answer is
//! whole or it is an error: no part of one ever reaches a caller.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use secrecy::ExposeSecret;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::config::{Model, ModelCalls};
use crate::domain::time::{Clock, Timestamp};
use openai::{Endpoint, OpenAi};
use resilience::{Guarded, Resilient};
use usage::{Tally, Usage};

pub mod openai;
pub mod resilience;
pub mod tape;
mod tokens;
pub mod usage;

/// A language model that can be asked.
pub trait ChatModel: Send + Sync {
    /// The whole answer to `request`, or an error, before `deadline`.
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        deadline: Timestamp,
    ) -> BoxFuture<'a, Result<ChatReply, ModelError>>;
}

/// One question to a model. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    /// What the call is for, one word, for the record.
    pub purpose: &'static str,
    /// The conversation, oldest first.
    pub messages: Arc<[Message]>,
    /// What the model may ask to be called.
    pub tools: Arc<[ToolSpec]>,
    /// The shape the text of the answer must have.
    pub output: Option<Arc<OutputSchema>>,
    /// Longest answer.
    pub output_tokens_max: u32,
    /// Where every attempt at this call is counted, also when the caller does not wait for its end.
    pub tally: Tally,
}

impl ChatRequest {
    /// What the model reads, message by message and tool by tool.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let tools = self.tools.iter();
        let tools =
            tools.flat_map(|tool| [tool.name.as_ref(), tool.description.as_ref(), tool.parameters.get()]);
        self.messages.iter().flat_map(Message::texts).chain(tools)
    }

    /// How much the model reads.
    fn bytes(&self) -> usize {
        self.texts().map(str::len).sum()
    }
}

/// One entry of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Our own words, and nobody else's.
    System(Arc<str>),
    /// What is to be worked on.
    User(Arc<str>),
    /// What the model said before.
    Assistant {
        /// Its words; empty when it only asked for calls.
        text: Arc<str>,
        /// What it asked to be called.
        tool_calls: Vec<ToolCall>,
    },
    /// What came of one call.
    Tool {
        /// The call it answers.
        call: Arc<str>,
        /// The result as text.
        text: Arc<str>,
    },
}

impl Message {
    /// Everything in it that the model reads.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let (text, calls) = match self {
            Self::System(text) | Self::User(text) | Self::Tool { text, .. } => (text, &[][..]),
            Self::Assistant { text, tool_calls } => (text, tool_calls.as_slice()),
        };
        std::iter::once(text.as_ref())
            .chain(calls.iter().flat_map(|call| [call.name.as_ref(), call.arguments.as_ref()]))
    }
}

/// What the model asks to be called. Nothing of it is checked but that it is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// Names the call when its result is told.
    pub id: Arc<str>,
    /// The tool, as the model spelt it.
    pub name: Arc<str>,
    /// The arguments as the model wrote them: meant to be JSON, not always JSON.
    pub arguments: Arc<str>,
}

/// A tool as it is explained to the model. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ToolSpec {
    name: Arc<str>,
    description: Arc<str>,
    parameters: Arc<RawValue>,
}

impl ToolSpec {
    /// A tool with its exact name, what it does in words for a model, and the JSON Schema of its arguments.
    pub fn new(name: &str, description: &str, parameters: &Value) -> Result<Self, serde_json::Error> {
        // Kept as text: it goes into every request and is never looked into.
        let parameters = serde_json::value::to_raw_value(parameters)?.into();
        Ok(Self { name: name.into(), description: description.into(), parameters })
    }

    /// Its exact name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The shape a structured answer must have.
#[derive(Debug)]
pub struct OutputSchema {
    /// A name for it: letters, digits, `_` and `-`.
    pub name: String,
    /// JSON Schema.
    pub schema: Value,
    /// Tells a model of the schema in words, for servers that cannot be told in any other way.
    pub instruction: String,
    validator: jsonschema::Validator,
}

impl OutputSchema {
    /// Compiles the schema; the error says what is wrong with it.
    pub fn new(name: &str, schema: Value, instruction: &str) -> Result<Self, String> {
        let validator = jsonschema::validator_for(&schema).map_err(|error| error.to_string())?;
        Ok(Self { name: name.to_owned(), schema, instruction: instruction.to_owned(), validator })
    }

    /// Whether `value` has the shape.
    pub fn allows(&self, value: &Value) -> bool {
        self.validator.is_valid(value)
    }
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatReply {
    /// The words; with an [`OutputSchema`] and no calls, JSON that has its shape.
    pub text: String,
    /// What the model asks to be called, in its order.
    pub tool_calls: Vec<ToolCall>,
    /// Why it ended.
    pub finish: Finish,
    /// The model that answered, as it calls itself.
    pub model: String,
    /// What it took.
    pub usage: Usage,
}

/// Why an answer ended. Every other reason is a [`ModelError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// It was said.
    Stop,
    /// Calls are asked for.
    ToolCalls,
}

/// Why there is no answer, and who must act. Never holds words of a customer, of a prompt or of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// Whoever called may wait.
    #[error("the model takes no more calls for now{}", after_text(*.after_ms))]
    RateLimited {
        /// When another call is welcome, if it was said.
        after_ms: Option<u64>,
    },
    /// Another model may do: this one is down, or its answer broke off.
    #[error("the model cannot be reached or broke off: {cause}{}", after_text(*.after_ms))]
    Unavailable {
        /// What was seen.
        cause: String,
        /// When another call is welcome, if it was said.
        after_ms: Option<u64>,
    },
    /// Nothing came in time.
    #[error("the model did not answer in time")]
    Timeout,
    /// The model or its host will not say anything to this.
    #[error("the model refused")]
    Refused,
    /// The answer cannot be used; another may be better.
    #[error("the model's answer is unusable: {0}")]
    Malformed(&'static str),
    /// Whoever called must ask for less.
    #[error("{0} is longer than the model takes")]
    TooLong(Side),
    /// The operator must raise a limit or pay.
    #[error("the budget for model calls is spent: {0}")]
    BudgetSpent(&'static str),
    /// The operator must correct the settings.
    #[error("the model is not set up: {0}")]
    NotConfigured(String),
}

fn after_text(after_ms: Option<u64>) -> String {
    after_ms.map_or_else(String::new, |ms| format!(" (again in {ms} ms)"))
}

impl ModelError {
    /// When another call is welcome, if the server said so.
    pub fn after_ms(&self) -> Option<u64> {
        match self {
            Self::RateLimited { after_ms } | Self::Unavailable { after_ms, .. } => *after_ms,
            _ => None,
        }
    }

    /// One word for records, spans and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::Malformed(_) => "malformed",
            Self::TooLong(_) => "too_long",
            Self::BudgetSpent(_) => "budget_spent",
            Self::NotConfigured(_) => "not_configured",
        }
    }
}

/// Which side of a call is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The conversation that was sent.
    Question,
    /// The answer, which was cut.
    Answer,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Question => "the question",
            Self::Answer => "the answer",
        })
    }
}

/// The configured models behind retries, limits and failover; none when no model is named.
pub fn connect(
    model: &Model,
    fallback: &Model,
    calls: &ModelCalls,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Resilient>, ModelError> {
    if model.name.is_empty() {
        return Ok(None);
    }
    let mut endpoints = Vec::new();
    for settings in [model, fallback].into_iter().filter(|settings| !settings.name.is_empty()) {
        let endpoint = Endpoint::new(settings, settings.api_key.expose_secret())?;
        let wire = OpenAi::new(endpoint, clock.clone())?;
        endpoints.push(Guarded::new(&settings.name, Arc::new(wire), settings, calls));
    }
    // The vocabulary takes a moment to unpack; the first call that needs it must not wait for it.
    tokens::warm();
    Ok(Some(Resilient::new(endpoints, calls, clock.clone())))
}
