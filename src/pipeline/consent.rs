//! Who wants no more messages by a channel: a bare word says so, is recorded with its message, and never reaches an
//! assistant.

use std::sync::Arc;

use serde_json::json;

use super::Parts;
use crate::channels::rules::{self, OptOutWords};
use crate::domain::decision::Draft;
use crate::domain::message::{Author, InboundMessage, Message, Visibility};
use crate::domain::time::Timestamp;
use crate::language::signals::{OptOut, OptOutWord, opt_out_word};
use crate::store::{CaseFile, Consent};

/// What a message asks of its channel, where that channel listens to such words.
fn word(channel: &str, text: &str) -> Option<OptOutWord> {
    let word = match rules::of(channel).opt_out {
        OptOutWords::Ignored => None,
        OptOutWords::Stop | OptOutWords::StopAndHelp => opt_out_word(text),
    }?;
    let help = word.asks == OptOut::Help && rules::of(channel).opt_out != OptOutWords::StopAndHelp;
    (!help).then_some(word)
}

/// What is recorded beside the message, for ever.
pub(super) fn given(parts: &Parts, message: &InboundMessage, now: Timestamp) -> Option<Consent> {
    let opted_out = match word(&message.channel, &message.text)?.asks {
        OptOut::Stop => true,
        OptOut::Start => false,
        OptOut::Help => return None,
    };
    Some(Consent {
        id: parts.clock.new_id().to_string(),
        channel: message.channel.clone(),
        address: message.sender.address.clone(),
        opted_out,
        word: message.text.trim().to_owned(),
        at: now,
    })
}

/// How a turn ends whose messages hold such a word.
pub(super) enum Asked {
    /// Nothing is said.
    Stopped,
    /// It may have been the answer to a question, or other words came with it: a person looks.
    Unclear,
    /// Words of ours, without an assistant.
    Told(Draft),
}

/// What the newest such word among the unread messages asks; none when there is none.
pub(super) fn asked(parts: &Parts, file: &CaseFile, unread: &[Arc<Message>]) -> Option<Asked> {
    let newest =
        unread.iter().rev().find_map(|message| Some((message, word(&message.channel, &message.text)?)));
    let (message, word) = newest?;
    let alone = unread.iter().all(|other| self::word(&other.channel, &other.text).is_some());
    let say = |key| {
        let business = &parts.config.business;
        let values = json!({"business": business.name, "email": business.email, "phone": business.phone});
        Asked::Told(Draft { text: parts.phrases.say(&file.case.language, key, values), ..Draft::default() })
    };
    let open_question = file.messages.iter().rev().find(|before| {
        before.seq < message.seq
            && before.visibility == Visibility::Public
            && before.author != Author::Customer
    });
    let may_answer = word.ambiguous
        && open_question.is_some_and(|said| !said.choices.is_empty() || said.text.trim_end().ends_with('?'));
    match word.asks {
        _ if may_answer => Some(Asked::Unclear),
        OptOut::Stop if alone => Some(Asked::Stopped),
        OptOut::Stop => Some(Asked::Unclear),
        // What else was written is answered; these words need no answer then.
        OptOut::Start | OptOut::Help if !alone => None,
        OptOut::Start => Some(say("opted_in")),
        OptOut::Help => Some(say("opt_out_help")),
    }
}
