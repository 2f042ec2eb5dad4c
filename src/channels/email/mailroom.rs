//! What takes mail without being called by a provider: our own listener, and a look into a mailbox now and then. Both
//! give what they have read to whoever stores it, and say that a mail is taken only when it is.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::imap::Mailbox;
use super::listener::Listener;
use super::read::{self, Envelope, Post};
use crate::channels::{Bounds, Incoming};
use crate::config::EmailSettings;

/// What has become of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is stored, or there is nothing to store.
    Durably,
    /// The record cannot take it now.
    Later,
    /// It will never be taken.
    Never,
}

/// Stores what came in.
pub type Ingest = Arc<dyn Fn(Incoming) -> BoxFuture<'static, Taken> + Send + Sync>;

/// The listener and the mailbox of the settings, whichever there are.
pub struct Mailroom {
    listener: Option<Listener>,
    mailbox: Option<Mailbox>,
}

impl Mailroom {
    /// Binds the listener; nothing is taken before [`Mailroom::run`].
    pub async fn open(settings: &EmailSettings, bounds: Bounds) -> Result<Self, String> {
        let post = Arc::new(Post::new(settings, bounds));
        let listener = match (settings.enabled, settings.listen.is_empty()) {
            (true, false) => Some(Listener::bind(settings, post.clone()).await?),
            _ => None,
        };
        let looked_into = settings.enabled && !settings.imap_host.is_empty();
        let mailbox = looked_into.then(|| Mailbox::new(settings, post)).transpose()?;
        Ok(Self { listener, mailbox })
    }

    /// Where the listener listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.as_ref().and_then(Listener::address)
    }

    /// Takes mail until shutdown.
    pub fn run(self, ingest: &Ingest, tasks: &TaskTracker, shutdown: &CancellationToken) {
        if let Some(listener) = self.listener {
            tasks.spawn(listener.run(ingest.clone(), tasks.clone(), shutdown.clone()));
        }
        if let Some(mailbox) = self.mailbox {
            tasks.spawn(mailbox.run(ingest.clone(), shutdown.clone()));
        }
    }
}

/// Who handed a mail over.
#[derive(Debug, Clone, Default)]
pub(super) struct HandedOver {
    pub(super) sender: Option<String>,
    pub(super) recipients: Vec<String>,
    pub(super) edge: bool,
}

/// Reads one mail off the threads that serve everybody, and has it stored.
pub(super) async fn take(post: &Arc<Post>, ingest: &Ingest, raw: Vec<u8>, by: HandedOver) -> Taken {
    let post = post.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let envelope = Envelope { sender: by.sender.as_deref(), recipients: &by.recipients, edge: by.edge };
        read::incoming(&post, &raw, &envelope)
    });
    let kind = match reading.await {
        Ok(Ok(Incoming::Nothing(reason))) => {
            tracing::debug!(channel = super::NAME, reason, "nothing to store");
            "nothing"
        }
        Ok(Ok(incoming)) => {
            let kind = if matches!(incoming, Incoming::Status(_)) { "status" } else { "message" };
            let taken = ingest(incoming).await;
            if taken != Taken::Durably {
                return taken;
            }
            kind
        }
        Ok(Err(error)) => {
            tracing::warn!(error = %error, "a mail is refused");
            return Taken::Never;
        }
        Err(error) => {
            tracing::error!(error = %error, "a mail could not be read");
            return Taken::Never;
        }
    };
    metrics::counter!("firstline_mails_total", "kind" => kind).increment(1);
    Taken::Durably
}
