//! A channel that pushes, for the tests that kill the process: every message sent becomes a line of a file, at once
//! and for good, as with a provider of text messages. A second copy is a second line.

use std::fs::OpenOptions;
use std::io::Write;

use futures_util::future::BoxFuture;
use serde_json::json;

use super::{ChannelAdapter, ChannelError, ChannelLimits, Envelope};
use crate::domain::message::{InboundMessage, Message};

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

    fn limits(&self) -> ChannelLimits {
        ChannelLimits { text_chars_max: 4000, choices_max: 0, typing: false }
    }

    fn parse(&self, _: Envelope<'_>) -> Result<InboundMessage, ChannelError> {
        Err(ChannelError::Permanent("nothing comes in here".to_owned()))
    }

    fn send<'a>(
        &'a self,
        conversation: &'a str,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<(), ChannelError>> {
        let line = json!({"conversation": conversation, "message": message.id, "text": message.text});
        let written = OpenOptions::new().create(true).append(true).open(FILE).and_then(|mut file| {
            file.write_all(format!("{line}\n").as_bytes())?;
            file.sync_all()
        });
        let answer = written.map_err(|error| ChannelError::Unknown(error.to_string()));
        Box::pin(std::future::ready(answer))
    }
}
