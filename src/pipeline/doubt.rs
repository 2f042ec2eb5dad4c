//! A message that may belong elsewhere: the customer is asked, and their answer brings its words back.

use std::sync::Arc;

use serde_json::json;

use super::Parts;
use super::resolve::{self, Carried, Ending, Words};
use crate::domain::case::{Case, Doubt, DoubtStage};
use crate::domain::decision::{Draft, Verdict};
use crate::domain::message::Message;
use crate::store::{CaseFile, Draftbook};

/// The doubt that a turn has to deal with which reads up to here.
pub(super) fn due<'a>(case: &'a Case, unread: &[Arc<Message>]) -> Option<&'a Doubt> {
    case.doubt.as_ref().filter(|doubt| unread.last().is_some_and(|last| doubt.seq <= last.seq))
}

/// Asks whether the message is about this case, which is named by what it is about.
pub(super) fn ask(parts: &Parts, file: &CaseFile, carried: &Carried) -> Ending {
    let case = &file.case;
    let say = |key: &str, context| parts.phrases.say(&case.language, key, context);
    let procedures = parts.knowledge.procedures();
    let title = case.intent.as_ref().and_then(|id| procedures.iter().find(|p| p.id == *id)).map(|p| &p.title);
    let draft = |about: Option<&String>| Draft {
        text: say("which_case", json!({ "about": about })),
        choices: vec![say("choice_yes", json!({})), say("choice_no", json!({}))],
        ..Draft::default()
    };
    // The issue is in words of the customer, and they do not always bear repeating.
    let named = draft(case.issue.as_ref().or(title));
    let draft = match resolve::review(parts, file, &named, true, carried) {
        Verdict::Allow => named,
        Verdict::Revise(_) | Verdict::Block(_) => draft(title),
    };
    Ending { words: Words::Ask { draft, write: None }, mind: None, stale: false }
}

/// The case and its unread messages with the words in doubt in the place of the answer about them.
pub(super) fn taken_up(
    file: &CaseFile,
    unread: &[Arc<Message>],
    doubt: &Doubt,
) -> (Arc<CaseFile>, Vec<Arc<Message>>) {
    let text_of = |message: &Message| match doubt.stage {
        DoubtStage::Settled => doubt.request.clone(),
        // They said neither yes nor no: what they say now belongs to what they said before.
        DoubtStage::Asked | DoubtStage::Open => format!("{}\n{}", doubt.request, message.text),
    };
    let Some(answer) = unread.iter().find(|message| message.seq >= doubt.seq).map(|message| message.seq)
    else {
        return (Arc::new(file.clone()), unread.to_vec());
    };
    let replaced = |messages: &[Arc<Message>]| -> Vec<Arc<Message>> {
        let replace = |message: &Arc<Message>| {
            if message.seq == answer {
                Arc::new(Message { text: text_of(message), ..Message::clone(message) })
            } else {
                message.clone()
            }
        };
        messages.iter().map(replace).collect()
    };
    let taken = CaseFile { messages: replaced(&file.messages), ..file.clone() };
    (Arc::new(taken), replaced(unread))
}

/// Notes that the question was asked, at this place in the thread.
pub(super) fn asked(book: &mut Draftbook, through: i64, seq: i64) {
    if let Some(doubt) = book.case.doubt.as_mut().filter(|doubt| doubt.seq <= through) {
        (doubt.stage, doubt.seq) = (DoubtStage::Asked, seq);
    }
}

/// Forgets what a turn that read up to here has dealt with.
pub(super) fn over(book: &mut Draftbook, through: i64) {
    book.case.doubt = book.case.doubt.take().filter(|doubt| doubt.seq > through);
}
