//! Counting as it happens: what is new in the logs is added to the roll-ups, each line once.
//!
//! A round takes the cases whose log is longer than what was counted, and those that change by time alone. It takes away
//! what each of them added before and adds what it adds now, in one transaction with the places up to which the logs were
//! read. So a round that dies leaves nothing behind, one that runs twice adds nothing twice, and it does not matter in
//! which order rounds come.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use sqlx::AnyConnection;

use crate::domain::measures::{Facts, Place, Sums, day_of, month_of};
use crate::domain::time::Timestamp;

use super::columns::Columns;
use super::connection::Dialect;
use super::rows::storable;
use super::{Store, StoreError};

mod neighbours;
mod record;

use record::Table;
pub(super) use record::place;

/// A clock that is this far behind what was counted has been set back: what it had settled too early opens again. Less
/// is the difference between two machines.
const SET_BACK_MS: i64 = 3_600_000;
/// The kinds of roll-ups: by day and by month, and which of the four a row is about.
const GRAINS: [&str; 2] = ["d", "m"];
const PARTS: [Part; 6] = [Part::Total, Part::Channel, Part::Intent, Part::Team, Part::Language, Part::Full];

/// Which of the four a roll-up is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Total,
    Channel,
    Intent,
    Team,
    Language,
    Full,
}

impl Part {
    pub(super) fn mark(self) -> &'static str {
        match self {
            Self::Total => "t",
            Self::Channel => "c",
            Self::Intent => "i",
            Self::Team => "g",
            Self::Language => "l",
            Self::Full => "f",
        }
    }

    /// The place as far as this part tells it.
    fn of(self, place: &Place, day: i64) -> Place {
        let keep = |part: Self, word: &String| {
            if self == part || self == Self::Full { word.clone() } else { String::new() }
        };
        Place {
            day,
            channel: keep(Self::Channel, &place.channel),
            intent: keep(Self::Intent, &place.intent),
            team: keep(Self::Team, &place.team),
            language: keep(Self::Language, &place.language),
        }
    }
}

/// The key of a roll-up: its grain and its place.
pub(super) type RollupKey = (String, Place);

/// Every roll-up that a place is part of.
pub(super) fn keys(place: &Place) -> impl Iterator<Item = RollupKey> {
    GRAINS.into_iter().flat_map(move |grain| {
        let day = if grain == "d" { place.day } else { month_of(place.day) };
        PARTS.into_iter().map(move |part| (format!("{grain}{}", part.mark()), part.of(place, day)))
    })
}

fn id((grain, place): &RollupKey) -> String {
    let Place { day, channel, intent, team, language } = place;
    format!("{grain}|{day}|{channel}|{intent}|{team}|{language}")
}

/// What is kept of one case.
#[derive(Debug, Clone, PartialEq, Default)]
struct Kept {
    case: String,
    person: String,
    matter: String,
    place: Place,
    facts: Facts,
    sums: Sums,
    due_at: Option<i64>,
    settles_at: i64,
}

impl Kept {
    /// Takes over from its facts where it is counted and whose it is.
    fn settle(&mut self, zone: &TimeZone) {
        let facts = &self.facts;
        // A log of before this was written down says not whose it is: the case then stands alone.
        self.person = if facts.person.is_empty() { self.case.clone() } else { facts.person.clone() };
        self.matter = facts.matter();
        self.place = Place {
            day: day_of(Timestamp(facts.opened_at), zone),
            channel: facts.channel.clone(),
            intent: facts.intent.clone(),
            team: facts.team.clone(),
            language: facts.language.clone(),
        };
    }

    /// Whether its neighbours see another case in it than in this one.
    fn looks_other_than(&self, other: &Self) -> bool {
        let seen = |kept: &Self| (kept.person.clone(), kept.matter.clone(), kept.facts.resolved_at);
        seen(self) != seen(other)
    }
}

/// How counting stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Everything is counted as of this moment.
    pub counted_at: Timestamp,
    /// The IANA name of the time zone whose days are counted.
    pub zone: String,
}

impl Store {
    /// Counts what is new, at most `max` cases of each kind, as of `now`. Days are those of the zone in which counting
    /// began; `zone` is that of a record in which nothing was counted yet. Returns how many cases were counted: none when
    /// there is nothing new. Nobody may cancel it.
    pub async fn fold(&self, now: Timestamp, zone: &str, max: usize) -> Result<usize, StoreError> {
        let standing = self.standing().await?;
        let told_at = standing.as_ref().map_or(now.0, |standing| standing.counted_at.0);
        let set_back = now.0 < told_at - SET_BACK_MS;
        if standing.is_some() && !set_back && !self.anything_new(now.0.max(told_at)).await? {
            return Ok(0);
        }
        let dialect = self.0.link.dialect;
        let mut slot = self.0.link.lock().await;
        let connection = self.0.link.connected(&mut slot).await?;
        sqlx::query(dialect.begin()).execute(&mut *connection).await?;
        let counted = match round(connection, dialect, now.0, zone, max as i64).await {
            Ok(counted) => {
                sqlx::query("commit").execute(connection).await.map(|_| counted).map_err(Into::into)
            }
            Err(error) => Err(error),
        };
        if counted.is_err() {
            // What was begun is given up with the connection.
            *slot = None;
        }
        counted
    }

    /// Forgets everything that was counted, so that it is counted anew in the days of this zone.
    pub async fn forget_counts(&self, now: Timestamp, zone: &str) -> Result<(), StoreError> {
        let dialect = self.0.link.dialect;
        let mut slot = self.0.link.lock().await;
        let connection = self.0.link.connected(&mut slot).await?;
        let forget = async {
            sqlx::query(dialect.begin()).execute(&mut *connection).await?;
            state(connection, now.0, zone).await?;
            for sql in [
                "delete from rollups",
                "delete from case_measures",
                "update cases set folded_seq = 0 where folded_seq <> 0",
            ] {
                sqlx::query(sql).execute(&mut *connection).await?;
            }
            let sql = "update rollup_state set counted_at = $1, zone = $2 where name = 'counted'";
            sqlx::query(sql).bind(now.0).bind(storable(zone)).execute(&mut *connection).await?;
            sqlx::query("commit").execute(&mut *connection).await?;
            Ok(())
        };
        let forgotten = forget.await;
        if forgotten.is_err() {
            *slot = None;
        }
        forgotten
    }

    /// How counting stands; none where it has never begun.
    pub async fn standing(&self) -> Result<Option<Standing>, StoreError> {
        let sql = "select counted_at, zone from rollup_state where name = 'counted'";
        let row = self.row(sqlx::query(sql)).await?;
        row.map(|row| {
            let columns = Columns::of(&row, "rollup_state");
            Ok(Standing { counted_at: columns.at("counted_at")?, zone: columns.text("zone")? })
        })
        .transpose()
    }

    /// Whether a log is longer than what was counted, or something changes by time alone.
    async fn anything_new(&self, now: i64) -> Result<bool, StoreError> {
        let sql = "select id from cases where event_seq > folded_seq limit 1";
        if self.row(sqlx::query(sql)).await?.is_some() {
            return Ok(true);
        }
        let sql = "select case_id from case_measures where due_at <= $1 limit 1";
        Ok(self.row(sqlx::query(sql).bind(now)).await?.is_some())
    }
}

macro_rules! new_lines {
    ($lock:literal) => {
        concat!("select id, event_seq from cases where event_seq > folded_seq order by id limit $1 ", $lock)
    };
}

/// One round, within a transaction.
async fn round(
    connection: &mut AnyConnection,
    dialect: Dialect,
    now: i64,
    zone: &str,
    max: i64,
) -> Result<usize, StoreError> {
    let (now, zone) = state(connection, now, zone).await?;
    // Who is writing a case at this moment holds it; it is counted in the next round.
    let sql = match dialect {
        Dialect::Sqlite => new_lines!(""),
        Dialect::Postgres => new_lines!("for update skip locked"),
    };
    let rows = sqlx::query(sql).bind(max).fetch_all(&mut *connection).await?;
    let longer = rows.iter().map(|row| {
        let columns = Columns::of(row, "cases");
        Ok((columns.text("id")?, columns.int("event_seq")?))
    });
    let longer = longer.collect::<Result<BTreeMap<String, i64>, StoreError>>()?;
    let sql = "select case_id from case_measures where due_at <= $1 order by due_at limit $2";
    let rows = sqlx::query(sql).bind(now).bind(max).fetch_all(&mut *connection).await?;
    let due = rows.iter().map(|row| Columns::of(row, "case_measures").text("case_id"));
    let due = due.collect::<Result<BTreeSet<String>, StoreError>>()?;
    let touched: BTreeSet<String> = longer.keys().cloned().chain(due).collect();
    if touched.is_empty() {
        return Ok(0);
    }
    let mut table = Table { connection, dialect };
    let before = table.cases(&touched).await?;
    let mut after = before.clone();
    let zone = TimeZone::get(&zone).unwrap_or(TimeZone::UTC);
    for line in table.new_lines(longer.keys()).await? {
        let case = line.case.to_string();
        let kept = after.entry(case.clone()).or_insert_with(|| Kept { case, ..Kept::default() });
        kept.facts.read(line.at, &line.kind, &line.body);
    }
    for kept in after.values_mut() {
        kept.settle(&zone);
    }
    // Neighbours are found in the record, so what they see of each other stands there first.
    table.write_cases(after.values()).await?;
    let changed = neighbours::counted(&mut table, before, after, now).await?;
    table.add(&changed.sums).await?;
    table.write_cases(changed.cases.iter()).await?;
    table.counted_through(&longer).await?;
    Ok(touched.len())
}

/// Takes the turn to count: nobody else counts until the transaction ends. The moment as of which is counted, and in
/// which zone.
async fn state(connection: &mut AnyConnection, now: i64, zone: &str) -> Result<(i64, String), StoreError> {
    let sql =
        "insert into rollup_state (name, counted_at, zone) values ('counted', $1, $2) on conflict do nothing";
    sqlx::query(sql).bind(now).bind(storable(zone)).execute(&mut *connection).await?;
    let sql = "update rollup_state set zone = zone where name = 'counted' returning counted_at, zone";
    let row = sqlx::query(sql).fetch_one(&mut *connection).await?;
    let columns = Columns::of(&row, "rollup_state");
    let (told_at, zone) = (columns.int("counted_at")?, columns.text("zone")?);
    let set_back = now < told_at.saturating_sub(SET_BACK_MS);
    let now = if set_back { now } else { now.max(told_at) };
    if set_back {
        let sql = "update case_measures set due_at = $1 where settles_at > $1";
        sqlx::query(sql).bind(now).execute(&mut *connection).await?;
    }
    let sql = "update rollup_state set counted_at = $1 where name = 'counted'";
    sqlx::query(sql).bind(now).execute(connection).await?;
    Ok((now, zone))
}
