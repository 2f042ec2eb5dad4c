//! Which case a message is about, decided before it is stored: a message never moves afterwards.
//!
//! With one open case of the assistant's, or none and nothing resolved lately, there is nothing to compare and nothing
//! is read for it.
//! Otherwise the message is compared with each case it may belong to: by the ids both name, by what is asked, by whose
//! question it answers. Clearly another matter opens a linked case. When that leaves several open ones, the message
//! joins the newest of them in doubt, and the turn asks ([`Doubt`]).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Parts;
use crate::domain::case::{CaseState, Doubt, DoubtStage};
use crate::domain::ids::{CaseId, ProcedureId};
use crate::domain::message::{Author, InboundMessage, Message, Visibility};
use crate::domain::time::Timestamp;
use crate::domain::triage::{Decision, Triage};
use crate::language::signals::{self, Answer};
use crate::language::{extract, sentences};
use crate::store::{CaseFile, OpenCase, StoreError};

/// Ids are looked for in this many of a thread's newest messages.
const MESSAGES_MAX: usize = 20;
/// A message of at most so many words, without a clear request of its own, may be the answer to a question.
const ANSWER_WORDS_MAX: usize = 6;

/// Where a message belongs.
pub(super) enum Home {
    /// To a case that may take it.
    Join {
        /// The case as it was compared; it must still be so.
        file: Arc<CaseFile>,
        /// What is in doubt about it from now on.
        doubt: Option<Doubt>,
        /// It is settled and this says nothing new: thanks, a greeting.
        settled: bool,
        /// Another case in which the customer was asked about these words; the question is answered.
        answered: Option<Arc<CaseFile>>,
    },
    /// To a new one.
    Open {
        /// The older case that it follows.
        follows: Option<CaseId>,
        /// Cases that were compared; all must still be as they were.
        seen: Vec<(CaseId, i64)>,
        /// What its first turn takes up instead of the message.
        doubt: Option<Doubt>,
        /// The case in which the customer was asked.
        answered: Option<Arc<CaseFile>>,
    },
}

/// Decides. `None`: a case has changed since it was listed, so read the list again.
pub(super) async fn home(
    parts: &Parts,
    message: &InboundMessage,
    cases: &[OpenCase],
    now: Timestamp,
) -> Result<Option<Home>, StoreError> {
    let open: Vec<&OpenCase> = cases.iter().filter(|case| case.state != CaseState::Resolved).collect();
    // A person's case is not burdened with every simple question that comes by another way, and the question need not
    // wait for the person.
    let here = |case: &OpenCase| case.channel == message.channel && case.conversation == message.conversation;
    if let [only] = open.as_slice()
        && (only.state == CaseState::Assistant || here(only))
    {
        let Some(file) = load(parts, only).await? else { return Ok(None) };
        return Ok(Some(match answer_to_doubt(message, &file) {
            Some(home) => home,
            None => join(file, message, None),
        }));
    }
    if open.is_empty() {
        return lately_resolved(parts, message, cases, now).await;
    }
    let Some(files) = load_all(parts, &open).await? else { return Ok(None) };
    if let Some(home) = files.iter().find_map(|file| answer_to_doubt(message, file)) {
        return Ok(Some(home));
    }
    // What was asked about before says more about where an answer belongs that is no plain yes or no.
    let asked = files.iter().find(|file| asked(file).is_some()).cloned();
    let request = asked.as_ref().and_then(asked_request);
    let text = request.map_or_else(|| message.text.clone(), |request| format!("{request}\n{}", message.text));
    let said = Said::of(parts, &text);
    let matters: Vec<Matter<'_>> = files.iter().map(|file| Matter::of(parts, file, message)).collect();
    let carried = |file: Option<&Arc<CaseFile>>| {
        let moved = asked.as_ref().filter(|asked| file.is_none_or(|file| file.case.id != asked.case.id));
        let doubt = moved.map(|_| Doubt { request: text.clone(), stage: DoubtStage::Settled, seq: 0 });
        (doubt, moved.cloned())
    };
    let verdict = match (among(&said, &matters), files.iter().position(|file| self::asked(file).is_some())) {
        // It was asked about once; now it stays where that was.
        (Verdict::Unsure(_), Some(at)) => Verdict::Unsure(at),
        (verdict, _) => verdict,
    };
    Ok(Some(match verdict {
        Verdict::Sure(at) | Verdict::Unsure(at) if asked.is_some() => {
            let Some(file) = files.get(at) else { return Ok(None) };
            let (doubt, answered) = carried(Some(file));
            Home::Join {
                file: file.clone(),
                doubt: doubt.or_else(|| file.case.doubt.clone()),
                settled: false,
                answered,
            }
        }
        Verdict::Sure(at) => {
            let Some(file) = files.get(at) else { return Ok(None) };
            join(file.clone(), message, None)
        }
        Verdict::Unsure(at) => {
            let Some(file) = files.get(at) else { return Ok(None) };
            // Only the assistant's own cases have a turn that asks; a person reads the message anyway.
            let asks = file.case.state == CaseState::Assistant && said.to_be_asked_about;
            let doubt = Doubt { request: message.text.clone(), stage: DoubtStage::Open, seq: 0 };
            join(file.clone(), message, asks.then_some(doubt))
        }
        Verdict::Another => {
            let (doubt, answered) = carried(None);
            opened(&files, doubt, answered)
        }
    }))
}

/// No case is open: one that was resolved lately may be meant.
async fn lately_resolved(
    parts: &Parts,
    message: &InboundMessage,
    cases: &[OpenCase],
    now: Timestamp,
) -> Result<Option<Home>, StoreError> {
    let settings = &parts.config.cases;
    let within = |case: &OpenCase, ms: i64| case.resolved_at.is_none_or(|at| now.ms_since(at) <= ms);
    let here =
        |case: &&&OpenCase| case.channel == message.channel && case.conversation == message.conversation;
    let recent: Vec<&OpenCase> = cases.iter().filter(|case| within(case, settings.reopen_ms)).collect();
    let Some(newest) = recent.iter().find(here).or_else(|| recent.first()) else {
        let follows = cases.first().map(|case| case.id.clone());
        return Ok(Some(Home::Open { follows, seen: Vec::new(), doubt: None, answered: None }));
    };
    let talking = |case: &&&OpenCase| within(case, settings.talk_ms);
    let latest = recent.iter().filter(talking).find(here).or_else(|| recent.iter().find(talking));
    if latest.is_some() || settles(&message.text) {
        let Some(file) = load(parts, latest.unwrap_or(newest)).await? else { return Ok(None) };
        return Ok(Some(join(file, message, None)));
    }
    let Some(files) = load_all(parts, &recent).await? else { return Ok(None) };
    let said = Said::of(parts, &message.text);
    let likeness: Vec<Likeness> =
        files.iter().map(|file| said.compare(&Matter::of(parts, file, message))).collect();
    let same = likeness.iter().position(|likeness| *likeness == Likeness::Same);
    let unsure = || likeness.iter().position(|likeness| *likeness == Likeness::Unsure);
    Ok(Some(match same.or_else(unsure).and_then(|at| files.get(at)) {
        Some(file) => join(file.clone(), message, None),
        None => opened(&files, None, None),
    }))
}

/// Nothing but thanks, a greeting or an "ok": of a settled case that is nothing new.
fn settles(text: &str) -> bool {
    signals::small_talk(text).is_some() || signals::affirmation(text) == Some(Answer::Yes)
}

fn join(file: Arc<CaseFile>, message: &InboundMessage, doubt: Option<Doubt>) -> Home {
    let was_settled = file.case.state == CaseState::Resolved
        || (file.case.state == CaseState::Assistant && file.case.resolution.is_some());
    let settled = was_settled && !awaits(&file) && settles(&message.text);
    let doubt = match file.case.doubt.clone() {
        // A second message before the question was asked: both are in doubt.
        Some(known) if known.stage != DoubtStage::Asked => {
            Some(Doubt { request: format!("{}\n{}", known.request, message.text), seq: 0, ..known })
        }
        Some(known) => Some(known),
        None => doubt,
    };
    Home::Join { file, doubt, settled, answered: None }
}

fn opened(files: &[Arc<CaseFile>], doubt: Option<Doubt>, answered: Option<Arc<CaseFile>>) -> Home {
    let seen = files.iter().map(|file| (file.case.id.clone(), file.case.version));
    // The one that is changed is looked at again by that change.
    let seen = seen.filter(|(id, _)| answered.as_ref().is_none_or(|file| file.case.id != *id)).collect();
    Home::Open { follows: files.first().map(|file| file.case.id.clone()), seen, doubt, answered }
}

/// The words that the customer was asked about last thing in this case.
fn asked(file: &CaseFile) -> Option<&Doubt> {
    let doubt = file.case.doubt.as_ref().filter(|doubt| doubt.stage == DoubtStage::Asked)?;
    (doubt.seq == file.case.message_seq && file.case.state == CaseState::Assistant).then_some(doubt)
}

fn asked_request(file: &Arc<CaseFile>) -> Option<String> {
    asked(file).map(|doubt| doubt.request.clone())
}

/// A yes keeps the words in doubt where they are; a no opens a linked case in which they are taken up.
fn answer_to_doubt(message: &InboundMessage, file: &Arc<CaseFile>) -> Option<Home> {
    let settled = Doubt { stage: DoubtStage::Settled, seq: 0, ..asked(file)?.clone() };
    match signals::affirmation(&message.text)? {
        Answer::Yes => {
            Some(Home::Join { file: file.clone(), doubt: Some(settled), settled: false, answered: None })
        }
        Answer::No => Some(Home::Open {
            follows: Some(file.case.id.clone()),
            seen: Vec::new(),
            doubt: Some(settled),
            answered: Some(file.clone()),
        }),
    }
}

/// The case as it was listed, or newer and in the same hands.
async fn load(parts: &Parts, listed: &OpenCase) -> Result<Option<Arc<CaseFile>>, StoreError> {
    let known = parts.store.case(&listed.id).await?.filter(|file| file.case.version >= listed.version);
    let file = match known {
        Some(file) => Some(file),
        None => parts.store.case_fresh(&listed.id).await?,
    };
    let settled = |state| matches!(state, CaseState::Resolved | CaseState::Closed);
    Ok(file.filter(|file| {
        file.case.state == listed.state || !(settled(file.case.state) || settled(listed.state))
    }))
}

async fn load_all(parts: &Parts, listed: &[&OpenCase]) -> Result<Option<Vec<Arc<CaseFile>>>, StoreError> {
    let mut files = Vec::with_capacity(listed.len());
    for case in listed {
        let Some(file) = load(parts, case).await? else { return Ok(None) };
        files.push(file);
    }
    Ok(Some(files))
}

/// Whether the assistant or a person waits for an answer of the customer.
fn awaits(file: &CaseFile) -> bool {
    let last = file.messages.iter().rev().find(|message| message.visibility == Visibility::Public);
    last.is_some_and(|message| {
        message.author != Author::Customer
            && (!message.choices.is_empty() || message.text.trim_end().ends_with('?'))
    })
}

/// Every id in a text that has the form of a slot of some procedure.
fn ids_in(parts: &Parts, texts: &[&str]) -> BTreeSet<String> {
    let procedures = parts.knowledge.procedures();
    let patterns: BTreeSet<&str> =
        procedures.iter().flat_map(|p| &p.slots).filter_map(|slot| slot.pattern.as_deref()).collect();
    let found = patterns.iter().flat_map(|pattern| texts.iter().map(move |text| (text, pattern)));
    found.flat_map(|(text, pattern)| extract::by_pattern(text, pattern)).collect()
}

/// What a message says about where it belongs.
#[derive(Debug, Clone, Default)]
struct Said {
    ids: BTreeSet<String>,
    /// The request, when it is clear.
    intent: Option<ProcedureId>,
    /// Every request it may be, however unlikely.
    likely: Vec<ProcedureId>,
    /// The article that answers it.
    article: Option<String>,
    /// It may be understood only with what was said before.
    refers_back: bool,
    /// It is short and asks for nothing of its own.
    may_answer: bool,
    /// It is worth a question; a cry for help or a thank-you is not.
    to_be_asked_about: bool,
}

impl Said {
    fn of(parts: &Parts, text: &str) -> Self {
        let clean = sentences::clean(text);
        let triage: Triage = parts.reader.triage(text);
        let settings = &parts.config.triage;
        let is_clear = triage.confidence >= settings.intent_min && triage.decision != Decision::Unknown;
        let by_article = triage.reason == "article";
        let language = triage.language.as_deref();
        let hit = || parts.knowledge.search(&clean, language, 1).hits.first().map(|hit| hit.article.clone());
        let plain_answer = signals::affirmation(&clean).is_some();
        let small = signals::small_talk(&clean).is_some();
        let ids = ids_in(parts, &[&clean]);
        let intent = triage.intent.clone().filter(|_| is_clear && !by_article && !small && !plain_answer);
        let article = if by_article { hit() } else { None };
        let short = clean.split_whitespace().count() <= ANSWER_WORDS_MAX;
        Self {
            likely: triage
                .candidates
                .iter()
                .filter(|c| c.confidence >= settings.doubt_min)
                .map(|c| c.intent.clone())
                .collect(),
            refers_back: signals::refers_back(&clean),
            may_answer: plain_answer || (short && !small && intent.is_none() && article.is_none()),
            to_be_asked_about: !small
                && !plain_answer
                && signals::alarm(&clean).is_none()
                && !signals::wants_person(&clean),
            ids,
            intent,
            article,
        }
    }

    fn compare(&self, matter: &Matter<'_>) -> Likeness {
        if !self.ids.is_disjoint(&matter.ids) {
            return Likeness::Same;
        }
        if !self.ids.is_empty() && !matter.ids.is_empty() {
            return Likeness::Another;
        }
        let case = &matter.file.case;
        if self.intent.is_some() && self.intent == case.intent {
            return Likeness::Same;
        }
        if self.article.as_ref().is_some_and(|article| matter.articles.contains(article.as_str())) {
            return Likeness::Same;
        }
        let clear = self.intent.is_some() || self.article.is_some();
        let known = case.intent.is_some() || !matter.articles.is_empty();
        let perhaps = case.intent.as_ref().is_some_and(|intent| self.likely.contains(intent));
        if clear && known && !perhaps && !self.refers_back { Likeness::Another } else { Likeness::Unsure }
    }
}

/// A case as far as a message can be compared with it.
struct Matter<'a> {
    file: &'a CaseFile,
    ids: BTreeSet<String>,
    articles: BTreeSet<&'a str>,
    awaits: bool,
    /// The message came where this case was last spoken of.
    here: bool,
    /// It was spoken of so lately that the conversation goes on.
    talking: bool,
}

impl<'a> Matter<'a> {
    fn of(parts: &Parts, file: &'a CaseFile, message: &InboundMessage) -> Self {
        let public = |entry: &&Arc<Message>| entry.visibility == Visibility::Public;
        let texts: Vec<&str> =
            file.messages.iter().rev().filter(public).take(MESSAGES_MAX).map(|m| m.text.as_str()).collect();
        let citations = file.messages.iter().flat_map(|entry| &entry.citations);
        Self {
            ids: ids_in(parts, &texts),
            articles: citations.map(|citation| citation.article.as_str()).collect(),
            awaits: awaits(file),
            talking: parts.clock.now().ms_since(file.case.updated_at) <= parts.config.cases.talk_ms,
            here: file.case.channel == message.channel && file.case.conversation == message.conversation,
            file,
        }
    }
}

/// How a message and a case compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Likeness {
    Same,
    Unsure,
    Another,
}

/// What comparing with all open cases comes to; cases by place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Sure(usize),
    /// It may be any of several; this is the newest.
    Unsure(usize),
    Another,
}

/// Weighs the open cases, newest first.
fn among(said: &Said, matters: &[Matter<'_>]) -> Verdict {
    if said.may_answer && said.ids.is_empty() {
        let waiting = |here: bool| matters.iter().position(|matter| matter.awaits && (matter.here || !here));
        if let Some(at) = waiting(true).or_else(|| waiting(false)) {
            return Verdict::Sure(at);
        }
    }
    let likeness: Vec<Likeness> = matters.iter().map(|matter| said.compare(matter)).collect();
    let placed = || matters.iter().zip(&likeness).enumerate();
    let all = |wanted: Likeness| placed().filter(move |(_, (_, l))| **l == wanted);
    let best = |wanted: Likeness| {
        all(wanted).find(|(_, (matter, _))| matter.here).or_else(|| all(wanted).next()).map(|(at, _)| at)
    };
    if let Some(at) = best(Likeness::Same) {
        return Verdict::Sure(at);
    }
    let mut left = all(Likeness::Unsure);
    match (left.next(), left.next()) {
        (None, _) => Verdict::Another,
        (Some((at, _)), None) => Verdict::Sure(at),
        (Some((newest, _)), Some(_)) => {
            let mut here = all(Likeness::Unsure).filter(|(_, (matter, _))| matter.here);
            match (here.next(), here.next()) {
                // The thread in which it was written speaks for its case, and for the one spoken of a moment ago.
                (Some((at, _)), None) => Verdict::Sure(at),
                (Some((at, (matter, _))), Some(_)) if matter.talking => Verdict::Sure(at),
                _ => Verdict::Unsure(newest),
            }
        }
    }
}
