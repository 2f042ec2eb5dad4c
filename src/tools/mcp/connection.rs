//! One connection to a server: a program on its standard input and output, or streamable HTTP.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use http::{HeaderName, HeaderValue};
use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop, ProcessGroup};
use rmcp::model::{
    ClientCapabilities, ClientConfig, Implementation, PaginatedRequestParams, ProtocolVersion,
    SubscriptionFilter, Tool,
};
use rmcp::service::{
    ClientCacheConfig, ClientLifecycleMode, NotificationContext, Peer, Subscription,
    serve_client_with_lifecycle_and_ct,
};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, RoleClient};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::server::Server;
use super::words::clean;
use crate::config::Mcp;

/// Longest a program that was told to end may take before it is killed, with all that it started.
const END_MS: u64 = 2000;
/// Longest part of a server's words in an error.
const DETAIL_CHARS_MAX: usize = 300;
/// Most requests to one server under way at once; others wait inside the time of their call.
const REQUESTS_MAX: usize = 16;

/// How a server is reached.
pub(super) enum Way {
    Process(Process),
    Web(Web),
}

/// A program and its surroundings.
pub(super) struct Process {
    pub(super) command: String,
    pub(super) args: Vec<String>,
    /// All of its environment; secret.
    pub(super) env: BTreeMap<String, String>,
    pub(super) folder: PathBuf,
}

/// An address, and a client that reaches its host alone.
pub(super) struct Web {
    pub(super) url: String,
    pub(super) headers: HashMap<HeaderName, HeaderValue>,
    pub(super) client: reqwest::Client,
}

/// What a program says on its standard error.
#[derive(Clone, Copy)]
pub(super) enum Complaints {
    /// It may repeat what customers wrote.
    Discarded,
    /// On the terminal of somebody who looks whether it starts.
    Shown,
}

/// Why a server is not there. The texts are for an operator's terminal; logs get the kind alone.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// Its program does not start.
    #[error("it cannot be started: {0}")]
    Start(#[source] std::io::Error),
    /// It took too long.
    #[error("it did not answer within {0} ms")]
    Slow(u64),
    /// It does not speak the protocol.
    #[error("it does not shake hands: {0}")]
    Handshake(String),
    /// It does not list its tools.
    #[error("it does not list its tools: {0}")]
    Listing(String),
}

impl ConnectError {
    /// One word for logs.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::Slow(_) => "slow",
            Self::Handshake(_) => "handshake",
            Self::Listing(_) => "listing",
        }
    }
}

fn shown(error: &dyn std::fmt::Display) -> String {
    clean(&error.to_string(), DETAIL_CHARS_MAX)
}

/// Where calls are sent. Cheap to clone.
#[derive(Clone)]
pub(super) struct Link(pub(super) Peer<RoleClient>);

/// Notes that the server's tools have changed.
struct Listener {
    changed: Arc<Notify>,
}

impl ClientHandler for Listener {
    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changed.notify_one();
    }

    fn get_info(&self) -> ClientConfig {
        let ourselves = Implementation::new("firstline", env!("CARGO_PKG_VERSION"));
        // No capabilities: no server gets words out of our model, questions before our customers or a look at our files.
        ClientConfig::new(ClientCapabilities::default(), ourselves)
    }
}

/// A program that is killed, with all that it started, when nobody holds it any more.
struct Child(Box<dyn ChildWrapper>);

impl Child {
    /// Waits for the end of a program whose standard input is closed, and then makes an end.
    async fn end(mut self) {
        let wait = tokio::time::timeout(Duration::from_millis(END_MS), self.0.wait());
        if wait.await.is_err() {
            // Its end is what is wanted; what cannot be killed has ended.
            _ = Box::into_pin(self.0.kill()).await;
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        _ = self.0.start_kill();
    }
}

/// A server that answered.
pub(super) struct Connection {
    peer: Peer<RoleClient>,
    stop: CancellationToken,
    ended: Shared<BoxFuture<'static, ()>>,
    child: Option<Child>,
    changed: Arc<Notify>,
}

impl Connection {
    /// Starts the program or opens the address, and shakes hands in whichever revision the server speaks.
    pub(super) async fn open(server: &Server, complaints: Complaints) -> Result<Self, ConnectError> {
        let limit = server.bounds.connect_ms_max;
        let changed = Arc::new(Notify::new());
        let listener = Listener { changed: changed.clone() };
        let mode = ClientLifecycleMode::Auto {
            preferred_versions: vec![ProtocolVersion::LATEST],
            legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
        };
        let stop = CancellationToken::new();
        let mut child = None;
        let answered = match &server.way {
            Way::Process(process) => {
                let (started, transport) = start(process, &server.bounds, complaints)?;
                child = Some(started);
                let serving = serve_client_with_lifecycle_and_ct(listener, transport, mode, stop.clone());
                tokio::time::timeout(Duration::from_millis(limit), serving).await
            }
            Way::Web(web) => {
                let transport = transport(web, &server.bounds);
                let serving = serve_client_with_lifecycle_and_ct(listener, transport, mode, stop.clone());
                tokio::time::timeout(Duration::from_millis(limit), serving).await
            }
        };
        let service = answered
            .map_err(|_| ConnectError::Slow(limit))?
            .map_err(|error| ConnectError::Handshake(shown(&error)))?;
        // What a server listed is kept by us alone, and never longer than it is there.
        service.set_response_cache_config(ClientCacheConfig::disabled()).await;
        let peer = service.peer().clone();
        let ended = service.waiting().map(|_| ()).boxed().shared();
        Ok(Self { peer, stop, ended, child, changed })
    }

    /// Where calls are sent.
    pub(super) fn link(&self) -> Link {
        Link(self.peer.clone())
    }

    /// The tools it lists, and whether there are more than anybody asks for.
    pub(super) async fn list(&self, bounds: &Mcp) -> Result<(Vec<Tool>, bool), ConnectError> {
        let limit = Duration::from_millis(bounds.connect_ms_max);
        tokio::time::timeout(limit, self.pages(bounds.tools_max))
            .await
            .map_err(|_| ConnectError::Slow(bounds.connect_ms_max))?
    }

    async fn pages(&self, most: usize) -> Result<(Vec<Tool>, bool), ConnectError> {
        let mut tools = Vec::new();
        let mut cursor = None;
        // A page may be empty, but not one after the other for ever.
        for _ in 0..=most {
            let asked = PaginatedRequestParams::default().with_cursor(cursor);
            let page = self.peer.list_tools(Some(asked)).await;
            let page = page.map_err(|error| ConnectError::Listing(shown(&error)))?;
            tools.extend(page.tools);
            cursor = page.next_cursor;
            if cursor.is_none() || tools.len() > most {
                break;
            }
        }
        Ok((tools, cursor.is_some()))
    }

    /// Asks to be told when the tools change, where the revision of the protocol wants that to be asked.
    pub(super) async fn subscribe(&self) -> Option<Subscription> {
        let info = self.peer.peer_info()?;
        let tells = info.capabilities.tools.as_ref().is_some_and(|tools| tools.list_changed == Some(true));
        if info.protocol_version.has_initialize() || !tells {
            return None;
        }
        let filter = SubscriptionFilter::builder().tools_list_changed().build();
        // A server that cannot be listened to is listed again when it is started again.
        self.peer.listen(filter).await.ok()
    }

    /// Waits until the server says that its tools have changed.
    pub(super) async fn changed(&self, subscription: &mut Option<Subscription>) {
        let told = async {
            match subscription {
                Some(open) => {
                    if !matches!(open.next().await, Ok(Some(_))) {
                        *subscription = None;
                    }
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.changed.notified() => {}
            () = told => {}
        }
    }

    /// Waits until it can no longer be spoken to.
    pub(super) async fn ended(&self) {
        self.ended.clone().await;
    }

    /// Closes the connection and ends the program.
    pub(super) async fn close(mut self) {
        self.stop.cancel();
        // What does not end in time ends with its program.
        _ = tokio::time::timeout(Duration::from_millis(END_MS), self.ended.clone()).await;
        if let Some(child) = self.child.take() {
            child.end().await;
        }
    }
}

type Pipes = AsyncRwTransport<RoleClient, tokio::process::ChildStdout, tokio::process::ChildStdin>;

fn start(process: &Process, bounds: &Mcp, complaints: Complaints) -> Result<(Child, Pipes), ConnectError> {
    let mut command = tokio::process::Command::new(&process.command);
    command.args(&process.args).env_clear().envs(&process.env);
    if !process.folder.as_os_str().is_empty() {
        command.current_dir(&process.folder);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(match complaints {
        Complaints::Discarded => Stdio::null(),
        Complaints::Shown => Stdio::inherit(),
    });
    let mut wrapped = CommandWrap::from(command);
    // A group of its own: launchers such as `npx` start others, which must end with them.
    wrapped.wrap(ProcessGroup::leader()).wrap(KillOnDrop);
    let mut child = Child(wrapped.spawn().map_err(ConnectError::Start)?);
    let pipes = (child.0.stdout().take(), child.0.stdin().take());
    let (Some(output), Some(input)) = pipes else {
        return Err(ConnectError::Start(std::io::ErrorKind::BrokenPipe.into()));
    };
    let transport = AsyncRwTransport::new(output, input).with_max_line_length(bounds.message_bytes_max);
    Ok((child, transport))
}

fn transport(web: &Web, bounds: &Mcp) -> StreamableHttpClientTransport<reqwest::Client> {
    let config = StreamableHttpClientTransportConfig::with_uri(web.url.as_str())
        .custom_headers(web.headers.clone())
        .max_concurrent_requests(REQUESTS_MAX)
        .max_sse_event_size(bounds.message_bytes_max)
        .max_json_response_size(bounds.message_bytes_max)
        .max_error_response_size(0)
        // It would send a request again by itself, and a write is sent once.
        .reinit_on_expired_session(false);
    StreamableHttpClientTransport::with_client(web.client.clone(), config)
}
