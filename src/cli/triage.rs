//! `firstline triage`: what messages are about, JSON lines in and out.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lines::{self, Answered, Files};
use super::workspace::Workspace;
use super::{Failure, Globals};
use crate::app::Understanding;
use crate::domain::triage::Triage;

/// What `triage` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    files: Files,
}

#[derive(Deserialize)]
struct Line {
    id: Value,
    text: String,
    #[serde(default, rename = "channel")]
    _channel: Option<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    id: &'a Value,
    #[serde(flatten)]
    triage: Triage,
}

pub(super) fn run(globals: &Globals, options: &Options) -> Result<(), Failure> {
    let workspace = Workspace::find(globals)?;
    let config = workspace.config(None)?;
    let cache = Workspace::cache(&config);
    let (understanding, _) =
        Understanding::build(&config, workspace.origin(), cache).map_err(Failure::usage)?;
    lines::answer(&options.files, |line| match serde_json::from_str::<Line>(line) {
        Ok(read) => {
            let answer = Answer { id: &read.id, triage: understanding.reader.triage(&read.text) };
            match serde_json::to_string(&answer) {
                Ok(line) => Answered { line, bad: false },
                Err(error) => lines::bad(line, &error.to_string()),
            }
        }
        Err(error) => lines::bad(line, &format!("{error}; a line is {{\"id\",\"text\"}}")),
    })
}
