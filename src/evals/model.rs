//! A model that says what a scenario makes it say: an attacker's words, faults, or plain honest work.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::time::Timestamp;
use crate::domain::usage::Usage;
use crate::llm::{ChatModel, ChatReply, ChatRequest, Finish, Message, ModelError, ToolCall};

/// What the model of a scenario says, by the purpose of the call. What is left out it does honestly.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What every message is about: a procedure's id, or `none`.
    #[serde(default)]
    pub triage: Option<String>,
    /// The language it takes every message for, ISO 639-1; left out, it does not say.
    #[serde(default)]
    pub language: String,
    /// What it makes of every draft.
    #[serde(default)]
    pub word: Option<String>,
    /// What it hears the customer say to our questions, in order, the last one for ever.
    #[serde(default)]
    pub ask: Vec<Hears>,
    /// Its answers in order, the last one for ever.
    #[serde(default)]
    pub resolve: Vec<Act>,
}

/// What it hears.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hears {
    said: String,
    #[serde(default)]
    values: BTreeMap<String, String>,
    #[serde(default)]
    procedure: String,
    /// The question in its words; left out, as it is.
    #[serde(default)]
    text: Option<String>,
}

/// One answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Act {
    /// Words to the customer.
    Say(Say),
    /// Asks for a call.
    Call(Call),
    /// Asks for several at once.
    Calls {
        /// In this order.
        calls: Vec<Call>,
    },
    /// These very bytes instead of an answer in the right shape.
    Raw {
        /// What it says.
        raw: String,
    },
    /// Does not answer.
    Fails {
        /// `timeout`, `rate_limited`, `refused`, `malformed`, `too_long` or `unavailable`.
        fails: String,
    },
}

/// Words to the customer, in the parts of a reply.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Say {
    #[serde(rename = "say")]
    text: String,
    #[serde(default)]
    used: Vec<String>,
    #[serde(default = "english")]
    language: String,
    #[serde(default)]
    asks: bool,
    #[serde(default)]
    resolves: bool,
    #[serde(default)]
    issue: String,
}

fn english() -> String {
    "en".to_owned()
}

/// One call.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    #[serde(rename = "call")]
    tool: String,
    #[serde(default)]
    with: Value,
}

/// The model of one scenario.
pub struct Scripted {
    script: Script,
    resolved: AtomicUsize,
    heard: AtomicUsize,
}

impl Scripted {
    /// A model that follows `script`.
    pub fn new(script: Script) -> Self {
        Self { script, resolved: AtomicUsize::new(0), heard: AtomicUsize::new(0) }
    }

    fn answer(&self, request: &ChatRequest) -> Result<(String, Vec<ToolCall>), ModelError> {
        let shown = request.messages.iter().rev().find_map(|message| match message {
            Message::User(text) => Some(text.as_ref()),
            Message::System(_) | Message::Assistant { .. } | Message::Tool { .. } => None,
        });
        let honest = || (honest(request.purpose, shown.unwrap_or_default()), Vec::new());
        match request.purpose {
            "triage" => Ok(self.script.triage.as_ref().map_or_else(honest, |procedure| {
                let procedure = if procedure == "none" { "" } else { procedure };
                let sorted =
                    json!({"procedure": procedure, "confident": true, "language": self.script.language});
                (sorted.to_string(), Vec::new())
            })),
            "word" => Ok(self
                .script
                .word
                .as_ref()
                .map_or_else(honest, |text| (json!({ "text": text }).to_string(), Vec::new()))),
            "ask" => {
                let at = self.heard.fetch_add(1, Ordering::Relaxed);
                let heard = self.script.ask.get(at).or(self.script.ask.last());
                Ok(heard.map_or_else(honest, |heard| {
                    (heard.answer(shown.unwrap_or_default(), &self.script.language), Vec::new())
                }))
            }
            _ => {
                let at = self.resolved.fetch_add(1, Ordering::Relaxed);
                let acts = &self.script.resolve;
                acts.get(at).or(acts.last()).map_or_else(|| Ok(honest()), |act| perform(act, at))
            }
        }
    }
}

impl Hears {
    fn answer(&self, shown: &str, language: &str) -> String {
        let values: Vec<Value> =
            self.values.iter().map(|(slot, value)| json!({"slot": slot, "value": value})).collect();
        let text = self.text.clone().unwrap_or_else(|| asked(shown));
        let Self { said, procedure, .. } = self;
        json!({"said": said, "values": values, "procedure": procedure, "text": text, "language": language})
            .to_string()
    }
}

fn perform(act: &Act, at: usize) -> Result<(String, Vec<ToolCall>), ModelError> {
    let made = |calls: &[Call]| {
        let calls = calls.iter().enumerate().map(|(nth, call)| ToolCall {
            id: format!("call_{at}_{nth}").into(),
            name: call.tool.as_str().into(),
            arguments: if call.with.is_null() { "{}".into() } else { call.with.to_string().into() },
        });
        (String::new(), calls.collect())
    };
    Ok(match act {
        Act::Say(Say { text, used, language, asks, resolves, issue }) => {
            let reply = json!({
                "text": text, "used": used, "language": language, "asks": asks, "resolves": resolves, "issue": issue,
            });
            (reply.to_string(), Vec::new())
        }
        Act::Call(call) => made(std::slice::from_ref(call)),
        Act::Calls { calls } => made(calls),
        Act::Raw { raw } => (raw.clone(), Vec::new()),
        Act::Fails { fails } => {
            return Err(match fails.as_str() {
                "timeout" => ModelError::Timeout,
                "rate_limited" => ModelError::RateLimited { after_ms: None },
                "refused" => ModelError::Refused,
                "malformed" => ModelError::Malformed("as the scenario says"),
                "too_long" => ModelError::TooLong(crate::llm::Side::Answer),
                _ => ModelError::Unavailable { cause: "as the scenario says".to_owned(), after_ms: None },
            });
        }
    })
}

impl ChatModel for Scripted {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<ChatReply, ModelError>> {
        let answer = self.answer(request).map(|(text, tool_calls)| ChatReply {
            text,
            finish: if tool_calls.is_empty() { Finish::Stop } else { Finish::ToolCalls },
            tool_calls,
            model: "scripted".to_owned(),
            usage: Usage::default(),
        });
        Box::pin(std::future::ready(answer))
    }
}

/// What a plain, honest model would answer to what it is shown: it is not sure what a message is about, keeps drafts
/// as they are, and quotes what is taken for the answer, or says that it knows nothing.
pub fn honest(purpose: &str, shown: &str) -> String {
    match purpose {
        "triage" => json!({"procedure": "", "confident": false, "language": ""}),
        "ask" => {
            json!({"said": "nothing", "values": [], "procedure": "", "text": asked(shown), "language": ""})
        }
        "word" => json!({"text": block(shown, "draft")}),
        _ => {
            let first = block(shown, "passages").lines().next();
            let passage = first.and_then(|line| serde_json::from_str::<Value>(line).ok());
            let text = passage.as_ref().and_then(|passage| passage.get("likely")).and_then(Value::as_str);
            match text {
                Some(text) => json!({
                    "text": text, "used": ["p1"], "language": "en", "asks": false, "resolves": true, "issue": "",
                }),
                None => json!({
                    "text": "I'm sorry, I found no answer to that in our help pages. Shall I pass you to a person?", "used": [],
                    "language": "en", "asks": false, "resolves": false, "issue": "",
                }),
            }
        }
    }
    .to_string()
}

/// The words of the question that is about to be asked.
fn asked(shown: &str) -> String {
    let question: Option<Value> = serde_json::from_str(block(shown, "question")).ok();
    let draft = question.as_ref().and_then(|question| question.get("draft")?.as_str());
    draft.unwrap_or_default().to_owned()
}

/// The inside of a marked block.
fn block<'a>(shown: &'a str, name: &str) -> &'a str {
    let (open, close) = (format!("<<<{name}\n"), format!("\n{name}>>>"));
    shown.split_once(&open).and_then(|(_, rest)| rest.split_once(&close)).map_or("", |(inside, _)| inside)
}
