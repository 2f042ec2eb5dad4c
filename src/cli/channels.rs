//! `firstline channels simulate`: plays a channel's provider in the terminal, so that it can be tried without an account.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;

use super::{Failure, output};
use crate::app::SystemClock;
use crate::channels::voice;
use crate::config::setting_name;
use crate::domain::time::Clock;
use crate::providers::voice::Call;
use crate::providers::{self, Outbox, Provider, Said};

/// Pause between two looks for what the service has sent.
const LOOK_MS: u64 = 100;

/// What `channels` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Play the provider of a channel: what you type arrives as a customer's message, what the service sends is shown
    Simulate(Simulate),
}

#[derive(Debug, clap::Args)]
struct Simulate {
    /// The channel
    name: String,
    /// Where the provider's own interface is served
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where the service is
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    service: String,
    /// Which customer writes; each has an address of their own
    #[arg(long, default_value_t = 1, value_name = "N")]
    customer: u32,
    /// The address they write from, instead
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
}

pub(super) async fn run(options: Options) -> Result<(), Failure> {
    let What::Simulate(options) = options.what;
    let all = providers::all();
    let names: Vec<&str> = all.iter().map(|one| one.channel()).collect();
    let unknown =
        format!("there is no provider of `{}` to play; there are {}", options.name, names.join(", "));
    let provider =
        all.into_iter().find(|one| one.channel() == options.name).ok_or(Failure::Usage(unknown))?;
    let provider: Arc<dyn Provider> = provider.into();
    let listener = TcpListener::bind(options.listen).await.map_err(|error| {
        Failure::Usage(format!("cannot listen on {}: {error}; choose another with --listen", options.listen))
    })?;
    let base = options.service.trim_end_matches('/').to_owned();
    let api = format!("http://{}", listener.local_addr().context("the listener has no address")?);
    output::remark("Start the service with these settings, then write here as the customer; Ctrl-D ends.");
    for (section, key, value) in provider.settings(&api, &base) {
        output::remark(&format!("export {}='{value}'", setting_name(section, key)));
    }
    output::remark(&format!("export {}='{base}'", setting_name("server", "public_base_url")));
    let from = options.from.unwrap_or_else(|| provider.address(options.customer));
    if provider.channel() == voice::NAME {
        return Ok(call(&base, &from).await?);
    }
    let outbox = Outbox::default();
    tokio::select! {
        () = provider.serve(listener, outbox.clone()) => Ok(()),
        talked = talk(provider.as_ref(), &base, &from) => Ok(talked?),
        () = show(&outbox) => Ok(()),
    }
}

/// Posts every line as the customer's words.
async fn talk(provider: &dyn Provider, base: &str, from: &str) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().no_proxy().build().context("there is no client")?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(text) = lines.next_line().await.context("the input could not be read")? {
        if text.trim().is_empty() {
            continue;
        }
        let at = SystemClock.now();
        let said = Said { from, name: "Alex Reader", text: &text, id: at.0.unsigned_abs(), at };
        match provider.says(&said, base).send(&client, base).await {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => {
                let status = answer.status();
                output::remark(&format!("the service answered {status}: {}", answer.text().await?));
            }
            Err(error) => output::remark(&format!("the service does not answer: {error}")),
        }
    }
    // What was said last may still be answered.
    tokio::time::sleep(Duration::from_millis(LOOK_MS * 20)).await;
    Ok(())
}

/// Rings up, says every line into the call, and shows what is said back.
async fn call(base: &str, from: &str) -> anyhow::Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut call: Option<Call> = None;
    while let Some(text) = lines.next_line().await.context("the input could not be read")? {
        let going_on = call.take().filter(|call| !call.over() && call.transferred().is_none());
        let under_way = if let Some(call) = going_on {
            call
        } else {
            let new = Call::begin(base, from, SystemClock.now().0.unsigned_abs()).await?;
            new.greeting().iter().for_each(|said| output::line(said));
            new
        };
        let call = call.insert(under_way);
        // An empty line is a silence.
        let said = if text.trim().is_empty() { call.stay_silent().await } else { call.say(&text).await };
        said?.iter().for_each(|said| output::line(said));
        if let Some(number) = call.transferred() {
            output::remark(&format!("[the call is put through to {number}]"));
            for said in call.whisper().await? {
                output::remark(&format!("[the person who takes it hears: {said}]"));
            }
        } else if call.over() {
            output::remark("[the call is over]");
        }
    }
    Ok(())
}

/// Shows what the service sends.
async fn show(outbox: &Outbox) {
    let mut shown = 0;
    loop {
        for sent in outbox.all().into_iter().skip(shown) {
            shown += 1;
            output::line(&sent.text);
            for choice in &sent.choices {
                output::line(&format!("  [{choice}]"));
            }
            _ = std::io::stdout().flush();
        }
        tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
    }
}
