//! What a message becomes in the record: an entry of a thread, its files, and around it the case, the turn and the
//! provider's thread.

use super::super::Parts;
use super::Birth;
use crate::domain::case::{Case, CaseState};
use crate::domain::customer::Customer;
use crate::domain::ids::{AttachmentId, CaseId, MessageId, TurnId};
use crate::domain::message::{Author, InboundMessage, Message, Visibility};
use crate::domain::time::Timestamp;
use crate::domain::triage::{Sentiment, Urgency};
use crate::domain::turn::Turn;
use crate::failpoints;
use crate::store::{Conversation, StoredAttachment};

pub(super) fn new_case(
    parts: &Parts,
    message: &InboundMessage,
    customer: &Customer,
    follows: Option<CaseId>,
    now: Timestamp,
) -> Case {
    Case {
        id: CaseId::new(parts.clock.new_id()),
        customer: customer.id.clone(),
        state: CaseState::Assistant,
        version: 0,
        channel: message.channel.clone(),
        conversation: message.conversation.clone(),
        assurance: message.sender.assurance,
        intent: None,
        issue: None,
        language: customer.language.clone().unwrap_or_else(|| parts.config.business.language.clone()),
        urgency: Urgency::Normal,
        sentiment: Sentiment::Neutral,
        team: None,
        agent: None,
        resolution: None,
        follows,
        pending: None,
        memory: String::new(),
        message_seq: 0,
        inbound_seq: 0,
        answered_seq: 0,
        event_seq: 0,
        event_hash: String::new(),
        opened_at: now,
        updated_at: now,
        resolved_at: None,
        snoozed_until: None,
        doubt: None,
        move_offer: None,
        wait: crate::domain::routing::Wait::default(),
    }
}

pub(super) fn thread_entry(parts: &Parts, message: &InboundMessage, case: &Case, now: Timestamp) -> Message {
    Message {
        id: MessageId::new(parts.clock.new_id()),
        case: case.id.clone(),
        seq: case.message_seq + 1,
        author: Author::Customer,
        agent: None,
        channel: message.channel.clone(),
        text: message.text.clone(),
        at: now,
        visibility: Visibility::Public,
        citations: Vec::new(),
        choices: Vec::new(),
        attachments: message.attachments.clone(),
        turn: None,
    }
}

/// The files that the message brought, each named in the thread by its id alone.
pub(super) fn files(parts: &Parts, message: &InboundMessage, stored: &mut Message) -> Vec<StoredAttachment> {
    let mut files = Vec::new();
    for (sent, kept) in message.attachments.iter().zip(&mut stored.attachments) {
        let Some(content) = &sent.content else { continue };
        let id = AttachmentId::new(parts.clock.new_id());
        kept.id = Some(id.clone());
        kept.content = None;
        files.push(StoredAttachment {
            id,
            case: stored.case.clone(),
            message: stored.id.clone(),
            name: sent.name.clone(),
            content_type: sent.content_type.clone(),
            content: content.clone(),
            at: stored.at,
        });
    }
    files
}

/// What answering by a channel that has to be pushed needs.
pub(super) fn heard(parts: &Parts, message: &InboundMessage, now: Timestamp) -> Option<Conversation> {
    let pushed = parts.channels.get(&message.channel).is_some_and(|channel| !channel.follows_the_record());
    pushed.then(|| Conversation {
        channel: message.channel.clone(),
        conversation: message.conversation.clone(),
        address: message.sender.address.clone(),
        last_inbound_at: now,
        threading: message.threading.clone(),
    })
}

/// The channel's own id of the message, under which it is stored once.
pub(super) fn inbox_id(parts: &Parts, message: &InboundMessage) -> String {
    let id = message.external_id.clone();
    if failpoints::planted("no_unique_index") { format!("{id}#{}", parts.clock.new_id()) } else { id }
}

pub(super) fn new_turn(
    parts: &Parts,
    case: &CaseId,
    now: Timestamp,
    birth: &impl Fn(&CaseId) -> Birth,
) -> Turn {
    let (holder, epoch, leased_until) = match birth(case) {
        Birth::Held => (parts.holder.clone(), 1, now.plus_ms(parts.config.worker.lease_ms)),
        Birth::Free => (String::new(), 0, Timestamp(0)),
    };
    Turn {
        id: TurnId::new(parts.clock.new_id()),
        case: case.clone(),
        epoch,
        holder,
        leased_until,
        attempts: epoch,
        due_at: now,
        opened_at: now,
    }
}
