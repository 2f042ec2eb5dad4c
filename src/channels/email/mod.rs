//! Email: webhooks of providers, a listener of our own and a mailbox to look into; out over SMTP.
//!
//! A thread of mails is a conversation. A reply finds it by a token in our Message-IDs (`token`), which is signed
//! together with the address it was sent to: from anybody else it opens a thread of their own.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::notices::Notice;
use super::{Bounds, ChannelAdapter, ChannelError, Files, Incoming, Outgoing, Webhook};
use crate::config::EmailSettings;

mod automatic;
mod form;
mod hand_over;
mod html;
mod imap;
mod listener;
mod mailroom;
mod mime;
mod original;
mod proof;
mod quotes;
mod read;
mod session;
#[cfg(test)]
mod tests;
mod token;
mod webhooks;
mod write;

pub use hand_over::Server;
pub use mailroom::{Ingest, Mailroom, Taken};
pub use read::{ANONYMOUS, Envelope, Post, UNPROVEN, incoming, plain_text};

/// Its name in the record.
pub const NAME: &str = "email";
/// The place of each provider below `/channels/email/`.
pub const MAILGUN: &str = "mailgun";
/// Postmark's.
pub const POSTMARK: &str = "postmark";
/// `SendGrid`'s.
pub const SENDGRID: &str = "sendgrid";

/// The operator's address.
pub struct Email {
    settings: EmailSettings,
    post: Arc<Post>,
    server: Server,
}

impl Email {
    /// The address that `settings` name.
    pub fn new(settings: &EmailSettings, bounds: Bounds) -> Result<Self, String> {
        let server = Server::new(settings)?;
        Ok(Self { settings: settings.clone(), post: Arc::new(Post::new(settings, bounds)), server })
    }
}

impl ChannelAdapter for Email {
    fn name(&self) -> &'static str {
        NAME
    }

    fn files(&self) -> Files {
        Files::Together { bytes_max: self.settings.files_bytes_max }
    }

    fn body_bytes_max(&self) -> Option<usize> {
        // Base64 in JSON is a third longer than the mail, and fields stand beside it.
        Some(self.settings.message_bytes_max.saturating_mul(3) / 2 + 1_048_576)
    }

    fn reads_long(&self) -> bool {
        true
    }

    fn refusal(&self, path: &str) -> Option<u16> {
        match path.trim_end_matches('/') {
            // Mailgun tries everything else again for eight hours, Postmark ten times.
            MAILGUN => Some(406),
            POSTMARK => Some(403),
            _ => None,
        }
    }

    fn automatic_replies(&self) -> Option<(i64, i64)> {
        Some((self.settings.automatic_replies_max, self.settings.automatic_replies_ms))
    }

    fn verify(&self, webhook: &Webhook<'_>) -> Result<(), ChannelError> {
        webhooks::verify(&self.settings, webhook)
    }

    fn parse(&self, webhook: &Webhook<'_>) -> Result<Vec<Incoming>, ChannelError> {
        Ok(vec![webhooks::parse(&self.post, webhook)?])
    }

    fn begin_thread(&self, seed: &str, address: &str) -> Option<String> {
        Some(token::Tokens::thread(seed, address))
    }

    fn notify<'a>(&'a self, notice: Notice<'a>) -> Option<BoxFuture<'a, Result<(), ChannelError>>> {
        Some(Box::pin(async move { self.server.hand_over(&write::notice(&self.settings, notice)?).await }))
    }

    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Option<String>, ChannelError>> {
        Box::pin(async move {
            let mail = write::compose(&self.settings, &self.post, outgoing)?;
            self.server.hand_over(&mail).await?;
            Ok(Some(mail.id))
        })
    }
}
