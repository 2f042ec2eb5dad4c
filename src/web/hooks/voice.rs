//! A call: each of its requests is answered with what to say next, read from the record.

use std::sync::Arc;

use serde_json::json;

use super::super::Edge;
use super::super::error::ApiError;
use crate::channels::voice::twiml::{self, Twiml};
use crate::channels::voice::{self, Heard, NAME, Place, Request, speech};
use crate::channels::{Bounds, ChannelAdapter, Webhook, WebhookAnswer};
use crate::config::VoiceSettings;
use crate::desk::hours::Presence;
use crate::domain::case::CaseState;
use crate::domain::handoff::Known;
use crate::domain::message::{Author, InboundMessage, Message, Visibility};
use crate::language::signals::{SmallTalk, small_talk};
use crate::pipeline::Accepted;
use crate::store::CaseFile;

/// Messages of a thread that are looked at for one answer, before and after the caller's words.
const MESSAGES_MAX: i64 = 50;
/// Silences after which a call whose matter is settled ends.
const SETTLED_SILENCES: u32 = 2;

/// Answers a verified request of a call.
pub(super) async fn answer(
    edge: &Edge,
    adapter: &dyn ChannelAdapter,
    webhook: &Webhook<'_>,
) -> Result<WebhookAnswer, ApiError> {
    let config = &edge.app.config;
    let settings = &config.channels.voice;
    let request = Request::read(webhook, Bounds::of(config), settings.confidence_min)?;
    let kind = if matches!(request.heard, Heard::Words(_)) { "message" } else { "nothing" };
    let call = Call { edge, settings, request, place: Place::read(webhook.query) };
    let answer = match webhook.path {
        "" if call.request.over => Ok(adapter.acknowledge()),
        "" => call.greet().await,
        "turn" => call.turn(adapter).await,
        "wait" => call.reply().await,
        "whisper" => call.whisper().await,
        "dialed" => call.dialled().await,
        "status" => Ok(adapter.acknowledge()),
        _ => Err(ApiError::not_found("step of a call")),
    }?;
    metrics::counter!("firstline_webhooks_total", "channel" => NAME, "kind" => kind).increment(1);
    Ok(answer)
}

/// One request of a call.
struct Call<'a> {
    edge: &'a Edge,
    settings: &'a VoiceSettings,
    request: Request,
    place: Place,
}

impl Call<'_> {
    /// A new call.
    async fn greet(&self) -> Result<WebhookAnswer, ApiError> {
        let language = self.language().await?;
        let business = &self.edge.app.config.business.name;
        let greeting = self.phrase(&language, "voice_greeting", &json!({ "business": business }));
        Ok(self.listen(&language, &[greeting], Place::default()))
    }

    /// What the caller said, or did not.
    async fn turn(mut self, adapter: &dyn ChannelAdapter) -> Result<WebhookAnswer, ApiError> {
        match self.request.heard.clone() {
            Heard::Words(text) => {
                let message = self.request.message(&self.place, text);
                let accepted = self.edge.app.pipeline.ingest(message).await?;
                if self.request.over {
                    return Ok(adapter.acknowledge());
                }
                self.ask(&accepted);
                self.reply().await
            }
            Heard::PersonKey => self.person("voice_pressed_zero", "person_asked").await,
            Heard::Unclear | Heard::Silence if self.request.over => Ok(adapter.acknowledge()),
            Heard::Unclear | Heard::Silence => self.missed().await,
        }
    }

    /// The place from which the answer to a message is spoken.
    fn ask(&mut self, accepted: &Accepted) {
        let same = self.place.case.as_ref() == Some(&accepted.case) && self.place.after < accepted.seq;
        let after = if same { self.place.after } else { accepted.seq };
        let case = Some(accepted.case.clone());
        self.place = Place { case, after, asked: accepted.seq, turn: self.place.turn, missed: 0, waited: 0 };
    }

    /// Says what is new in the case once the turn has ended; until then the caller holds on.
    async fn reply(self) -> Result<WebhookAnswer, ApiError> {
        let store = &self.edge.app.store;
        let Some(case) = self.place.case.clone() else { return self.missed().await };
        if store.case(&case).await?.is_none() {
            return Err(ApiError::not_found("case"));
        }
        let waited = self.edge.app.pipeline.wait_at(&case, self.place.asked, self.settings.answer_wait_ms);
        if waited.await?.outcome.is_none() {
            return self.hold_on().await;
        }
        let Some(file) = store.case_fresh(&case).await? else { return Err(ApiError::not_found("case")) };
        let language = file.case.language.as_str();
        let asked = self.place.asked;
        let from = self.place.after.min(asked) - MESSAGES_MAX;
        let messages = store.messages(&case, from.max(0), 2 * MESSAGES_MAX).await?;
        let phrases = &self.edge.app.pipeline.parts().phrases;
        let (mut said, mut after) = (Vec::new(), self.place.after.max(asked));
        for message in self.unheard(&messages) {
            said.extend(speech::of_message(message, phrases, language));
            after = after.max(message.seq);
        }
        if file.case.state.with_people() {
            return self.hand_over(&file, said).await;
        }
        let heard = messages.iter().find(|message| message.seq == asked);
        if heard.is_some_and(|message| small_talk(&message.text) == Some(SmallTalk::Goodbye)) {
            return self.close(language, said).await;
        }
        if self.rated(&file).await? {
            return Ok(self.twiml(language).say(&said).hang_up().answer());
        }
        if said.is_empty() {
            said.push(self.phrase(language, "voice_anything_else", &json!({})));
        }
        Ok(self.listen(language, &said, Place { after, ..self.place.clone() }))
    }

    /// Says the last words, and before the call ends asks what the caller thinks of it, where they may be asked.
    async fn close(&self, language: &str, mut said: Vec<String>) -> Result<WebhookAnswer, ApiError> {
        if let Some(case) = &self.place.case
            && let Some(after) = self.edge.app.pipeline.ask_caller_to_rate(case).await?
            && let Some(question) = self.edge.app.store.messages(case, after - 1, 1).await?.pop()
        {
            let phrases = &self.edge.app.pipeline.parts().phrases;
            said.extend(speech::of_message(&question, phrases, language));
            return Ok(self.listen(language, &said, Place { after, ..self.place.clone() }));
        }
        Ok(self.twiml(language).say(&said).hang_up().answer())
    }

    /// Whether what the caller just said was the rating they were asked for, after which nothing is left to say.
    async fn rated(&self, file: &CaseFile) -> Result<bool, ApiError> {
        let rating = self.edge.app.store.rating(&file.case.id).await?;
        Ok(rating.is_some_and(|rating| rating.score.is_some() && rating.asked_seq + 1 == self.place.asked))
    }

    /// What was said by phone since the caller last heard something. Where the call has only now come to this case, that is
    /// also what a person has written since the caller's last words in it: it had nowhere to be heard before.
    fn unheard<'m>(&self, messages: &'m [Arc<Message>]) -> Vec<&'m Message> {
        let (after, asked) = (self.place.after, self.place.asked);
        let by_caller = |message: &&Arc<Message>| message.author == Author::Customer && message.seq < asked;
        let before = messages.iter().rev().find(by_caller).map_or(0, |message| message.seq);
        let written = |message: &Message| {
            after >= asked && message.author == Author::Agent && (before..asked).contains(&message.seq)
        };
        let new = |message: &&Message| {
            message.author != Author::Customer
                && message.visibility == Visibility::Public
                && message.channel == NAME
                && (message.seq > after || written(message))
        };
        messages.iter().map(AsRef::as_ref).filter(new).collect()
    }

    /// The turn is still under way: a word about that once, and then the next look.
    async fn hold_on(self) -> Result<WebhookAnswer, ApiError> {
        if self.place.waited >= self.settings.waits_max {
            return self.person("voice_held_on", "slow_on_the_phone").await;
        }
        let language = self.language().await?;
        let first = self.place.waited == 0;
        let filler = first.then(|| self.phrase(&language, "voice_filler", &json!({})));
        let next = Place { waited: self.place.waited + 1, ..self.place.clone() };
        let said: Vec<String> = filler.into_iter().collect();
        Ok(self.twiml(&language).say(&said).go_on(&self.url("wait", &next)).answer())
    }

    /// Nothing was understood: asked again, and in the end a person gets the call. Silence after everything is settled
    /// ends it.
    async fn missed(self) -> Result<WebhookAnswer, ApiError> {
        let missed = self.place.missed.saturating_add(1);
        let settled = self.request.heard == Heard::Silence && self.settled().await?;
        let language = self.language().await?;
        if settled && (missed >= SETTLED_SILENCES || self.asked_to_rate().await?) {
            let goodbye = self.phrase(&language, "voice_goodbye", &json!({}));
            return Ok(self.twiml(&language).say(&[goodbye]).hang_up().answer());
        }
        if missed >= self.settings.misses_max {
            return self.person("voice_nothing_understood", "not_understood").await;
        }
        let key = if settled { "voice_anything_else" } else { "voice_again" };
        let again = self.phrase(&language, key, &json!({}));
        Ok(self.listen(&language, &[again], Place { missed, ..self.place.clone() }))
    }

    /// Whether the last word the caller heard was the question what they think of it.
    async fn asked_to_rate(&self) -> Result<bool, ApiError> {
        let Some(case) = &self.place.case else { return Ok(false) };
        let rating = self.edge.app.store.rating(case).await?;
        Ok(rating.is_some_and(|rating| rating.message.is_some() && rating.asked_seq == self.place.after))
    }

    async fn settled(&self) -> Result<bool, ApiError> {
        let Some(case) = &self.place.case else { return Ok(false) };
        let file = self.edge.app.store.case(case).await?;
        Ok(file.is_some_and(|file| file.case.state == CaseState::Resolved || file.case.resolution.is_some()))
    }

    /// A person is to take the call: the thread says why, in the words of `key` for those who read it.
    async fn person(mut self, key: &str, reason: &'static str) -> Result<WebhookAnswer, ApiError> {
        let text = self.phrase(&self.edge.app.config.business.language, key, &json!({}));
        let stored = self.request.message(&self.place, text);
        let external_id = format!("{}-person", stored.external_id);
        let message = InboundMessage { external_id, ..stored };
        let accepted = self.edge.app.pipeline.ingest_for_people(message, reason).await?;
        self.ask(&accepted);
        Box::pin(self.reply()).await
    }

    /// People have the case: what the caller was told, and then the call goes to one of them, or ends.
    async fn hand_over(&self, file: &CaseFile, said: Vec<String>) -> Result<WebhookAnswer, ApiError> {
        let language = file.case.language.as_str();
        let mut said = said;
        if said.is_empty() {
            let handoff = self.edge.app.store.handoff(&file.case.id).await?;
            let told = handoff.and_then(|handoff| value(&handoff.note.told));
            said.extend(told.map(|told| self.spoken(language, &told)));
        }
        let desk = &self.edge.app.pipeline.parts().desk;
        let now = self.edge.app.clock.now();
        let presence = file.case.team.as_ref().map_or(Presence::Open, |team| desk.presence(team, now));
        let Some(number) = voice::taker(self.settings, presence == Presence::Open) else {
            let after = file.case.message_seq;
            if file.case.move_offer.as_ref().is_some_and(|offer| offer.asked_seq == after && !offer.declined)
            {
                return Ok(self.listen(language, &said, Place { after, ..self.place.clone() }));
            }
            said.push(self.phrase(language, "voice_goodbye", &json!({})));
            return Ok(self.twiml(language).say(&said).hang_up().answer());
        };
        said.push(self.phrase(language, "voice_connecting", &json!({})));
        let (whisper, dialled) = (self.url("whisper", &self.place), self.url("dialed", &self.place));
        Ok(self.twiml(language).say(&said).transfer(number, &whisper, &dialled).answer())
    }

    /// What the person hears before the caller is connected.
    async fn whisper(&self) -> Result<WebhookAnswer, ApiError> {
        let language = self.edge.app.config.business.language.as_str();
        let Some(case) = &self.place.case else { return Err(ApiError::not_found("case")) };
        let Some(handoff) = self.edge.app.store.handoff(case).await? else {
            return Err(ApiError::not_found("handoff of this case"));
        };
        let note = &handoff.note;
        let known = |field: &Known| {
            let text = self.spoken(language, &value(field)?);
            // The sentence around it ends by itself.
            Some(text.trim_end_matches(['.', '?', '!']).to_owned())
        };
        let context =
            json!({"name": known(&note.customer), "title": known(&note.issue), "urgency": note.urgency});
        let line = self.phrase(language, "voice_whisper", &context);
        Ok(self.twiml(language).say(&[line]).answer())
    }

    /// The call to the person is over, or there was none.
    async fn dialled(&self) -> Result<WebhookAnswer, ApiError> {
        let language = self.language().await?;
        let talked = matches!(self.request.dialled.as_deref(), Some("completed" | "answered"));
        let sorry = (!talked).then(|| self.phrase(&language, "voice_not_reached", &json!({})));
        let said: Vec<String> = sorry.into_iter().collect();
        Ok(self.twiml(&language).say(&said).hang_up().answer())
    }

    /// The language of the case, else the one this caller last wrote or spoke, else the business's own.
    async fn language(&self) -> Result<String, ApiError> {
        let store = &self.edge.app.store;
        let known = if let Some(case) = &self.place.case {
            store.case(case).await?.map(|file| file.case.language.clone())
        } else {
            let caller = (NAME, self.request.caller.as_str());
            store.arrival(NAME, "", caller).await?.customer.and_then(|customer| customer.language.clone())
        };
        Ok(known.unwrap_or_else(|| self.edge.app.config.business.language.clone()))
    }

    /// Says this and listens for the caller's next turn.
    fn listen(&self, language: &str, said: &[String], place: Place) -> WebhookAnswer {
        let next = Place { turn: place.turn.saturating_add(1), waited: 0, ..place };
        let action = self.url("turn", &next);
        self.twiml(language).listen(said, &action, self.settings.input_timeout_seconds).answer()
    }

    fn twiml(&self, language: &str) -> Twiml<'_> {
        Twiml::new(twiml::locale(language, &self.settings.locales))
    }

    fn phrase(&self, language: &str, key: &str, context: &serde_json::Value) -> String {
        self.edge.app.pipeline.parts().phrases.say(language, key, context)
    }

    fn spoken(&self, language: &str, text: &str) -> String {
        speech::spoken(text, &self.phrase(language, "voice_dash", &json!({})))
    }

    fn url(&self, step: &str, place: &Place) -> String {
        format!("{}/channels/{NAME}/{step}?{}", self.edge.app.config.public_base_url(), place.query())
    }
}

fn value(field: &Known) -> Option<String> {
    match field {
        Known::Value(value) => Some(value.clone()),
        Known::Unknown { .. } => None,
    }
}
