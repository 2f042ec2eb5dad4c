//! The tables in which is counted, within the transaction of one round.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{AnyConnection, AssertSqlSafe};

use super::neighbours::Beside;
use super::{Kept, RollupKey, id};
use crate::domain::event::Event;
use crate::domain::measures::{Place, Sums};
use crate::store::StoreError;
use crate::store::columns::Columns;
use crate::store::connection::Dialect;
use crate::store::events::event;
use crate::store::rows::{Value, json, text};

/// Most rows of one statement.
const ROWS_MAX: usize = 500;

/// The tables, on the connection of a transaction.
pub(super) struct Table<'c> {
    pub(super) connection: &'c mut AnyConnection,
    pub(super) dialect: Dialect,
}

/// Marks for `rows` rows of `columns` values each. SQLite looks up numbered ones one by one.
pub(in super::super) fn marks(dialect: Dialect, rows: usize, columns: usize) -> String {
    let mut marks = String::new();
    for place in 0..rows * columns {
        marks.push_str(match (place % columns, place) {
            (0, 0) => "(",
            (0, _) => "), (",
            _ => ", ",
        });
        match dialect {
            Dialect::Sqlite => marks.push('?'),
            // A `String` takes every write.
            Dialect::Postgres => _ = write!(marks, "${}", place + 1),
        }
    }
    marks.push(')');
    marks
}

fn arguments(values: impl IntoIterator<Item = Value>) -> Result<AnyArguments, StoreError> {
    let mut arguments = AnyArguments::default();
    for value in values {
        value.bind(&mut arguments)?;
    }
    Ok(arguments)
}

impl Table<'_> {
    async fn rows(&mut self, sql: String, values: Vec<Value>) -> Result<Vec<AnyRow>, StoreError> {
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments(values)?);
        Ok(query.fetch_all(&mut *self.connection).await?)
    }

    /// Rows found by one of these values; `head` ends with `in`.
    async fn among(&mut self, head: &str, values: &[&String], tail: &str) -> Result<Vec<AnyRow>, StoreError> {
        let mut all = Vec::new();
        for part in values.chunks(ROWS_MAX) {
            let marks = marks(self.dialect, 1, part.len());
            let values = part.iter().map(|value| text(value)).collect();
            all.extend(self.rows(format!("{head} {marks} {tail}"), values).await?);
        }
        Ok(all)
    }

    /// What is kept of these cases; nothing of one that was never counted.
    pub(super) async fn cases(
        &mut self,
        cases: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Kept>, StoreError> {
        let cases: Vec<&String> = cases.iter().collect();
        let head =
            "select case_id, person, matter, day, channel, intent, team, language, facts, sums, due_at,
            settles_at from case_measures where case_id in";
        let rows = self.among(head, &cases, "").await?;
        rows.iter().map(|row| kept(row).map(|kept| (kept.case.clone(), kept))).collect()
    }

    /// The lines of these cases' logs that were not counted yet, case by case, oldest first.
    pub(super) async fn new_lines(
        &mut self,
        cases: impl Iterator<Item = &String>,
    ) -> Result<Vec<Event>, StoreError> {
        let cases: Vec<&String> = cases.collect();
        let head = "select e.case_id, e.seq, e.at, e.kind, e.body, e.hash from events e join cases k on k.id = e.case_id
            where e.seq > k.folded_seq and e.seq <= k.event_seq and e.case_id in";
        let rows = self.among(head, &cases, "order by e.case_id, e.seq").await?;
        rows.iter().map(|row| event(&Columns::of(row, "events"))).collect()
    }

    /// The cases beside one, of the same person on the same matter, in the order in which they began.
    pub(super) async fn beside(&mut self, kept: &Kept) -> Result<Beside, StoreError> {
        if kept.matter.is_empty() {
            return Ok(Beside::default());
        }
        let sql = "select * from (select 0 as later, case_id, opened_at, resolved_at from case_measures
                where person = $1 and matter = $2 and (opened_at, case_id) < ($3, $4)
                order by opened_at desc, case_id desc limit 1) earlier
            union all select * from (select 1 as later, case_id, opened_at, resolved_at from case_measures
                where person = $1 and matter = $2 and (opened_at, case_id) > ($3, $4)
                order by opened_at, case_id limit 1) later";
        let query = sqlx::query(sql).bind(&kept.person).bind(&kept.matter);
        let query = query.bind(kept.facts.opened_at).bind(&kept.case);
        let mut found = Beside::default();
        for row in query.fetch_all(&mut *self.connection).await? {
            let columns = Columns::of(&row, "case_measures");
            let case = columns.text("case_id")?;
            if columns.int("later")? == 0 {
                found.before = Some((case, columns.maybe_int("resolved_at")?));
            } else {
                found.after = Some((case, columns.int("opened_at")?));
            }
        }
        Ok(found)
    }

    /// Keeps these cases as they are.
    pub(super) async fn write_cases(&mut self, cases: impl Iterator<Item = &Kept>) -> Result<(), StoreError> {
        let rows = cases.map(values).collect::<Result<Vec<_>, _>>()?;
        for part in rows.chunks(ROWS_MAX) {
            let marks = marks(self.dialect, part.len(), 14);
            let sql = format!(
                "insert into case_measures (case_id, person, matter, day, channel, intent, team, language, opened_at,
                    resolved_at, facts, sums, due_at, settles_at) values {marks}
                on conflict (case_id) do update set person = excluded.person, matter = excluded.matter,
                    day = excluded.day, channel = excluded.channel, intent = excluded.intent, team = excluded.team,
                    language = excluded.language, opened_at = excluded.opened_at, resolved_at = excluded.resolved_at,
                    facts = excluded.facts, sums = excluded.sums, due_at = excluded.due_at,
                    settles_at = excluded.settles_at"
            );
            self.rows(sql, part.concat()).await?;
        }
        Ok(())
    }

    /// Adds to the roll-ups.
    pub(super) async fn add(&mut self, sums: &BTreeMap<RollupKey, Sums>) -> Result<(), StoreError> {
        let all: Vec<(String, &RollupKey, &Sums)> =
            sums.iter().map(|(key, sums)| (id(key), key, sums)).collect();
        for part in all.chunks(ROWS_MAX) {
            let ids: Vec<&String> = part.iter().map(|(id, ..)| id).collect();
            let mut before = BTreeMap::new();
            for row in self.among("select id, sums from rollups where id in", &ids, "").await? {
                let columns = Columns::of(&row, "rollups");
                before.insert(columns.text("id")?, columns.text("sums")?);
            }
            let mut values = Vec::with_capacity(part.len() * 8);
            for (id, (grain, place), sums) in part {
                let mut whole = (*sums).clone();
                whole.add_encoded(before.get(id).map_or("", String::as_str));
                let Place { day, channel, intent, team, language } = place;
                values.extend([text(id), text(grain), Value::Int(*day)]);
                values.extend([channel, intent, team, language].map(|word| text(word)));
                values.push(text(&whole.encode()));
            }
            let sql = format!(
                "insert into rollups (id, grain, day, channel, intent, team, language, sums) values {}
                on conflict (id) do update set sums = excluded.sums",
                marks(self.dialect, part.len(), 8)
            );
            self.rows(sql, values).await?;
        }
        Ok(())
    }

    /// Notes how far the logs of these cases have been counted.
    pub(super) async fn counted_through(&mut self, cases: &BTreeMap<String, i64>) -> Result<(), StoreError> {
        let all: Vec<(&String, &i64)> = cases.iter().collect();
        for part in all.chunks(ROWS_MAX) {
            let values = part.iter().flat_map(|(case, seq)| [text(case), Value::Int(**seq)]).collect();
            let sql = format!(
                "with v (id, seq) as (values {}) update cases set folded_seq = v.seq from v where cases.id = v.id",
                marks(self.dialect, part.len(), 2)
            );
            self.rows(sql, values).await?;
        }
        Ok(())
    }
}

fn values(kept: &Kept) -> Result<Vec<Value>, StoreError> {
    let number = |value: Option<i64>| value.map_or(Value::NoInt, Value::Int);
    let place = &kept.place;
    Ok(vec![
        text(&kept.case),
        text(&kept.person),
        text(&kept.matter),
        Value::Int(place.day),
        text(&place.channel),
        text(&place.intent),
        text(&place.team),
        text(&place.language),
        Value::Int(kept.facts.opened_at),
        number(kept.facts.resolved_at),
        text(&json(&kept.facts)?),
        text(&kept.sums.encode()),
        number(kept.due_at),
        Value::Int(kept.settles_at),
    ])
}

fn kept(row: &AnyRow) -> Result<Kept, StoreError> {
    let columns = Columns::of(row, "case_measures");
    Ok(Kept {
        case: columns.text("case_id")?,
        person: columns.text("person")?,
        matter: columns.text("matter")?,
        place: place(&columns)?,
        facts: columns.json("facts")?,
        sums: Sums::decode(&columns.text("sums")?),
        due_at: columns.maybe_int("due_at")?,
        settles_at: columns.int("settles_at")?,
    })
}

/// Reads where something is counted.
pub(in super::super) fn place(columns: &Columns<'_>) -> Result<Place, StoreError> {
    Ok(Place {
        day: columns.int("day")?,
        channel: columns.text("channel")?,
        intent: columns.text("intent")?,
        team: columns.text("team")?,
        language: columns.text("language")?,
    })
}
