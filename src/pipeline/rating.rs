//! Asks a customer once, after a resolution and inside the rules of their channel, what they think of it; and takes the
//! answer from the thread, from the signed link of a mail or from the operator's own app.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{Parts, settle};
use crate::channels::{email, rules, voice};
use crate::domain::case::{Case, CaseState, Resolution};
use crate::domain::decision::Draft;
use crate::domain::event::EventKind;
use crate::domain::ids::{CaseId, TurnId};
use crate::domain::message::InboundMessage;
use crate::domain::rating::{Rating, Score};
use crate::domain::time::Timestamp;
use crate::store::{CaseFile, Change, CommitError, Draftbook, OpenCase, Refusal, StoreError};

/// Most cases asked about in one round.
const ROUND_MAX: usize = 100;
/// An answer that keeps losing against other changes of its case is given up after this many looks.
const LOOKS_MAX: usize = 8;
const DAY_MS: i64 = 86_400_000;
/// What a link is signed for.
const PURPOSE: &str = "rating";

/// Asks about every case that has been settled for long enough. Callers are asked while they are on the phone.
pub(super) async fn ask_where_due(parts: &Parts) -> Result<(), StoreError> {
    let settings = &parts.config.satisfaction;
    if !settings.enabled {
        return Ok(());
    }
    let now = parts.clock.now();
    let settled = (now.plus_ms(-settings.ask_within_ms), now.plus_ms(-settings.ask_after_ms));
    let quiet_since = now.plus_ms(-settings.quiet_days.saturating_mul(DAY_MS));
    let mut asked = HashSet::new();
    for case in parts.store.unrated_cases(settled, voice::NAME, quiet_since, ROUND_MAX).await? {
        let Some(file) = parts.store.case_fresh(&case).await? else { continue };
        // The customer of two cases is asked about the first.
        if asked.insert(file.case.customer.clone()) {
            ask(parts, &file, now).await?;
        }
    }
    Ok(())
}

/// Asks whoever is on the phone, where they may be asked; the place of the question in the thread.
pub(super) async fn ask_caller(parts: &Parts, case: &CaseId) -> Result<Option<i64>, StoreError> {
    let settings = &parts.config.satisfaction;
    if !settings.enabled || parts.store.rating(case).await?.is_some() {
        return Ok(None);
    }
    let Some(file) = parts.store.case_fresh(case).await? else { return Ok(None) };
    if file.case.state != CaseState::Resolved {
        return Ok(None);
    }
    ask(parts, &file, parts.clock.now()).await
}

/// Asks, or records why not. What changed meanwhile is looked at in the next round.
async fn ask(parts: &Parts, file: &CaseFile, now: Timestamp) -> Result<Option<i64>, StoreError> {
    let mut book = Draftbook::new(file.case.clone(), now);
    let (channel, conversation) = (book.case.channel.clone(), book.case.conversation.clone());
    let mut rating = Rating {
        case: book.case.id.clone(),
        customer: book.case.customer.clone(),
        of: resolver(&book.case),
        message: None,
        asked_seq: 0,
        asked_at: now,
        skipped: refusal(parts, &book.case, now).await?.map(str::to_owned),
        score: None,
        channel,
        conversation,
    };
    if rating.skipped.is_none() {
        let draft = question(parts, &book.case).await?;
        let message = settle::speak(parts, &mut book, &draft, None, now);
        rating.message = Some(message.id.clone());
        rating.asked_seq = message.seq;
        book.event(EventKind::RatingAsked, &json!({"channel": rating.channel, "of": rating.of}));
    }
    let asked = rating.message.is_some().then_some(rating.asked_seq);
    match parts.store.commit(book.close(vec![Change::AskedToRate(Box::new(rating))])).await {
        Ok(()) => Ok(asked),
        Err(CommitError::Refused(_)) => Ok(None),
        Err(error) => {
            tracing::error!(error = %error, "a customer could not be asked for a rating");
            Ok(None)
        }
    }
}

/// By whom the case was resolved.
fn resolver(case: &Case) -> String {
    match (&case.resolution, &case.agent) {
        (Some(Resolution::ByAgent), Some(agent)) => format!("agent:{agent}"),
        (Some(Resolution::ByAgent), None) => "agent".to_owned(),
        (Some(Resolution::Answered | Resolution::Confirmed) | None, _) => "assistant".to_owned(),
    }
}

/// Why the customer may not be asked there.
async fn refusal(parts: &Parts, case: &Case, now: Timestamp) -> Result<Option<&'static str>, StoreError> {
    let Some(channel) = parts.channels.get(&case.channel) else { return Ok(Some("no_channel")) };
    if channel.follows_the_record() {
        return Ok(None);
    }
    let thread = parts.store.conversation(&case.channel, &case.conversation).await?;
    let address = thread.as_ref().map_or(case.conversation.as_str(), |thread| thread.address.as_str());
    if parts.store.opted_out(&case.channel, address).await?.is_some() {
        return Ok(Some("opted_out"));
    }
    let since = thread.as_ref().map(|thread| now.ms_since(thread.last_inbound_at));
    Ok((!channel.rules().window_open(since)).then_some("window_over"))
}

/// The question as the channel can carry it: with buttons, a link, or keys.
async fn question(parts: &Parts, case: &Case) -> Result<Draft, StoreError> {
    let scale = parts.config.satisfaction.scale;
    let rules = rules::of(&case.channel);
    let mailed = case.channel == email::NAME;
    let link = if mailed { Some(link(parts, &case.id).await?) } else { None };
    let buttons = matches!(rules.choices, rules::Choices::Native { .. });
    let context = json!({
        "business": parts.config.business.name,
        "link": link,
        "scale": scale.as_str(),
        "buttons": buttons,
        "spoken": case.channel == voice::NAME,
    });
    let text = parts.phrases.say(&case.language, "rating_ask", context);
    let choices = if buttons {
        scale.answers().iter().map(|answer| (*answer).to_owned()).collect()
    } else {
        Vec::new()
    };
    Ok(Draft { text, choices, ..Draft::default() })
}

/// The address at which one case may be rated.
async fn link(parts: &Parts, case: &CaseId) -> Result<String, StoreError> {
    let seal = parts.store.seal(PURPOSE, case.as_str()).await?;
    Ok(format!("{}/rate/{case}.{seal}", parts.config.public_base_url()))
}

/// The case whose rating a signed link names; none where it is not ours.
pub(super) async fn case_of_link(parts: &Parts, token: &str) -> Result<Option<CaseId>, StoreError> {
    let Some((case, seal)) = token.rsplit_once('.') else { return Ok(None) };
    let Ok(case) = CaseId::parse(case) else { return Ok(None) };
    let expected = parts.store.seal(PURPOSE, case.as_str()).await?;
    Ok(crate::channels::webhook::same_secret(&expected, seal).then_some(case))
}

/// A rating that came in the thread in which it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) case: CaseId,
    of: String,
    pub(super) score: Score,
}

impl Given {
    /// Nothing but the score: there is nothing else to answer.
    pub(super) fn bare(&self) -> bool {
        self.score.comment.is_none()
    }
}

/// What a message answers to the question that is the last word of its thread.
pub(super) async fn given(
    parts: &Parts,
    message: &InboundMessage,
    cases: &[OpenCase],
) -> Result<Option<Given>, StoreError> {
    let settings = &parts.config.satisfaction;
    let Some(score) = Score::read(&message.text).filter(|_| settings.enabled) else { return Ok(None) };
    let since = parts.clock.now().plus_ms(-settings.answer_within_ms);
    let place = (message.channel.as_str(), message.conversation.as_str());
    let Some(asked) = parts.store.rating_asked_in(place, since).await? else { return Ok(None) };
    // Where they have written since, in this case or another one, a figure is an answer to something else.
    let newer = cases.iter().any(|case| {
        case.conversation == message.conversation && case.updated_at > asked.asked_at && case.id != asked.case
    });
    let Some(file) = parts.store.case_fresh(&asked.case).await? else { return Ok(None) };
    let last = file.case.message_seq == asked.asked_seq && file.case.state == CaseState::Resolved;
    Ok((last && !newer).then_some(Given { case: asked.case, of: asked.of, score }))
}

/// Writes a rating into the book of the message that brought it, and thanks for a bare one.
pub(super) fn heard(parts: &Parts, book: &mut Draftbook, given: &Given, now: Timestamp) {
    let channel = book.case.channel.clone();
    let mut more = json!({});
    if given.bare() {
        // No turn answers it, and whoever waits for one finds this end.
        let turn = TurnId::new(parts.clock.new_id());
        more = json!({"turn": turn, "through": book.case.inbound_seq});
        let context = json!({ "points": given.score.points });
        let text = parts.phrases.say(&book.case.language, "rating_thanks", context);
        settle::speak(parts, book, &Draft { text, ..Draft::default() }, Some(&turn), now);
        book.case.answered_seq = book.case.inbound_seq;
    }
    record(book, &given.of, &channel, (&given.score, more), now);
}

fn record(book: &mut Draftbook, of: &str, channel: &str, (score, more): (&Score, Value), now: Timestamp) {
    let mut body = more;
    body["score"] = json!(score.points);
    body["scale"] = json!(score.scale);
    body["of"] = json!(of);
    body["channel"] = json!(channel);
    body["comment"] = json!(score.comment.is_some());
    book.event(EventKind::Rated, &body);
    book.push(Change::Rated { case: book.case.id.clone(), score: score.clone(), at: now });
}

/// Why a rating was not taken.
#[derive(Debug, thiserror::Error)]
pub enum RateError {
    /// There is no such case, or the link is not ours.
    #[error("there is no such case")]
    NoCase,
    /// It is still being worked on.
    #[error("this case is `{}`; it can be rated when it is resolved", .0.as_str())]
    NotResolved(CaseState),
    /// Each case is rated once.
    #[error("this case has been rated before; the first rating stands")]
    Before,
    /// The record cannot be reached.
    #[error("the record could not take it just now; try again")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<StoreError> for RateError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

/// Takes a rating that came on another way than the thread, `channel` naming it; asked for or not.
pub(super) async fn rate(
    parts: &Parts,
    case: &CaseId,
    channel: &str,
    score: &Score,
) -> Result<(), RateError> {
    for _ in 0..LOOKS_MAX {
        let file = parts.store.case_fresh(case).await?.ok_or(RateError::NoCase)?;
        let asked = parts.store.rating(case).await?;
        if asked.as_ref().is_some_and(|rating| rating.score.is_some()) {
            return Err(RateError::Before);
        }
        if file.case.open() && asked.as_ref().is_none_or(|rating| rating.message.is_none()) {
            return Err(RateError::NotResolved(file.case.state));
        }
        let now = parts.clock.now();
        let mut book = Draftbook::new(file.case.clone(), now);
        let of = asked.as_ref().map_or_else(|| resolver(&book.case), |rating| rating.of.clone());
        let mut changes = Vec::new();
        if asked.is_none() {
            changes.push(Change::AskedToRate(Box::new(Rating {
                case: case.clone(),
                customer: book.case.customer.clone(),
                channel: channel.to_owned(),
                conversation: String::new(),
                of: of.clone(),
                message: None,
                asked_seq: 0,
                asked_at: now,
                skipped: None,
                score: None,
            })));
        }
        record(&mut book, &of, channel, (score, json!({})), now);
        match parts.store.commit(book.close(changes)).await {
            Ok(()) => return Ok(()),
            Err(CommitError::Refused(Refusal::Stale)) => {}
            Err(error) => return Err(RateError::Unavailable(Box::new(error))),
        }
    }
    Err(RateError::Unavailable("the record kept changing".into()))
}
