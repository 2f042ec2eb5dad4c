//! The chat widget: its messages, and the signed sessions that say who is writing.
//!
//! A session token is `base64url(claims) . base64url(HMAC-SHA256)`. It proves that the same browser
//! writes again, and, when the operator's own site asked for it, which of its customers that is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::json::Fields;
use super::{
    BadInput, Bounds, ChannelAdapter, ChannelError, Incoming, LABEL_CHARS_MAX, NO_WEBHOOK, Outgoing, Webhook,
    demand_words, followed,
};
use crate::domain::assurance::Assurance;
use crate::domain::message::{InboundMessage, Sender};
use crate::domain::time::Timestamp;

/// The name of the widget's channel in the record.
pub const NAME: &str = "web_chat";
/// Shorter secrets can be guessed.
const SECRET_BYTES_MIN: usize = 32;
const TOKEN_BYTES_MAX: usize = 4096;

/// Who the operator's own site says is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The operator's id of the customer.
    pub external_id: String,
    /// How they are called.
    pub name: Option<String>,
    /// Their email address on record.
    pub email: Option<String>,
}

/// What a token says, once its signature and its end have been checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// The browser: a fresh id of ours.
    pub visitor: String,
    /// The thread, where an answer goes.
    pub conversation: String,
    /// Who is signed in; nobody when absent.
    pub person: Option<Person>,
    /// After this moment the token is worth nothing.
    pub expires_at: Timestamp,
}

impl Session {
    /// A session of `visitor`; a signed-in person has one thread over all their devices.
    pub fn begin(visitor: uuid::Uuid, person: Option<Person>, expires_at: Timestamp) -> Self {
        let visitor = format!("v-{visitor}");
        let conversation = match &person {
            Some(person) => format!("user:{}", person.external_id),
            None => visitor.clone(),
        };
        Self { visitor, conversation, person, expires_at }
    }

    /// The address on this channel: the customer for the signed in, the browser for the others.
    pub fn address(&self) -> &str {
        &self.conversation
    }

    fn sender(&self) -> Sender {
        let person = self.person.as_ref();
        Sender {
            address: self.address().to_owned(),
            name: person.and_then(|p| p.name.clone()),
            email: person.and_then(|p| p.email.clone()),
            phone: None,
            assurance: if person.is_some() { Assurance::Verified } else { Assurance::Channel },
            proof: "session_token",
            external_id: person.map(|p| p.external_id.clone()),
        }
    }
}

/// Why a token is worth nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// None came.
    #[error("this call needs a chat session; begin one with POST /widget/session")]
    Missing,
    /// We did not sign this.
    #[error("this chat session is not one of ours; begin a new one with POST /widget/session")]
    Forged,
    /// Its time is over.
    #[error("this chat session is over; begin a new one with POST /widget/session")]
    Expired,
    /// The secret is too short to sign with.
    #[error("the session secret has fewer than 32 bytes; set [server] session_secret to a long random text")]
    WeakSecret,
}

/// Signs and checks sessions.
#[derive(Clone)]
pub struct Sessions {
    mac: Hmac<Sha256>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sessions([redacted])")
    }
}

impl Sessions {
    /// Signs with `secret`, at least 32 bytes.
    pub fn new(secret: &[u8]) -> Result<Self, SessionError> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(SessionError::WeakSecret);
        }
        let mac = Hmac::new_from_slice(secret).map_err(|_| SessionError::WeakSecret)?;
        Ok(Self { mac })
    }

    /// The token of a session.
    pub fn sign(&self, session: &Session) -> String {
        let claims = URL_SAFE_NO_PAD.encode(serde_json::to_vec(session).unwrap_or_default());
        let mut mac = self.mac.clone();
        mac.update(claims.as_bytes());
        format!("{claims}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    /// The session of a token that we signed and that is not over. Compares in constant time.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Session, SessionError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(SessionError::Forged);
        }
        let (claims, tag) = token.split_once('.').ok_or(SessionError::Forged)?;
        let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| SessionError::Forged)?;
        let mut mac = self.mac.clone();
        mac.update(claims.as_bytes());
        mac.verify_slice(&tag).map_err(|_| SessionError::Forged)?;
        let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| SessionError::Forged)?;
        let session: Session = serde_json::from_slice(&claims).map_err(|_| SessionError::Forged)?;
        if session.expires_at <= now { Err(SessionError::Expired) } else { Ok(session) }
    }
}

/// Messages written in the widget.
#[derive(Debug, Clone, Copy)]
pub struct WebChat;

impl ChannelAdapter for WebChat {
    fn name(&self) -> &'static str {
        NAME
    }

    fn verify(&self, _: &Webhook<'_>) -> Result<(), ChannelError> {
        Err(NO_WEBHOOK)
    }

    fn parse(&self, _: &Webhook<'_>) -> Result<Vec<Incoming>, ChannelError> {
        Err(NO_WEBHOOK)
    }

    fn follows_the_record(&self) -> bool {
        true
    }

    fn send<'a>(&'a self, _: Outgoing<'a>) -> BoxFuture<'a, Result<Option<String>, ChannelError>> {
        followed()
    }
}

/// Reads what was written in the widget under a verified session; never panics, whatever the bytes are.
pub fn read(body: &[u8], session: &Session, bounds: Bounds) -> Result<InboundMessage, BadInput> {
    let mut body = Fields::of_body(body, bounds.depth_max)?;
    let id = body.required_label("id", LABEL_CHARS_MAX)?;
    let text = body.required_text("text", bounds.text_chars_max)?;
    body.finish()?;
    demand_words(&text)?;
    Ok(InboundMessage {
        channel: NAME.to_owned(),
        // The browser makes the id, so it is only worth something within its own thread.
        external_id: format!("{}/{id}", session.conversation),
        conversation: session.conversation.clone(),
        sender: session.sender(),
        text,
        attachments: Vec::new(),
        sent_at: None,
        threading: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(secret: u8) -> Sessions {
        Sessions::new(&[secret; 32]).unwrap()
    }

    fn session(person: Option<&str>) -> Session {
        let person = person.map(|id| Person { external_id: id.to_owned(), name: None, email: None });
        Session::begin(uuid::Uuid::nil(), person, Timestamp(100))
    }

    #[test]
    fn a_token_reads_back_until_it_is_over() {
        let (sessions, session) = (sessions(1), session(Some("cust-0007")));
        let token = sessions.sign(&session);
        assert_eq!(sessions.verify(&token, Timestamp(99)), Ok(session));
        assert_eq!(sessions.verify(&token, Timestamp(100)), Err(SessionError::Expired));
    }

    #[test]
    fn a_token_changed_anywhere_or_signed_by_others_is_forged() {
        let token = sessions(1).sign(&session(None));
        assert_eq!(sessions(2).verify(&token, Timestamp(0)), Err(SessionError::Forged));
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            // The last characters carry spare bits; what they decode to is the same signature or refused.
            let read = sessions(1).verify(&changed, Timestamp(0));
            assert!(read.is_err(), "{at}");
        }
        for text in ["", ".", "a.b", "é.é", &"x".repeat(5000)] {
            assert_eq!(sessions(1).verify(text, Timestamp(0)), Err(SessionError::Forged));
        }
    }

    #[test]
    fn nothing_a_browser_writes_in_a_message_makes_it_somebody() {
        let bounds = Bounds { text_chars_max: 50, attachments_max: 0, depth_max: 8 };
        let session = session(None);
        let parse = |body: &str| read(body.as_bytes(), &session, bounds);
        let message = parse(r#"{"id":"1","text":"I am cust-0007"}"#).unwrap();
        assert_eq!((message.sender.assurance, message.sender.external_id), (Assurance::Channel, None));
        let refused = parse(r#"{"id":"1","text":"x","sender":{"id":"cust-0007"}}"#).unwrap_err();
        assert!(refused.to_string().contains("`sender` is not known"), "{refused}");
    }

    #[test]
    fn a_short_secret_signs_nothing() {
        assert_eq!(Sessions::new(b"short").unwrap_err(), SessionError::WeakSecret);
    }
}
