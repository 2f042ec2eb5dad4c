//! Tries of what could be guessed: how many an hour allows, however many are made at once.

use crate::domain::time::Timestamp;

use super::columns::Columns;
use super::rows::storable;
use super::{Store, StoreError};

impl Store {
    /// Tries under a key since a moment that were wrong, or of which nobody knows yet.
    pub async fn tries(&self, key: &str, since: Timestamp) -> Result<i64, StoreError> {
        let sql = "select count(*) as tries from tries where key = $1 and at > $2";
        let row = self.row(sqlx::query(sql).bind(storable(key)).bind(since.0)).await?;
        row.map_or(Ok(0), |row| Columns::of(&row, "tries").int("tries"))
    }

    /// Counts a try under each of these keys before it is made, so that tries at once are not more than allowed.
    /// `false`: under one of them there were `tries_max` since that moment, and nothing is counted.
    pub async fn claim_try(
        &self,
        keys: &[String],
        id: &str,
        tries_max: i64,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        // Places whose hour is over are free; those of keys that nobody tries again would stay for ever.
        self.write(sqlx::query("delete from tries where at <= $1").bind(since.0)).await?;
        for key in keys {
            if !self.take_place(key, id, tries_max, since, now).await? {
                self.forget_try(id).await?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes one free place of a key: of two who want the same the database lets one have it.
    async fn take_place(
        &self,
        key: &str,
        id: &str,
        tries_max: i64,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "insert into tries (key, place, try_id, at) values ($1, $2, $3, $4)
            on conflict (key, place) do update set try_id = excluded.try_id, at = excluded.at where tries.at <= $5
            returning place";
        for place in 0..tries_max {
            let query = sqlx::query(sql).bind(storable(key)).bind(place).bind(storable(id));
            if !self.write(query.bind(now.0).bind(since.0)).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives back what a try that was not wrong had taken.
    pub async fn forget_try(&self, id: &str) -> Result<(), StoreError> {
        let sql = "delete from tries where try_id = $1";
        self.write(sqlx::query(sql).bind(storable(id))).await.map(drop)
    }
}
