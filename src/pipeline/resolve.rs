//! The loop: an assistant proposes a step, rules dispose of it, until there is something to say.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::effect::{self, Asking};
use super::guard::{self, GuardContext};
use super::turn::TurnError;
use super::{HITS_MAX, Parts};
use crate::assistant::{AssistantError, Found, Proposer, Reading, Seen, Situation};
use crate::domain::decision::{Draft, HandOff, ProposedWrite, Step, Verdict, Violation};
use crate::domain::event::EventKind;
use crate::domain::handoff::Approval;
use crate::domain::ids::ProcedureId;
use crate::domain::message::Author;
use crate::domain::procedure::Procedure;
use crate::domain::receipt::Receipt;
use crate::domain::triage::{Sentiment, Urgency};
use crate::domain::turn::Turn;
use crate::domain::usage::CallRecord;
use crate::knowledge::{Hit, Search};
use crate::language::detect;
use crate::llm::usage::Tally;
use crate::store::{CaseFile, Change};

/// Why the loop did not come to an ending.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    /// The turn cannot go on.
    #[error(transparent)]
    Turn(#[from] TurnError),
    /// The assistant cannot go on.
    #[error(transparent)]
    Assistant(#[from] AssistantError),
}

impl ResolveError {
    /// One word for spans and metrics.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Turn(TurnError::LostLease) => "lost_lease",
            Self::Turn(TurnError::Store(_) | TurnError::Commit(_)) => "record_failed",
            Self::Turn(TurnError::Restless) => "restless",
            Self::Assistant(_) => "assistant_failed",
        }
    }
}

/// What a turn keeps over its restarts: what was looked up stays looked up.
#[derive(Default)]
pub(super) struct Carried {
    /// Log lines that go with the outcome.
    pub(super) events: Vec<(EventKind, Value)>,
    /// Receipts of reads; they are committed with what was said on their strength.
    pub(super) receipts: Vec<Arc<Receipt>>,
    /// Changes that go with the outcome.
    pub(super) changes: Vec<Change>,
    /// Searches made.
    pub(super) searches: Vec<Arc<Search>>,
    /// Searches made for the same words while they were read.
    known: Vec<(String, Found)>,
    /// Procedures followed.
    pub(super) followed: Vec<ProcedureId>,
    /// Where calls to a model are counted while they are made …
    pub(super) tally: Tally,
    /// … and those that are over.
    pub(super) model_calls: Vec<CallRecord>,
}

/// What a turn has come to.
pub(super) struct Ending {
    /// What leaves, or why nothing does.
    pub(super) words: Words,
    /// What the assistant made of the case.
    pub(super) mind: Option<Mind>,
    /// The case changed under it before anything was said: look again instead of committing.
    pub(super) stale: bool,
}

/// What leaves.
pub(super) enum Words {
    /// An answer.
    Say(Draft),
    /// A question, perhaps for a yes to a write.
    Ask { draft: Draft, write: Option<ProposedWrite> },
    /// The case goes to people.
    HandOff { handoff: HandOff, approval: Option<Approval>, unsent: Option<String> },
    /// Nothing, for this reason.
    Silent(&'static str),
}

/// What the assistant made of the case in this turn.
pub(super) struct Mind {
    pub(super) memory: String,
    pub(super) gathered: BTreeMap<String, String>,
    pub(super) intent: Option<ProcedureId>,
    pub(super) language: String,
    pub(super) urgency: Urgency,
    pub(super) sentiment: Sentiment,
    pub(super) issue: Option<String>,
}

impl Ending {
    /// The case goes to people, with nothing else to keep.
    pub(super) fn hand_off(handoff: HandOff) -> Self {
        Self { words: Words::HandOff { handoff, approval: None, unsent: None }, mind: None, stale: false }
    }

    /// Nothing is said.
    pub(super) fn silent(reason: &'static str) -> Self {
        Self { words: Words::Silent(reason), mind: None, stale: false }
    }
}

/// Brings the unread messages of a case to an ending.
pub(super) async fn resolve(
    parts: &Parts,
    turn: &Turn,
    file: &Arc<CaseFile>,
    readings: Vec<Reading>,
    carried: &mut Carried,
) -> Result<Ending, ResolveError> {
    let readings = parts.assistant.in_context(&file.case, readings);
    let heard = hear(file, &readings, &parts.config.business.language);
    note_triage(&readings, carried);
    let requests = readings.iter().flat_map(|reading| &reading.requests);
    carried.known =
        requests.filter_map(|request| Some((request.text.clone(), request.found.clone()?))).collect();
    let mut proposer = parts.assistant.begin(situation(parts, file, readings, &heard.language, carried));
    let mut seen = Seen::Begin;
    let (mut approval, mut unsent) = (None, None);
    let mut calls = 0;
    for _ in 0..parts.config.limits.steps_max {
        let step = proposer.next(seen).await?;
        if let Some(intent) = proposer.intent().filter(|intent| !carried.followed.contains(intent)) {
            carried.followed.push(intent);
        }
        let words = match step {
            Step::Search(query) => {
                seen = Seen::Found(search(parts, &heard.language, &query, carried));
                continue;
            }
            Step::Call { tool, arguments } => {
                calls += 1;
                if calls > parts.config.limits.tool_calls_max {
                    break;
                }
                let (intent, name) = (proposer.intent(), proposer.call_name());
                let asking = Asking { turn, file, tool: &tool, arguments: &arguments, intent, name };
                match effect::call(parts, asking, carried).await? {
                    effect::Called::Seen(result) => seen = result,
                    effect::Called::Approval(needed) => {
                        seen = Seen::NeedsApproval { because: needed.because.clone() };
                        approval = Some(needed);
                    }
                    effect::Called::Stale => {
                        return Ok(Ending { words: Words::Silent("stale"), mind: None, stale: true });
                    }
                }
                continue;
            }
            Step::Ask { draft, write } => Words::Ask { draft, write },
            Step::Say(draft) => Words::Say(draft),
            Step::HandOff(handoff) => {
                Words::HandOff { handoff, approval: approval.take(), unsent: unsent.take() }
            }
        };
        let words = match checked(parts, file, words, carried) {
            Ok(words) => words,
            Err((text, reasons)) if unsent.is_none() => {
                unsent = Some(text);
                seen = Seen::Rejected { reasons };
                continue;
            }
            Err((text, _)) => {
                Words::HandOff { handoff: HandOff::because("guard"), approval: None, unsent: Some(text) }
            }
        };
        let words = check_handoff(parts, file, words, carried);
        return Ok(Ending { words, mind: Some(heard.mind(proposer.as_ref())), stale: false });
    }
    let handoff = HandOff::because("steps_exhausted");
    let words = Words::HandOff { handoff, approval: None, unsent: None };
    Ok(Ending { words, mind: Some(heard.mind(proposer.as_ref())), stale: false })
}

fn situation(
    parts: &Parts,
    file: &CaseFile,
    readings: Vec<Reading>,
    language: &str,
    carried: &Carried,
) -> Situation {
    Situation {
        case: file.case.clone(),
        customer: file.customer.clone(),
        thread: file.messages.clone(),
        readings,
        language: language.to_owned(),
        today: parts.desk.today(parts.clock.now()),
        receipts: file.receipts.iter().chain(&carried.receipts).cloned().collect(),
        tally: carried.tally.clone(),
    }
}

/// A draft that passes the guard leaves; one that does not may be said again in other words, once.
fn checked(
    parts: &Parts,
    file: &CaseFile,
    words: Words,
    carried: &mut Carried,
) -> Result<Words, (String, Vec<String>)> {
    let (draft, asks) = match &words {
        Words::Say(draft) => (draft, false),
        Words::Ask { draft, .. } => (draft, true),
        Words::HandOff { .. } | Words::Silent(_) => return Ok(words),
    };
    let violations = match review(parts, file, draft, asks, carried) {
        Verdict::Allow => return Ok(words),
        Verdict::Revise(violations) | Verdict::Block(violations) => violations,
    };
    note_violations(&violations, carried);
    let reasons = violations.iter().map(|violation| format!("{}: {}", violation.rule, violation.found));
    Err((draft.text.clone(), reasons.collect()))
}

/// The sentence that goes with a handoff passes the same guard; if it does not, it stays behind.
fn check_handoff(parts: &Parts, file: &CaseFile, words: Words, carried: &mut Carried) -> Words {
    let Words::HandOff { mut handoff, approval, mut unsent } = words else { return words };
    if let Some(text) = handoff.say.take() {
        let draft = Draft { text, ..Draft::default() };
        match review(parts, file, &draft, false, carried) {
            Verdict::Allow => handoff.say = Some(draft.text),
            Verdict::Revise(violations) | Verdict::Block(violations) => {
                note_violations(&violations, carried);
                unsent.get_or_insert(draft.text);
            }
        }
    }
    Words::HandOff { handoff, approval, unsent }
}

pub(super) fn review(
    parts: &Parts,
    file: &CaseFile,
    draft: &Draft,
    asks: bool,
    carried: &Carried,
) -> Verdict {
    // A draft that names what it rests on is held to that.
    let named = draft.grounds.as_ref();
    let receipts = file.receipts.iter().chain(&carried.receipts).map(AsRef::as_ref);
    let receipts: Vec<&Receipt> =
        receipts.filter(|receipt| named.is_none_or(|named| named.contains(&receipt.id))).collect();
    let cited = |hit: &&Hit| named.is_none() || draft.citations.iter().any(|c| c.article == hit.article);
    let hits = carried.searches.iter().flat_map(|search| search.hits.iter()).filter(cited);
    // The title is named as the source of what is quoted.
    let passages: Vec<&str> = hits.flat_map(|hit| [hit.passage.as_str(), hit.title.as_str()]).collect();
    let words: Vec<&str> =
        file.messages.iter().filter(|m| m.author == Author::Customer).map(|m| m.text.as_str()).collect();
    let context = GuardContext {
        receipts: &receipts,
        passages: &passages,
        procedures: &[],
        settled: parts.desk.settled(),
        customer_words: &words,
        asks,
        today: parts.desk.today(parts.clock.now()),
        reply_chars_max: parts.config.limits.reply_chars_max,
    };
    let verdict = guard::review(draft, &context);
    if verdict == Verdict::Allow || carried.followed.is_empty() {
        return verdict;
    }
    // The terms a procedure states in its own words are looked up only when something lacks a ground.
    let known = parts.knowledge.procedures();
    let followed = known.iter().filter(|procedure| carried.followed.contains(&procedure.id));
    let own: Vec<String> = followed.flat_map(Procedure::own_words).collect();
    guard::review(draft, &GuardContext { procedures: &own, ..context })
}

fn note_violations(violations: &[Violation], carried: &mut Carried) {
    for violation in violations {
        tracing::warn!(rule = violation.rule, "the guard stopped a draft");
        metrics::counter!("firstline_guard_violations_total", "rule" => violation.rule).increment(1);
        carried.events.push((EventKind::Guarded, json!({"rule": violation.rule, "found": violation.found})));
    }
}

fn search(parts: &Parts, language: &str, query: &str, carried: &mut Carried) -> Arc<Search> {
    let version = parts.knowledge.version();
    let known = carried
        .known
        .iter()
        .find(|(text, found)| text == query && found.language == language && found.search.version == version);
    let search = match known {
        Some((_, found)) => found.search.clone(),
        None => Arc::new(parts.knowledge.search(query, Some(language), HITS_MAX)),
    };
    let hits: Vec<Value> =
        search.hits.iter().map(|hit| json!({"article": hit.article, "score": round(hit.score)})).collect();
    carried.events.push((
        EventKind::Searched,
        json!({"answerable": round(search.answerable), "hits": hits, "knowledge": search.version}),
    ));
    carried.searches.push(search.clone());
    search
}

fn round(score: f32) -> f64 {
    (f64::from(score) * 1000.0).round() / 1000.0
}

fn note_triage(readings: &[Reading], carried: &mut Carried) {
    carried.events.retain(|(kind, _)| *kind != EventKind::Triaged);
    for reading in readings {
        for request in &reading.requests {
            let triage = &request.triage;
            let candidates: Vec<Value> = triage
                .candidates
                .iter()
                .map(|c| json!({"intent": c.intent, "confidence": round(c.confidence)}))
                .collect();
            let body = json!({
                "message": reading.message.id, "intent": triage.intent, "confidence": round(triage.confidence),
                "decision": triage.decision, "reason": triage.reason, "candidates": candidates,
                "urgency": triage.urgency, "sentiment": triage.sentiment,
            });
            carried.events.push((EventKind::Triaged, body));
        }
    }
}

/// What the unread messages say about the conversation as a whole.
struct Heard {
    language: String,
    urgency: Urgency,
    sentiment: Sentiment,
    issue: Option<String>,
}

fn hear(file: &CaseFile, readings: &[Reading], own: &str) -> Heard {
    let triages = || readings.iter().flat_map(|r| &r.requests).map(|request| &request.triage);
    let spoken = &file.case.language;
    // Where a model told the language, our own guess would only take it for one of those we know.
    let guessed = (spoken == own || detect::knows(spoken))
        .then(|| triages().rev().find_map(|triage| triage.language.clone()));
    let language = guessed.flatten().unwrap_or_else(|| spoken.clone());
    // Only the first words can say that there is time; later ones take back no urgency.
    let begun = file.case.issue.is_some().then_some(file.case.urgency);
    let urgency = triages().map(|t| t.urgency).chain(begun).max().unwrap_or_default();
    let sentiment = triages().next_back().map_or(file.case.sentiment, |t| t.sentiment);
    let first = readings.iter().flat_map(|r| &r.requests).map(|request| request.text.trim()).next();
    let issue = file.case.issue.clone().or_else(|| first.map(one_line));
    Heard { language, urgency, sentiment, issue }
}

/// A customer's words as one line of at most 160 characters.
fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 160 { line } else { line.chars().take(159).chain(['…']).collect() }
}

impl Heard {
    fn mind(self, proposer: &dyn Proposer) -> Mind {
        let understood = proposer.understood();
        Mind {
            memory: proposer.memory(),
            gathered: proposer.gathered(),
            intent: proposer.intent(),
            language: understood.language.unwrap_or(self.language),
            urgency: self.urgency,
            sentiment: self.sentiment,
            issue: understood.issue.or(self.issue),
        }
    }
}
