//! Writes an answer: in the thread of the mail it answers, marked as automatic where no person wrote it.

use std::time::{Duration, UNIX_EPOCH};

use lettre::address::{Address, Envelope};
use lettre::message::header::{ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Attachment, Body, Mailbox, Message, MessageBuilder, MultiPart, SinglePart};

use super::read::{ANONYMOUS, Post, Threading, UNPROVEN};
use crate::channels::notices::Notice;
use crate::channels::{ChannelError, File, Outgoing};
use crate::config::EmailSettings;
use crate::domain::message::Author;

/// How subjects of answers begin, in the languages of those who answered before.
const ANSWERS: [&str; 7] = ["re:", "aw:", "sv:", "antw:", "ré:", "rif:", "res:"];
/// Longest subject, in characters.
const SUBJECT_CHARS_MAX: usize = 200;

/// A mail that is ready to leave.
pub(super) struct Letter {
    /// Its Message-ID, without brackets.
    pub(super) id: String,
    pub(super) envelope: Envelope,
    pub(super) bytes: Vec<u8>,
}

/// RFC 3834: this is the answer of a program, or its own report.
#[derive(Clone)]
struct AutoSubmitted(&'static str);

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self("auto-replied"))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.to_owned())
    }
}

fn unusable(what: &str) -> ChannelError {
    ChannelError::Permanent(format!("{what} cannot be used as a mail address"))
}

/// Writes what is to be sent; the same bytes at every try.
pub(super) fn compose(
    settings: &EmailSettings,
    post: &Post,
    outgoing: Outgoing<'_>,
) -> Result<Letter, ChannelError> {
    if outgoing.address.starts_with(ANONYMOUS) {
        return Err(ChannelError::Permanent("the mail did not say who sent it".to_owned()));
    }
    let recipient: Address = outgoing
        .address
        .strip_prefix(UNPROVEN)
        .unwrap_or(outgoing.address)
        .parse()
        .map_err(|_| unusable("what the customer wrote from"))?;
    let sender: Address = settings.address.parse().map_err(|_| unusable("[email] address"))?;
    let thread = &outgoing.delivery.conversation;
    let tokens = &post.tokens;
    let id = tokens.message_id(outgoing.delivery.id.as_str(), thread, outgoing.address);
    let id = id.ok_or_else(|| ChannelError::Permanent("[email] token_secret cannot be used".to_owned()))?;
    let threading: Option<Threading> =
        outgoing.threading.and_then(|threading| serde_json::from_str(threading).ok());
    let name = Some(one_line(&settings.name)).filter(|name| !name.is_empty());
    let written = UNIX_EPOCH + Duration::from_millis(outgoing.message.at.0.max(0) as u64);
    let mut builder = MessageBuilder::new()
        .from(Mailbox::new(name.clone(), sender.clone()))
        .to(Mailbox::new(None, recipient.clone()))
        .subject(subject(threading.as_ref(), outgoing.subject))
        .date(written)
        .message_id(Some(format!("<{id}>")));
    if let Some(reply_to) = tokens.plus_address(thread, outgoing.address).filter(|_| settings.plus_addresses)
    {
        let reply_to = reply_to.parse().map_err(|_| unusable("[email] address"))?;
        builder = builder.reply_to(Mailbox::new(name, reply_to));
    }
    if outgoing.message.author != Author::Agent {
        builder = builder.header(AutoSubmitted("auto-replied"));
    }
    if let Some(threading) = &threading {
        builder = answering(builder, threading);
    }
    let envelope =
        Envelope::new(Some(sender), vec![recipient]).map_err(|_| unusable("what the customer wrote from"))?;
    let message = if outgoing.files.is_empty() {
        let message = builder.header(ContentType::TEXT_PLAIN).body(outgoing.text.to_owned());
        message.map_err(|error| ChannelError::Permanent(format!("the mail cannot be written: {error}")))?
    } else {
        with_files(builder, &outgoing, settings.files_bytes_max)?
    };
    Ok(Letter { id, envelope, bytes: message.formatted() })
}

/// The words, and the files beside them.
fn with_files(
    builder: MessageBuilder,
    outgoing: &Outgoing<'_>,
    bytes_max: usize,
) -> Result<Message, ChannelError> {
    let bytes: usize = outgoing.files.iter().map(|file| file.content.len()).sum();
    if bytes > bytes_max {
        let why = format!("the files have {bytes} bytes and [email] files_bytes_max is {bytes_max}");
        return Err(ChannelError::Permanent(why));
    }
    let cannot = |why: String| ChannelError::Permanent(format!("the mail cannot be written: {why}"));
    // The same at every try, as the whole mail is, and nothing that stands in a text.
    let boundary = format!("=_{}", outgoing.delivery.id);
    let words = SinglePart::plain(outgoing.text.to_owned());
    let mut parts = MultiPart::mixed().boundary(boundary).singlepart(words);
    for File { name, content_type, content } in outgoing.files {
        let kind = ContentType::parse(content_type).map_err(|error| cannot(error.to_string()))?;
        // Whatever it is, its bytes arrive as they are: line ends and dots of a text would not.
        let body = Body::new_with_encoding(content.to_vec(), ContentTransferEncoding::Base64)
            .map_err(|_| cannot(format!("`{content_type}` in base64")))?;
        parts = parts.singlepart(Attachment::new(name.clone()).body(body, kind));
    }
    builder.multipart(parts).map_err(|error| cannot(error.to_string()))
}

/// Writes words for somebody who works here; the same Message-ID at every try.
pub(super) fn notice(settings: &EmailSettings, notice: Notice<'_>) -> Result<Letter, ChannelError> {
    let recipient: Address = notice.to.parse().map_err(|_| unusable("the recipient"))?;
    let sender: Address = settings.address.parse().map_err(|_| unusable("[email] address"))?;
    let id = format!("{}@{}", notice.id, sender.domain());
    let name = Some(one_line(&settings.name)).filter(|name| !name.is_empty());
    let written = UNIX_EPOCH + Duration::from_millis(notice.at.0.max(0) as u64);
    let message = MessageBuilder::new()
        .from(Mailbox::new(name, sender.clone()))
        .to(Mailbox::new(None, recipient.clone()))
        .subject(one_line(notice.subject))
        .date(written)
        .message_id(Some(format!("<{id}>")))
        .header(ContentType::TEXT_PLAIN)
        .header(AutoSubmitted("auto-generated"))
        .body(notice.text.to_owned());
    let message =
        message.map_err(|error| ChannelError::Permanent(format!("the mail cannot be written: {error}")))?;
    let envelope = Envelope::new(Some(sender), vec![recipient]).map_err(|_| unusable("the recipient"))?;
    Ok(Letter { id, envelope, bytes: message.formatted() })
}

/// RFC 5322, 3.6.4.
fn answering(builder: MessageBuilder, threading: &Threading) -> MessageBuilder {
    let bracketed = |ids: &[String]| ids.iter().map(|id| format!("<{id}>")).collect::<Vec<_>>().join(" ");
    let builder = match &threading.message_id {
        Some(id) => builder.in_reply_to(format!("<{id}>")),
        None => builder,
    };
    if threading.references.is_empty() {
        builder
    } else {
        builder.references(bracketed(&threading.references))
    }
}

fn subject(threading: Option<&Threading>, issue: Option<&str>) -> String {
    let theirs = threading.map(|threading| threading.subject.as_str()).filter(|subject| !subject.is_empty());
    let line = one_line(theirs.or(issue).unwrap_or_default());
    let lower = line.to_lowercase();
    if ANSWERS.iter().any(|mark| lower.starts_with(mark)) {
        line
    } else {
        format!("Re: {line}").trim_end().to_owned()
    }
}

fn one_line(text: &str) -> String {
    let plain: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SUBJECT_CHARS_MAX).collect();
    plain.trim().to_owned()
}
