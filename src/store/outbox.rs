//! The outbox: taking what is due to leave. How a delivery went is part of a unit.

use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::ids::{CaseId, MessageId};
use crate::domain::time::Timestamp;

use super::columns::Columns;
use super::connection::Dialect;
use super::rows::storable;
use super::{AHEAD_MS_MAX, Store, StoreError};

/// What [`delivery`] reads.
macro_rules! columns {
    () => {
        "id, case_id, message_id, part, channel, conversation, state, attempts, due_at, interrupted, provider_id, reason"
    };
}

/// The statement that takes deliveries; its parts are those of the one that takes turns.
macro_rules! take {
    ($lock:literal) => {
        concat!(
            "with chosen as materialized (select id from outbox o where state = 'pending'
                and (due_at <= $3 or (holder = '' and (taken_at > $5 or (attempts = 0 and due_at > $5))))
                and not exists (select 1 from outbox before where before.state = 'pending'
                    and before.channel = o.channel and before.conversation = o.conversation and before.id < o.id)
                order by due_at, id limit $4 ",
            $lock,
            ") update outbox
                set interrupted = case when holder <> '' then 1 else interrupted end, holder = $1, due_at = $2,
                    taken_at = $3
                where id in (select id from chosen) and state = 'pending'
                and (due_at <= $3 or (holder = '' and (taken_at > $5 or (attempts = 0 and due_at > $5))))
                returning ",
            columns!()
        )
    };
}

impl Store {
    /// Waits until this process commits something that is to leave; one waiter is woken.
    pub async fn outbox_filled(&self) {
        self.0.announcements.outbox_filled().await;
    }

    /// Takes deliveries that are due by moving their due time a lease ahead; the longest due first, and of one
    /// conversation only the oldest that has not left. One that was taken before and never recorded since comes with
    /// the state `Unknown`: it may have left. What a clock put off that has been set back since is due now.
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
            .bind(max as i64)
            .bind(now.plus_ms(AHEAD_MS_MAX).0);
        let rows = self.write(query).await?;
        let mut deliveries =
            rows.iter().map(|row| delivery(&Columns::of(row, "outbox"))).collect::<Result<Vec<_>, _>>()?;
        deliveries.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(deliveries)
    }

    /// Holds a delivery longer, if it still is as it was taken. Held by nobody, it is simply tried again when `until` has
    /// passed: nothing of it had left.
    pub async fn hold_delivery(
        &self,
        delivery: &Delivery,
        holder: &str,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "update outbox set holder = $2, due_at = $3
            where id = $1 and state = 'pending' and due_at = $4 returning id";
        let query = sqlx::query(sql).bind(delivery.id.as_str()).bind(storable(holder));
        Ok(!self.write(query.bind(until.0).bind(delivery.due_at.0)).await?.is_empty())
    }

    /// How everything that left a case, or is to leave it, stands; in the order in which it was written.
    pub async fn deliveries(&self, case: &CaseId) -> Result<Vec<Delivery>, StoreError> {
        let sql = concat!("select ", columns!(), " from outbox where case_id = $1 order by id");
        let rows = self.rows(sqlx::query(sql).bind(case.as_str())).await?;
        rows.iter().map(|row| delivery(&Columns::of(row, "outbox"))).collect()
    }

    /// Deliveries of which nobody has known for longer than was to be waited for news of them, or since before the clock
    /// was set back; one that people have seen is never due.
    pub async fn overdue_unknowns(&self, now: Timestamp, max: usize) -> Result<Vec<Delivery>, StoreError> {
        let sql = concat!(
            "select ",
            columns!(),
            " from outbox where state = 'unknown' and (due_at <= $1 or (taken_at > $3 and due_at < $4))
            order by due_at, id limit $2"
        );
        let query = sqlx::query(sql).bind(now.0).bind(max as i64).bind(now.plus_ms(AHEAD_MS_MAX).0);
        let rows = self.rows(query.bind(i64::MAX)).await?;
        rows.iter().map(|row| delivery(&Columns::of(row, "outbox"))).collect()
    }

    /// How many messages of the assistant other than `message`, said after `since`, have left by a conversation, or may
    /// have.
    pub async fn automatic_messages(
        &self,
        (channel, conversation): (&str, &str),
        message: &MessageId,
        since: Timestamp,
    ) -> Result<i64, StoreError> {
        let sql = "select count(distinct m.id) as said from outbox o join messages m on m.id = o.message_id
            where o.channel = $1 and o.conversation = $2 and o.state in ('unknown', 'sent', 'delivered', 'read')
            and m.author = 'assistant' and m.id <> $3 and m.at > $4";
        let query = sqlx::query(sql).bind(storable(channel)).bind(storable(conversation));
        let row = self.row(query.bind(message.as_str()).bind(since.0)).await?;
        row.map_or(Ok(0), |row| Columns::of(&row, "outbox").int("said"))
    }

    /// The delivery that a provider speaks of: by its own name for it, or by ours where it hands that back.
    pub async fn delivery(
        &self,
        channel: &str,
        provider_id: &str,
        id: Option<&str>,
    ) -> Result<Option<Delivery>, StoreError> {
        let sql = concat!(
            "select ",
            columns!(),
            " from outbox where channel = $1 and (provider_id = $2 or id = $3) limit 1"
        );
        let query =
            sqlx::query(sql).bind(storable(channel)).bind(storable(provider_id)).bind(id.map(storable));
        let row = self.row(query).await?;
        row.map(|row| delivery(&Columns::of(&row, "outbox"))).transpose()
    }

    /// Keeps news of a message that is not known yet: it may have overtaken the answer to its sending.
    pub async fn keep_early_status(
        &self,
        channel: &str,
        provider_id: &str,
        (state, reason): (DeliveryState, Option<&str>),
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let sql =
            "insert into early_statuses (channel, provider_id, state, reason, at) values ($1, $2, $3, $4, $5)
            on conflict do nothing";
        let query = sqlx::query(sql).bind(storable(channel)).bind(storable(provider_id)).bind(state.as_str());
        self.write(query.bind(reason.map(storable)).bind(at.0)).await.map(drop)
    }

    /// News that came early about a message, in the order in which it came.
    pub async fn early_statuses(
        &self,
        channel: &str,
        provider_id: &str,
    ) -> Result<Vec<(DeliveryState, Option<String>)>, StoreError> {
        let sql =
            "select state, reason from early_statuses where channel = $1 and provider_id = $2 order by at";
        let query = sqlx::query(sql).bind(storable(channel)).bind(storable(provider_id));
        let rows = self.rows(query).await?;
        let status = |row| {
            let columns = Columns::of(row, "early_statuses");
            Ok((columns.named("state", DeliveryState::parse)?, columns.maybe_text("reason")?))
        };
        rows.iter().map(status).collect()
    }
}

fn delivery(columns: &Columns<'_>) -> Result<Delivery, StoreError> {
    let state = columns.named("state", DeliveryState::parse)?;
    let interrupted = state == DeliveryState::Pending && columns.int("interrupted")? == 1;
    Ok(Delivery {
        id: columns.id("id")?,
        case: columns.id("case_id")?,
        message: columns.id("message_id")?,
        part: columns.int("part")?,
        channel: columns.text("channel")?,
        conversation: columns.text("conversation")?,
        state: if interrupted { DeliveryState::Unknown } else { state },
        attempts: columns.int("attempts")?,
        due_at: columns.at("due_at")?,
        provider_id: columns.maybe_text("provider_id")?,
        reason: columns.maybe_text("reason")?,
    })
}
