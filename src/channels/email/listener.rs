//! Our own mail server: takes mail for our addresses only, and says 250 when it is stored.
//!
//! Sources: RFC 5321 (SMTP), 1870 (SIZE), 2920 (PIPELINING), 3207 (STARTTLS), 6152 (8BITMIME), 6531 (SMTPUTF8). It never
//! relays: there is no way out of here but the record.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::mailroom::Ingest;
use super::read::Post;
use super::session::Session;
use crate::config::EmailSettings;

/// Longest conversation, however busy.
const SESSION_MS_MAX: u64 = 1_800_000;
/// Pause after a connection could not be taken: mostly there are too many open files.
const ACCEPT_PAUSE_MS: u64 = 100;

/// What every conversation goes by.
pub(super) struct House {
    pub(super) name: String,
    pub(super) post: Arc<Post>,
    pub(super) ingest: Ingest,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) idle: Duration,
    pub(super) recipients_max: usize,
    pub(super) message_bytes_max: usize,
    pub(super) shutdown: CancellationToken,
}

/// A bound listener.
pub(super) struct Listener {
    socket: TcpListener,
    post: Arc<Post>,
    tls: Option<TlsAcceptor>,
    edges: Vec<IpAddr>,
    settings: EmailSettings,
}

impl Listener {
    pub(super) async fn bind(settings: &EmailSettings, post: Arc<Post>) -> Result<Self, String> {
        let socket = TcpListener::bind(&settings.listen).await;
        let socket =
            socket.map_err(|error| format!("[email] cannot listen on {}: {error}", settings.listen))?;
        let edges = settings.listen_edges.iter().filter_map(|edge| edge.parse::<IpAddr>().ok()).collect();
        Ok(Self { socket, post, tls: acceptor(settings)?, edges, settings: settings.clone() })
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()
    }

    /// Takes connections until shutdown.
    pub(super) async fn run(self, ingest: Ingest, tasks: TaskTracker, shutdown: CancellationToken) {
        let settings = &self.settings;
        let domain = settings.address.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
        let house = Arc::new(House {
            name: if settings.smtp_hello.is_empty() { domain } else { &settings.smtp_hello }.to_owned(),
            post: self.post.clone(),
            ingest,
            tls: self.tls.clone(),
            idle: Duration::from_millis(settings.listen_idle_ms),
            recipients_max: settings.listen_recipients_max,
            message_bytes_max: settings.message_bytes_max,
            shutdown: shutdown.clone(),
        });
        let room = Arc::new(Semaphore::new(settings.listen_connections_max));
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => return,
                accepted = self.socket.accept() => accepted,
            };
            let (mut stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(error = %error, "a mail connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                    continue;
                }
            };
            let Ok(place) = room.clone().try_acquire_owned() else {
                let busy = stream.write_all(b"421 4.3.2 too many connections, come back later\r\n");
                let _ = tokio::time::timeout(Duration::from_millis(ACCEPT_PAUSE_MS), busy).await;
                continue;
            };
            let (house, edge) = (house.clone(), self.edges.contains(&peer.ip().to_canonical()));
            tasks.spawn(async move {
                serve(&house, stream, edge).await;
                drop(place);
            });
        }
    }
}

async fn serve(house: &House, stream: TcpStream, edge: bool) {
    let session = Session::new(house, stream, edge);
    match tokio::time::timeout(Duration::from_millis(SESSION_MS_MAX), session.run()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(error = %error, "a mail connection broke off"),
        Err(_) => tracing::debug!("a mail connection took too long"),
    }
}

/// What encrypts connections, if there is a certificate.
fn acceptor(settings: &EmailSettings) -> Result<Option<TlsAcceptor>, String> {
    if settings.listen_certificate.is_empty() {
        return Ok(None);
    }
    let wrong = |key: &str, error: &dyn std::fmt::Display| format!("[email] {key}: {error}");
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_file_iter(&settings.listen_certificate).and_then(Iterator::collect);
    let chain = chain.map_err(|error| wrong("listen_certificate", &error))?;
    let key = PrivateKeyDer::from_pem_file(&settings.listen_certificate_key)
        .map_err(|error| wrong("listen_certificate_key", &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| wrong("listen_certificate", &error))?;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}
