//! How models are called when they fail.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use super::*;
use crate::config::{Config, Sources};
use crate::domain::usage::Usage;
use crate::llm::Finish;
use crate::llm::usage::Tally;

/// A clock that stands still until it is set.
#[derive(Default)]
struct Stopped(AtomicI64);

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }

    fn new_id(&self) -> uuid::Uuid {
        uuid::Uuid::nil()
    }
}

/// A model that ends its calls as it was told, and the last way for ever.
#[derive(Default)]
struct Told {
    ends: Mutex<Vec<Result<(), ModelError>>>,
    calls: AtomicUsize,
    inside: AtomicUsize,
    inside_max: AtomicUsize,
}

impl Told {
    fn new(ends: &[Result<(), ModelError>]) -> Arc<Self> {
        Arc::new(Self { ends: Mutex::new(ends.iter().rev().cloned().collect()), ..Self::default() })
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    fn end(&self) -> Result<(), ModelError> {
        let mut ends = self.ends.lock().unwrap();
        if ends.len() > 1 { ends.pop().unwrap() } else { ends.last().cloned().unwrap() }
    }
}

impl ChatModel for Told {
    fn complete<'a>(
        &'a self,
        _: &'a ChatRequest,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<ChatReply, ModelError>> {
        Box::pin(async move {
            self.calls.fetch_add(1, Ordering::Relaxed);
            let inside = self.inside.fetch_add(1, Ordering::Relaxed) + 1;
            self.inside_max.fetch_max(inside, Ordering::Relaxed);
            tokio::task::yield_now().await;
            self.inside.fetch_sub(1, Ordering::Relaxed);
            let reply = ChatReply {
                text: "fine".to_owned(),
                tool_calls: Vec::new(),
                finish: Finish::Stop,
                model: "told".to_owned(),
                usage: Usage::default(),
            };
            self.end().map(|()| reply)
        })
    }
}

struct World {
    clock: Arc<Stopped>,
    resilient: Resilient,
}

/// These models in their order, each alone for a while after two failures in a row.
fn world(models: &[&Arc<Told>], calls_max: usize) -> World {
    let config = Config::load(Sources::default()).unwrap();
    let settings = Model { calls_max, ..config.model };
    let calls = ModelCalls {
        attempts_max: 3,
        retry_ms: 1,
        retry_ms_max: 2,
        breaker_failures_max: 2,
        breaker_open_ms: 1000,
        ..config.model_calls
    };
    let guarded = models.iter().map(|model| {
        let model: Arc<dyn ChatModel> = Arc::<Told>::clone(model);
        Guarded::new("told", model, &settings, &calls)
    });
    let clock = Arc::new(Stopped::default());
    let resilient = Resilient::new(guarded.collect(), &calls, clock.clone());
    World { clock, resilient }
}

impl World {
    async fn ask(&self) -> Result<ChatReply, ModelError> {
        let request = ChatRequest {
            purpose: "test",
            messages: Arc::new([]),
            tools: Arc::new([]),
            output: None,
            output_tokens_max: 10,
            tally: Tally::default(),
        };
        let deadline = self.clock.now().plus_ms(500);
        self.resilient.complete(&request, deadline).await
    }

    fn later(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::Relaxed);
    }
}

fn unavailable() -> ModelError {
    ModelError::Unavailable { cause: "down".to_owned(), after_ms: None }
}

fn busy(after_ms: u64) -> ModelError {
    ModelError::RateLimited { after_ms: Some(after_ms) }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_cannot_is_not() {
    for (ends, calls, well) in [
        (vec![Err(unavailable()), Ok(())], 2, true),
        (vec![Err(busy(2)), Err(busy(2)), Ok(())], 3, true),
        (vec![Err(busy(2))], 3, false),
        (vec![Err(ModelError::Refused)], 1, false),
        (vec![Err(ModelError::TooLong(crate::llm::Side::Question))], 1, false),
    ] {
        let told = Told::new(&ends);
        assert_eq!(world(&[&told], 4).ask().await.is_ok(), well, "{ends:?}");
        assert_eq!(told.calls(), calls, "{ends:?}");
    }
}

#[tokio::test]
async fn nobody_waits_for_a_model_that_wants_to_be_asked_after_the_deadline() {
    let told = Told::new(&[Err(busy(60_000)), Ok(())]);
    assert!(matches!(world(&[&told], 4).ask().await, Err(ModelError::RateLimited { .. })));
    assert_eq!(told.calls(), 1);
}

#[tokio::test]
async fn another_model_answers_while_the_first_is_left_alone_and_the_first_again_when_it_is_back() {
    let (first, second) =
        (Told::new(&[Err(unavailable()), Err(unavailable()), Ok(())]), Told::new(&[Ok(())]));
    let world = world(&[&first, &second], 4);
    assert!(world.ask().await.is_ok());
    assert_eq!((first.calls(), second.calls()), (2, 1), "two failures in a row are enough");
    assert!(world.ask().await.is_ok());
    assert_eq!((first.calls(), second.calls()), (2, 2), "it is left alone");
    world.later(1000);
    assert!(world.ask().await.is_ok());
    assert!(world.ask().await.is_ok());
    assert_eq!((first.calls(), second.calls()), (4, 2), "it is back");
}

#[tokio::test]
async fn calls_above_the_limit_wait_for_their_place() {
    let told = Told::new(&[Ok(())]);
    let world = world(&[&told], 2);
    let all = futures_util::future::join_all((0..20).map(|_| world.ask())).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(told.inside_max.load(Ordering::Relaxed), 2);
}
