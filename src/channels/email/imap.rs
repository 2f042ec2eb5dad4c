//! Looks into a mailbox: what nobody has seen is taken, and marked as seen when it is stored.
//!
//! Source: RFC 9051 (IMAP). A mail that cannot be taken for good goes to a folder of its own; it is not tried for ever,
//! and it is not lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_imap::{Client, Session};
use futures_util::TryStreamExt;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use secrecy::ExposeSecret;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::mailroom::{self, HandedOver, Ingest, Taken};
use super::read::Post;
use crate::config::{EmailSettings, MailTls};

trait Stream: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug> Stream for T {}
type Wire = Box<dyn Stream>;

/// What is new and can be fetched.
const NEW: &str = "UNSEEN UNDELETED";

/// A mailbox.
pub(super) struct Mailbox {
    settings: EmailSettings,
    post: Arc<Post>,
    patience: Duration,
    tls: TlsConnector,
    name: ServerName<'static>,
}

/// Why a look was given up; without the server's words, which may name people.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error("the mailbox did not answer in time")]
    Slow,
    #[error("no connection to the mailbox: {0}")]
    Connection(#[from] std::io::Error),
    #[error("the mailbox refused the account")]
    Account,
    #[error("the mailbox failed at {0}")]
    Step(&'static str),
}

impl Mailbox {
    pub(super) fn new(settings: &EmailSettings, post: Arc<Post>) -> Result<Self, String> {
        let name = ServerName::try_from(settings.imap_host.clone());
        let name = name.map_err(|error| format!("[email] imap_host: {error}"))?;
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect::<RootCertStore>();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("[email] imap_tls: {error}"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let patience = Duration::from_millis(settings.imap_timeout_ms);
        Ok(Self {
            settings: settings.clone(),
            post,
            patience,
            tls: TlsConnector::from(Arc::new(config)),
            name,
        })
    }

    /// Looks now and then until shutdown.
    pub(super) async fn run(self, ingest: Ingest, shutdown: CancellationToken) {
        let pause = Duration::from_millis(self.settings.imap_poll_ms);
        loop {
            let more = match shutdown.run_until_cancelled(self.look(&ingest, &shutdown)).await {
                None => return,
                Some(Ok(more)) => more,
                Some(Err(error)) => {
                    tracing::warn!(error = %error, "the mailbox could not be looked into");
                    metrics::counter!("firstline_mailbox_looks_failed_total").increment(1);
                    false
                }
            };
            if !more && shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    /// Takes what is new; whether there is more.
    async fn look(&self, ingest: &Ingest, shutdown: &CancellationToken) -> Result<bool, LookError> {
        let mut session = self.timed(self.enter()).await??;
        let folder = &self.settings.imap_folder;
        self.step("selecting the folder", session.select(folder)).await?;
        let found = self.step("searching", session.uid_search(NEW)).await?;
        let found: BTreeSet<u32> = found.into_iter().collect();
        let most = self.settings.imap_batch_max;
        let mut more = found.len() > most;
        for uid in found.into_iter().take(most) {
            if shutdown.is_cancelled() {
                break;
            }
            match self.one(&mut session, uid, ingest).await? {
                Taken::Durably => {
                    self.mark(&mut session, uid, "+FLAGS.SILENT (\\Seen)").await?;
                }
                Taken::Never => self.put_aside(&mut session, uid).await?,
                // The record cannot take mail now: what follows would fare no better.
                Taken::Later => {
                    more = false;
                    break;
                }
            }
        }
        // Everything is marked already; a server that says goodbye badly changes nothing.
        let _ = self.timed(session.logout()).await;
        Ok(more)
    }

    /// Fetches one mail and has it stored.
    async fn one(&self, session: &mut Session<Wire>, uid: u32, ingest: &Ingest) -> Result<Taken, LookError> {
        let number = uid.to_string();
        let sized = self.fetch(session, &number, "(UID RFC822.SIZE)").await?;
        if sized
            .iter()
            .filter_map(|mail| mail.size)
            .any(|size| size as usize > self.settings.message_bytes_max)
        {
            tracing::warn!("a mail in the mailbox is too large");
            return Ok(Taken::Never);
        }
        let fetched = self.fetch(session, &number, "(UID BODY.PEEK[])").await?;
        let raw = fetched.iter().find(|mail| mail.uid == Some(uid)).and_then(|mail| mail.body());
        // Somebody else has taken it away in the meantime.
        let Some(raw) = raw else { return Ok(Taken::Durably) };
        // A mailbox is filled by the operator's own server.
        let by = HandedOver { edge: true, ..HandedOver::default() };
        Ok(mailroom::take(&self.post, ingest, raw.to_vec(), by).await)
    }

    async fn fetch(
        &self,
        session: &mut Session<Wire>,
        number: &str,
        what: &str,
    ) -> Result<Vec<async_imap::types::Fetch>, LookError> {
        let fetching = async { session.uid_fetch(number, what).await?.try_collect().await };
        self.step("fetching", fetching).await
    }

    async fn mark(&self, session: &mut Session<Wire>, uid: u32, flags: &str) -> Result<(), LookError> {
        let marking = async {
            let answers = session.uid_store(uid.to_string(), flags).await?;
            answers.try_for_each(|_| std::future::ready(Ok(()))).await
        };
        self.step("marking", marking).await
    }

    /// Moves a mail that will never be taken; where it cannot be moved it is marked, so that people find it.
    async fn put_aside(&self, session: &mut Session<Wire>, uid: u32) -> Result<(), LookError> {
        metrics::counter!("firstline_mails_put_aside_total").increment(1);
        let folder = &self.settings.imap_failed_folder;
        // It exists from the second time on.
        let _ = self.timed(session.create(folder)).await?;
        let moved = self.timed(session.uid_mv(uid.to_string(), folder)).await?;
        if moved.is_err() {
            self.mark(session, uid, "+FLAGS.SILENT (\\Seen \\Flagged)").await?;
        }
        Ok(())
    }

    async fn enter(&self) -> Result<Session<Wire>, LookError> {
        let settings = &self.settings;
        let stream = TcpStream::connect((settings.imap_host.as_str(), settings.imap_port)).await?;
        let plain: Wire = match settings.imap_tls {
            MailTls::Tls => Box::new(self.tls.connect(self.name.clone(), stream).await?),
            MailTls::Starttls | MailTls::None => Box::new(stream),
        };
        let mut client = Client::new(plain);
        client.read_response().await?.ok_or(LookError::Step("greeting"))?;
        if settings.imap_tls == MailTls::Starttls {
            let asked = client.run_command_and_check_ok("STARTTLS", None).await;
            asked.map_err(|_| LookError::Step("STARTTLS"))?;
            let encrypted: Wire = Box::new(self.tls.connect(self.name.clone(), client.into_inner()).await?);
            client = Client::new(encrypted);
        }
        let entered = client.login(&settings.imap_user, settings.imap_password.expose_secret()).await;
        entered.map_err(|_| LookError::Account)
    }

    async fn timed<T>(&self, step: impl Future<Output = T>) -> Result<T, LookError> {
        tokio::time::timeout(self.patience, step).await.map_err(|_| LookError::Slow)
    }

    async fn step<T>(
        &self,
        name: &'static str,
        step: impl Future<Output = async_imap::error::Result<T>>,
    ) -> Result<T, LookError> {
        self.timed(step).await?.map_err(|_| LookError::Step(name))
    }
}
