//! The outbox: taking what is due to leave. How a delivery went is part of a unit.

use crate::domain::ids::CaseId;
use crate::domain::time::Timestamp;

use super::columns::Columns;
use super::connection::Dialect;
use super::rows::storable;
use super::unit::{Delivery, DeliveryState};
use super::{Store, StoreError};

/// The statement that takes deliveries; its parts are those of the one that takes turns.
macro_rules! take {
    ($lock:literal) => {
        concat!(
            "with chosen as materialized (select id from outbox where state = 'pending' and due_at <= $3
                order by due_at, id limit $4 ",
            $lock,
            ") update outbox
                set interrupted = case when holder <> '' then 1 else interrupted end, holder = $1, due_at = $2
                where id in (select id from chosen) and state = 'pending' and due_at <= $3
                returning id, case_id, message_id, channel, conversation, state, attempts, due_at, interrupted"
        )
    };
}

impl Store {
    /// Waits until this process commits something that is to leave; one waiter is woken.
    pub async fn outbox_filled(&self) {
        self.0.announcements.outbox_filled().await;
    }

    /// Takes deliveries that are due by moving their due time a lease ahead; the longest due first. One that was
    /// taken before and never recorded since comes with the state `Unknown`: it may have left.
    pub async fn due_deliveries(
        &self,
        holder: &str,
        now: Timestamp,
        lease_ms: i64,
        max: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let sql = match self.0.link.dialect {
            Dialect::Sqlite => take!(""),
            Dialect::Postgres => take!("for update skip locked"),
        };
        let query = sqlx::query(sql)
            .bind(storable(holder))
            .bind(now.plus_ms(lease_ms).0)
            .bind(now.0)
            .bind(max as i64);
        let rows = self.write(query).await?;
        let mut deliveries =
            rows.iter().map(|row| delivery(&Columns::of(row, "outbox"))).collect::<Result<Vec<_>, _>>()?;
        deliveries.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(deliveries)
    }

    /// How everything that left a case, or is to leave it, stands; in the order in which it was written.
    pub async fn deliveries(&self, case: &CaseId) -> Result<Vec<Delivery>, StoreError> {
        let sql =
            "select id, case_id, message_id, channel, conversation, state, attempts, due_at, interrupted
            from outbox where case_id = $1 order by id";
        let rows = self.rows(sqlx::query(sql).bind(case.as_str())).await?;
        rows.iter().map(|row| delivery(&Columns::of(row, "outbox"))).collect()
    }
}

fn delivery(columns: &Columns<'_>) -> Result<Delivery, StoreError> {
    let state = columns.named("state", DeliveryState::parse)?;
    let interrupted = state == DeliveryState::Pending && columns.int("interrupted")? == 1;
    Ok(Delivery {
        id: columns.id("id")?,
        case: columns.id("case_id")?,
        message: columns.id("message_id")?,
        channel: columns.text("channel")?,
        conversation: columns.text("conversation")?,
        state: if interrupted { DeliveryState::Unknown } else { state },
        attempts: columns.int("attempts")?,
        due_at: columns.at("due_at")?,
    })
}
