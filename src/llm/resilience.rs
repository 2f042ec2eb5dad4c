//! Calls models until one answers or the deadline is near: retries, a breaker each, a second model, and
//! limits that queue rather than fail.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use super::{ChatModel, ChatReply, ChatRequest, ModelError, tokens};
use crate::config::{Model, ModelCalls};
use crate::domain::time::{Clock, Timestamp};
use allowance::Allowance;
use backoff::{Backoff, luck};
use breaker::Breaker;

mod allowance;
mod backoff;
mod breaker;

/// One model with what protects it and us.
pub struct Guarded {
    name: String,
    model: Arc<dyn ChatModel>,
    breaker: Breaker,
    slots: Semaphore,
    allowance: Allowance,
    attempt_timeout_ms: i64,
}

impl Guarded {
    /// Puts the configured limits around `model`; `name` is for logs.
    pub fn new(name: &str, model: Arc<dyn ChatModel>, settings: &Model, calls: &ModelCalls) -> Self {
        Self {
            name: name.to_owned(),
            model,
            breaker: Breaker::new(calls.breaker_failures_max, calls.breaker_open_ms),
            slots: Semaphore::new(settings.calls_max),
            allowance: Allowance::new(settings.tokens_per_minute_max),
            attempt_timeout_ms: settings.attempt_timeout_ms,
        }
    }
}

/// Models in the order in which they are asked.
pub struct Resilient {
    models: Vec<Guarded>,
    attempts_max: u32,
    backoff: Backoff,
    clock: Arc<dyn Clock>,
}

impl Resilient {
    /// Asks `models` in their order.
    pub fn new(models: Vec<Guarded>, calls: &ModelCalls, clock: Arc<dyn Clock>) -> Self {
        let backoff = Backoff { first_ms: calls.retry_ms, max_ms: calls.retry_ms_max };
        Self { models, attempts_max: calls.attempts_max, backoff, clock }
    }

    async fn first_answer(
        &self,
        request: &ChatRequest,
        deadline: Timestamp,
    ) -> Result<ChatReply, ModelError> {
        let mut last = ModelError::NotConfigured("no model is named".to_owned());
        for (at, model) in self.models.iter().enumerate() {
            // One that hangs must leave time for those behind it: each gets its share of what is left.
            let now = self.clock.now();
            let behind = self.models.iter().skip(at + 1).filter(|next| !next.breaker.is_shut(now)).count();
            let share = now.plus_ms(deadline.ms_since(now) / (behind as i64 + 1));
            match self.ask(model, request, share).await {
                Ok(reply) => return Ok(reply),
                Err(error) if another_may_do(&error) => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Asks one model, again where that may help.
    async fn ask(
        &self,
        model: &Guarded,
        request: &ChatRequest,
        deadline: Timestamp,
    ) -> Result<ChatReply, ModelError> {
        let mut failed = 0;
        loop {
            let error = match self.attempt(model, request, deadline).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            failed += 1;
            tracing::warn!(model = model.name, attempt = failed, error = %error, "a model call failed");
            metrics::counter!("firstline_model_failures_total",
                "model" => model.name.clone(), "error" => error.kind())
            .increment(1);
            if !again(&error) {
                return Err(error);
            }
            let after_ms = error.after_ms();
            let pause = self.backoff.pause(failed, after_ms, luck(self.clock.as_ref()));
            let left = deadline.ms_since(self.clock.now());
            let fits = i64::try_from(pause.as_millis()).is_ok_and(|pause| pause < left);
            if failed >= self.attempts_max || !fits || model.breaker.is_shut(self.clock.now()) {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// One attempt: waits for its place, and tells the breaker how it went.
    async fn attempt(
        &self,
        model: &Guarded,
        request: &ChatRequest,
        deadline: Timestamp,
    ) -> Result<ChatReply, ModelError> {
        let left = |now: Timestamp| u64::try_from(deadline.ms_since(now)).unwrap_or(0);
        let now = self.clock.now();
        if model.breaker.is_shut(now) {
            return Err(left_alone());
        }
        let slot = tokio::time::timeout(Duration::from_millis(left(now)), model.slots.acquire()).await;
        let Ok(Ok(_slot)) = slot else { return Err(ModelError::RateLimited { after_ms: None }) };
        let now = self.clock.now();
        let question = tokens::guess(request.bytes());
        let (mut reserved, wait_ms) = model
            .allowance
            .reserve(question + u64::from(request.output_tokens_max), now, deadline.ms_since(now))
            .map_err(|wait_ms| ModelError::RateLimited { after_ms: Some(wait_ms) })?;
        if wait_ms > 0 {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        }
        let now = self.clock.now();
        if !model.breaker.lets_through(now) {
            return Err(left_alone());
        }
        reserved.send();
        let end = deadline.min(now.plus_ms(model.attempt_timeout_ms));
        let result = model.model.complete(request, end).await;
        let used = result.as_ref().map_or(question, |reply| reply.usage.input + reply.usage.output);
        reserved.settle(used);
        match &result {
            Err(error) if speaks_against(error) => {
                if model.breaker.failed(self.clock.now()) {
                    tracing::warn!(model = model.name, "the model is left alone for a while");
                    metrics::counter!("firstline_model_breaker_opened_total", "model" => model.name.clone())
                        .increment(1);
                }
            }
            Ok(_) | Err(_) => model.breaker.succeeded(),
        }
        result
    }
}

impl ChatModel for Resilient {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        deadline: Timestamp,
    ) -> BoxFuture<'a, Result<ChatReply, ModelError>> {
        Box::pin(self.first_answer(request, deadline))
    }
}

fn left_alone() -> ModelError {
    ModelError::Unavailable { cause: "it is left alone after failures in a row".to_owned(), after_ms: None }
}

/// Whether the same call may end better when made again.
fn again(error: &ModelError) -> bool {
    match error {
        ModelError::RateLimited { .. }
        | ModelError::Unavailable { .. }
        | ModelError::Timeout
        | ModelError::Malformed(_) => true,
        ModelError::Refused
        | ModelError::TooLong(_)
        | ModelError::BudgetSpent(_)
        | ModelError::NotConfigured(_) => false,
    }
}

/// Whether it is the model that failed and not the question.
fn another_may_do(error: &ModelError) -> bool {
    match error {
        ModelError::RateLimited { .. }
        | ModelError::Unavailable { .. }
        | ModelError::Timeout
        | ModelError::Malformed(_)
        | ModelError::BudgetSpent(_)
        | ModelError::NotConfigured(_) => true,
        ModelError::Refused | ModelError::TooLong(_) => false,
    }
}

/// Whether a failure counts for the breaker: a model that says "not now" or "not this" is well.
fn speaks_against(error: &ModelError) -> bool {
    another_may_do(error) && !matches!(error, ModelError::RateLimited { .. })
}

#[cfg(test)]
mod tests;
