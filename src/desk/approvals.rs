//! The write that waits for a person's word: what it would do, who may decide, and how it stands by the log.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::reach;
use crate::config::Config;
use crate::domain::case::Case;
use crate::domain::event::{Event, EventKind};
use crate::domain::handoff::{Approval, Handoff};
use crate::domain::ids::{ApprovalId, HandoffId, TeamId};
use crate::domain::receipt::{CallStatus, Effect, Receipt};
use crate::domain::role::{Right, may};
use crate::domain::team::Agent;
use crate::domain::time::Timestamp;
use crate::store::{Store, StoreError};

/// What a person decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It runs, exactly as shown.
    Approved,
    /// It does not run.
    Refused,
}

impl Decision {
    /// Reads the name of the act that takes it, `approve` or `refuse`.
    pub fn of_act(act: &str) -> Option<Self> {
        match act {
            "approve" => Some(Self::Approved),
            "refuse" => Some(Self::Refused),
            _ => None,
        }
    }

    /// The name used in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Refused => "refused",
        }
    }
}

/// How an approval stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has decided, and there is time.
    Waiting,
    /// Nobody has decided in time.
    Expired,
    /// The case was settled or given back before anybody decided.
    Over,
    /// Somebody decided.
    Decided {
        /// What.
        decision: Decision,
        /// Who, as the log names them.
        by: String,
        /// When.
        at: Timestamp,
        /// How the write ended; none for a refusal, and while it is under way.
        outcome: Option<CallStatus>,
    },
}

/// An approval and the handoff it came with.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// The handoff.
    pub handoff: HandoffId,
    /// What would be done.
    pub approval: Approval,
    /// How it stands.
    pub standing: Standing,
}

/// The approval of a case's newest handoff; an older one is void with the handoff it came with.
pub async fn of_case(store: &Store, case: &Case, now: Timestamp) -> Result<Option<Pending>, StoreError> {
    let Some(Handoff { id, note, .. }) = store.handoff(&case.id).await? else { return Ok(None) };
    let Some(approval) = note.approval else { return Ok(None) };
    let events = store.events(&case.id, 0, i64::MAX).await?;
    let receipts = store.receipts(&case.id).await?;
    let standing = standing(case, &id, &approval, &events, &receipts, now);
    Ok(Some(Pending { handoff: id, approval, standing }))
}

/// Whether an agent may decide about what waits with a team: by their role, and its own people or those who reach every
/// team. That a case was assigned to them is not enough.
pub fn may_decide(agent: &Agent, team: Option<&TeamId>, config: &Config) -> bool {
    may(agent.role, Right::Approve) && reach::of(agent, config).covers(team)
}

#[derive(Deserialize)]
struct DecidedBody {
    approval: ApprovalId,
    decision: Decision,
    by: String,
}

fn standing(
    case: &Case,
    handoff: &HandoffId,
    approval: &Approval,
    events: &[Event],
    receipts: &[Arc<Receipt>],
    now: Timestamp,
) -> Standing {
    let of_handoff = |event: &&Event| {
        let body: Value = serde_json::from_str(&event.body).unwrap_or_default();
        event.kind == EventKind::HandedOff.as_str()
            && body.get("handoff").and_then(Value::as_str) == Some(handoff.as_str())
    };
    let handed_at = events.iter().find(of_handoff).map_or(0, |event| event.seq);
    let since = || events.iter().filter(move |event| event.seq > handed_at);
    let decided =
        since().filter(|event| event.kind == EventKind::ApprovalDecided.as_str()).find_map(|event| {
            let body: DecidedBody = serde_json::from_str(&event.body).ok()?;
            (body.approval == approval.id).then_some((body, event.at))
        });
    if let Some((DecidedBody { decision, by, .. }, at)) = decided {
        // Also one that housekeeping wrote for a write whose process died.
        let arguments: Value = serde_json::from_str(&approval.arguments).unwrap_or_default();
        let its = |receipt: &&Arc<Receipt>| {
            receipt.effect == Effect::Write
                && receipt.tool == approval.tool
                && receipt.arguments == arguments
                && receipt.at >= at
        };
        let outcome = match decision {
            Decision::Approved => receipts.iter().find(its).map(|receipt| receipt.status),
            Decision::Refused => None,
        };
        return Standing::Decided { decision, by, at, outcome };
    }
    let ends = [EventKind::Resolved, EventKind::Returned, EventKind::Closed].map(EventKind::as_str);
    if !case.state.with_people() || since().any(|event| ends.contains(&event.kind.as_str())) {
        return Standing::Over;
    }
    if now > approval.expires_at { Standing::Expired } else { Standing::Waiting }
}
