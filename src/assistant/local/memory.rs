//! What the local assistant remembers between the turns of a case. Stored with the case as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The notes of one case.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    /// The procedure under way.
    pub(super) frame: Option<Frame>,
    /// Procedures that were interrupted, the newest last.
    pub(super) paused: Vec<Frame>,
    /// Requests that came together with one that had to ask something; they have their turn when it is done.
    pub(super) later: Vec<Later>,
    /// What the customer settled earlier, by slot name: nothing is asked twice.
    pub(super) known: BTreeMap<String, Value>,
    /// What we asked outside any procedure.
    pub(super) offer: Option<Offer>,
    /// Turns in a row in which we had nothing to give.
    pub(super) failures: u32,
    /// The last request's procedure, to notice the same ask again.
    pub(super) last_intent: Option<String>,
    /// How often in a row it was that one without being settled.
    pub(super) repeats: u32,
    /// The customer was told to sign in; "if you cannot, say so" was promised with it.
    pub(super) told_to_sign_in: bool,
    /// The case was settled by the last turn.
    pub(super) settled: bool,
    /// The procedure that answered last.
    pub(super) answered: Option<String>,
    /// What was worked on last.
    pub(super) matter: Option<Matter>,
    /// Details of somebody unproven that fitted a record.
    pub(super) matched: Option<Match>,
}

/// What a customer wants, in their words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Matter {
    /// The procedure for it; none where the articles were asked.
    pub(super) procedure: Option<String>,
    /// The words.
    pub(super) request: String,
}

/// What fitted, and where it was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Match {
    /// The channel.
    pub(super) channel: String,
    /// The conversation on it.
    pub(super) conversation: String,
    /// The details by slot name.
    pub(super) slots: BTreeMap<String, Value>,
}

/// A request that waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Later {
    /// The procedure to begin; none looks for an answer in the articles.
    pub(super) procedure: Option<String>,
    /// The customer's words.
    pub(super) request: String,
}

/// A question outside any procedure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Offer {
    /// Shall a person look at it?
    Person,
    /// Which of these matters is it? Procedure ids in the order shown, and the request itself.
    Matter {
        /// Procedure ids as offered.
        procedures: Vec<String>,
        /// The words that were unclear.
        request: String,
    },
}

/// A procedure under way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Frame {
    /// Its id.
    pub(super) procedure: String,
    /// The program this place belongs to.
    pub(super) version: String,
    /// The next instruction.
    pub(super) at: usize,
    /// The words that started it.
    pub(super) request: String,
    /// What is known by slot name.
    pub(super) slots: BTreeMap<String, Value>,
    /// What tools gave back by bound name.
    pub(super) results: BTreeMap<String, Value>,
    /// What we asked last.
    pub(super) asked: Option<Asked>,
    /// How often in a row the same was asked.
    pub(super) asks: u32,
    /// Candidates listed for a slot: value and label of each.
    pub(super) offered: BTreeMap<String, Vec<(Value, String)>>,
    /// The customer said yes; the write may be proposed.
    pub(super) agreed: bool,
    /// Values the customer turned down.
    pub(super) rejected: Vec<Value>,
    /// How often the details of somebody unproven fitted nothing.
    pub(super) misses: u32,
}

/// What we wait for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Asked {
    /// The value of a slot.
    Slot(String),
    /// A yes to a write.
    Write,
    /// Other details than those that fitted nothing.
    Match,
}

impl Memory {
    /// Reads the stored notes; notes of an older release that no longer read begin anew.
    pub(super) fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// The notes as stored.
    pub(super) fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
