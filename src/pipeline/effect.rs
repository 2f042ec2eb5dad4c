//! A proposed call: permitted or not, and if it writes, claimed before it is sent and settled after.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Parts;
use super::resolve::Carried;
use super::turn::TurnError;
use super::write::{self, Call};
use crate::assistant::Seen;
use crate::domain::case::CaseState;
use crate::domain::event::EventKind;
use crate::domain::handoff::Approval;
use crate::domain::ids::{ApprovalId, ProcedureId};
use crate::domain::procedure::Procedure;
use crate::domain::receipt::{CallStatus, Effect, LedgerEntry, Receipt};
use crate::domain::time::Timestamp;
use crate::domain::turn::Turn;
use crate::failpoints;
use crate::language::signals;
use crate::store::{CaseFile, Change, CommitError, Draftbook, Refusal};
use crate::tools::authority::{self, Permit, Spent};
use crate::tools::{CallResult, ToolSpec, ledger};

/// One proposed call.
pub(super) struct Asking<'a> {
    pub(super) turn: &'a Turn,
    pub(super) file: &'a Arc<CaseFile>,
    pub(super) tool: &'a str,
    pub(super) arguments: &'a Value,
    pub(super) intent: Option<ProcedureId>,
    /// The name a model gave to the call.
    pub(super) name: Option<Arc<str>>,
}

impl Asking<'_> {
    fn call(&self) -> Call<'_> {
        Call {
            file: self.file,
            tool: self.tool,
            arguments: self.arguments,
            made_by: &self.turn.id,
            name: self.name.as_deref(),
        }
    }
}

/// What came of it.
pub(super) enum Called {
    /// The assistant may see this.
    Seen(Seen),
    /// A person must approve it.
    Approval(Approval),
    /// The case changed before the write was claimed: nothing was done.
    Stale,
}

const HOUR_MS: i64 = 3_600_000;
/// The window of the limits "per day".
const DAY_MS: i64 = 24 * HOUR_MS;

/// Puts a call through the rules and, if they permit it, through.
pub(super) async fn call(
    parts: &Parts,
    asking: Asking<'_>,
    carried: &mut Carried,
) -> Result<Called, TurnError> {
    let Asking { file, tool, arguments, .. } = &asking;
    let now = parts.clock.now();
    let spec = parts.toolbox.tool(tool);
    let tried = Tries::of(parts, &asking, spec.as_deref());
    let failures = tried.failures(parts).await?;
    let spent = match spec {
        Some(spec) if spec.effect == Effect::Read => Spent { failures, ..Spent::default() },
        // Also for a tool that is not there: it may be there a moment later, when the rules look.
        Some(_) | None => {
            let sums = parts.store.ledger_today(&file.customer.id, tool, now.plus_ms(-DAY_MS)).await?;
            Spent { calls: sums.calls, amount_minor: sums.amount_minor, failures }
        }
    };
    let procedures = parts.knowledge.procedures();
    let procedure: Option<&Procedure> =
        asking.intent.as_ref().and_then(|id| procedures.iter().find(|procedure| procedure.id == *id));
    let permit = authority::permit(
        &parts.toolbox,
        tool,
        arguments,
        &authority::Asking {
            case: &file.case,
            customer: &file.customer,
            procedure,
            spent,
            messages: &file.messages,
            says_yes: |text, language| signals::affirmation_in(text, language) == Some(signals::Answer::Yes),
            now,
        },
    );
    match permit {
        Permit::Denied { reason, tell } => Ok(Called::Seen(denied(&asking, carried, reason, tell))),
        Permit::NeedsYes => Ok(Called::Seen(Seen::NeedsYes)),
        Permit::NeedsApproval { because } => {
            carried.events.push((
                EventKind::ToolDenied,
                json!({"tool": tool, "reason": "over_limit", "limit": because}),
            ));
            let expires_at = now.plus_ms(parts.config.limits.approvals_expire_hours.saturating_mul(HOUR_MS));
            let id = ApprovalId::new(parts.clock.new_id());
            Ok(Called::Approval(ledger::approval(id, tool, arguments, &because, expires_at)))
        }
        Permit::Allowed { key, amount_minor } => {
            if !tried.claim(parts).await? {
                let tell = "too many calls of this tool were refused within an hour".to_owned();
                return Ok(Called::Seen(denied(&asking, carried, "limit", tell)));
            }
            let called = match key {
                None => Called::Seen(read(parts, &asking, carried).await),
                Some(key) => write(parts, &asking, carried, key, amount_minor).await?,
            };
            tried.settle(parts, &called).await?;
            Ok(called)
        }
    }
}

/// A rule refused the call; the log says which.
fn denied(asking: &Asking<'_>, carried: &mut Carried, reason: &'static str, tell: String) -> Seen {
    carried.events.push((EventKind::ToolDenied, json!({"tool": asking.tool, "reason": reason})));
    metrics::counter!("firstline_tool_denied_total", "reason" => reason).increment(1);
    Seen::Denied { reason, tell }
}

/// One try of what could be guessed: counted before it is made, and forgotten unless the other side refused it. Where
/// nobody hears what came of it, it counts.
struct Tries {
    id: String,
    keys: Vec<String>,
    max: i64,
    now: Timestamp,
}

impl Tries {
    fn of(parts: &Parts, asking: &Asking<'_>, spec: Option<&ToolSpec>) -> Self {
        let limited = spec.and_then(|spec| Some((spec, spec.failures_per_hour?)));
        let keys = limited.map(|(spec, _)| authority::counted(spec, asking.arguments, &asking.file.customer));
        Self {
            id: parts.clock.new_id().to_string(),
            keys: keys.unwrap_or_default(),
            max: limited.map_or(0, |(_, max)| max),
            now: parts.clock.now(),
        }
    }

    /// How many of the last hour were refused, under the key with most.
    async fn failures(&self, parts: &Parts) -> Result<i64, TurnError> {
        let mut most = 0;
        for key in &self.keys {
            most = most.max(parts.store.tries(key, self.now.plus_ms(-HOUR_MS)).await?);
        }
        Ok(most)
    }

    /// Counts it; `false`: others came in between, and it may not be made.
    async fn claim(&self, parts: &Parts) -> Result<bool, TurnError> {
        if self.keys.is_empty() {
            return Ok(true);
        }
        let since = self.now.plus_ms(-HOUR_MS);
        Ok(parts.store.claim_try(&self.keys, &self.id, self.max, since, self.now).await?)
    }

    async fn settle(&self, parts: &Parts, called: &Called) -> Result<(), TurnError> {
        let refused =
            matches!(called, Called::Seen(Seen::Called(receipt)) if receipt.status == CallStatus::Refused);
        if refused || self.keys.is_empty() {
            return Ok(());
        }
        Ok(parts.store.forget_try(&self.id).await?)
    }
}

/// A read: what this turn has already looked up is not looked up again.
async fn read(parts: &Parts, asking: &Asking<'_>, carried: &mut Carried) -> Seen {
    let known = |r: &&Arc<Receipt>| {
        r.tool == asking.tool && r.arguments == *asking.arguments && r.status == CallStatus::Done
    };
    if let Some(receipt) = carried.receipts.iter().find(known) {
        return seen(receipt);
    }
    let result = write::dispatch(parts, asking.call(), None).await;
    let receipt = write::receipt(parts, asking.call(), Effect::Read, result);
    carried.events.push((EventKind::ToolCalled, write::logged(&receipt)));
    carried.receipts.push(receipt.clone());
    seen(&receipt)
}

fn seen(receipt: &Arc<Receipt>) -> Seen {
    Seen::Called(receipt.clone())
}

/// The proof of a write that was sent, or was about to be, and whose answer nobody has.
fn unknown(parts: &Parts, asking: &Asking<'_>, message: &str) -> Arc<Receipt> {
    let result = json!({"error": {"code": "unknown", "message": message}});
    let unknown = CallResult { status: CallStatus::Unknown, result, duration_ms: 0 };
    write::receipt(parts, asking.call(), Effect::Write, unknown)
}

/// A write: claimed under its key while the case is still as it was read, sent once, settled.
async fn write(
    parts: &Parts,
    asking: &Asking<'_>,
    carried: &mut Carried,
    key: String,
    amount_minor: Option<i64>,
) -> Result<Called, TurnError> {
    if let Some(earlier) = parts.store.ledger(&key).await? {
        let again = failpoints::planted("resend_on_unknown") && earlier.status.is_none();
        if !again {
            return Ok(Called::Seen(known_effect(parts, asking, &earlier).await?));
        }
    } else {
        match claim(parts, asking, &key, amount_minor).await {
            Ok(()) => {}
            Err(CommitError::Refused(Refusal::Stale)) => return Ok(Called::Stale),
            Err(CommitError::Refused(Refusal::AlreadyClaimed)) => {
                let receipt = unknown(parts, asking, "claimed before, without a result");
                return Ok(Called::Seen(seen(&receipt)));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let receipt = write::send(parts, asking.call(), &key, |_, _| ()).await?;
    carried.receipts.push(receipt.clone());
    Ok(Called::Seen(seen(&receipt)))
}

/// The effect was claimed before, by this turn before a crash or by an earlier yes: its result stands.
async fn known_effect(parts: &Parts, asking: &Asking<'_>, earlier: &LedgerEntry) -> Result<Seen, TurnError> {
    if earlier.status.is_some() {
        let receipts = parts.store.receipts(&asking.file.case.id).await?;
        let canonical = ledger::canonical_json(asking.arguments);
        let same = |r: &&Arc<Receipt>| {
            r.effect == Effect::Write
                && r.tool == asking.tool
                && ledger::canonical_json(&r.arguments) == canonical
        };
        if let Some(receipt) = receipts.iter().rev().find(same) {
            return Ok(seen(receipt));
        }
    }
    let receipt = unknown(parts, asking, "sent before; no answer was recorded");
    if earlier.status.is_none() {
        write::settle(parts, &earlier.key, &receipt, |_, _| ()).await?;
    }
    Ok(seen(&receipt))
}

/// Claims for a turn that is still ours and a case that is still the assistant's.
async fn claim(
    parts: &Parts,
    asking: &Asking<'_>,
    key: &str,
    amount_minor: Option<i64>,
) -> Result<(), CommitError> {
    let mut book = Draftbook::new(asking.file.case.clone(), parts.clock.now());
    if book.case.state != CaseState::Assistant {
        return Err(Refusal::Stale.into());
    }
    book.push(Change::HoldTurn { turn: asking.turn.id.clone(), epoch: asking.turn.epoch });
    write::claim(parts, asking.call(), key, amount_minor, book).await
}
