//! Offers the customer to go on elsewhere, and takes a yes: the answer that a chat waits for comes by email, what a caller
//! waits for and the links that were spoken come as a text message. Nothing moves without a yes.

use std::sync::Arc;

use serde_json::json;

use super::{Parts, settle};
use crate::channels::{email, sms, voice, web_chat};
use crate::domain::assurance::Assurance;
use crate::domain::case::{Case, MoveOffer, Moved, Place};
use crate::domain::customer::Customer;
use crate::domain::decision::Draft;
use crate::domain::event::EventKind;
use crate::domain::message::{InboundMessage, Message};
use crate::domain::time::Timestamp;
use crate::language::signals::{Answer, affirmation_in};
use crate::store::{Change, Conversation, Draftbook, StoreError};

/// Beginnings of a link.
const SCHEMES: [&str; 2] = ["https://", "http://"];

/// An offer that is about to be made.
pub(super) struct Offer {
    to: Place,
    what: Moved,
    /// The question.
    pub(super) words: String,
    /// Its quick replies.
    pub(super) choices: Vec<String>,
}

impl Offer {
    /// The offer once the message that asks has its place in the thread.
    pub(super) fn asked(self, asked_seq: i64) -> MoveOffer {
        MoveOffer { to: self.to, what: self.what, asked_seq, declined: false }
    }
}

/// For a case that goes to people: whether the answer may come where the customer need not wait for it. Whoever is being
/// put through by phone is not asked.
pub(super) async fn offer_answers(
    parts: &Parts,
    customer: &Customer,
    case: &Case,
    somebody_there: bool,
) -> Result<Option<Offer>, StoreError> {
    let held_on = voice::taker(&parts.config.channels.voice, somebody_there).is_some();
    let (channel, address, key) = match case.channel.as_str() {
        web_chat::NAME => (email::NAME, mail_address(parts, customer).await?, "move_offer_email"),
        voice::NAME if !held_on => (sms::NAME, caller(case), "move_offer_sms"),
        _ => return Ok(None),
    };
    let Some(address) = address else { return Ok(None) };
    let Some(to) = place(parts, case, channel, address).await? else { return Ok(None) };
    let say = |key| parts.phrases.say(&case.language, key, json!({ "address": shortened(&to.address) }));
    let (words, choices) = (say(key), vec![say("choice_yes"), say("choice_no")]);
    Ok(Some(Offer { to, what: Moved::Answers, words, choices }))
}

/// For an answer that is spoken: whether its links may come as a text message.
pub(super) async fn offer_links(
    parts: &Parts,
    case: &Case,
    draft: &Draft,
) -> Result<Option<Offer>, StoreError> {
    let count = links(&draft.text).len();
    if case.channel != voice::NAME || count == 0 || !draft.choices.is_empty() || draft.copy.is_some() {
        return Ok(None);
    }
    let Some(address) = caller(case) else { return Ok(None) };
    let Some(to) = place(parts, case, sms::NAME, address).await? else { return Ok(None) };
    let words = parts.phrases.say(&case.language, "links_offer", json!({ "count": count }));
    Ok(Some(Offer { to, what: Moved::Links, words, choices: Vec::new() }))
}

/// The number that is shown by the phone this case is on.
fn caller(case: &Case) -> Option<String> {
    case.conversation.starts_with('+').then(|| case.conversation.clone())
}

/// An address from which the customer has written, proven, else the one that the operator has for them.
async fn mail_address(parts: &Parts, customer: &Customer) -> Result<Option<String>, StoreError> {
    let known = parts.store.identities(&customer.id).await?;
    let proven = known.into_iter().filter(|one| {
        one.channel == email::NAME && one.ended_at.is_none() && one.assurance >= Assurance::Channel
    });
    let written = proven.max_by_key(|one| one.last_seen).map(|one| one.address);
    Ok(written.or_else(|| customer.email.clone().filter(|_| customer.external_id.is_some())))
}

/// A thread of that channel with this address, where we may begin one and were not asked to stay away.
async fn place(
    parts: &Parts,
    case: &Case,
    channel: &str,
    address: String,
) -> Result<Option<Place>, StoreError> {
    let declined = case.move_offer.as_ref().is_some_and(|offer| offer.declined);
    let thread = parts.channels.named(channel).and_then(|one| one.begin_thread(case.id.as_str(), &address));
    let Some(conversation) = thread.filter(|_| !declined && parts.config.cases.offer_moves) else {
        return Ok(None);
    };
    let unwanted = parts.store.opted_out(channel, &address).await?.is_some();
    let place = Place { channel: channel.to_owned(), conversation, address };
    Ok((!unwanted).then_some(place))
}

/// A mail address in which only its holder knows the name: `a…@example.com`. A number stays as it is.
fn shortened(address: &str) -> String {
    match address.split_once('@') {
        Some((name, domain)) => format!("{}…@{domain}", name.chars().take(1).collect::<String>()),
        None => address.to_owned(),
    }
}

/// What a message says to the offer that it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Yes,
    No,
    /// It is about something else.
    Else,
}

/// … where it follows one directly, in the same thread.
pub(super) fn said(case: &Case, message: &InboundMessage) -> Option<Said> {
    let asked =
        case.move_offer.as_ref().is_some_and(|one| !one.declined && one.asked_seq == case.message_seq);
    let here = message.channel == case.channel && message.conversation == case.conversation;
    (asked && here).then(|| answer(&message.text, &case.language))
}

fn answer(text: &str, language: &str) -> Said {
    match affirmation_in(text, language) {
        Some(Answer::Yes) => Said::Yes,
        Some(Answer::No) => Said::No,
        None => Said::Else,
    }
}

/// Writes into the book of a stored message what it says to an offer: no turn does where people have the case. A yes
/// about links is left to the turn.
pub(super) fn heard(parts: &Parts, book: &mut Draftbook, said: Option<Said>, now: Timestamp) {
    let (Some(said), Some(offer)) = (said, book.case.move_offer.clone()) else { return };
    if said != Said::Yes {
        book.case.move_offer = Some(MoveOffer { declined: true, ..offer.clone() });
    }
    if offer.what != Moved::Answers || said == Said::Else || !book.case.state.with_people() {
        return;
    }
    let key = match said {
        Said::No | Said::Else => "move_declined",
        Said::Yes if offer.to.channel == email::NAME => "move_agreed_email",
        Said::Yes => "move_agreed_sms",
    };
    let words = json!({ "address": shortened(&offer.to.address) });
    let text = parts.phrases.say(&book.case.language, key, words);
    settle::speak(parts, book, &Draft { text, ..Draft::default() }, None, now);
    let body = json!({"to": offer.to.channel, "what": offer.what, "agreed": said == Said::Yes});
    book.event(EventKind::Moved, &body);
    if said == Said::Yes {
        let Place { channel, conversation, address } = offer.to;
        (book.case.channel, book.case.conversation) = (channel.clone(), conversation.clone());
        book.push(Change::Heard(Conversation {
            channel,
            conversation,
            address,
            last_inbound_at: now,
            threading: None,
        }));
    }
}

/// The answer to whoever said yes or no to links as a text message.
pub(super) fn answered(
    parts: &Parts,
    case: &Case,
    unread: &[Arc<Message>],
    thread: &[Arc<Message>],
) -> Option<Draft> {
    let offer = case.move_offer.as_ref().filter(|offer| offer.what == Moved::Links)?;
    let [message] = unread else { return None };
    if message.seq != offer.asked_seq + 1 || message.channel != case.channel {
        return None;
    }
    match answer(&message.text, &case.language) {
        Said::Else => None,
        Said::No => {
            let text = parts.phrases.say(&case.language, "move_declined", ());
            Some(Draft { text, ..Draft::default() })
        }
        Said::Yes => {
            let spoken = thread.iter().find(|one| one.seq == offer.asked_seq)?;
            let links = links(&spoken.text);
            let words = json!({ "count": links.len(), "links": links });
            let text = parts.phrases.say(&case.language, "links_sent", words);
            Some(Draft { text, copy: Some(Box::new(offer.to.clone())), ..Draft::default() })
        }
    }
}

/// The links in a text, each once.
fn links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '<' | '>' | '[' | ']')) {
        let begins = SCHEMES.iter().filter_map(|scheme| word.find(scheme)).min();
        let Some((_, link)) = begins.and_then(|at| word.split_at_checked(at)) else { continue };
        let link = link.trim_end_matches(['.', ',', ';', ':', '!', '?', '"', '\'', '*']);
        if !links.contains(&link) {
            links.push(link);
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_without_what_stands_around_them() {
        let text = "See [the page](https://shop.example/a?b=1), https://shop.example/c. Again: https://shop.example/c!";
        assert_eq!(links(text), ["https://shop.example/a?b=1", "https://shop.example/c"]);
        assert!(links("no link: shop.example, http").is_empty());
    }

    #[test]
    fn an_address_is_shown_so_that_only_its_holder_knows_it() {
        assert_eq!(shortened("ann.smith@example.com"), "a…@example.com");
        assert_eq!(shortened("+49301234"), "+49301234");
    }
}
