//! A scenario: who writes what on which channel, and what must be true at the end. One YAML file each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::model::Script;

/// One scenario as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, in one sentence.
    pub purpose: String,
    /// The suite it belongs to.
    pub suite: String,
    /// The channel it begins on.
    #[serde(default = "web_chat")]
    pub channel: String,
    /// Who writes.
    #[serde(default)]
    pub customer: Who,
    /// What is different in the world.
    #[serde(default)]
    pub world: World,
    /// What a language model says in it; the model assistant answers then.
    #[serde(default)]
    pub model: Option<Script>,
    /// What is written, in order.
    pub messages: Vec<Entry>,
    /// What must be true.
    pub expect: Expect,
    /// Its name: the file's.
    #[serde(skip)]
    pub name: String,
}

fn web_chat() -> String {
    "web_chat".to_owned()
}

/// Who writes.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Who {
    /// A customer of the demo by id, signed in; or `anonymous`.
    Named(String),
    /// Somebody who only says who they are.
    Claimed {
        /// The address they give.
        claimed: String,
    },
}

impl Default for Who {
    fn default() -> Self {
        Self::Named("anonymous".to_owned())
    }
}

/// What is different in the world of a scenario.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// What the shop does wrong.
    #[serde(default)]
    pub faults: Vec<Value>,
    /// The moment it plays at, RFC 3339; a Tuesday morning when nothing is said.
    #[serde(default)]
    pub at: Option<String>,
}

/// One thing that happens.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Entry {
    /// The customer writes.
    Text(String),
    /// The customer writes several messages before anybody reads the first.
    Burst(Vec<String>),
    /// The customer writes on another channel, or somebody else writes.
    Elsewhere(Elsewhere),
    /// An agent acts.
    Agent(AgentAct),
}

/// A message on another channel.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Elsewhere {
    /// The channel; it stays the channel from here on.
    pub channel: String,
    /// What is written.
    pub text: String,
    /// Somebody else whom nothing proves writes, in a conversation of their own, from here on.
    #[serde(default)]
    pub visitor: Option<String>,
}

/// What an agent does.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentAct {
    /// Writes this to the customer.
    pub agent: Option<String>,
    /// Gives the case back to the assistant.
    #[serde(default, rename = "return")]
    pub give_back: bool,
}

/// Words of which one must occur.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Said {
    /// These words.
    One(String),
    /// Any of these.
    Any(Vec<String>),
}

impl Said {
    /// The alternatives.
    pub fn parts(&self) -> &[String] {
        match self {
            Self::One(part) => std::slice::from_ref(part),
            Self::Any(parts) => parts,
        }
    }
}

/// What must be true at the end.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// What the last message came to.
    pub outcome: Option<Said>,
    /// The same per message, counted from 1.
    #[serde(default)]
    pub turns: BTreeMap<usize, TurnExpect>,
    /// What some reply must say.
    #[serde(default)]
    pub says: Vec<Said>,
    /// What no reply may say.
    #[serde(default)]
    pub never_says: Vec<String>,
    /// Procedures that must have been followed, each after some message.
    #[serde(default)]
    pub intents: Vec<String>,
    /// Tools that must or must not have been called.
    #[serde(default)]
    pub tools: Tools,
    /// The end state of the shop.
    #[serde(default)]
    pub world: End,
    /// What the handoff must hold, if there is to be one.
    pub handoff: Option<HandoffExpect>,
    /// Articles that some reply must cite.
    #[serde(default)]
    pub cites: Vec<String>,
    /// Whether the same question may be asked twice.
    #[serde(default)]
    pub asked_twice: Option<bool>,
}

/// What one message must come to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnExpect {
    /// The outcome.
    pub outcome: Option<Said>,
    /// What its replies must say.
    #[serde(default)]
    pub says: Vec<Said>,
    /// What they may not say.
    #[serde(default)]
    pub never_says: Vec<String>,
}

/// Tools by whether they were called.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tools {
    /// Must have been called.
    #[serde(default)]
    pub called: Vec<String>,
    /// Must not have been called.
    #[serde(default)]
    pub not_called: Vec<String>,
}

/// The end state of the shop.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// Status by order.
    #[serde(default)]
    pub orders: BTreeMap<String, String>,
    /// How many refunds were made since the opening.
    pub refunds: Option<usize>,
    /// How many effects there were.
    pub effects: Option<usize>,
}

/// What the handoff must hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandoffExpect {
    /// Where it went.
    pub team: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// How soon.
    pub urgency: Option<String>,
    /// The tool that waits for approval.
    pub approval: Option<String>,
    /// Words the note must hold.
    #[serde(default)]
    pub note_has: Vec<String>,
    /// Words that neither its issue nor what is wanted may hold.
    #[serde(default)]
    pub matter_lacks: Vec<String>,
    /// Fields that must be known.
    #[serde(default)]
    pub filled: Vec<String>,
}

/// Reads all scenarios of a folder, by name. Every problem is told, with its file.
pub fn read(folder: &Path) -> Result<Vec<Scenario>, Vec<String>> {
    let mut files = Vec::new();
    let mut problems = Vec::new();
    walk(folder, &mut files, &mut problems);
    files.sort();
    let mut scenarios = Vec::new();
    for file in files {
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(&file).map_err(|error| error.to_string());
        let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        match text.and_then(|text| parse(&text, &name)) {
            Ok(scenario) => scenarios.push(scenario),
            Err(problem) => problems.push(format!("{shown}: {problem}")),
        }
    }
    if problems.is_empty() { Ok(scenarios) } else { Err(problems) }
}

/// Reads one scenario.
pub fn parse(text: &str, name: &str) -> Result<Scenario, String> {
    let mut scenario: Scenario = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    name.clone_into(&mut scenario.name);
    if scenario.messages.is_empty() {
        return Err("`messages` is empty; write at least one".to_owned());
    }
    let known = ["resolved", "replied", "handed_off", "silent"];
    let outcomes = scenario.expect.turns.values().filter_map(|turn| turn.outcome.as_ref());
    for outcome in outcomes.chain(&scenario.expect.outcome).flat_map(Said::parts) {
        if !known.contains(&outcome.as_str()) {
            return Err(format!("`{outcome}` is no outcome; write one of {}", known.join(", ")));
        }
    }
    if let Some(turn) =
        scenario.expect.turns.keys().find(|turn| **turn == 0 || **turn > scenario.messages.len())
    {
        return Err(format!("`turns` names message {turn}, and there are {}", scenario.messages.len()));
    }
    Ok(scenario)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>, problems: &mut Vec<String>) {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            problems.push(format!("{}: {error}", folder.display()));
            return;
        }
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, files, problems);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
}
