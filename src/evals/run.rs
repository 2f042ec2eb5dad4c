//! Plays a scenario in a world of its own and writes down what happened.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use futures_util::future::LocalBoxFuture;
use serde_json::Value;

use super::scenario::{AgentAct, Elsewhere, Entry, Scenario, Who};
use crate::app::App;
use crate::desk::act::{self, Actor, At, Reply};
use crate::domain::assurance::Assurance;
use crate::domain::handoff::Handoff;
use crate::domain::ids::{CaseId, ProcedureId};
use crate::domain::message::{InboundMessage, Message, Sender};
use crate::domain::receipt::Receipt;
use crate::domain::turn::Outcome;
use crate::pipeline::Accepted;
use crate::store::ModelTotals;

/// A person the world knows, as their own site would vouch for them.
#[derive(Debug, Clone)]
pub struct Person {
    /// The operator's id.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Their email address.
    pub email: String,
    /// Their phone number.
    pub phone: String,
}

/// One world: a service with a record and a shop of its own. Made by whoever starts a trial.
pub struct Place {
    /// The service.
    pub app: App,
    /// Who may write.
    pub people: Vec<Person>,
    /// Reads the shop's state.
    pub state: Box<dyn Fn() -> Value + Send + Sync>,
    /// Ends it and clears it away.
    pub end: Box<dyn FnOnce(App) -> LocalBoxFuture<'static, ()>>,
}

/// Starts a world for a scenario.
pub type Start = Box<dyn Fn(&Scenario) -> LocalBoxFuture<'static, Result<Place>>>;

/// What one message came to.
#[derive(Debug, Clone, Default)]
pub struct Played {
    /// How its turn ended.
    pub outcome: Option<Outcome>,
    /// What was said.
    pub replies: Vec<Arc<Message>>,
    /// The procedure that the case was left in.
    pub intent: Option<ProcedureId>,
}

/// What happened in a trial.
#[derive(Debug, Clone, Default)]
pub struct Trial {
    /// Per entry of the scenario.
    pub played: Vec<Played>,
    /// All calls of the case.
    pub receipts: Vec<Arc<Receipt>>,
    /// What the models took for all cases.
    pub model: ModelTotals,
    /// The newest handoff of the last case.
    pub handoff: Option<Handoff>,
    /// The shop before the first message.
    pub before: Value,
    /// The shop after the last.
    pub after: Value,
}

/// Plays a scenario once.
pub async fn play(scenario: &Scenario, start: &Start) -> Result<Trial> {
    let place = start(scenario).await?;
    let trial = in_place(scenario, &place).await;
    let Place { app, end, .. } = place;
    end(app).await;
    trial
}

async fn in_place(scenario: &Scenario, place: &Place) -> Result<Trial> {
    let mut trial = Trial { before: (place.state)(), ..Trial::default() };
    let mut writer = Writer { place, scenario, channel: scenario.channel.clone(), visitor: None, written: 0 };
    let mut cases: Vec<CaseId> = Vec::new();
    for entry in &scenario.messages {
        let played = match entry {
            Entry::Text(text) => writer.write(&[text], &mut cases).await?,
            Entry::Burst(texts) => {
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                writer.write(&texts, &mut cases).await?
            }
            Entry::Elsewhere(Elsewhere { channel, text, visitor }) => {
                writer.channel.clone_from(channel);
                writer.visitor = visitor.clone().or(writer.visitor.take());
                writer.write(&[text], &mut cases).await?
            }
            Entry::Agent(act) => agent(place, act, cases.last()).await?,
        };
        trial.played.push(played);
    }
    for case in &cases {
        trial.receipts.extend(place.app.store.receipts(case).await?);
        trial.model += place.app.store.model_totals(case).await?;
    }
    if let Some(last) = cases.last() {
        trial.handoff = place.app.store.handoff(last).await?;
    }
    trial.after = (place.state)();
    Ok(trial)
}

/// The customer of a scenario, at their keyboard.
struct Writer<'a> {
    place: &'a Place,
    scenario: &'a Scenario,
    channel: String,
    /// Somebody else than the customer of the scenario.
    visitor: Option<String>,
    written: usize,
}

impl Writer<'_> {
    /// Writes these messages before anybody reads the first, then lets the service work.
    async fn write(&mut self, texts: &[&str], cases: &mut Vec<CaseId>) -> Result<Played> {
        let pipeline = &self.place.app.pipeline;
        let mut accepted: Option<Accepted> = None;
        for text in texts {
            self.written += 1;
            let message = InboundMessage {
                channel: self.channel.clone(),
                external_id: format!("m{}", self.written),
                conversation: match &self.visitor {
                    Some(visitor) => format!("conversation-{}-{visitor}", self.channel),
                    None => format!("conversation-{}", self.channel),
                },
                sender: self.sender()?,
                text: (*text).to_owned(),
                attachments: Vec::new(),
                sent_at: None,
                threading: None,
            };
            accepted = Some(pipeline.enqueue(message).await?);
        }
        let accepted = accepted.context("a burst without messages")?;
        if cases.last() != Some(&accepted.case) {
            cases.push(accepted.case.clone());
        }
        pipeline.drain().await;
        let ended = pipeline.wait(&accepted, 0).await?;
        let file = self.place.app.store.case(&accepted.case).await?;
        let intent = file.and_then(|file| file.case.intent.clone());
        Ok(Played { outcome: ended.outcome, replies: ended.replies, intent })
    }

    fn sender(&self) -> Result<Sender> {
        let nobody = Sender {
            address: "visitor-1".to_owned(),
            name: None,
            email: None,
            phone: None,
            assurance: Assurance::Anonymous,
            proof: "visitor",
            external_id: None,
        };
        if let Some(visitor) = &self.visitor {
            return Ok(Sender { address: visitor.clone(), ..nobody });
        }
        match &self.scenario.customer {
            Who::Named(name) if name == "anonymous" => Ok(nobody),
            Who::Claimed { claimed } => Ok(Sender {
                address: claimed.clone(),
                email: Some(claimed.clone()),
                assurance: Assurance::Claimed,
                proof: "typed",
                ..nobody
            }),
            Who::Named(id) => {
                let person = self.place.people.iter().find(|person| person.id == *id);
                let person = person.ok_or_else(|| anyhow!("the world has no customer `{id}`"))?;
                Ok(Sender {
                    address: person.id.clone(),
                    name: Some(person.name.clone()),
                    email: Some(person.email.clone()),
                    phone: Some(person.phone.clone()),
                    assurance: Assurance::Verified,
                    proof: "session_token",
                    external_id: Some(person.id.clone()),
                })
            }
        }
    }
}

async fn agent(place: &Place, act: &AgentAct, case: Option<&CaseId>) -> Result<Played> {
    let case = case.context("an agent cannot act before the customer has written")?;
    let app = &place.app;
    let actor = Actor::Program("evals".to_owned());
    let at = At {
        store: &app.store,
        channels: &app.pipeline.parts().channels,
        clock: app.clock.as_ref(),
        actor: &actor,
        case,
    };
    if let Some(text) = &act.agent {
        act::reply(at, Reply { text: text.clone(), ..Reply::default() }).await?;
    }
    if act.give_back {
        act::give_back(at, None).await?;
    }
    app.pipeline.drain().await;
    Ok(Played::default())
}
