//! Reads a mail: pure, bounded, and in time that grows with its length only.
//!
//! Of the text only what the writer added is the message; the whole of it stays beside it as an attachment, card numbers
//! masked. A sender that our own edge has not proven is known by an address of its own kind ([`UNPROVEN`]): whoever only
//! types somebody's `From` never joins what that person wrote before. People in copy are noted and never written to.

use std::collections::BTreeSet;

use mail_parser::{HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::mime::{self, Caps, Head, Mail, Part};
use super::proof::{self, Mailbox};
use super::token::Tokens;
use super::{NAME, automatic, html, original, quotes};
use crate::channels::{BadInput, Bounds, Incoming, demand_words};
use crate::config::EmailSettings;
use crate::domain::assurance::Assurance;
use crate::domain::message::{Attachment, InboundMessage, Sender, WHOLE_TEXT, kept_by_us};
use crate::domain::time::Timestamp;
use crate::language::extract;

/// What stands before the address of a sender whom nothing proves.
pub const UNPROVEN: &str = "unproven:";
/// What stands before the id of a mail whose sender cannot be told.
pub const ANONYMOUS: &str = "anonymous:";
/// Message-IDs kept of a long thread: this many of its beginning …
const REFERENCES_FIRST: usize = 1;
/// … and this many of its end.
const REFERENCES_LAST: usize = 20;
/// Message-IDs of a mail that are looked at.
const IDS_MAX: usize = 200;
/// Longest Message-ID that is kept, in bytes.
const ID_BYTES_MAX: usize = 250;
/// People in copy that are noted.
const OTHERS_MAX: usize = 20;
/// Longest name of a file, in characters.
const FILE_CHARS_MAX: usize = 100;
/// Longest subject, in characters.
const SUBJECT_CHARS_MAX: usize = 200;

/// What the settings say about reading mail.
#[derive(Debug, Clone)]
pub struct Post {
    pub(super) tokens: Tokens,
    pub(super) addresses: Vec<String>,
    pub(super) own_domains: Vec<String>,
    authserv_id: String,
    pub(super) caps: Caps,
    bounds: Bounds,
    full_text_chars_max: usize,
    pub(super) original_bytes_max: usize,
}

impl Post {
    /// What `settings` say.
    pub fn new(settings: &EmailSettings, bounds: Bounds) -> Self {
        let addresses = std::iter::once(&settings.address).chain(&settings.recipients);
        Self {
            tokens: Tokens::new(&settings.address, settings.token_secret.expose_secret().into()),
            addresses: addresses
                .filter(|address| !address.is_empty())
                .map(|address| address.to_lowercase())
                .collect(),
            own_domains: settings.own_domains.clone(),
            authserv_id: settings.authserv_id.clone(),
            caps: Caps {
                message_bytes_max: settings.message_bytes_max,
                parts_max: settings.parts_max,
                depth_max: settings.depth_max,
                header_bytes_max: settings.header_bytes_max,
                html_bytes_max: settings.html_bytes_max,
                html_depth_max: settings.html_depth_max,
                text_bytes_max: settings.text_bytes_max,
            },
            bounds,
            full_text_chars_max: settings.full_text_chars_max,
            original_bytes_max: settings.original_bytes_max,
        }
    }

    /// Whether mail for this address is ours to take.
    pub fn takes(&self, recipient: &str) -> bool {
        self.addresses.iter().any(|ours| Tokens::is_for(recipient, ours))
    }
}

/// What whoever handed the mail over says about it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Envelope<'a> {
    /// Who sent it; empty where nobody wants it back.
    pub sender: Option<&'a str>,
    /// To whom.
    pub recipients: &'a [String],
    /// It came past our own edge, whose word on its sender counts.
    pub edge: bool,
}

/// What an answer in the same thread needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Threading {
    pub(super) message_id: Option<String>,
    /// The thread up to and with this mail.
    pub(super) references: Vec<String>,
    pub(super) subject: String,
    /// Who else got the mail. They are not the customer, and nothing is sent to them.
    pub(super) others: Vec<String>,
}

/// What a mail says and carries.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) text: String,
    /// Words of a mail that was passed on inside this one.
    pub(super) inner: String,
    pub(super) attachments: Vec<Attachment>,
    /// The page it was written as.
    pub(super) page: Option<Attachment>,
}

/// Reads a whole mail as it came over the wire.
pub fn incoming(post: &Post, raw: &[u8], envelope: &Envelope<'_>) -> Result<Incoming, BadInput> {
    let mail = mime::split(raw, post.caps)?;
    let page = original::of_mail(&mail, post.original_bytes_max);
    let content = Content { page, ..content(&mail, post.caps) };
    Ok(of_content(post, &mail, content, envelope, raw))
}

/// The text of a mail, nothing taken out of it.
pub fn plain_text(raw: &[u8]) -> Option<String> {
    const CAPS: Caps = Caps {
        message_bytes_max: 1_048_576,
        parts_max: 100,
        depth_max: 10,
        header_bytes_max: 65_536,
        html_bytes_max: 524_288,
        html_depth_max: 512,
        text_bytes_max: 1_048_576,
    };
    let mail = mime::split(raw, CAPS).ok()?;
    Some(content(&mail, CAPS).text.trim_end().to_owned())
}

/// Reads a mail whose header came as `header` and whose words a provider has already taken out of it.
pub(super) fn of_fields(
    post: &Post,
    header: &[u8],
    content: Content,
    envelope: &Envelope<'_>,
) -> Result<Incoming, BadInput> {
    let mail = mime::split(header, post.caps)?;
    Ok(of_content(post, &mail, content, envelope, header))
}

fn of_content(
    post: &Post,
    mail: &Mail<'_>,
    mut content: Content,
    envelope: &Envelope<'_>,
    raw: &[u8],
) -> Incoming {
    let head = &mail.head;
    let from = proof::sender(head);
    if let Some(automatic) = automatic::verdict(post, mail, from.as_ref(), envelope) {
        return automatic;
    }
    if content.text.trim().is_empty() && content.attachments.iter().any(|a| a.name == CALENDAR_ANSWER) {
        return Incoming::Nothing("the answer of a calendar");
    }
    let (ids, own_id) = (thread_ids(head), ids(head, &HeaderName::MessageId).pop());
    let subject = subject(head);
    let page = content.page.take();
    let (text, mut attachments) = shown(post, content, &subject, !ids.is_empty());
    if attachments.is_empty() && demand_words(&text).is_err() {
        return Incoming::Nothing("an empty mail");
    }
    let seed = own_id.clone().unwrap_or_else(|| hex::encode(Sha256::digest(raw)));
    let sender = sender(post, head, from, envelope, &seed);
    let external_id = external_id(&seed, &sender.address, &text, &attachments);
    // After that: the same mail without its page is the same mail.
    attachments.extend(page.filter(|_| attachments.len() < post.bounds.attachments_max));
    let root = ids.first().unwrap_or(&seed);
    let conversation = proven_thread(post, head, &ids, &sender.address, envelope);
    let threading = Threading {
        references: chain(&ids, own_id.as_deref()),
        message_id: own_id,
        others: others(post, head),
        subject,
    };
    Incoming::Message(Box::new(InboundMessage {
        channel: NAME.to_owned(),
        external_id,
        conversation: conversation.unwrap_or_else(|| Tokens::thread(root, &sender.address)),
        sender,
        text,
        attachments,
        sent_at: sent_at(head),
        threading: serde_json::to_string(&threading).ok(),
    }))
}

fn sender(
    post: &Post,
    head: &Head<'_>,
    from: Option<Mailbox>,
    envelope: &Envelope<'_>,
    seed: &str,
) -> Sender {
    let unknown = Sender {
        address: String::new(),
        name: None,
        email: None,
        phone: None,
        assurance: Assurance::Anonymous,
        proof: "no_single_sender",
        external_id: None,
    };
    let Some(from) = from else {
        return Sender { address: format!("{ANONYMOUS}{}", Tokens::thread(seed, "")), ..unknown };
    };
    let proven = envelope.edge && proof::dmarc_passed(head, &post.authserv_id, &from);
    let (prefix, assurance, proof) = if proven {
        ("", Assurance::Channel, "dmarc")
    } else {
        (UNPROVEN, Assurance::Claimed, "from_header")
    };
    Sender {
        address: format!("{prefix}{}", from.address),
        name: from.name,
        email: Some(from.address),
        assurance,
        proof,
        ..unknown
    }
}

/// The thread that a token of ours proves for this sender: one in the ids it answers, or in the address it was sent to.
fn proven_thread(
    post: &Post,
    head: &Head<'_>,
    ids: &[String],
    sender: &str,
    envelope: &Envelope<'_>,
) -> Option<String> {
    let tokens = &post.tokens;
    let by_id =
        ids.iter().rev().filter_map(|id| tokens.ours(id)).find_map(|id| tokens.proven_by_id(&id, sender));
    by_id.or_else(|| {
        let written =
            [HeaderName::To, HeaderName::Cc].into_iter().flat_map(|name| proof::mailboxes(head, &name));
        let written = written
            .map(|one| one.address)
            .chain(head.written("delivered-to"))
            .chain(head.written("x-original-to"));
        written
            .chain(envelope.recipients.iter().cloned())
            .find_map(|address| tokens.proven_by_address(address.trim(), sender))
    })
}

/// One mail has one id, whichever way it comes and however often; another mail under the same Message-ID has another.
fn external_id(seed: &str, sender: &str, text: &str, attachments: &[Attachment]) -> String {
    let mut hasher = Sha256::new();
    let names = attachments.iter().map(|attachment| attachment.name.as_str());
    for part in [seed, sender, text].into_iter().chain(names) {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(hasher.finalize())
}

/// The ids in a header that are whole and short.
fn ids(head: &Head<'_>, name: &HeaderName<'_>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for value in head.values(name) {
        let texts: Vec<&str> = match value {
            HeaderValue::Text(text) => vec![text.as_ref()],
            HeaderValue::TextList(texts) => texts.iter().map(AsRef::as_ref).collect(),
            HeaderValue::Address(_)
            | HeaderValue::DateTime(_)
            | HeaderValue::ContentType(_)
            | HeaderValue::Received(_)
            | HeaderValue::Empty => Vec::new(),
        };
        let whole = |id: &&str| {
            id.len() <= ID_BYTES_MAX
                && id.contains('@')
                && id.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>'))
        };
        found.extend(texts.into_iter().filter(whole).map(str::to_owned));
    }
    found
}

/// What the mail answers, oldest first.
fn thread_ids(head: &Head<'_>) -> Vec<String> {
    let mut all = ids(head, &HeaderName::References);
    all.drain(..all.len().saturating_sub(IDS_MAX));
    let mut answered = ids(head, &HeaderName::InReplyTo);
    answered.truncate(IDS_MAX);
    // RFC 5322, 3.6.4: without references, one answered mail begins the thread; of several, nobody knows which.
    if all.is_empty() {
        answered.truncate(1);
    }
    for id in answered {
        if !all.contains(&id) {
            all.push(id);
        }
    }
    all
}

/// The references of an answer: the beginning of the thread and its end.
fn chain(ids: &[String], own: Option<&str>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for id in ids.iter().map(String::as_str).chain(own) {
        if !all.iter().any(|known| known == id) {
            all.push(id.to_owned());
        }
    }
    if let Some(spare) = all.len().checked_sub(REFERENCES_FIRST + REFERENCES_LAST) {
        all.drain(REFERENCES_FIRST..=spare);
    }
    all
}

fn others(post: &Post, head: &Head<'_>) -> Vec<String> {
    let all = [HeaderName::To, HeaderName::Cc].into_iter().flat_map(|name| proof::mailboxes(head, &name));
    all.map(|one| one.address).filter(|address| !post.takes(address)).take(OTHERS_MAX).collect()
}

fn subject(head: &Head<'_>) -> String {
    let subject = head.values(&HeaderName::Subject).find_map(HeaderValue::as_text).unwrap_or_default();
    let line: String =
        subject.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SUBJECT_CHARS_MAX).collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn sent_at(head: &Head<'_>) -> Option<Timestamp> {
    let date = head.values(&HeaderName::Date).find_map(HeaderValue::as_datetime)?;
    date.is_valid().then(|| Timestamp(date.to_timestamp().saturating_mul(1000)))
}

/// The message and what comes along: the writer's own words, below the subject where a thread begins with it.
fn shown(post: &Post, content: Content, subject: &str, answers: bool) -> (String, Vec<Attachment>) {
    let Content { text: whole, inner, mut attachments, .. } = content;
    let own = quotes::own_words(&whole);
    let own = if own.is_empty() { quotes::own_words(&inner) } else { own };
    let again = answers || own.to_lowercase().contains(&subject.to_lowercase());
    let message = match (subject.is_empty() || again, own.is_empty()) {
        (true, false) => own.clone(),
        (false, false) => format!("{subject}\n\n{own}"),
        (_, true) if attachments.is_empty() || !answers => subject.to_owned(),
        (_, true) => String::new(),
    };
    let text = shortened(&message, post.bounds.text_chars_max);
    let everything = if inner.trim().is_empty() { whole } else { format!("{whole}\n\n{inner}") };
    let differs = everything.trim() != own || text != message;
    let room = post.bounds.attachments_max.saturating_sub(usize::from(differs));
    attachments.truncate(room);
    if differs && room < post.bounds.attachments_max {
        let masked = extract::mask_secrets(everything.trim());
        let kept = shortened(&masked, post.full_text_chars_max);
        attachments.push(ours(WHOLE_TEXT, "text/plain", kept.as_bytes()));
    }
    (text, attachments)
}

fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// The texts and the names of files of a mail.
fn content(mail: &Mail<'_>, caps: Caps) -> Content {
    let page = |text: &str| html::to_text(text, caps.html_bytes_max, caps.html_depth_max);
    let mut content = Content::default();
    // What is said in a plain text that is not blank need not be read from a page.
    let said: BTreeSet<usize> = mail
        .parts
        .iter()
        .filter(|part| part.head.kind() == "text/plain" && !part.text(4096).trim().is_empty())
        .filter_map(|part| part.alternatives)
        .collect();
    let mut left = (caps.text_bytes_max, caps.html_bytes_max);
    for part in &mail.parts {
        let kind = part.head.kind();
        let text = match kind.as_str() {
            "text/plain" if !part.head.attached() => taken(part, &mut left.0),
            "text/html"
                if !part.head.attached() && part.alternatives.is_none_or(|one| !said.contains(&one)) =>
            {
                page(&taken(part, &mut left.1))
            }
            _ => {
                if part.mail == 0
                    && !kind.starts_with("multipart/")
                    && kind != "text/html"
                    && !decoration(part)
                {
                    content.attachments.push(attachment(part, &kind));
                }
                continue;
            }
        };
        let place = if part.mail == 0 { &mut content.text } else { &mut content.inner };
        if !place.is_empty() && !text.is_empty() {
            place.push('\n');
        }
        place.push_str(&text);
    }
    content
}

fn taken(part: &Part<'_>, left: &mut usize) -> String {
    let text = part.text(*left).replace("\r\n", "\n");
    *left = left.saturating_sub(text.len());
    text
}

/// A picture that only adorns the text.
fn decoration(part: &Part<'_>) -> bool {
    let inline = !part.head.written("content-id").is_empty() && !part.head.attached_openly();
    inline && part.head.kind().starts_with("image/")
}

/// How the answer of somebody's calendar is named.
const CALENDAR_ANSWER: &str = "calendar-answer.ics";

fn attachment(part: &Part<'_>, kind: &str) -> Attachment {
    let name = match (part.head.file_name(), kind) {
        (_, "text/calendar")
            if part.head.parameter("method").is_some_and(|method| method.eq_ignore_ascii_case("reply")) =>
        {
            CALENDAR_ANSWER.to_owned()
        }
        (_, "text/calendar") => format!("{}.ics", file_name(&event_name(&part.text(65_536)))),
        (Some(name), _) => file_name(name),
        (None, "message/rfc822" | "message/global") => "forwarded.eml".to_owned(),
        (None, _) => "attachment".to_owned(),
    };
    named(&name, kind, &part.bytes())
}

/// An attachment under a safe name, which is none of those that we give ourselves.
pub(super) fn named(name: &str, kind: &str, bytes: &[u8]) -> Attachment {
    let name = file_name(name);
    let name = if kept_by_us(&name) { format!("sent-{name}") } else { name };
    ours(&name, kind, bytes)
}

/// Something that is kept beside a mail.
pub(super) fn ours(name: &str, kind: &str, bytes: &[u8]) -> Attachment {
    let kind: String = kind.chars().filter(char::is_ascii_graphic).take(FILE_CHARS_MAX).collect();
    Attachment {
        name: name.to_owned(),
        content_type: Some(kind.to_ascii_lowercase()),
        url: None,
        id: None,
        content: Some(bytes.into()),
    }
}

/// What an invitation is called.
fn event_name(calendar: &str) -> String {
    let summary = calendar.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.split(';').next()?.eq_ignore_ascii_case("SUMMARY").then(|| value.trim().to_owned())
    });
    summary.filter(|summary| !summary.is_empty()).unwrap_or_else(|| "invitation".to_owned())
}

/// A name without a path, without characters that nobody sees or that reorder it, and not too long; its ending stays.
fn file_name(sent: &str) -> String {
    let base = sent.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '<' | '>' | ':' | '"' | '|' | '?' | '*')
    };
    let plain: String = base.chars().filter(shown).collect();
    let plain = plain.trim().trim_start_matches('.').trim();
    if plain.is_empty() {
        return "attachment".to_owned();
    }
    if plain.chars().count() <= FILE_CHARS_MAX {
        return plain.to_owned();
    }
    let ending: String =
        plain.rsplit_once('.').map(|(_, ending)| ending.chars().take(10).collect()).unwrap_or_default();
    let head: String = plain.chars().take(FILE_CHARS_MAX - ending.chars().count() - 1).collect();
    format!("{head}.{ending}")
}
