//! Reads a message: what it is about, how urgent, in which language, and whether Tier 1 may try.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use super::HITS_MAX;
use crate::assistant::{Found, Reading, Request};
use crate::config::{Business, TriageSettings};
use crate::domain::ids::ProcedureId;
use crate::domain::message::Message;
use crate::domain::procedure::Tier;
use crate::domain::triage::{Candidate, Decision, Sentiment, Triage, Urgency};
use crate::knowledge::Knowledge;
use crate::language::classify::{Classifier, Example, Training};
use crate::language::{detect, mood, sentences, signals};

/// From this many words a message is a story …
const STORY_WORDS_MIN: usize = 20;
/// … of which at most this many sentences are read one by one.
const STORY_SENTENCES_MAX: usize = 30;

/// Reads messages with a classifier trained on the examples of the procedures.
pub struct Reader {
    knowledge: Knowledge,
    settings: TriageSettings,
    business: Business,
    cache: Option<PathBuf>,
    trained: RwLock<Trained>,
}

#[derive(Clone, Default)]
struct Trained {
    version: String,
    classifier: Option<Arc<Classifier>>,
}

/// What a message says beside its requests.
struct Heard {
    language: Option<String>,
    urgency: Urgency,
    sentiment: Sentiment,
}

impl Reader {
    /// A reader over this knowledge; what it learnt is kept in the folder `cache`, if there is one.
    pub fn new(
        knowledge: Knowledge,
        settings: TriageSettings,
        business: Business,
        cache: Option<PathBuf>,
    ) -> Self {
        let reader = Self { knowledge, settings, business, cache, trained: RwLock::default() };
        reader.learn();
        reader
    }

    /// Whether the procedures have changed since they were learnt.
    pub fn stale(&self) -> bool {
        let version = self.knowledge.procedures_version();
        self.trained.read().is_ok_and(|trained| trained.version != version)
    }

    /// Learns the present procedures, from the cache where it has them. Takes seconds for thousands of examples.
    pub fn learn(&self) {
        let version = self.knowledge.procedures_version();
        let procedures = self.knowledge.procedures();
        let examples: Vec<Example<'_>> = procedures
            .iter()
            .flat_map(|p| p.examples.iter().map(|text| Example { label: p.id.as_str(), text }))
            .collect();
        let file = self.cache.as_ref().map(|folder| folder.join("classifier.bin"));
        let cached =
            file.as_ref().and_then(|file| Classifier::from_bytes(&std::fs::read(file).ok()?, &version));
        let classifier = cached.unwrap_or_else(|| {
            let classifier = Classifier::train(&examples, &Training::default());
            if let Some(file) = &file {
                keep(file, &classifier.to_bytes(&version));
            }
            classifier
        });
        let classifier = (!examples.is_empty()).then(|| Arc::new(classifier));
        if let Ok(mut trained) = self.trained.write() {
            *trained = Trained { version, classifier };
        }
    }

    fn classifier(&self) -> Option<Arc<Classifier>> {
        self.trained.read().ok().and_then(|trained| trained.classifier.clone())
    }

    /// Reads the unread messages of a case whose conversation is in `language`. A burst says one thing in pieces, so its
    /// requests are read from all of it.
    pub fn read_all(&self, messages: &[Arc<Message>], language: &str) -> Vec<Reading> {
        let mut readings: Vec<Reading> =
            messages.iter().map(|message| self.read(message, language)).collect();
        if readings.len() > 1 && readings.iter().any(|reading| !reading.requests.is_empty()) {
            let all: Vec<&str> = messages.iter().map(|message| message.text.as_str()).collect();
            let all = sentences::clean(&all.join("\n"));
            for reading in &mut readings {
                reading.requests.clear();
            }
            if let Some(last) = readings.last_mut() {
                last.requests = self.requests(&all, &hear(&all));
            }
        }
        readings
    }

    /// Reads a stored message: its requests one by one, and the signals that go before any of them.
    pub fn read(&self, message: &Arc<Message>, language: &str) -> Reading {
        let text = sentences::clean(&message.text);
        let small_talk = signals::small_talk(&text);
        let answer = signals::affirmation_in(&text, language);
        let heard = hear(&text);
        let requests = if small_talk.is_some() || text.trim().is_empty() {
            Vec::new()
        } else {
            self.requests(&text, &heard)
        };
        Reading {
            message: message.clone(),
            requests,
            wants_person: signals::wants_person(&text),
            alarm: signals::alarm(&text),
            small_talk,
            answer,
            takes_back: signals::takes_back(&text),
        }
    }

    fn requests(&self, text: &str, heard: &Heard) -> Vec<Request> {
        let parts = sentences::requests(text);
        parts
            .into_iter()
            .map(|part| {
                let (triage, found) = self.judge_long(part, heard);
                Request { text: part.to_owned(), triage, found }
            })
            .collect()
    }

    /// A long story hides its request: when the whole says nothing, the clearest sentence speaks for it.
    fn judge_long(&self, text: &str, heard: &Heard) -> (Triage, Option<Found>) {
        let (whole, found) = self.judge(text, heard);
        if whole.decision != Decision::Unknown || text.split_whitespace().count() < STORY_WORDS_MIN {
            return (whole, found);
        }
        let sentences = sentences::split(text).into_iter().take(STORY_SENTENCES_MAX);
        let clear = sentences
            .map(|sentence| self.judge(sentence, heard).0)
            .filter(|t| t.decision != Decision::Unknown);
        (clear.max_by(|a, b| a.confidence.total_cmp(&b.confidence)).unwrap_or(whole), found)
    }

    /// The triage of a text on its own.
    pub fn triage(&self, text: &str) -> Triage {
        let text = sentences::clean(text);
        self.judge_long(&text, &hear(&text)).0
    }

    fn judge(&self, text: &str, heard: &Heard) -> (Triage, Option<Found>) {
        let prediction = self.classifier().map(|classifier| classifier.predict(text));
        let candidates: Vec<Candidate> = prediction
            .iter()
            .flat_map(|p| &p.candidates)
            .filter_map(|c| {
                Some(Candidate { intent: ProcedureId::parse(&c.label).ok()?, confidence: c.confidence })
            })
            .collect();
        let intent = candidates.first().map(|best| best.intent.clone());
        let confidence = prediction.as_ref().map_or(0.0, |p| p.confidence);
        let (decision, reason, found) = self.decide(text, intent.as_ref(), confidence, heard);
        let urgency = match signals::alarm(text) {
            Some(alarm) => alarm.route().1.max(heard.urgency),
            None => heard.urgency,
        };
        let language = heard.language.clone();
        let sentiment = heard.sentiment;
        let triage =
            Triage { intent, confidence, decision, reason, candidates, language, urgency, sentiment };
        (triage, found)
    }

    fn decide(
        &self,
        text: &str,
        intent: Option<&ProcedureId>,
        confidence: f32,
        heard: &Heard,
    ) -> (Decision, String, Option<Found>) {
        let at_once = |decision: Decision, reason: &str| (decision, reason.to_owned(), None);
        if let Some(alarm) = signals::alarm(text) {
            return at_once(Decision::Escalate, alarm.as_str());
        }
        if signals::wants_person(text) {
            return at_once(Decision::Escalate, "person_asked");
        }
        if signals::small_talk(text).is_some() {
            return at_once(Decision::Tier1, "small_talk");
        }
        let procedures = self.knowledge.procedures();
        let procedure = intent.and_then(|id| procedures.iter().find(|p| p.id == *id));
        if let Some(procedure) = procedure.filter(|_| confidence >= self.settings.intent_min) {
            return match procedure.tier {
                Tier::One => at_once(Decision::Tier1, "intent"),
                Tier::Two => at_once(Decision::Escalate, procedure.id.as_str()),
            };
        }
        let language = heard.language.as_ref().unwrap_or(&self.business.language).clone();
        let search = Arc::new(self.knowledge.search(text, Some(&language), HITS_MAX));
        let (decision, reason) = if search.answerable >= self.settings.answer_min {
            (Decision::Tier1, "article")
        } else {
            (Decision::Unknown, "nothing_known")
        };
        (decision, reason.to_owned(), Some(Found { language, search }))
    }
}

fn hear(text: &str) -> Heard {
    Heard { language: detect::language(text), urgency: mood::urgency(text), sentiment: mood::sentiment(text) }
}

/// Writes the warm cache beside its place and renames it, so that a crash leaves the old one or the new one.
fn keep(file: &std::path::Path, bytes: &[u8]) {
    let beside = file.with_extension("new");
    let written = std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, file));
    if let Err(error) = written {
        tracing::debug!(error = %error, "the classifier's cache was not kept");
    }
}
