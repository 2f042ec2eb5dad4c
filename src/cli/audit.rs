//! `firstline audit`: for every ordered pair of channels, does the second know what the first was told?

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail};
use futures_util::future::LocalBoxFuture;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::trial::{Clearing, Trial};
use super::workspace::Workspace;
use super::{Failure, Globals, output};
use crate::app::{App, Understanding};
use crate::channels::web_chat::{Person, Session};
use crate::channels::{in_app, voice, web_chat};
use crate::demo::DemoCustomer;
use crate::domain::message::{Author, Visibility};
use crate::evals::audit::report::Report;
use crate::evals::audit::{self, Desk, Line, Start};
use crate::providers::voice::Call;
use crate::providers::{self, Outbox, Provider, Said};
use crate::store::{CaseFilter, Page};
use crate::templates::Templates;
use crate::web::{self, keys};

mod elsewhere;

/// The customer of every conversation: three orders, so that there is something to ask.
const CUSTOMER: &str = "cust-0004";
/// Which of a provider's customers they are.
const NUMBER: u32 = 4;
/// Longest a session of the chat lasts here.
const SESSION_MS: i64 = 3_600_000;

/// What `audit` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Only these channels, comma-separated; all when none is named
    #[arg(long, value_delimiter = ',', value_name = "A,B,…")]
    channels: Vec<String>,
    /// Audit another system, as this file says how to write to it and how to read its answers
    #[arg(long, value_name = "FILE")]
    system: Option<PathBuf>,
    /// Write the matrix as a page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(globals: &Globals, options: Options) -> Result<(), Failure> {
    let elsewhere = options.system.as_deref().map(elsewhere::read).transpose()?;
    let all = elsewhere.as_ref().map_or_else(own_channels, elsewhere::System::channels);
    if let Some(unknown) = options.channels.iter().find(|name| !all.contains(name)) {
        let known = all.join(", ");
        return Err(Failure::Usage(format!("there is no channel `{unknown}` to audit; there are {known}")));
    }
    let channels = if options.channels.is_empty() { all } else { options.channels };
    let start = match elsewhere {
        Some(system) => elsewhere::starter(system)?,
        None => own(globals)?,
    };
    let progress = indicatif::ProgressBar::new((channels.len() * channels.len().saturating_sub(1)) as u64);
    let mut findings = Vec::new();
    for first in &channels {
        for second in channels.iter().filter(|second| *second != first) {
            findings.extend(audit::pair(&start, first, second).await);
            progress.inc(1);
        }
    }
    progress.finish_and_clear();
    let report = Report { channels, findings };
    if options.json {
        output::json(&report.json())?;
    } else {
        output::line(&report.table());
    }
    if let Some(file) = &options.html {
        let page = report.html(&Templates::new()).context("the page could not be written")?;
        std::fs::write(file, page).with_context(|| format!("`{}` cannot be written", file.display()))?;
    }
    match report.failed().count() {
        0 => Ok(()),
        failed => Err(Failure::Found(format!("{failed} of {} conversations fail", report.findings.len()))),
    }
}

fn own_channels() -> Vec<String> {
    let played = providers::all();
    let names = [in_app::NAME, web_chat::NAME].into_iter().chain(played.iter().map(|one| one.channel()));
    names.map(str::to_owned).collect()
}

/// Starts a service of our own for each conversation, over providers that are played.
fn own(globals: &Globals) -> Result<Start<'static>, Failure> {
    let workspace = Workspace::find(globals)?;
    if !workspace.demo {
        return Err(Failure::Usage(
            "the audit plays in the demo's shop: run it in a folder without firstline.toml".to_owned(),
        ));
    }
    let config = workspace.config(None)?;
    let cache = Workspace::cache(&config);
    let (understanding, problems) =
        Understanding::build(&config, workspace.origin(), cache).map_err(Failure::usage)?;
    for problem in problems {
        output::remark(&problem.to_string());
    }
    let shared = Arc::new((workspace, understanding));
    Ok(Box::new(move |first, second| {
        let (shared, channels) = (shared.clone(), [first.to_owned(), second.to_owned()]);
        Box::pin(async move { open(&shared.0, &shared.1, &channels).await })
    }))
}

/// A provider that plays for one conversation.
struct Playing {
    provider: Arc<dyn Provider>,
    outbox: Outbox,
    listener: TcpListener,
}

async fn open(workspace: &Workspace, understanding: &Understanding, channels: &[String; 2]) -> Result<Desk> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("there is no free port")?;
    let base = format!("http://{}", listener.local_addr().context("the listener has no address")?);
    let mut settings = vec![("server", "public_base_url", base.clone())];
    let mut playing = Vec::new();
    for provider in providers::all().into_iter().filter(|one| channels.iter().any(|c| c == one.channel())) {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("there is no free port")?;
        let api = format!("http://{}", listener.local_addr().context("the provider has no address")?);
        settings.extend(provider.settings(&api, &base));
        playing.push(Playing { provider: provider.into(), outbox: Outbox::default(), listener });
    }
    let trial = Trial::open(&workspace.with(&settings), understanding, None, None).await?;
    let Trial { app, shop, clearing } = trial;
    let app = Arc::new(app);
    let customer = shop.customers().into_iter().find(|one| one.id == CUSTOMER).context("no such customer")?;
    let (stored, key) = keys::mint(app.clock.as_ref(), "audit", &[], None);
    app.store.add_key(&stored).await?;
    let client = Client::builder().no_proxy().build().context("there is no client")?;
    let desk = Reached { app: app.clone(), base, client, key, customer };
    let (router, stopped) = (web::router(app.clone()), clearing.shutdown.clone().cancelled_owned());
    clearing.tasks.spawn(async move {
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
            tracing::error!(error = %error, "the listener of the audit stopped");
        }
    });
    let mut lines = lines(&desk, playing, channels, &clearing).await?;
    let mut line = |channel: &str| {
        let place = lines.iter().position(|line| line.channel() == channel);
        place.map(|at| lines.swap_remove(at)).with_context(|| format!("there is no channel `{channel}`"))
    };
    let [first, second] = channels;
    Ok(Desk {
        first: line(first)?,
        second: line(second)?,
        app: Some(app.clone()),
        rest: Box::new(|desk| {
            Box::pin(async move {
                if let Some(app) = &desk.app {
                    app.pipeline.drain().await;
                }
                Ok(())
            })
        }),
        end: Box::new(move || Box::pin(async move { clearing.end(&app).await })),
    })
}

/// The customer's ends of these channels, each linked to them by the operator's word.
async fn lines(
    desk: &Reached,
    playing: Vec<Playing>,
    channels: &[String; 2],
    clearing: &Clearing,
) -> Result<Vec<Box<dyn Line>>> {
    let mut lines: Vec<Box<dyn Line>> = Vec::new();
    for Playing { provider, outbox, listener, .. } in playing {
        let serving = provider.serve(listener, outbox.clone());
        clearing.tasks.spawn(clearing.shutdown.clone().run_until_cancelled_owned(serving));
        if provider.channel() == voice::NAME {
            let address = provider.address(NUMBER);
            desk.link(voice::NAME, &address).await?;
            lines.push(Box::new(Phone {
                desk: desk.clone(),
                address,
                call: Mutex::default(),
                heard: Mutex::default(),
            }));
            continue;
        }
        let line = Played {
            desk: desk.clone(),
            address: provider.address(NUMBER),
            provider,
            outbox,
            said: AtomicU64::new(0),
        };
        desk.link(line.channel(), &line.address).await?;
        lines.push(Box::new(line));
    }
    if channels.iter().any(|channel| channel == in_app::NAME) {
        lines.push(Box::new(InApp { desk: desk.clone(), said: AtomicU64::new(0) }));
    }
    if channels.iter().any(|channel| channel == web_chat::NAME) {
        lines.push(Box::new(WebChat::begin(desk)));
    }
    Ok(lines)
}

/// The service as its customer and its operator reach it.
#[derive(Clone)]
struct Reached {
    app: Arc<App>,
    base: String,
    client: Client,
    key: String,
    customer: DemoCustomer,
}

impl Reached {
    /// The operator vouches that an address is the customer's.
    async fn link(&self, channel: &str, address: &str) -> Result<()> {
        let body = json!({"channel": channel, "address": address});
        let path = format!("/v1/customers/external:{}/identities", self.customer.id);
        self.post(&path, &self.key, &body).await.map(drop)
    }

    async fn post(&self, path: &str, bearer: &str, body: &Value) -> Result<Value> {
        let request = self.client.post(format!("{}{path}", self.base)).bearer_auth(bearer).json(body);
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("{path} answered {status}: {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("{path} answered no JSON"))
    }
}

/// A channel whose provider is played.
struct Played {
    desk: Reached,
    provider: Arc<dyn Provider>,
    outbox: Outbox,
    address: String,
    said: AtomicU64,
}

impl Line for Played {
    fn channel(&self) -> &str {
        self.provider.channel()
    }

    fn proves(&self) -> bool {
        self.provider.proves()
    }

    fn say<'a>(&'a self, text: &'a str) -> LocalBoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let id = 1000 + self.said.fetch_add(1, Ordering::Relaxed);
            let said = Said {
                from: &self.address,
                name: &self.desk.customer.name,
                text,
                id,
                at: self.desk.app.clock.now(),
            };
            let call = self.provider.says(&said, &self.desk.base);
            let answer = call.send(&self.desk.client, &self.desk.base).await?;
            if !answer.status().is_success() {
                bail!("the webhook answered {}: {}", answer.status(), answer.text().await?);
            }
            Ok(())
        })
    }

    fn heard(&self) -> LocalBoxFuture<'_, Result<Vec<String>>> {
        let sent = self.outbox.all().into_iter().map(|sent| sent.text).collect();
        Box::pin(std::future::ready(Ok(sent)))
    }
}

/// The phone: one call, from its first ring.
struct Phone {
    desk: Reached,
    address: String,
    call: Mutex<Option<Call>>,
    heard: Mutex<Vec<String>>,
}

impl Line for Phone {
    fn channel(&self) -> &str {
        voice::NAME
    }

    fn proves(&self) -> bool {
        false
    }

    fn live(&self) -> bool {
        true
    }

    fn say<'a>(&'a self, text: &'a str) -> LocalBoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut call = self.call.lock().await;
            let under_way = match call.take() {
                Some(call) => call,
                None => Call::begin(&self.desk.base, &self.address, 1).await?,
            };
            let said = call.insert(under_way).say(text).await?;
            self.heard.lock().await.extend(said);
            Ok(())
        })
    }

    fn heard(&self) -> LocalBoxFuture<'_, Result<Vec<String>>> {
        Box::pin(async { Ok(self.heard.lock().await.clone()) })
    }
}

/// The operator's own app, by `POST /v1/messages`.
struct InApp {
    desk: Reached,
    said: AtomicU64,
}

impl Line for InApp {
    fn channel(&self) -> &str {
        in_app::NAME
    }

    fn proves(&self) -> bool {
        true
    }

    fn say<'a>(&'a self, text: &'a str) -> LocalBoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let id = format!("audit-{}", self.said.fetch_add(1, Ordering::Relaxed));
            let customer = &self.desk.customer;
            let sender = json!({"id": customer.id, "name": customer.name, "verified": true});
            let body = json!({"id": id, "sender": sender, "text": text});
            self.desk.post("/v1/messages", &self.desk.key, &body).await.map(drop)
        })
    }

    fn heard(&self) -> LocalBoxFuture<'_, Result<Vec<String>>> {
        Box::pin(async move {
            let store = &self.desk.app.store;
            let (cases, _) =
                store.list_cases(&CaseFilter::default(), &Page { cursor: None, limit: 10 }).await?;
            let mut heard = Vec::new();
            for case in &cases {
                let thread = store.transcript(&case.id).await?;
                let told = thread.iter().filter(|message| {
                    message.author != Author::Customer
                        && message.visibility == Visibility::Public
                        && message.channel == in_app::NAME
                });
                heard.extend(told.map(|message| message.text.clone()));
            }
            Ok(heard)
        })
    }
}

/// The widget, with the customer signed in.
struct WebChat {
    desk: Reached,
    token: String,
    said: AtomicU64,
}

impl WebChat {
    fn begin(desk: &Reached) -> Self {
        let DemoCustomer { id, name, email, .. } = desk.customer.clone();
        let person = Person { external_id: id, name: Some(name), email: Some(email), phone: None };
        let until = desk.app.clock.now().plus_ms(SESSION_MS);
        let session = Session::begin(desk.app.clock.new_id(), Some(person), until);
        Self { desk: desk.clone(), token: desk.app.sessions.sign(&session), said: AtomicU64::new(0) }
    }
}

impl Line for WebChat {
    fn channel(&self) -> &str {
        web_chat::NAME
    }

    fn proves(&self) -> bool {
        true
    }

    fn say<'a>(&'a self, text: &'a str) -> LocalBoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let id = format!("audit-{}", self.said.fetch_add(1, Ordering::Relaxed));
            self.desk.post("/widget/messages", &self.token, &json!({"id": id, "text": text})).await.map(drop)
        })
    }

    fn heard(&self) -> LocalBoxFuture<'_, Result<Vec<String>>> {
        Box::pin(async move {
            let url = format!("{}/widget/messages", self.desk.base);
            let answer = self.desk.client.get(url).bearer_auth(&self.token).send().await?;
            let thread: Value = serde_json::from_str(&answer.text().await?)?;
            let items = thread["items"].as_array().context("the thread has no items")?.iter();
            let told = items.filter(|item| item["author"] != "customer");
            Ok(told.filter_map(|item| item["text"].as_str().map(str::to_owned)).collect())
        })
    }
}
