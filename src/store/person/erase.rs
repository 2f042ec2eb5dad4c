//! Erases a person: counts stay, words go, from the tables and from what the database keeps of former rows.
//!
//! The log of a case is chained over its words, so it is written anew: every line keeps its place, its moment, its kind
//! and what a machine counts by, the chain is made again, and a last line says that this was done and what the former
//! head was. An edited row shows as before.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe};

use super::super::columns::Columns;
use super::super::connection::Dialect;
use super::super::rows::json as written;
use super::super::{Store, StoreError, events};
use super::{Erase, HELD};
use crate::domain::event::{Event, EventKind};
use crate::domain::handoff::{HandoffNote, Known};
use crate::domain::ids::{CaseId, CustomerId};
use crate::domain::time::Timestamp;

/// Begins what is kept in the place of something that named a person.
const MARK: &str = "erased:";
/// Numbers, ids and words of our own that stay in a log.
const KEPT: [&str; 18] = [
    "turn",
    "message",
    "receipt",
    "handoff",
    "approval",
    "channel",
    "tool",
    "effect",
    "status",
    "state",
    "intent",
    "decision",
    "resolution",
    "reason",
    "urgency",
    "model",
    "rule",
    "outcome",
];
/// Names by which cases are counted: ids of ours and of the operator, of whatever letters. The measures can be counted
/// again from what stays.
const NAMES: [&str; 10] =
    ["intent", "team", "language", "channel", "customer", "kept", "absorbed", "agent", "of", "articles"];
/// How often the database is asked to forget former rows while others read it.
const TRIES_MAX: usize = 5;
/// Pause before it is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// What was erased.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Erased {
    /// Cases that were made empty.
    pub cases: usize,
    /// Rows that went or lost their words.
    pub rows: usize,
    /// Former rows are gone from the database's files too; otherwise somebody kept reading them, and erasing again later
    /// finishes it.
    pub forgotten: bool,
}

impl Store {
    /// Erases a person for ever, with every customer who was found to be them, while the service runs; none when there
    /// is no such customer. Nobody may cancel it: run it in a task of its own.
    pub async fn erase_customer(
        &self,
        id: &CustomerId,
        now: Timestamp,
    ) -> Result<Option<Erased>, StoreError> {
        let mut all: Option<Erased> = None;
        for member in self.same_person(id).await? {
            let Some(erased) = self.erase_one(&member, now).await? else { continue };
            let so_far = all.take().unwrap_or(Erased { forgotten: true, ..Erased::default() });
            all = Some(Erased {
                cases: so_far.cases + erased.cases,
                rows: so_far.rows + erased.rows,
                forgotten: so_far.forgotten && erased.forgotten,
            });
        }
        Ok(all)
    }

    async fn erase_one(&self, id: &CustomerId, now: Timestamp) -> Result<Option<Erased>, StoreError> {
        let salt = self.salt().await?;
        let mut slot = self.0.link.lock().await;
        let dialect = self.0.link.dialect;
        let connection = self.0.link.connected(&mut slot).await?;
        sqlx::query(dialect.begin()).execute(&mut *connection).await?;
        let erased = match erase(connection, id, now, &salt).await {
            Ok(Some(erased)) => erased,
            other => {
                // What was begun is given up with the connection.
                *slot = None;
                return other;
            }
        };
        let connection = self.0.link.connected(&mut slot).await?;
        let forgotten = match sqlx::query("commit").execute(&mut *connection).await {
            Ok(_) => {
                self.0.files.forget(id);
                forget_rows(connection, dialect).await
            }
            Err(error) => Err(error.into()),
        };
        if forgotten.is_err() {
            *slot = None;
        }
        Ok(Some(Erased { forgotten: forgotten?, ..erased }))
    }

    /// Lets go of what this process has at hand about customers who were erased since a moment, by whichever process.
    pub async fn forget_erased(&self, since: Timestamp) -> Result<(), StoreError> {
        let sql = "select id from customers where erased_at >= $1";
        for row in self.rows(sqlx::query(sql).bind(since.0)).await? {
            self.0.files.forget(&Columns::of(&row, "customers").id("id")?);
        }
        Ok(())
    }

    /// What stands in the place of something that named an erased person.
    pub(in super::super) async fn erased_name(&self, kind: &str, name: &str) -> Result<String, StoreError> {
        Ok(hashed(&self.salt().await?, kind, name))
    }

    /// What proves that this database's own service has named `subject` for `purpose`; the same on every replica.
    pub async fn seal(&self, purpose: &str, subject: &str) -> Result<String, StoreError> {
        Ok(hashed(&self.salt().await?, purpose, subject).trim_start_matches(MARK).to_owned())
    }

    /// The salt of this database; made when the schema is brought up to date.
    async fn salt(&self) -> Result<String, StoreError> {
        let salt = self.0.salt.get_or_try_init(|| async {
            let row = self.row(sqlx::query("select value from secrets where name = 'erasure'")).await?;
            let row = row.ok_or(StoreError::Corrupt { what: "secrets.value".to_owned() })?;
            Columns::of(&row, "secrets").text("value")
        });
        salt.await.cloned()
    }

    /// Makes the salt, once for each database.
    pub(in super::super) async fn make_salt(&self) -> Result<(), StoreError> {
        if self.salt().await.is_ok() {
            return Ok(());
        }
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes)
            .map_err(|error| StoreError::Database(sqlx::Error::Io(std::io::Error::other(error))))?;
        let sql = "insert into secrets (name, value) values ('erasure', $1) on conflict do nothing";
        self.write(sqlx::query(sql).bind(hex::encode(bytes))).await.map(drop)
    }
}

fn hashed(salt: &str, kind: &str, name: &str) -> String {
    let mut hasher = Sha256::new();
    for part in [salt, kind, name] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    format!("{MARK}{}", hex::encode(hasher.finalize()))
}

/// The rows of one transaction.
async fn erase(
    connection: &mut AnyConnection,
    id: &CustomerId,
    now: Timestamp,
    salt: &str,
) -> Result<Option<Erased>, StoreError> {
    let mut erased = Erased::default();
    for held in HELD {
        let (table, whose) = (held.table, held.whose);
        let changed = match held.erase {
            Erase::Nothing => 0,
            Erase::EachApart => each_apart(connection, table, whose, id, now, salt).await?,
            Erase::Delete => {
                let sql = format!("delete from {table} where {whose}");
                let query = sqlx::query(AssertSqlSafe(sql)).bind(id.as_str());
                query.execute(&mut *connection).await?.rows_affected() as usize
            }
            Erase::Set(values) => {
                let timed = values.contains("$2");
                let sql = format!("update {table} set {values} where {whose}");
                let mut query = sqlx::query(AssertSqlSafe(sql)).bind(id.as_str());
                if timed {
                    query = query.bind(now.0);
                }
                query.execute(&mut *connection).await?.rows_affected() as usize
            }
        };
        match table {
            "customers" if changed == 0 => return Ok(None),
            "cases" => erased.cases = changed,
            _ => {}
        }
        erased.rows += changed;
    }
    Ok(Some(erased))
}

/// Rows that cannot be made harmless by one statement.
async fn each_apart(
    connection: &mut AnyConnection,
    table: &str,
    whose: &str,
    id: &CustomerId,
    now: Timestamp,
    salt: &str,
) -> Result<usize, StoreError> {
    let order = if table == "events" { "order by case_id, seq" } else { "" };
    let sql = format!("select * from {table} where {whose} {order}");
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(id.as_str()).fetch_all(&mut *connection).await?;
    let count = rows.len();
    if table == "events" {
        logs(connection, &rows, now).await?;
        return Ok(count);
    }
    for row in rows {
        let columns = Columns::of(&row, "customers");
        let query = match table {
            // An opt-out outlives the person's record: it is found again by its hash alone.
            "consents" => {
                let (channel, address) = (columns.text("channel")?, columns.text("address")?);
                sqlx::query("update consents set address = $2, word = '' where id = $1")
                    .bind(columns.text("id")?)
                    .bind(hashed(salt, &channel, &address))
            }
            // The same message delivered again is still known, and stored no more.
            "inbox" => {
                let (channel, known) = (columns.text("channel")?, columns.text("external_id")?);
                if known.starts_with(MARK) {
                    continue;
                }
                let name = hashed(salt, &channel, &known);
                sqlx::query(
                    "update inbox set external_id = $3, digest = '' where channel = $1 and external_id = $2",
                )
                .bind(channel)
                .bind(known)
                .bind(name)
            }
            _ => sqlx::query("update handoffs set note = $2 where id = $1")
                .bind(columns.text("id")?)
                .bind(written(&empty_note(columns.json("note")?))?),
        };
        query.execute(&mut *connection).await?;
    }
    Ok(count)
}

/// Writes the logs of cases anew, without words.
async fn logs(connection: &mut AnyConnection, rows: &[AnyRow], now: Timestamp) -> Result<(), StoreError> {
    let all =
        rows.iter().map(|row| events::event(&Columns::of(row, "events"))).collect::<Result<Vec<_>, _>>()?;
    for log in all.chunk_by(|a, b| a.case == b.case) {
        let mut head = String::new();
        for event in log {
            let line = event.without_words(&head, bare(&event.body));
            let sql = "update events set body = $3, hash = $4 where case_id = $1 and seq = $2";
            let query = sqlx::query(sql).bind(line.case.as_str()).bind(line.seq);
            query.bind(line.body.as_str()).bind(line.hash.as_str()).execute(&mut *connection).await?;
            head = line.hash;
        }
        let Some(last) = log.last() else { continue };
        let body = json!({"events": log.len(), "former_head": last.hash}).to_string();
        let line = Event::chained(&head, &last.case, last.seq + 1, now, EventKind::Erased, body);
        append(connection, &last.case, &line).await?;
    }
    Ok(())
}

async fn append(connection: &mut AnyConnection, case: &CaseId, line: &Event) -> Result<(), StoreError> {
    let sql = "insert into events (case_id, seq, at, kind, body, hash) values ($1, $2, $3, $4, $5, $6)";
    let query = sqlx::query(sql).bind(case.as_str()).bind(line.seq).bind(line.at.0).bind(line.kind.as_str());
    query.bind(line.body.as_str()).bind(line.hash.as_str()).execute(&mut *connection).await?;
    let sql = "update cases set event_seq = $2, event_hash = $3 where id = $1";
    let query = sqlx::query(sql).bind(case.as_str()).bind(line.seq).bind(line.hash.as_str());
    query.execute(&mut *connection).await?;
    Ok(())
}

/// The particulars of an event that are numbers, ids or words of our own.
fn bare(body: &str) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str(body) else { return "{}".to_owned() };
    let own = |text: &str| {
        text.len() <= 64
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
    };
    let label = |text: &str| {
        (1..=64).contains(&text.len())
            && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@')
    };
    let kept: Map<String, Value> = fields
        .into_iter()
        .filter(|(name, value)| match value {
            Value::Bool(_) | Value::Number(_) => true,
            Value::String(text) => {
                let named = NAMES.contains(&name.as_str()) && label(text);
                let timed = name == "due_at" && Timestamp::parse(text).is_some();
                named || timed || (KEPT.contains(&name.as_str()) && own(text))
            }
            Value::Array(list) => {
                NAMES.contains(&name.as_str()) && list.iter().all(|one| one.as_str().is_some_and(label))
            }
            Value::Null | Value::Object(_) => false,
        })
        .collect();
    Value::Object(kept).to_string()
}

/// A note that says only how it was.
fn empty_note(note: HandoffNote) -> HandoffNote {
    let gone = || Known::Unknown { unknown_because: "it was erased".to_owned() };
    HandoffNote {
        customer: gone(),
        verified: "it was erased".to_owned(),
        channels: note.channels,
        language: note.language,
        issue: gone(),
        wants: gone(),
        facts: Vec::new(),
        tried: Vec::new(),
        articles: note.articles,
        promised: gone(),
        mood: note.mood,
        urgency: note.urgency,
        reason: note.reason,
        next_step: gone(),
        told: gone(),
        approval: None,
        unsent: None,
        transcript: Vec::new(),
    }
}

/// Former rows lie in free pages and, on SQLite, in the journal until the database is told to drop them. Returns whether
/// nothing of them is left there.
async fn forget_rows(connection: &mut AnyConnection, dialect: Dialect) -> Result<bool, StoreError> {
    match dialect {
        Dialect::Postgres => {
            let tables: Vec<&str> = HELD.iter().map(|held| held.table).collect();
            let sql = format!("vacuum {}", tables.join(", "));
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
            Ok(true)
        }
        Dialect::Sqlite => {
            for tried in 1.. {
                sqlx::raw_sql("vacuum").execute(&mut *connection).await?;
                let row = sqlx::query("pragma wal_checkpoint(truncate)").fetch_one(&mut *connection).await?;
                let free = Columns::of(&row, "wal_checkpoint").int("busy")? == 0;
                if free || tried == TRIES_MAX {
                    return Ok(free);
                }
                tokio::time::sleep(PAUSE).await;
            }
            Ok(false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_what_is_counted_and_no_words() {
        let body = json!({"turn": "0199-a", "through": 3, "reason": "550 ann@example.com", "found": "HP-1",
            "took": true, "intent": "order_status", "hits": ["x"], "by": "jo", "articles": ["delivery-times"],
            "team": "Lager-Süd", "kept": "ann@example.com", "due_at": "2026-11-24T08:00:00Z"});
        let kept: Value = serde_json::from_str(&bare(&body.to_string())).unwrap();
        let counted = json!({"turn": "0199-a", "through": 3, "took": true, "intent": "order_status",
            "articles": ["delivery-times"], "team": "Lager-Süd", "due_at": "2026-11-24T08:00:00Z"});
        assert_eq!(kept, counted);
        assert_eq!(bare("not JSON"), "{}");
    }
}
