//! `firstline chat`: a conversation in the terminal, through the same pipeline as every channel.

use std::io::Write;
use std::sync::Arc;

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::serve::session_secret;
use super::shop::open_shop;
use super::workspace::Workspace;
use super::{Failure, Globals, output};
use crate::app::{App, SystemClock, Understanding};
use crate::demo::DemoCustomer;
use crate::domain::assurance::Assurance;
use crate::domain::message::{InboundMessage, Sender};
use crate::pipeline::Ended;
use crate::telemetry;

/// What `chat` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The channel to speak on
    #[arg(long, default_value = "web_chat")]
    channel: String,
    /// Speak as the customer with this email address, as if signed in
    #[arg(long = "as", value_name = "EMAIL")]
    speak_as: Option<String>,
}

pub(super) async fn run(globals: &Globals, options: Options) -> Result<(), Failure> {
    let workspace = Workspace::find(globals)?;
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let mut config = workspace.config(None)?;
    let mut customers = Vec::new();
    if workspace.demo {
        // The conversation has a shop of its own, as on its opening day: a running service keeps its journal locked.
        let (shop, address) = open_shop(None, Arc::new(SystemClock), &tasks, shutdown.clone()).await?;
        customers = shop.customers();
        config = workspace.config(Some(&address))?;
    }
    let sender = sender(options.speak_as.as_deref(), &customers, workspace.demo)?;
    "warn".clone_into(&mut config.telemetry.log);
    let exports = telemetry::start(&config.telemetry).map_err(Failure::usage)?;
    let cache = Workspace::cache(&config);
    let secret = session_secret(&config)?;
    let (understanding, _) =
        Understanding::build(&config, workspace.origin(), cache).map_err(Failure::usage)?;
    let wait_ms = config.worker.turn_timeout_ms;
    let app = App::build(config, understanding, Arc::new(SystemClock), &secret, telemetry::metrics())
        .await
        .map_err(Failure::usage)?;
    if app.pipeline.parts().channels.get(&options.channel).is_none() {
        return Err(Failure::Usage(format!("there is no channel `{}`", options.channel)));
    }
    app.start_servers().await;
    app.pipeline.start();
    output::remark("Write a message and press Enter; Ctrl-D ends.");
    let conversation = app.clock.new_id().to_string();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        prompt();
        let Some(text) = lines.next_line().await.context("the input could not be read")? else { break };
        if text.trim().is_empty() {
            continue;
        }
        let message = InboundMessage {
            channel: options.channel.clone(),
            external_id: app.clock.new_id().to_string(),
            conversation: conversation.clone(),
            sender: sender.clone(),
            text,
            attachments: Vec::new(),
            sent_at: None,
            threading: None,
        };
        let accepted = app.pipeline.ingest(message).await.map_err(Failure::usage)?;
        show(&app.pipeline.wait(&accepted, wait_ms).await.map_err(Failure::usage)?);
    }
    shutdown.cancel();
    app.stop().await;
    exports.stop().await;
    Ok(())
}

fn prompt() {
    let mut out = std::io::stdout().lock();
    _ = write!(out, "> ").and_then(|()| out.flush());
}

fn show(ended: &Ended) {
    for reply in &ended.replies {
        output::line(&reply.text);
        for (at, choice) in reply.choices.iter().enumerate() {
            output::line(&format!("  {}. {choice}", at + 1));
        }
    }
    match ended.outcome {
        Some(outcome) => {
            let reason =
                ended.handoff.as_ref().map_or_else(String::new, |handoff| format!(": {}", handoff.reason));
            output::remark(&format!("[{}{reason}]", outcome.as_str()));
        }
        None => output::remark("[pending]"),
    }
}

fn sender(email: Option<&str>, customers: &[DemoCustomer], demo: bool) -> Result<Sender, Failure> {
    let Some(email) = email else {
        return Ok(Sender {
            address: "terminal".to_owned(),
            name: None,
            email: None,
            phone: None,
            assurance: Assurance::Anonymous,
            proof: "terminal",
            external_id: None,
        });
    };
    let known = customers.iter().find(|customer| customer.email.eq_ignore_ascii_case(email));
    if demo && known.is_none() {
        return Err(Failure::Usage(format!(
            "the demo has no customer `{email}`; see /demo/customers.json of `serve`"
        )));
    }
    // Whoever runs this command vouches for the address, as the operator's own server would.
    let id = known.map_or_else(|| email.to_owned(), |customer| customer.id.clone());
    Ok(Sender {
        address: id.clone(),
        name: known.map(|customer| customer.name.clone()),
        email: Some(email.to_owned()),
        phone: known.map(|customer| customer.phone.clone()),
        assurance: Assurance::Verified,
        proof: "terminal",
        external_id: Some(id),
    })
}
