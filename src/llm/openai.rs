//! One endpoint that speaks the chat-completions protocol, asked once: hosted, Azure, vLLM, llama.cpp, Ollama.
//!
//! `async-openai` builds the request; `transport` sends it and hands back an answer only when it is whole
//! and well-formed, in a form of ours. So none of the crate's own error paths is ever taken: they drop the
//! status and `Retry-After`, and log bodies.

use std::sync::Arc;
use std::time::Duration;

use async_openai::Client;
use async_openai::config::Config;
use async_openai::error::OpenAIError;
use futures_util::future::BoxFuture;
use tracing::Instrument;

use super::usage::{Attempt, Counted, Prices, Usage};
use super::{ChatModel, ChatReply, ChatRequest, Finish, ModelError, Side, ToolCall, tokens};
use crate::domain::time::{Clock, Timestamp};
use answer::Answer;
use span::{Observed, observe};
use transport::{Fault, Transport};

mod answer;
mod bounds;
mod endpoint;
mod failure;
mod judge;
mod request;
mod span;
mod stream;
mod transport;

pub use endpoint::Endpoint;

/// One endpoint and the model behind it.
pub struct OpenAi {
    client: Client<Arc<dyn Config>>,
    endpoint: Arc<Endpoint>,
    clock: Arc<dyn Clock>,
}

impl OpenAi {
    /// Prepares to call the endpoint; nothing is sent.
    pub fn new(endpoint: Endpoint, clock: Arc<dyn Clock>) -> Result<Self, ModelError> {
        // Taken by whoever comes first in this process; ring is the only provider that is compiled in.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(Duration::from_millis(endpoint.connect_timeout_ms))
            .user_agent(concat!("firstline/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ModelError::NotConfigured(format!("no HTTP client: {error}")))?;
        let endpoint = Arc::new(endpoint);
        let transport = Transport::new(http.clone(), endpoint.clone(), clock.clone());
        let client = Client::build(http, endpoint.clone() as Arc<dyn Config>).with_http_service(transport);
        Ok(Self { client, endpoint, clock })
    }

    async fn ask(&self, request: &ChatRequest, deadline: Timestamp) -> Result<ChatReply, ModelError> {
        let began = self.clock.now();
        let left = u64::try_from(deadline.ms_since(began)).unwrap_or(0);
        if left == 0 {
            return Err(ModelError::Timeout);
        }
        self.fits(request).await?;
        let question =
            Usage { input: tokens::guess(request.bytes()), counted: Counted::ByUs, ..Usage::default() };
        let attempt = Attempt {
            tally: &request.tally,
            clock: self.clock.as_ref(),
            prices: self.endpoint.prices,
            model: &self.endpoint.model,
            purpose: request.purpose,
            began,
            sent: question,
            ended: false,
        };
        let body = request::body(request, &self.endpoint);
        let chat = self.client.chat();
        let call = chat.create_byot::<_, Answer>(&body);
        let answer = match tokio::time::timeout(Duration::from_millis(left), call).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                let Fault { error, answered } = fault(error);
                // What broke off after it began is paid for; what was turned away is not.
                attempt.end(error.kind(), if answered { question } else { Usage::default() });
                return Err(error);
            }
            Err(_) => {
                attempt.end(ModelError::Timeout.kind(), question);
                return Err(ModelError::Timeout);
            }
        };
        let usage = match answer.usage {
            Some(usage) => usage,
            None => count(request, &answer).await,
        };
        let judged = judge::judge(&answer, request, self.endpoint.json_depth_max);
        attempt.end(judged.as_ref().map_or_else(ModelError::kind, |_| "ok"), usage);
        let (text, tool_calls) = judged?;
        let finish = if tool_calls.is_empty() { Finish::Stop } else { Finish::ToolCalls };
        let model = answer.model.unwrap_or_else(|| self.endpoint.model.clone());
        Ok(ChatReply { text, tool_calls, finish, model, usage })
    }

    /// A token is at least a byte, so most questions fit without being counted.
    async fn fits(&self, request: &ChatRequest) -> Result<(), ModelError> {
        let room = self.endpoint.context_tokens.saturating_sub(u64::from(request.output_tokens_max));
        if request.bytes() as u64 <= room {
            return Ok(());
        }
        if count_question(request.clone()).await <= room {
            return Ok(());
        }
        Err(ModelError::TooLong(Side::Question))
    }
}

impl ChatModel for OpenAi {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        deadline: Timestamp,
    ) -> BoxFuture<'a, Result<ChatReply, ModelError>> {
        Box::pin(async move {
            let observed = Observed::new(&self.endpoint, request, self.clock.now());
            let result = self.ask(request, deadline).instrument(observed.span.clone()).await;
            observe(&observed, &result, self.clock.now());
            result
        })
    }
}

async fn count_question(request: ChatRequest) -> u64 {
    let guessed = tokens::guess(request.bytes());
    let counted = tokio::task::spawn_blocking(move || tokens::count(request.texts()));
    counted.await.unwrap_or(guessed)
}

/// The usage of a call whose server says nothing of it.
async fn count(request: &ChatRequest, answer: &Answer) -> Usage {
    let input = count_question(request.clone()).await;
    let words: Vec<String> = std::iter::once(answer.text.clone())
        .chain(answer.calls.iter().flat_map(|call| [call.name.clone(), call.arguments.clone()]))
        .collect();
    let guessed = tokens::guess(words.iter().map(String::len).sum());
    let counted = tokio::task::spawn_blocking(move || tokens::count(words.iter().map(String::as_str)));
    Usage { input, cached: 0, output: counted.await.unwrap_or(guessed), counted: Counted::ByUs }
}

/// What our transport said went wrong; the crate carries it through.
fn fault(error: OpenAIError) -> Fault {
    let unforeseen = || Fault { error: ModelError::Malformed("not a chat completion"), answered: true };
    match error {
        OpenAIError::Boxed(inner) => inner.downcast::<Fault>().map_or_else(|_| unforeseen(), |fault| *fault),
        OpenAIError::InvalidArgument(_) => Fault {
            error: ModelError::NotConfigured("the request cannot be written as JSON".to_owned()),
            answered: false,
        },
        OpenAIError::Reqwest(_) => Fault {
            error: ModelError::NotConfigured("the request cannot be built; check base_url".to_owned()),
            answered: false,
        },
        OpenAIError::ApiError(_)
        | OpenAIError::JSONDeserialize(..)
        | OpenAIError::FileSaveError(_)
        | OpenAIError::FileReadError(_)
        | OpenAIError::StreamError(_) => unforeseen(),
    }
}

/// Names calls whose server did not, unlike any name in the conversation.
fn call_name(at: usize) -> Arc<str> {
    format!("call_{at}").into()
}

/// How many calls the conversation has already.
fn calls_so_far(request: &ChatRequest) -> impl Iterator<Item = &ToolCall> {
    request.messages.iter().flat_map(|message| match message {
        super::Message::Assistant { tool_calls, .. } => tool_calls.as_slice(),
        super::Message::System(_) | super::Message::User(_) | super::Message::Tool { .. } => &[],
    })
}
