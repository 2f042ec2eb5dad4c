//! Counting everything again from the logs, for the audit: none of the steps by which it was counted as it happened.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use sqlx::{AnyConnection, AssertSqlSafe};

use crate::domain::event::Event;
use crate::domain::measures::plain::{self, Counted};
use crate::domain::measures::{Place, Sums};

use super::columns::Columns;
use super::connection::Dialect;
use super::events::event;
use super::rollups::{RollupKey, Standing, keys, place};
use super::{Store, StoreError};

/// Cases read at once.
const CASES_MAX: i64 = 500;

/// Two counts of the same days.
#[derive(Debug, Clone)]
pub struct Recount {
    /// As of when, and in which zone.
    pub standing: Standing,
    /// How many cases were counted again.
    pub cases: usize,
    /// Cases that change by time alone and have not been looked at since: count on before you compare.
    pub behind: bool,
    /// The roll-ups that differ: which, as it stands, as it should be.
    pub differing: Vec<(String, Sums, Sums)>,
}

impl Store {
    /// Counts the cases of these days (since 1970, the second not included) again, all from one view of the record, and
    /// compares with the roll-ups. None where nothing was ever counted.
    pub async fn recount(&self, from: i64, to: i64) -> Result<Option<Recount>, StoreError> {
        let mut connection = self.0.readers.acquire().await?;
        // One view for all reads, so that a service that works meanwhile changes nothing.
        let begin = match self.0.link.dialect {
            Dialect::Sqlite => "begin",
            Dialect::Postgres => "begin isolation level repeatable read read only",
        };
        sqlx::query(begin).execute(&mut *connection).await?;
        let recount = recount(&mut connection, from, to).await;
        if sqlx::query("commit").execute(&mut *connection).await.is_err() || recount.is_err() {
            // It goes with what was begun.
            drop(connection.detach());
        }
        recount
    }
}

async fn recount(connection: &mut AnyConnection, from: i64, to: i64) -> Result<Option<Recount>, StoreError> {
    let sql = "select counted_at, zone from rollup_state where name = 'counted'";
    let Some(row) = sqlx::query(sql).fetch_optional(&mut *connection).await? else { return Ok(None) };
    let columns = Columns::of(&row, "rollup_state");
    let standing = Standing { counted_at: columns.at("counted_at")?, zone: columns.text("zone")? };
    let sql = "select case_id from case_measures where due_at <= $1 limit 1";
    let due = sqlx::query(sql).bind(standing.counted_at.0).fetch_optional(&mut *connection).await?;
    let counted = all_cases(connection, &standing.zone).await?;
    let cases = counted.iter().filter(|case| (from..to).contains(&case.day())).count();
    let mut expected: BTreeMap<RollupKey, Sums> = BTreeMap::new();
    for (place, sums) in plain::add_up(counted, standing.counted_at.0) {
        for key in keys(&place) {
            expected.entry(key).or_default().merge(&sums, 1);
        }
    }
    let mut differing = Vec::new();
    // A month is compared where it begins within the period.
    let within = |(_, place): &RollupKey| (from..to).contains(&place.day);
    let sql = "select grain, day, channel, intent, team, language, sums from rollups order by id";
    for row in sqlx::query(sql).fetch_all(&mut *connection).await? {
        let columns = Columns::of(&row, "rollups");
        let key = (columns.text("grain")?, place(&columns)?);
        let stands = Sums::decode(&columns.text("sums")?);
        let should = expected.remove(&key).unwrap_or_default();
        if within(&key) && stands != should {
            differing.push((shown(&key), stands, should));
        }
    }
    for (key, should) in expected.into_iter().filter(|(key, sums)| within(key) && !sums.is_zero()) {
        differing.push((shown(&key), Sums::default(), should));
    }
    Ok(Some(Recount { standing, cases, behind: due.is_some(), differing }))
}

fn shown((grain, place): &RollupKey) -> String {
    let Place { day, channel, intent, team, language } = place;
    let date = crate::domain::measures::date(*day);
    let span = if grain.starts_with('m') { "month of " } else { "" };
    let words = [("channel", channel), ("intent", intent), ("team", team), ("language", language)];
    let words =
        words.iter().filter(|(_, word)| !word.is_empty()).map(|(name, word)| format!(" {name}={word}"));
    format!("{span}{date}{} [{grain}]", words.collect::<String>())
}

/// Every case as its log tells, as far as it was counted.
async fn all_cases(connection: &mut AnyConnection, zone: &str) -> Result<Vec<Counted>, StoreError> {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let sql = "select id from cases where id > $1 order by id limit $2";
        let rows = sqlx::query(sql).bind(&after).bind(CASES_MAX).fetch_all(&mut *connection).await?;
        let ids: Result<Vec<String>, StoreError> =
            rows.iter().map(|row| Columns::of(row, "cases").text("id")).collect();
        let ids = ids?;
        let Some(last) = ids.last() else { return Ok(all) };
        after.clone_from(last);
        let marks: Vec<String> = (1..=ids.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "select e.case_id, e.seq, e.at, e.kind, e.body, e.hash from events e join cases k on k.id = e.case_id
             where e.case_id in ({}) and e.seq <= k.folded_seq order by e.case_id, e.seq",
            marks.join(", ")
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for id in &ids {
            query = query.bind(id);
        }
        let rows = query.fetch_all(&mut *connection).await?;
        let lines: Result<Vec<Event>, StoreError> =
            rows.iter().map(|row| event(&Columns::of(row, "events"))).collect();
        let lines = lines?;
        all.extend(lines.chunk_by(|a, b| a.case == b.case).filter_map(|log| plain::count(log, &zone)));
    }
}
