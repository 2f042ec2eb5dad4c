//! What a customer sent, whatever medium it came by, and what is said of the kinds that cannot be read.

use super::json::{self, Fields};
use super::{BadInput, demand_words};
use crate::domain::message::Attachment;

/// Longest name of a file, or note in its place, in characters.
const NAME_CHARS_MAX: usize = 200;
/// Longest address of a file.
const URL_CHARS_MAX: usize = 2000;

/// The content of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// Words, files, or both.
    Said {
        /// The words; empty where there are none.
        text: String,
        /// The files.
        attachments: Vec<Attachment>,
    },
    /// Nothing that asks for an answer, for this reason.
    Nothing(&'static str),
}

impl Content {
    /// Words alone.
    pub(super) fn words(text: impl Into<String>) -> Self {
        Self::said(text.into(), Vec::new())
    }

    /// Words and files; nothing where there is neither.
    pub(super) fn said(text: String, attachments: Vec<Attachment>) -> Self {
        if attachments.is_empty() && demand_words(&text).is_err() {
            return Self::Nothing("a message without words");
        }
        Self::Said { text, attachments }
    }

    /// A kind of message that cannot be read. A customer wrote, so it is kept, and the note stands where a file
    /// would: it is not put into the customer's mouth.
    pub(super) fn unread(kind: &str) -> Self {
        let name = one_line(&format!("a message of a kind we cannot read: {kind}"), NAME_CHARS_MAX);
        Self::Said { text: String::new(), attachments: vec![file(&name, None, None)] }
    }

    /// A message whose sender is known and whose content is not what its kind promises.
    pub(super) fn spoilt(why: &BadInput) -> Self {
        let name = one_line(&format!("a message that could not be read: {why}"), NAME_CHARS_MAX);
        Self::Said { text: String::new(), attachments: vec![file(&name, None, None)] }
    }
}

/// A file that stays with the medium. An address that is too long, or is none, is left out.
pub(super) fn file(name: &str, content_type: Option<String>, url: Option<String>) -> Attachment {
    let plain = |url: &String| {
        url.starts_with("https://")
            && url.len() <= URL_CHARS_MAX
            && !url.chars().any(|c| c.is_control() || c.is_whitespace())
    };
    Attachment {
        name: one_line(name, NAME_CHARS_MAX),
        content_type,
        url: url.filter(plain),
        id: None,
        content: None,
    }
}

/// The text on one line, cut after `chars_max` characters.
pub(super) fn one_line(text: &str, chars_max: usize) -> String {
    let line = json::one_line(text);
    if line.chars().count() <= chars_max {
        return line;
    }
    line.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect()
}

/// A place: what the customer calls it, and where it is.
pub(super) fn place(fields: &mut Fields) -> String {
    let named: Vec<String> =
        ["name", "title", "address"].into_iter().filter_map(|name| fields.hint(name)).collect();
    let at = fields.decimal("latitude").zip(fields.decimal("longitude"));
    let at = at.map(|(latitude, longitude)| format!("({latitude}, {longitude})"));
    let said: Vec<String> = named.into_iter().chain(at).collect();
    format!("Location: {}", said.join(", "))
}
