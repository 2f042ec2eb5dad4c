//! A channel that pushes, for the tests that kill the process: every message sent becomes a line of a file, at once
//! and for good, as with a provider of text messages. A second copy is a second line.

use std::fs::OpenOptions;
use std::io::Write;

use futures_util::future::BoxFuture;
use serde_json::json;

use super::{ChannelAdapter, ChannelError, Incoming, NO_WEBHOOK, Outgoing, Webhook};

/// Its name in the record; messages to it come in over `POST /v1/messages`.
pub const NAME: &str = "pushed";

/// Where it writes, one JSON object per line, seen from the folder in which the service runs.
const FILE: &str = "data/pushed.jsonl";

/// Takes everything and keeps it.
#[derive(Debug, Clone, Copy)]
pub struct Pushed;

impl ChannelAdapter for Pushed {
    fn name(&self) -> &'static str {
        NAME
    }

    fn verify(&self, _: &Webhook<'_>) -> Result<(), ChannelError> {
        Err(NO_WEBHOOK)
    }

    fn parse(&self, _: &Webhook<'_>) -> Result<Vec<Incoming>, ChannelError> {
        Err(NO_WEBHOOK)
    }

    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Option<String>, ChannelError>> {
        let line = json!({
            "conversation": outgoing.delivery.conversation,
            "message": outgoing.message.id,
            "text": outgoing.text,
        });
        let written = OpenOptions::new().create(true).append(true).open(FILE).and_then(|mut file| {
            file.write_all(format!("{line}\n").as_bytes())?;
            file.sync_all()
        });
        let answer = written.map(|()| None).map_err(|error| ChannelError::Unknown(error.to_string()));
        Box::pin(std::future::ready(answer))
    }
}
