//! What stands beside the thread: the note, the customer, the records that tools gave, and why it came so.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::super::Edge;
use super::super::frame::People;
use super::super::shown;
use super::{customer, why};
use crate::desk::note::said_by;
use crate::domain::case::Case;
use crate::domain::handoff::Handoff;
use crate::domain::receipt::{CallStatus, Effect, Receipt};
use crate::store::{CaseFile, StoreError};

/// Lines of the log that are shown, the newest.
const EVENTS_MAX: i64 = 500;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Panel {
    Note,
    Customer,
    Records,
    Why,
}

impl Panel {
    const ALL: [Self; 4] = [Self::Note, Self::Customer, Self::Records, Self::Why];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Customer => "customer",
            Self::Records => "records",
            Self::Why => "why",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|panel| panel.as_str() == text)
    }
}

/// The panels that there are to choose from.
pub(super) fn tabs(handed_over: bool, log: bool) -> Value {
    let words = |panel| match panel {
        Panel::Note => "Note",
        Panel::Customer => "Customer",
        Panel::Records => "Orders and records",
        Panel::Why => "Why?",
    };
    let there = Panel::ALL.into_iter().filter(|panel| match panel {
        Panel::Note => handed_over,
        Panel::Why => log,
        Panel::Customer | Panel::Records => true,
    });
    there.map(|panel| json!({"id": panel.as_str(), "words": words(panel)})).collect()
}

/// What the chosen one shows.
pub(super) async fn panel(
    edge: &Edge,
    file: &CaseFile,
    people: &People,
    (chosen, handoff, others): (Panel, Option<&Handoff>, &[Case]),
) -> Result<Value, StoreError> {
    let store = &edge.app.store;
    Ok(match chosen {
        Panel::Note => handoff.map(|handoff| shown::note(edge, handoff)).unwrap_or_default(),
        Panel::Customer => customer::panel(edge, file, people, others).await?,
        Panel::Records => records(edge, file, &store.receipts(&file.case.id).await?),
        Panel::Why => {
            let after = (file.case.event_seq - EVENTS_MAX).max(0);
            let events = store.events(&file.case.id, after, EVENTS_MAX).await?;
            let receipts = store.receipts(&file.case.id).await?;
            let declared = edge.app.pipeline.parts().declared(None);
            let told = why::Telling { declared: &declared, people, receipts: &receipts };
            json!({"earlier": after, "lines": events.iter().map(|event| told.line(event)).collect::<Vec<Value>>()})
        }
    })
}

/// The newest answer to each question that only reads, and what could be asked beside it.
fn records(edge: &Edge, file: &CaseFile, receipts: &[std::sync::Arc<Receipt>]) -> Value {
    let parts = edge.app.pipeline.parts();
    let mut seen = BTreeSet::new();
    let mut shown_records = Vec::new();
    for receipt in receipts.iter().rev().filter(|receipt| receipt.effect == Effect::Read) {
        if !seen.insert((receipt.tool.clone(), receipt.arguments.to_string())) {
            continue;
        }
        let declared = parts.declared(Some(&receipt.tool));
        shown_records.push(json!({
            "id": receipt.id, "tool": receipt.tool, "words": declared.words(&receipt.tool),
            "arguments": declared.arguments(&receipt.arguments), "call": receipt.arguments.to_string(),
            "status": receipt.status.as_str(), "failed": receipt.status != CallStatus::Done,
            "at": receipt.at, "said": said_by(&receipt.result),
            "error": receipt.result.pointer("/error/message").and_then(Value::as_str),
        }));
    }
    let declared = parts.declared(None);
    let contents = parts.toolbox.contents();
    let askable: Vec<Value> = contents
        .tools()
        .filter(|tool| tool.effect == Effect::Read && needs_nothing(&tool.parameters))
        .filter(|tool| !seen.contains(&(tool.name.clone(), "{}".to_owned())))
        .map(|tool| json!({"tool": tool.name, "words": declared.words(&tool.name)}))
        .collect();
    let writes: Vec<Value> = receipts
        .iter()
        .rev()
        .filter(|receipt| receipt.effect == Effect::Write)
        .map(|receipt| {
            let declared = parts.declared(Some(&receipt.tool));
            json!({
                "id": receipt.id, "words": declared.words(&receipt.tool), "status": receipt.status.as_str(),
                "failed": receipt.status != CallStatus::Done, "at": receipt.at,
                "arguments": declared.arguments(&receipt.arguments), "said": said_by(&receipt.result),
            })
        })
        .collect();
    json!({"records": shown_records, "askable": askable, "writes": writes, "assurance": shown::assurance(file.case.assurance)})
}

/// Whether a call can be made without saying anything.
fn needs_nothing(parameters: &Value) -> bool {
    parameters.get("required").and_then(Value::as_array).is_none_or(Vec::is_empty)
}
