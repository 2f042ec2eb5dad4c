//! The assistant that asks a language model: warmer, broader, in any language, and as bound as the local one.
//!
//! Both sit in the same loop, before the same rules and the same guard. What has a procedure with steps is done by
//! the local assistant, step by step, and the model only understands the customer (which procedure it is, what they
//! say to our questions, where the local reading is not sure) and puts the result into words. What has none the model works out itself with passages and tools. When the
//! model cannot be asked, the local assistant carries on alone, or a person takes over.
//!
//! | Course | Calls without a tool | with one |
//! |---|---|---|
//! | a procedure with steps, recognised here | 1 (its words) | 1 |
//! | the same, not recognised here | 2 | 2 |
//! | the same, and something has to be asked | 1 more | 1 more |
//! | a question for the articles | 1 | 2 |

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::json;

use super::local::{LocalAssistant, Run};
use super::{Assistant, AssistantError, Proposer, Reading, Request, Seen, Situation, Understood};
use crate::config::{Config, Limits, Model, ModelCalls};
use crate::domain::case::Case;
use crate::domain::decision::{Draft, HandOff, Step};
use crate::domain::ids::ProcedureId;
use crate::domain::procedure::{Mode, Procedure, Tier};
use crate::domain::time::Clock;
use crate::domain::triage::Decision;
use crate::domain::usage::{CallRecord, Usage};
use crate::knowledge::Knowledge;
use crate::language::signals::Answer;
use crate::llm::{ChatModel, ModelError};
use crate::store::Store;
use crate::templates::{Phrases, Prompts};
use crate::tools::Toolbox;
use kit::Kit;
use talk::Talk;

mod answer;
mod follow;
mod free;
mod kit;
mod talk;
mod view;

/// What the model assistant works with.
pub struct Parts {
    /// Who is asked.
    pub model: Arc<dyn ChatModel>,
    /// Who carries on without it.
    pub local: LocalAssistant,
    /// What it is told.
    pub prompts: Prompts,
    /// Fixed words.
    pub phrases: Arc<Phrases>,
    /// Articles and procedures.
    pub knowledge: Knowledge,
    /// What may be called.
    pub toolbox: Arc<Toolbox>,
    /// Knows what was spent.
    pub store: Store,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// The assistant that asks a model; shared by all its turns.
pub struct ModelAssistant {
    shared: Arc<Shared>,
}

struct Shared {
    parts: Parts,
    kit: Kit,
    limits: Limits,
    caps: ModelCalls,
    /// How answerable a question must be before an article is taken for its answer.
    answer_min: f32,
    /// Whether calls cost anything.
    costly: bool,
    business: String,
    language: String,
}

impl ModelAssistant {
    /// An assistant over these parts; every problem of its prompts and tools is told at once.
    pub fn new(parts: Parts, config: &Config) -> Result<Self, Vec<String>> {
        let kit = Kit::new(&parts.toolbox)?;
        let business = config.business.name.clone();
        let language = config.business.language.clone();
        let (limits, caps) = (config.limits.clone(), config.model_calls.clone());
        let answer_min = config.triage.answer_min;
        let prices = |model: &Model| [model.price_per_million_input, model.price_per_million_output];
        let costly =
            [&config.model, &config.fallback_model].into_iter().flat_map(prices).any(|price| price > 0.0);
        Ok(Self {
            shared: Arc::new(Shared { parts, kit, limits, caps, answer_min, costly, business, language }),
        })
    }
}

impl Assistant for ModelAssistant {
    fn in_context(&self, case: &Case, readings: Vec<Reading>) -> Vec<Reading> {
        self.shared.parts.local.in_context(case, readings)
    }

    fn begin(&self, situation: Situation) -> Box<dyn Proposer> {
        let talk = Talk::new(self.shared.clone(), &situation);
        let situation = Arc::new(situation);
        Box::new(Thought {
            shared: self.shared.clone(),
            local: self.shared.parts.local.turn(situation.clone()),
            situation,
            talk,
            listened: false,
            language: None,
            course: Course::Local { plain: None },
        })
    }
}

/// One turn.
struct Thought {
    shared: Arc<Shared>,
    situation: Arc<Situation>,
    /// The local assistant at work on the same turn; its memory is the case's.
    local: Run,
    talk: Talk,
    /// The model was asked what the customer says to our question; once is enough.
    listened: bool,
    /// The language of the customer, where the model had to tell.
    language: Option<String>,
    course: Course,
}

/// Who leads.
enum Course {
    /// The local assistant; `plain` are its own words while others were proposed.
    Local { plain: Option<Step> },
    /// The model.
    Free(Box<free::Work>),
}

impl Proposer for Thought {
    fn next(&mut self, seen: Seen) -> BoxFuture<'_, Result<Step, AssistantError>> {
        Box::pin(self.proceed(seen))
    }

    fn memory(&self) -> String {
        self.local.memory()
    }

    fn gathered(&self) -> BTreeMap<String, String> {
        self.local.gathered()
    }

    fn intent(&self) -> Option<ProcedureId> {
        match &self.course {
            Course::Local { .. } => self.local.intent(),
            Course::Free(work) => work.procedure.clone(),
        }
    }

    fn call_name(&self) -> Option<Arc<str>> {
        match &self.course {
            Course::Local { .. } => None,
            Course::Free(work) => work.call_name(),
        }
    }

    fn understood(&self) -> Understood {
        let issue = match &self.course {
            Course::Local { .. } => self.local.understood().issue,
            Course::Free(work) => work.issue.clone().or_else(|| self.local.matter_words()),
        };
        Understood { issue, language: self.language.clone() }
    }
}

impl Thought {
    async fn proceed(&mut self, seen: Seen) -> Result<Step, AssistantError> {
        if matches!(seen, Seen::Begin) {
            return self.set_out().await;
        }
        match &mut self.course {
            Course::Local { plain } => {
                if let (Seen::Rejected { .. }, Some(plain)) = (&seen, plain.take()) {
                    // What the procedure says itself passed for its own words before.
                    return Ok(plain);
                }
                self.follow(seen).await
            }
            Course::Free(_) => self.work(seen).await,
        }
    }

    /// Chooses the course of the turn.
    async fn set_out(&mut self) -> Result<Step, AssistantError> {
        let readings = &self.situation.readings;
        let person = readings.iter().any(|reading| reading.alarm.is_some() || reading.wants_person);
        let talk_only = readings.iter().all(|reading| reading.requests.is_empty());
        let answers = self.local.under_way() || self.local.offer_taken().is_some();
        if !answers
            && !person
            && let Some(step) = self.settle_pending()
        {
            return Ok(step);
        }
        if person || talk_only || answers {
            return self.follow(Seen::Begin).await;
        }
        if self.unsure()
            && let Err(error) = self.understand().await
        {
            return self.without_model(&error).await;
        }
        // Where nobody is sure, what the local assistant asks back is as good as any question.
        if self.has_steps() || self.unsure() { self.follow(Seen::Begin).await } else { Ok(self.begin_free()) }
    }

    /// Whether somebody has to look who reads better than we do.
    fn unsure(&self) -> bool {
        let mut requests = self.situation.readings.iter().flat_map(|reading| &reading.requests);
        let foreign = self.language.is_none() && self.situation.language != self.shared.language;
        foreign || requests.any(|request| request.triage.decision == Decision::Unknown)
    }

    /// Asks the model in one call which procedure the requests are about and in which language they are, and writes what
    /// it is sure of into their readings.
    async fn understand(&mut self) -> Result<(), ModelError> {
        let procedures = self.shared.parts.knowledge.procedures();
        let sorted = self.talk.triage(&self.situation, &procedures).await?;
        let situation = Arc::make_mut(&mut self.situation);
        let language = answer::code(&sorted.language).unwrap_or_else(|| situation.language.clone());
        situation.language.clone_from(&language);
        self.language = Some(language);
        if sorted.confident {
            let found = procedures.iter().find(|procedure| procedure.id.as_str() == sorted.procedure);
            for request in situation.readings.iter_mut().flat_map(|reading| &mut reading.requests) {
                sort(request, found);
            }
        }
        let (local, situation) = (&self.shared.parts.local, self.situation.clone());
        self.local = if sorted.confident { local.understood_turn(situation) } else { local.turn(situation) };
        Ok(())
    }

    /// Whether a request has a procedure that must be followed to the letter, or that gives it to people.
    fn has_steps(&self) -> bool {
        let procedures = self.shared.parts.knowledge.procedures();
        let requests = self.situation.readings.iter().flat_map(|reading| &reading.requests);
        let strict = |procedure: &Procedure| {
            procedure.tier == Tier::Two || (!procedure.steps.is_empty() && procedure.mode != Some(Mode::Free))
        };
        requests.filter_map(|request| procedure_of(&procedures, request)).any(strict)
    }

    /// A write that the model proposed in an earlier turn, and the customer's word on it.
    fn settle_pending(&mut self) -> Option<Step> {
        let pending = self.situation.case.pending.clone()?;
        match self.situation.readings.as_slice() {
            [Reading { answer: Some(Answer::Yes), .. }] => {
                let arguments = serde_json::from_str(&pending.arguments).ok()?;
                Some(self.begin_agreed(pending.tool, arguments))
            }
            [Reading { answer: Some(Answer::No), .. }] => {
                let text = self.shared.parts.phrases.say(&self.situation.language, "declined_ok", json!({}));
                Some(Step::Say(Draft { text, ..Draft::default() }))
            }
            _ => None,
        }
    }

    /// The model cannot be asked: the local assistant carries on where it can, and a person where it cannot.
    async fn without_model(&mut self, error: &ModelError) -> Result<Step, AssistantError> {
        self.note(error.kind());
        if let Course::Free(work) = &self.course
            && work.wrote
        {
            // Something was changed that nobody has told the customer about; that is not begun anew.
            return Ok(Step::HandOff(HandOff::because("model_failed")));
        }
        if matches!(error, ModelError::BudgetSpent(_)) && !self.has_steps() {
            return Ok(Step::HandOff(HandOff::because("model_budget_spent")));
        }
        self.local = self.shared.parts.local.turn(self.situation.clone());
        self.talk.close();
        self.follow(Seen::Begin).await
    }

    /// Records that this turn went on without the model, and why.
    fn note(&self, why: &'static str) {
        metrics::counter!("firstline_model_fallbacks_total", "reason" => why).increment(1);
        self.situation.tally.add(CallRecord {
            model: String::new(),
            purpose: "fallback".to_owned(),
            outcome: why.to_owned(),
            usage: Usage::default(),
            milliseconds: 0,
            cost_micros: 0,
        });
    }
}

/// The procedure that a request is about.
fn procedure_of<'p>(procedures: &'p [Procedure], request: &Request) -> Option<&'p Procedure> {
    let triage = &request.triage;
    let settled =
        matches!(triage.decision, Decision::Tier1 | Decision::Escalate) && triage.reason != "article";
    let id = triage.intent.as_ref().filter(|_| settled)?;
    procedures.iter().find(|procedure| procedure.id == *id)
}

/// Writes the model's reading into ours; without a procedure it is a question for the articles.
fn sort(request: &mut Request, found: Option<&Procedure>) {
    let triage = &mut request.triage;
    if triage.decision == Decision::Escalate {
        return;
    }
    triage.decision = Decision::Tier1;
    match found {
        Some(procedure) => {
            triage.intent = Some(procedure.id.clone());
            "model".clone_into(&mut triage.reason);
            if procedure.tier == Tier::Two {
                triage.decision = Decision::Escalate;
                triage.reason = procedure.id.to_string();
            }
        }
        None => "article".clone_into(&mut triage.reason),
    }
}
