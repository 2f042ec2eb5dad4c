//! `firstline serve`: the service, and without a configuration the demo with its shop.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::shop::{open_shop, random_hex};
use super::workspace::Workspace;
use super::{Failure, Globals, output};
use crate::app::{App, SystemClock, Understanding};
use crate::config::Config;
use crate::demo::{self, Shop};
use crate::domain::routing::Capacity;
use crate::store::Abilities;
use crate::telemetry::{self, Exports};
use crate::web::{self, accounts, keys};

/// What `serve` takes.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Options {
    /// Address and port
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
}

pub(super) async fn run(globals: &Globals, options: Options) -> Result<(), Failure> {
    let workspace = Workspace::find(globals)?;
    let world = World::open(&workspace, options.listen).await?;
    let World { app, shop, listener, exports } = world;
    let address = listener.local_addr().context("the listener has no address")?;
    let app = Arc::new(app);
    let mut router = web::router(app.clone());
    if let Some(shop) = &shop {
        router = router.merge(demo::page::router(app.sessions.clone(), shop.clone(), app.clock.clone()));
    }
    announce(&app, address, shop.is_some()).await?;
    app.start_servers().await;
    app.pipeline.start();
    if let Some(mail) = app.start_listeners().await.map_err(Failure::usage)? {
        output::line(&format!("Mail is taken at        {mail}"));
    }
    app.keep_metrics_tidy();
    let watch = if app.config.knowledge.watch { app.knowledge.watch() } else { Ok(None) };
    if let Err(error) = &watch {
        output::remark(&format!("changes of the knowledge will not be noticed: {error}"));
    }
    let stop = app.shutdown.clone();
    let serving = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move {
            interrupted().await;
            stop.cancel();
        });
    let served = serving.await.context("the listener failed");
    app.stop().await;
    exports.stop().await;
    served?;
    Ok(())
}

/// Waits for Ctrl-C or a polite request to end.
async fn interrupted() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => _ = signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

/// A service that is built and bound but does not run yet.
struct World {
    app: App,
    shop: Option<Arc<Shop>>,
    listener: TcpListener,
    exports: Exports,
}

impl World {
    async fn open(workspace: &Workspace, listen: Option<String>) -> Result<Self, Failure> {
        let mut config = workspace.config(None)?;
        let exports = telemetry::start(&config.telemetry).map_err(Failure::usage)?;
        let listen = listen.unwrap_or_else(|| config.server.listen.clone());
        let listener = TcpListener::bind(&listen).await.map_err(|error| {
            Failure::Usage(format!("cannot listen on {listen}: {error}; choose another with --listen"))
        })?;
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let shop = if workspace.demo {
            let journal = config.data_folder().join("shop.jsonl");
            let (shop, address) = open_shop(Some(&journal), Arc::new(SystemClock), &tasks, shutdown).await?;
            config = workspace.config(Some(&address))?;
            Some(shop)
        } else {
            None
        };
        config.server.listen = listen;
        let cache = Workspace::cache(&config);
        let (understanding, problems) =
            Understanding::build(&config, workspace.origin(), cache).map_err(Failure::usage)?;
        for problem in problems {
            output::remark(&problem.to_string());
        }
        let secret = session_secret(&config)?;
        let app = App::build(config, understanding, Arc::new(SystemClock), &secret, telemetry::metrics())
            .await
            .map_err(Failure::usage)?;
        Ok(Self { app, shop, listener, exports })
    }
}

/// The key that signs chat sessions: the configured one, else one made once and kept in the data folder.
pub(super) fn session_secret(config: &Config) -> Result<Vec<u8>, Failure> {
    let configured = &config.server.session_secret;
    if !configured.is_empty() {
        return Ok(configured.clone().into_bytes());
    }
    let file = config.data_folder().join("session.key");
    if let Ok(secret) = std::fs::read(&file) {
        return Ok(secret);
    }
    let secret = random_hex()?.into_bytes();
    let kept = std::fs::create_dir_all(config.data_folder()).and_then(|()| write_private(&file, &secret));
    if let Err(error) = kept {
        output::remark(&format!("chat sessions will end with this process: `{}`: {error}", file.display()));
    }
    Ok(secret)
}

fn write_private(file: &Path, secret: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    file.write_all(secret)?;
    file.sync_all()
}

/// Gives the people of the demo's shop their accounts, without a password; returns their logins.
async fn employ(app: &App) -> Result<Vec<String>, Failure> {
    let office =
        accounts::Office { store: &app.store, clock: app.clock.as_ref(), by: accounts::COMMAND_LINE };
    let mut logins = Vec::new();
    for person in demo::people().map_err(Failure::Usage)? {
        let new = accounts::NewAgent {
            login: person.login.clone(),
            name: person.name,
            role: person.role,
            teams: person.teams,
            languages: person.languages,
        };
        let agent = accounts::provision(office, new).await.map_err(Failure::usage)?;
        let abilities =
            Abilities { skills: person.skills, channels: Vec::new(), capacity: Capacity(person.capacity) };
        app.store.set_abilities(&agent.id, &abilities).await.context("the record failed")?;
        logins.push(person.login);
    }
    Ok(logins)
}

/// Says where things are; the first password and the demo's key are shown once, when they are made.
async fn announce(app: &App, address: SocketAddr, demo: bool) -> Result<(), Failure> {
    let clock = app.clock.as_ref();
    if demo {
        output::line(&format!("Chat in the demo shop   http://{address}/demo"));
    }
    output::line(&format!("Where people work       http://{address}/console"));
    if let Some(password) = accounts::first(&app.store, clock).await.map_err(Failure::usage)? {
        output::line(&format!("  first sign-in         admin / {password}   (shown once)"));
        if demo {
            let logins = employ(app).await?;
            output::line(&format!("  who works there       {}", logins.join(", ")));
            output::line(
                "                        (each signs in after `firstline user reset-password LOGIN`)",
            );
        }
    }
    if demo && app.store.list_keys().await.context("the record failed")?.is_empty() {
        let (stored, key) = keys::mint(clock, "demo", &[], None);
        app.store.add_key(&stored).await.context("the record failed")?;
        output::line(&format!("  API key               {key}   (shown once)"));
    }
    Ok(())
}
