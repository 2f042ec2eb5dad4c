//! Reading receipts and the ledger of effects. Claiming and settling are parts of units.

use std::sync::Arc;

use sqlx::any::AnyRow;

use crate::domain::ids::{CaseId, CustomerId};
use crate::domain::receipt::{CallStatus, LedgerEntry, Receipt};
use crate::domain::time::Timestamp;

use super::columns::Columns;
use super::people::same_person;
use super::rows::storable;
use super::{Store, StoreError};

/// What a customer had done by a tool since a moment: what was claimed, done or is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LedgerSums {
    /// How many effects.
    pub calls: i64,
    /// What they move together, in minor units.
    pub amount_minor: i64,
}

impl Store {
    /// The effect claimed under a key.
    pub async fn ledger(&self, key: &str) -> Result<Option<LedgerEntry>, StoreError> {
        let sql = "select key, case_id, customer_id, tool, arguments, amount_minor, status, claimed_at
            from ledger where key = $1";
        self.row(sqlx::query(sql).bind(storable(key))).await?.map(|row| entry(&row)).transpose()
    }

    /// What counts against a customer's limits for a tool since a moment. An effect that was refused or failed does
    /// not; one that is claimed or unknown may have happened and does.
    pub async fn ledger_today(
        &self,
        customer: &CustomerId,
        tool: &str,
        since: Timestamp,
    ) -> Result<LedgerSums, StoreError> {
        let sql = concat!(
            "select count(*) as calls, cast(coalesce(sum(amount_minor), 0) as bigint) as amount_minor
            from ledger where customer_id in ",
            same_person!(),
            " and tool = $2 and claimed_at >= $3 and (status is null or status in ('done', 'unknown'))"
        );
        let query = sqlx::query(sql).bind(customer.as_str()).bind(storable(tool)).bind(since.0);
        let Some(row) = self.row(query).await? else { return Ok(LedgerSums::default()) };
        let columns = Columns::of(&row, "ledger");
        Ok(LedgerSums { calls: columns.int("calls")?, amount_minor: columns.int("amount_minor")? })
    }

    /// Effects that were claimed before a moment, never settled, and whose case has no open turn that could still
    /// settle them: whether they happened is not known.
    pub async fn unsettled_claims(&self, before: Timestamp) -> Result<Vec<LedgerEntry>, StoreError> {
        let sql = "select key, case_id, customer_id, tool, arguments, amount_minor, status, claimed_at
            from ledger where status is null and claimed_at < $1
            and not exists (select 1 from turns where turns.case_id = ledger.case_id and turns.closed_at is null)
            order by claimed_at, key";
        self.rows(sqlx::query(sql).bind(before.0)).await?.iter().map(entry).collect()
    }

    /// The receipts of a case, oldest first.
    pub async fn receipts(&self, case: &CaseId) -> Result<Vec<Arc<Receipt>>, StoreError> {
        self.newest_receipts(case, i64::MAX).await
    }

    /// The newest receipts of a case, oldest first.
    pub(super) async fn newest_receipts(
        &self,
        case: &CaseId,
        limit: i64,
    ) -> Result<Vec<Arc<Receipt>>, StoreError> {
        let sql = "select id, case_id, turn_id, tool, effect, arguments, status, result, at, duration_ms
            from receipts where case_id = $1 order by at desc, id desc limit $2";
        let rows = self.rows(sqlx::query(sql).bind(case.as_str()).bind(limit)).await?;
        rows.iter().rev().map(|row| receipt(row).map(Arc::new)).collect()
    }
}

fn entry(row: &AnyRow) -> Result<LedgerEntry, StoreError> {
    let columns = Columns::of(row, "ledger");
    Ok(LedgerEntry {
        key: columns.text("key")?,
        case: columns.id("case_id")?,
        customer: columns.id("customer_id")?,
        tool: columns.text("tool")?,
        arguments: columns.text("arguments")?,
        amount_minor: columns.maybe_int("amount_minor")?,
        status: columns.maybe_named("status", CallStatus::parse)?,
        claimed_at: columns.at("claimed_at")?,
    })
}

fn receipt(row: &AnyRow) -> Result<Receipt, StoreError> {
    let columns = Columns::of(row, "receipts");
    Ok(Receipt {
        id: columns.id("id")?,
        case: columns.id("case_id")?,
        turn: columns.id("turn_id")?,
        tool: columns.text("tool")?,
        effect: columns.word("effect")?,
        arguments: columns.json("arguments")?,
        status: columns.named("status", CallStatus::parse)?,
        result: columns.json("result")?,
        at: columns.at("at")?,
        duration_ms: columns.int("duration_ms")?,
    })
}
