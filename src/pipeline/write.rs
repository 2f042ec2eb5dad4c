//! A write that may run: claimed under its key before it is sent, sent once, settled after. The one way to an effect,
//! whether the customer's yes in a turn or a person's approval allowed it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Parts;
use super::turn::TurnError;
use crate::domain::customer::Customer;
use crate::domain::event::EventKind;
use crate::domain::ids::{ReceiptId, TurnId};
use crate::domain::receipt::{CallStatus, Effect, LedgerEntry, Receipt};
use crate::failpoints;
use crate::store::{CaseFile, Change, CommitError, Draftbook, Refusal};
use crate::tools::{self, CallResult, Caller, ledger};

/// A call that the rules permit, for the case as it was read.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) file: &'a CaseFile,
    pub(super) tool: &'a str,
    pub(super) arguments: &'a Value,
    /// The turn it is made in, or the approval it is made by.
    pub(super) made_by: &'a TurnId,
    /// The name a model gave to it.
    pub(super) name: Option<&'a str>,
}

/// Sends a permitted call; what is refused at the last look was not sent.
pub(super) async fn dispatch(parts: &Parts, call: Call<'_>, key: Option<&str>) -> CallResult {
    let Call { file, tool, arguments, name, .. } = call;
    let clock = parts.clock.as_ref();
    let caller = Caller { case: &file.case, customer: &file.customer, clock, call: name };
    match tools::dispatch(&parts.toolbox, tool, arguments, caller, key).await {
        Ok(result) => result,
        Err(error) => {
            // Permitted a moment ago and refused now: nothing was sent.
            let result = json!({"error": {"code": "not_sent", "message": error.to_string()}});
            CallResult { status: CallStatus::Failed, result, duration_ms: 0 }
        }
    }
}

/// The proof of a call.
pub(super) fn receipt(parts: &Parts, call: Call<'_>, effect: Effect, result: CallResult) -> Arc<Receipt> {
    Arc::new(Receipt {
        id: ReceiptId::new(parts.clock.new_id()),
        case: call.file.case.id.clone(),
        turn: call.made_by.clone(),
        tool: call.tool.to_owned(),
        effect,
        arguments: call.arguments.clone(),
        status: result.status,
        result: result.result,
        at: parts.clock.now(),
        duration_ms: result.duration_ms,
    })
}

/// What the log says about a call.
pub(super) fn logged(receipt: &Receipt) -> Value {
    json!({"receipt": receipt.id, "tool": receipt.tool, "status": receipt.status, "duration_ms": receipt.duration_ms})
}

/// Looks again before anything is sent: the claim, and what else the book says, is refused when the case has changed,
/// when the effect was claimed before, or when another claim for this customer came in between: limits are sums over
/// all cases of a customer, and two claims at once would each see the sum without the other.
pub(super) async fn claim(
    parts: &Parts,
    call: Call<'_>,
    key: &str,
    amount_minor: Option<i64>,
    mut book: Draftbook,
) -> Result<(), CommitError> {
    book.event(EventKind::ToolCalled, &json!({"tool": call.tool, "status": "claimed", "key": key}));
    book.push(Change::Claim(LedgerEntry {
        key: key.to_owned(),
        case: call.file.case.id.clone(),
        customer: call.file.customer.id.clone(),
        tool: call.tool.to_owned(),
        arguments: ledger::canonical_json(call.arguments),
        amount_minor,
        status: None,
        claimed_at: parts.clock.now(),
    }));
    let customer = &call.file.customer;
    let touched = Customer { version: customer.version + 1, ..Customer::clone(customer) };
    parts.store.commit(book.close(vec![Change::Customer(Arc::new(touched))])).await
}

/// Sends what was claimed, once, and settles it; `then` adds to the commit that settles.
pub(super) async fn send(
    parts: &Parts,
    call: Call<'_>,
    key: &str,
    then: impl Fn(&mut Draftbook, &Receipt),
) -> Result<Arc<Receipt>, TurnError> {
    failpoints::reach("write_claimed");
    let result = dispatch(parts, call, Some(key)).await;
    failpoints::reach("write_dispatched");
    let receipt = receipt(parts, call, Effect::Write, result);
    settle(parts, key, &receipt, then).await?;
    failpoints::reach("write_settled");
    Ok(receipt)
}

/// Records what came of a write, whoever has the case by now: a receipt is never dropped.
pub(super) async fn settle(
    parts: &Parts,
    key: &str,
    receipt: &Arc<Receipt>,
    then: impl Fn(&mut Draftbook, &Receipt),
) -> Result<(), TurnError> {
    loop {
        let Some(file) = parts.store.case_fresh(&receipt.case).await? else { return Ok(()) };
        let mut book = Draftbook::new(file.case.clone(), parts.clock.now());
        book.event(EventKind::ToolCalled, &logged(receipt));
        book.push(Change::Receipt(receipt.clone()));
        book.push(Change::Settle { key: key.to_owned(), status: receipt.status });
        then(&mut book, receipt);
        match parts.store.commit(book.close(Vec::new())).await {
            Ok(()) => return Ok(()),
            Err(CommitError::Refused(Refusal::Stale)) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
