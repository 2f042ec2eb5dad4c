//! A mailbox where people answer: the note as a mail, and their replies in its thread as their words.
//!
//! It leaves and comes back by the channel `email`. Its thread is bound to the desk's address by the token of that
//! channel, so a reply counts only when the desk's own address wrote it and our edge has proven that.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::desks::{Heard, News, Opened, Opening, Telling};
use super::{Untaken, words};
use crate::channels::{ChannelError, Outgoing, email};
use crate::config::SinkSettings;
use crate::domain::assurance::Assurance;
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::ids::{DeliveryId, MessageId};
use crate::domain::message::{Author, InboundMessage, Message, Visibility};
use crate::store::DeskCase;

/// What the desk is told when the case is settled here.
pub(super) const OVER: &str = "This case is settled in Firstline. Nothing more is to be done.";
/// A reply with this line alone settles the case.
const SETTLED: &str = "#resolved";
/// What every mail to a desk begins with.
const HOW: &str = "Answer this mail: your words go to the customer on their channel. A line with #resolved alone \
                   settles the case.";
/// Letters of the id of a mail.
const ID_CHARS: usize = 40;

/// A desk's mailbox.
pub(super) struct Mailbox {
    address: String,
}

impl Mailbox {
    pub(super) fn new(settings: &SinkSettings) -> Self {
        Self { address: settings.address.trim().to_lowercase() }
    }

    pub(super) fn writes_from(&self, address: &str) -> bool {
        self.address == address.to_lowercase()
    }

    pub(super) async fn open(
        &self,
        telling: Telling<'_>,
        opening: Opening<'_>,
        note: &str,
    ) -> Result<Opened, Untaken> {
        let channel = telling.channels.named(email::NAME).ok_or_else(off)?;
        let thread = channel.begin_thread(opening.handoff.id.as_str(), &self.address).ok_or_else(off)?;
        let subject = words::subject(opening.handoff, &telling.case.id);
        let text = format!("{HOW}\n\n{note}");
        let id = self.send(telling, (&thread, None), &subject, &text).await?;
        // As the channel itself notes the thread of a mail that came.
        let references = json!({
            "message_id": id, "references": id.iter().collect::<Vec<_>>(), "subject": subject, "others": [],
        });
        Ok(Opened { foreign_id: thread, thread: Some(references.to_string()) })
    }

    pub(super) async fn say(&self, telling: Telling<'_>, at: &DeskCase, text: &str) -> Result<(), Untaken> {
        let thread = at.foreign_id.as_deref().ok_or_else(off)?;
        let subject = telling.case.issue.clone().unwrap_or_else(|| format!("Case {}", at.case));
        self.send(telling, (thread, at.thread.as_deref()), &subject, text).await.map(drop)
    }

    async fn send(
        &self,
        telling: Telling<'_>,
        (thread, threading): (&str, Option<&str>),
        subject: &str,
        text: &str,
    ) -> Result<Option<String>, Untaken> {
        let channel = telling.channels.named(email::NAME).ok_or_else(off)?;
        // The same mail has the same Message-ID at every attempt.
        let id: String = hex::encode(Sha256::digest(telling.key.as_bytes())).chars().take(ID_CHARS).collect();
        let unusable = |_| Untaken::Never("no mail can be named so".to_owned());
        let message = Message {
            id: MessageId::parse(&id).map_err(unusable)?,
            case: telling.case.id.clone(),
            seq: 0,
            author: Author::Agent,
            agent: None,
            channel: email::NAME.to_owned(),
            text: text.to_owned(),
            at: telling.now,
            visibility: Visibility::Internal,
            citations: Vec::new(),
            choices: Vec::new(),
            attachments: Vec::new(),
            turn: None,
        };
        let delivery = Delivery {
            id: DeliveryId::parse(&id).map_err(unusable)?,
            case: telling.case.id.clone(),
            message: message.id.clone(),
            part: 0,
            channel: email::NAME.to_owned(),
            conversation: thread.to_owned(),
            state: DeliveryState::Pending,
            attempts: 0,
            due_at: telling.now,
            provider_id: None,
            reason: None,
        };
        let outgoing = Outgoing {
            delivery: &delivery,
            message: &message,
            text,
            choices: &[],
            files: &[],
            uploaded: None,
            address: &self.address,
            threading,
            window_open: true,
            language: "en",
            subject: Some(subject),
            now: telling.now,
        };
        channel.send(outgoing).await.map_err(|error| match error {
            ChannelError::Later { why, after_ms } => Untaken::Later { why, after_ms },
            // A mail under the same Message-ID is shown once where it comes twice.
            ChannelError::Unknown(why) => Untaken::Later { why, after_ms: None },
            error @ (ChannelError::Malformed(_)
            | ChannelError::Forged(_)
            | ChannelError::Session(_)
            | ChannelError::Permanent(_)) => Untaken::Never(error.to_string()),
        })
    }
}

/// What a mail of a desk tells, if our edge has proven who wrote it: its words, and whether the case is settled.
pub(super) fn read(mail: &InboundMessage) -> Vec<News> {
    if mail.channel != email::NAME || mail.sender.assurance < Assurance::Channel {
        return Vec::new();
    }
    let settling = |line: &&str| line.trim().eq_ignore_ascii_case(SETTLED);
    let settles = mail.text.lines().any(|line| settling(&line));
    let words: Vec<&str> = mail.text.lines().filter(|line| !settling(line)).collect();
    let words = words.join("\n").trim().to_owned();
    let said = (!words.is_empty()).then_some(Heard::Said(words));
    let heard = said.into_iter().chain(settles.then_some(Heard::Settled));
    let foreign_id = Some(mail.conversation.clone());
    let news =
        |heard| News { key: mail.external_id.clone(), foreign_id: foreign_id.clone(), handoff: None, heard };
    heard.map(news).collect()
}

fn off() -> Untaken {
    Untaken::Never("[email] is switched off".to_owned())
}
