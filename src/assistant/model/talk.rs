//! The calls of one turn: each within the turn's deadline, its tokens, its number, and the spending caps.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::json;

use super::answer::{Listened, Sorted, Worded};
use super::{Shared, view};
use crate::assistant::Situation;
use crate::assistant::local::heard::Question;
use crate::domain::ids::CustomerId;
use crate::domain::procedure::Procedure;
use crate::domain::time::Timestamp;
use crate::llm::usage::{Tally, may_spend};
use crate::llm::{ChatReply, ChatRequest, Message, ModelError, OutputSchema, ToolSpec};

/// The window of the caps "per day".
const DAY_MS: i64 = 86_400_000;
/// How much of the conversation is shown where only the newest words matter, tokens.
const GLANCE_TOKENS: u64 = 800;

pub(super) struct Talk {
    shared: Arc<Shared>,
    customer: CustomerId,
    tally: Tally,
    deadline: Option<Timestamp>,
    calls: usize,
    tokens: u64,
    closed: bool,
}

impl Talk {
    pub(super) fn new(shared: Arc<Shared>, situation: &Situation) -> Self {
        let (customer, tally) = (situation.customer.id.clone(), situation.tally.clone());
        Self { shared, customer, tally, deadline: None, calls: 0, tokens: 0, closed: false }
    }

    /// No more calls in this turn.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Whether the model was given up in this turn.
    pub(super) fn closed(&self) -> bool {
        self.closed
    }

    /// What the unread messages are about, and in which language.
    pub(super) async fn triage(
        &mut self,
        situation: &Situation,
        procedures: &[Procedure],
    ) -> Result<Sorted, ModelError> {
        let shown = format!("{}\n\n{}", view::thread(situation, GLANCE_TOKENS), view::procedures(procedures));
        let schema = self.shared.kit.triage.clone();
        self.structured("triage", &["triage"], shown, schema).await
    }

    /// The draft in the model's words.
    pub(super) async fn word(&mut self, situation: &Situation, draft: &str) -> Result<String, ModelError> {
        let shown = format!("{}\n\n{}", view::thread(situation, GLANCE_TOKENS), view::block("draft", draft));
        let schema = self.shared.kit.word.clone();
        let worded: Worded = self.structured("word", &["word", "language"], shown, schema).await?;
        Ok(worded.text)
    }

    /// What the conversation says to the question we are about to ask, and the question in the model's words.
    pub(super) async fn listen(
        &mut self,
        situation: &Situation,
        question: &Question,
        draft: &str,
        procedures: &[Procedure],
    ) -> Result<Listened, ModelError> {
        let mut shown = question.shown.clone();
        shown["draft"] = draft.into();
        let mut blocks =
            vec![view::thread(situation, GLANCE_TOKENS), view::block("question", &shown.to_string())];
        if question.again {
            blocks.insert(1, view::procedures(procedures));
        }
        let schema = self.shared.kit.listened.clone();
        self.structured("ask", &["ask", "language"], blocks.join("\n\n"), schema).await
    }

    /// One question with one answer in the shape of `schema`.
    async fn structured<T: DeserializeOwned>(
        &mut self,
        purpose: &'static str,
        prompts: &[&str],
        shown: String,
        schema: Arc<OutputSchema>,
    ) -> Result<T, ModelError> {
        let messages = [Message::System(self.told(prompts)?), Message::User(shown.into())];
        let reply = self.ask(purpose, messages.into(), Arc::new([]), schema).await?;
        parsed(&reply.text)
    }

    /// Our own words to the model.
    pub(super) fn told(&self, prompts: &[&str]) -> Result<Arc<str>, ModelError> {
        let context = json!({"business": self.shared.business, "language": self.shared.language});
        let texts: Result<Vec<String>, _> =
            prompts.iter().map(|name| self.shared.parts.prompts.render(name, &context)).collect();
        let texts = texts.map_err(|error| ModelError::NotConfigured(format!("a prompt: {error}")))?;
        Ok(texts.join("\n\n").into())
    }

    /// One call, if there is still room for it.
    pub(super) async fn ask(
        &mut self,
        purpose: &'static str,
        messages: Arc<[Message]>,
        tools: Arc<[ToolSpec]>,
        output: Arc<OutputSchema>,
    ) -> Result<ChatReply, ModelError> {
        let limits = &self.shared.limits;
        if self.closed {
            return Err(ModelError::Unavailable {
                cause: "given up in this turn".to_owned(),
                after_ms: None,
            });
        }
        if self.calls >= limits.model_calls_max {
            return Err(ModelError::BudgetSpent("model_calls_max"));
        }
        if self.tokens >= limits.model_tokens_max {
            return Err(ModelError::BudgetSpent("model_tokens_max"));
        }
        let now = self.shared.parts.clock.now();
        if self.calls == 0 {
            self.afford(now).await?;
        }
        let deadline = *self.deadline.get_or_insert_with(|| now.plus_ms(limits.model_turn_ms_max));
        self.calls += 1;
        let output_tokens_max = limits.model_reply_tokens_max;
        let request = ChatRequest {
            purpose,
            messages,
            tools,
            output: Some(output),
            output_tokens_max,
            tally: self.tally.clone(),
        };
        let reply = self.shared.parts.model.complete(&request, deadline).await?;
        self.tokens += reply.usage.input + reply.usage.output;
        Ok(reply)
    }

    /// Whether the spending caps leave anything; asked once a turn, and only where there are caps.
    async fn afford(&self, now: Timestamp) -> Result<(), ModelError> {
        let caps = &self.shared.caps;
        let capped =
            [caps.spend_customer_day_micros_max, caps.spend_day_micros_max, caps.spend_total_micros_max];
        if !self.shared.costly || capped.iter().all(|cap| *cap <= 0) {
            return Ok(());
        }
        let spent = self.shared.parts.store.model_spent(&self.customer, now.plus_ms(-DAY_MS)).await;
        // A record that does not answer cannot say that there is money left.
        let spent = spent.map_err(|_| ModelError::BudgetSpent("what was spent is not known"))?;
        may_spend(caps, &spent)
    }
}

/// The wire has checked the shape; what it cannot hold is an answer that cannot be used.
pub(super) fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, ModelError> {
    serde_json::from_str(text)
        .map_err(|_| ModelError::Malformed("it does not have the shape that was asked for"))
}
