//! Turns: claiming them, keeping them, reading them. Closing one is part of a unit.

use crate::domain::ids::{CaseId, TurnId};
use crate::domain::time::Timestamp;
use crate::domain::turn::{Outcome, Turn};

use super::columns::Columns;
use super::connection::Dialect;
use super::rows::storable;
use super::{AHEAD_MS_MAX, Store, StoreError};

/// The statement that takes turns. The test is repeated outside, because between the choice and the update another
/// process may have taken the row; and the choice is made once, because PostgreSQL may otherwise make it per row.
macro_rules! claim {
    ($lock:literal) => {
        concat!(
            "with chosen as materialized (select id from turns where closed_at is null
                and (due_at <= $3 or due_at > $5) and (holder = '' or leased_until <= $3 or leased_until > $5) order by due_at, id limit $4 ",
            $lock,
            ") update turns
                set holder = $1, leased_until = $2, epoch = epoch + 1, attempts = attempts + 1
                where id in (select id from chosen)
                and closed_at is null
                and (due_at <= $3 or due_at > $5) and (holder = '' or leased_until <= $3 or leased_until > $5)
                returning id, case_id, epoch, holder, leased_until, attempts, due_at, opened_at"
        )
    };
}

impl Store {
    /// Takes open turns that are due and free, or whose holder let the lease run out; the longest due first. A moment
    /// that lies too far ahead counts as past, because a clock was set back: no turn is put off or held for longer than
    /// that, or than two leases. Each
    /// claim raises the epoch, so that whoever held it before can write nothing more.
    pub async fn claim_turns(
        &self,
        holder: &str,
        now: Timestamp,
        lease_ms: i64,
        max: usize,
    ) -> Result<Vec<Turn>, StoreError> {
        let sql = match self.0.link.dialect {
            Dialect::Sqlite => claim!(""),
            Dialect::Postgres => claim!("for update skip locked"),
        };
        let query = sqlx::query(sql)
            .bind(storable(holder))
            .bind(now.plus_ms(lease_ms).0)
            .bind(now.0)
            .bind(max as i64)
            .bind(now.plus_ms(AHEAD_MS_MAX.max(lease_ms.saturating_mul(2))).0);
        let rows = self.write(query).await?;
        let mut turns =
            rows.iter().map(|row| turn(&Columns::of(row, "turns"))).collect::<Result<Vec<_>, _>>()?;
        turns.sort_by(|a, b| (a.due_at, &a.id).cmp(&(b.due_at, &b.id)));
        Ok(turns)
    }

    /// Keeps turns, named with their epochs, until a later moment. What is no longer ours is passed over: the next
    /// commit about it is refused.
    pub async fn renew_turns(
        &self,
        holder: &str,
        turns: &[(TurnId, i64)],
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "update turns set leased_until = $1
            where id = $2 and epoch = $3 and holder = $4 and closed_at is null";
        for (id, epoch) in turns {
            let query = sqlx::query(sql).bind(until.0).bind(id.as_str()).bind(*epoch).bind(storable(holder));
            self.write(query).await?;
        }
        Ok(())
    }

    /// A turn, and what it came to once it is closed.
    pub async fn turn(&self, id: &TurnId) -> Result<Option<(Turn, Option<Outcome>)>, StoreError> {
        let sql = "select id, case_id, epoch, holder, leased_until, attempts, due_at, opened_at, outcome
            from turns where id = $1";
        let Some(row) = self.row(sqlx::query(sql).bind(id.as_str())).await? else { return Ok(None) };
        let columns = Columns::of(&row, "turns");
        Ok(Some((turn(&columns)?, columns.maybe_named("outcome", Outcome::parse)?)))
    }

    /// The open turn of a case, if it has one.
    pub async fn open_turn(&self, case: &CaseId) -> Result<Option<Turn>, StoreError> {
        let sql = "select id, case_id, epoch, holder, leased_until, attempts, due_at, opened_at
            from turns where case_id = $1 and closed_at is null";
        let row = self.row(sqlx::query(sql).bind(case.as_str())).await?;
        row.map(|row| turn(&Columns::of(&row, "turns"))).transpose()
    }
}

fn turn(columns: &Columns<'_>) -> Result<Turn, StoreError> {
    Ok(Turn {
        id: columns.id("id")?,
        case: columns.id("case_id")?,
        epoch: columns.int("epoch")?,
        holder: columns.text("holder")?,
        leased_until: columns.at("leased_until")?,
        attempts: columns.int("attempts")?,
        due_at: columns.at("due_at")?,
        opened_at: columns.at("opened_at")?,
    })
}
