//! `firstline summarize`: conversations in, two or three sentences out, JSON lines.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Failure;
use super::lines::{self, Answered, Files};
use crate::desk::summary::{self, Said};
use crate::domain::message::Author;

/// What `summarize` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    files: Files,
}

#[derive(Deserialize)]
struct Conversation {
    id: Value,
    messages: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    author: Author,
    text: String,
    #[serde(default)]
    channel: Option<String>,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    lines::answer(&options.files, |line| match serde_json::from_str::<Conversation>(line) {
        Ok(conversation) => {
            let said: Vec<Said<'_>> = conversation
                .messages
                .iter()
                .map(|m| Said { author: m.author, text: &m.text, channel: m.channel.as_deref() })
                .collect();
            let answer = json!({"id": conversation.id, "summary": summary::summarize(&said)});
            Answered { line: answer.to_string(), bad: false }
        }
        Err(error) => {
            lines::bad(line, &format!("{error}; a line is {{\"id\",\"messages\":[{{\"author\",\"text\"}}]}}"))
        }
    })
}
