//! The life of a server: started, listed, listed again when its tools change, started again when it ends.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Complaints, ConnectError, Connection};
use super::listing::{self, Listing};
use super::server::Server;
use crate::domain::time::Clock;
use crate::tools::Toolbox;

/// What an operator should know about one server.
#[derive(Debug, Default, serde::Serialize)]
pub struct Survey {
    /// Its configured name.
    pub server: String,
    /// One line for each tool: how it is classified and what it takes.
    pub tools: Vec<String>,
    /// What is not offered, and why.
    pub left_out: Vec<String>,
    /// What is wrong.
    pub problems: Vec<String>,
}

/// How a connection came to its end.
enum Ended {
    /// We stop.
    Stopped,
    /// It broke, after it had listed its tools.
    Broken,
    /// It was never there.
    Failed(ConnectError),
}

impl Toolbox {
    /// Starts every server; each is kept running until `shutdown`.
    pub fn start(
        self: &Arc<Self>,
        tasks: &TaskTracker,
        shutdown: &CancellationToken,
        clock: &Arc<dyn Clock>,
    ) {
        for server in &self.servers {
            tasks.spawn(keep(self.clone(), server.clone(), clock.clone(), shutdown.clone()));
        }
    }

    /// Waits until every server has listed its tools or has shown that it is not there, for so long at most.
    pub async fn listed(&self, limit: Duration) {
        let tried = self.servers.iter().map(|server| async {
            // The sender lives in the server, so that this ends when it is told.
            _ = server.tried.subscribe().wait_for(|tried| *tried).await;
        });
        if tokio::time::timeout(limit, join_all(tried)).await.is_err() {
            tracing::warn!(
                wait_ms = limit.as_millis() as u64,
                "not every MCP server has listed its tools yet"
            );
        }
    }

    /// Looks once at every server, for an operator: its tools are in the toolbox afterwards.
    pub async fn survey(&self) -> Vec<Survey> {
        join_all(self.servers.iter().map(|server| self.look(server))).await
    }

    async fn look(&self, server: &Arc<Server>) -> Survey {
        let mut survey = Survey { server: server.name.clone(), ..Survey::default() };
        let connection = match Connection::open(server, Complaints::Shown).await {
            Ok(connection) => connection,
            Err(error) => {
                survey.problems.push(format!("MCP server `{}`: {error}", server.name));
                return survey;
            }
        };
        match self.list(server, &connection).await {
            Ok(listing) => {
                let missing = listing.missing.iter();
                survey.problems.extend(missing.map(|name| {
                    format!("MCP server `{}`: it does not list `{name}`, which is classified", server.name)
                }));
                survey.left_out = listing.left_out;
                let contents = self.contents();
                survey.tools =
                    contents.tools().filter(|t| server.has(t)).map(|t| listing::described(t)).collect();
            }
            Err(error) => survey.problems.push(format!("MCP server `{}`: {error}", server.name)),
        }
        connection.close().await;
        survey
    }

    /// Lists a server's tools and puts them in place of the earlier ones.
    async fn list(&self, server: &Arc<Server>, connection: &Connection) -> Result<Listing, ConnectError> {
        let (tools, more) = connection.list(&server.bounds).await?;
        let mut listing = listing::read(server, tools, more);
        listing.left_out.extend(self.shelve(server, std::mem::take(&mut listing.tools)));
        Ok(listing)
    }
}

/// Keeps a server running until we stop.
async fn keep(
    toolbox: Arc<Toolbox>,
    server: Arc<Server>,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) {
    let bounds = &server.bounds;
    let mut pause_ms = bounds.restart_ms_min;
    loop {
        let began = clock.now();
        let ended = serve(&toolbox, &server, &shutdown).await;
        server.link.send_replace(None);
        server.tried.send_replace(true);
        metrics::gauge!("firstline_mcp_server_up", "server" => server.name.clone()).set(0.0);
        match ended {
            Ended::Stopped => return,
            Ended::Broken => {
                tracing::warn!(mcp.server = %server.name, "the MCP server ended; it is started again");
            }
            Ended::Failed(error) => {
                tracing::warn!(mcp.server = %server.name, error = error.kind(), "the MCP server is not there");
            }
        }
        if clock.now().ms_since(began) > bounds.restart_ms_max as i64 {
            pause_ms = bounds.restart_ms_min;
        }
        let chance = clock.new_id().as_u128() as u64;
        let pause = Duration::from_millis(pause_ms + chance % (pause_ms / 2).max(1));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => return,
        }
        pause_ms = pause_ms.saturating_mul(2).min(bounds.restart_ms_max);
        metrics::counter!("firstline_mcp_restarts_total", "server" => server.name.clone()).increment(1);
    }
}

/// One connection, from its start to its end.
async fn serve(toolbox: &Toolbox, server: &Arc<Server>, shutdown: &CancellationToken) -> Ended {
    let opened = tokio::select! {
        opened = Connection::open(server, Complaints::Discarded) => opened,
        () = shutdown.cancelled() => return Ended::Stopped,
    };
    let connection = match opened {
        Ok(connection) => connection,
        Err(error) => return Ended::Failed(error),
    };
    let listed = tokio::select! {
        listed = toolbox.list(server, &connection) => listed,
        () = shutdown.cancelled() => {
            connection.close().await;
            return Ended::Stopped;
        }
    };
    let ended = match listed {
        Ok(listing) => {
            report(server, &listing);
            // What is told before anybody could call is about an earlier connection.
            while tokio::time::timeout(Duration::ZERO, server.broken.notified()).await.is_ok() {}
            server.link.send_replace(Some(connection.link()));
            server.tried.send_replace(true);
            metrics::gauge!("firstline_mcp_server_up", "server" => server.name.clone()).set(1.0);
            let ended = attend(toolbox, server, &connection, shutdown).await;
            server.link.send_replace(None);
            ended
        }
        Err(error) => Ended::Failed(error),
    };
    connection.close().await;
    ended
}

/// Stays with a connection: follows changes of its tools, notices its end.
async fn attend(
    toolbox: &Toolbox,
    server: &Arc<Server>,
    connection: &Connection,
    shutdown: &CancellationToken,
) -> Ended {
    let mut subscription = connection.subscribe().await;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ended::Stopped,
            () = connection.ended() => return Ended::Broken,
            () = server.broken.notified() => return Ended::Broken,
            () = connection.changed(&mut subscription) => {}
        }
        let relisted = async {
            let listed = toolbox.list(server, connection).await;
            // A server that never stops saying so is asked no more often than this.
            tokio::time::sleep(Duration::from_millis(server.bounds.relist_ms_min)).await;
            listed
        };
        let listed = tokio::select! {
            () = shutdown.cancelled() => return Ended::Stopped,
            () = connection.ended() => return Ended::Broken,
            listed = relisted => listed,
        };
        match listed {
            Ok(listing) => report(server, &listing),
            Err(_) => return Ended::Broken,
        }
    }
}

fn report(server: &Server, listing: &Listing) {
    for reason in &listing.left_out {
        tracing::warn!(mcp.server = %server.name, %reason, "a tool is left out");
    }
    for name in &listing.missing {
        tracing::warn!(mcp.server = %server.name, tool = %name, "a classified tool is not listed");
    }
    tracing::info!(mcp.server = %server.name, left_out = listing.left_out.len(), "the tools of a server are listed");
}
