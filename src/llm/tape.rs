//! Exchanges with a model, kept and played again without it.
//!
//! A recording is one file per question, named by the SHA-256 of all that the model was told, with the question and
//! the answer in it as JSON. Endpoints, keys and headers are no part of a question, so no secret is in a recording.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::usage::{CallRecord, Usage};
use super::{ChatModel, ChatReply, ChatRequest, Finish, Message, ModelError, ToolCall};
use crate::domain::time::Timestamp;

/// One recording.
#[derive(Debug, Serialize, Deserialize)]
struct Recording {
    question: Value,
    answer: Answer,
}

#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    text: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call>,
    model: String,
    usage: Usage,
}

#[derive(Debug, Serialize, Deserialize)]
struct Call {
    id: String,
    name: String,
    arguments: String,
}

/// Asks a model and keeps what it answers.
pub struct Recorder {
    model: Arc<dyn ChatModel>,
    folder: PathBuf,
}

impl Recorder {
    /// Keeps the answers of `model` in `folder`, which is made.
    pub fn new(model: Arc<dyn ChatModel>, folder: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { model, folder: folder.to_owned() })
    }

    fn keep(&self, request: &ChatRequest, reply: &ChatReply) -> std::io::Result<()> {
        let question = question(request);
        let file = self.folder.join(format!("{}.json", key(&question)));
        let calls = reply.tool_calls.iter().map(|call| Call {
            id: call.id.to_string(),
            name: call.name.to_string(),
            arguments: call.arguments.to_string(),
        });
        let answer = Answer {
            text: reply.text.clone(),
            tool_calls: calls.collect(),
            model: reply.model.clone(),
            usage: reply.usage,
        };
        let text = serde_json::to_string_pretty(&Recording { question, answer })?;
        // Whole or not at all.
        let partial = file.with_extension("partial");
        std::fs::write(&partial, text + "\n")?;
        std::fs::rename(partial, file)
    }
}

impl ChatModel for Recorder {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        deadline: Timestamp,
    ) -> BoxFuture<'a, Result<ChatReply, ModelError>> {
        Box::pin(async move {
            let reply = self.model.complete(request, deadline).await?;
            if let Err(error) = self.keep(request, &reply) {
                tracing::error!(error = %error, "an exchange could not be recorded");
            }
            Ok(reply)
        })
    }
}

/// Answers from recordings alone.
pub struct Replayer {
    folder: PathBuf,
    misses: Mutex<Vec<String>>,
}

impl Replayer {
    /// Plays the recordings in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), misses: Mutex::default() }
    }

    /// What was asked and had not been recorded, each with what is different from the nearest recording.
    pub fn misses(&self) -> Vec<String> {
        self.misses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn play(&self, request: &ChatRequest) -> Result<ChatReply, ModelError> {
        let question = question(request);
        let file = self.folder.join(format!("{}.json", key(&question)));
        let Some(recording) = read(&file) else {
            let miss = self.different(&question);
            self.misses.lock().unwrap_or_else(PoisonError::into_inner).push(miss);
            return Err(ModelError::NotConfigured("this question was not recorded".to_owned()));
        };
        let answer = recording.answer;
        let calls = answer.tool_calls.into_iter().map(|call| ToolCall {
            id: call.id.into(),
            name: call.name.into(),
            arguments: call.arguments.into(),
        });
        let tool_calls: Vec<ToolCall> = calls.collect();
        request.tally.add(CallRecord {
            model: answer.model.clone(),
            purpose: request.purpose.to_owned(),
            outcome: "ok".to_owned(),
            usage: answer.usage,
            milliseconds: 0,
            cost_micros: 0,
        });
        let finish = if tool_calls.is_empty() { Finish::Stop } else { Finish::ToolCalls };
        Ok(ChatReply { text: answer.text, tool_calls, finish, model: answer.model, usage: answer.usage })
    }

    /// What changed against the recording that agrees the longest.
    fn different(&self, question: &Value) -> String {
        let asked = text_lines(question);
        let purpose = question.get("purpose").and_then(Value::as_str).unwrap_or_default();
        let folder = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let known =
            folder.filter_map(|entry| read(&entry.path())).map(|recording| text_lines(&recording.question));
        let agrees = |other: &Vec<String>| asked.iter().zip(other).take_while(|(a, b)| a == b).count();
        let Some(nearest) = known.max_by_key(agrees) else {
            return format!("`{purpose}` was asked and `{}` holds no recordings", self.folder.display());
        };
        let at = agrees(&nearest);
        let line = |lines: &[String]| -> String {
            lines.get(at).map_or("(nothing)", String::as_str).chars().take(LINE_CHARS_MAX).collect()
        };
        format!(
            "`{purpose}` was asked; against the nearest recording\n  was: {}\n  is:  {}",
            line(&nearest),
            line(&asked)
        )
    }
}

impl ChatModel for Replayer {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<ChatReply, ModelError>> {
        Box::pin(std::future::ready(self.play(request)))
    }
}

/// Longest part of a line that is shown.
const LINE_CHARS_MAX: usize = 300;

fn read(file: &Path) -> Option<Recording> {
    serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()
}

/// The words of a question, a line each, in the order in which the model reads them.
fn text_lines(question: &Value) -> Vec<String> {
    let messages = question.get("messages").and_then(Value::as_array).into_iter().flatten();
    let texts = messages.flat_map(|message| message.as_object().into_iter().flatten());
    let said = texts.flat_map(|(part, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.lines().map(|line| format!("{part}: {line}")).collect::<Vec<_>>()
    });
    let rest =
        ["tools", "output"].into_iter().filter_map(|part| Some(format!("{part}: {}", question.get(part)?)));
    said.chain(rest).collect()
}

/// All that the model is told.
fn question(request: &ChatRequest) -> Value {
    let messages: Vec<Value> = request
        .messages
        .iter()
        .map(|message| match message {
            Message::System(text) => json!({"system": text}),
            Message::User(text) => json!({"user": text}),
            Message::Assistant { text, tool_calls } => {
                let calls: Vec<Value> = tool_calls
                    .iter()
                    .map(|call| json!({"id": call.id, "name": call.name, "arguments": call.arguments}))
                    .collect();
                json!({"assistant": text, "calls": calls})
            }
            Message::Tool { call, text } => json!({"tool": text, "call": call}),
        })
        .collect();
    let tools: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| {
            // Most of a question is tools, the same every time: their fingerprints tell as well whether one changed.
            let text = format!("{}\n{}", tool.description, tool.parameters.get());
            let digest = hex::encode(Sha256::digest(text));
            json!({"name": tool.name, "sha256": digest.get(..16)})
        })
        .collect();
    let output = request.output.as_ref().map(|output| output.schema.clone());
    json!({"purpose": request.purpose, "messages": messages, "tools": tools, "output": output})
}

fn key(question: &Value) -> String {
    hex::encode(Sha256::digest(question.to_string()))
}
