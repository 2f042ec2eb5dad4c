//! What others are to be told (the operator's CRM, subscribers, other desks): a row for each thing that each of them
//! wants, stored with the thing itself. Each gets the things of one case in their order.

use crate::domain::case::Case;
use crate::domain::event::{Event, EventKind};
use crate::domain::ids::{CaseId, MessageId};
use crate::domain::time::Timestamp;
use crate::domain::topic::{self, Topic};

use super::columns::Columns;
use super::connection::Dialect;
use super::rows::{Value, maybe, storable, text};
use super::unit::{Change, Unit};
use super::{AHEAD_MS_MAX, Store, StoreError};

/// Places within one version of a case: more than any unit has changes.
const PLACES: i64 = 1 << 16;

/// Somebody who is told what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its name in the record, unique.
    pub target: String,
    /// What it wants.
    pub wants: Wants,
}

/// What a listener wants to hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wants {
    /// These topics of every case.
    Topics(Vec<Topic>),
    /// Whatever happens to cases of these teams while people have them; of every team where none is named.
    CasesOf(Vec<String>),
}

/// Something that somebody is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteBack {
    /// The case, the place of the thing in it, and who is told: the same however often it is told.
    pub id: String,
    /// Who is told.
    pub target: String,
    /// The case.
    pub case: CaseId,
    /// What kind of thing: a topic, or a kind of the log.
    pub kind: String,
    /// When it happened.
    pub at: Timestamp,
    /// Attempts, this one included.
    pub attempts: i64,
    /// What is told, JSON.
    pub body: Option<String>,
    /// The message it is about.
    pub message: Option<MessageId>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It was taken.
    Done,
    /// Not yet; not again before this moment.
    Later(Timestamp, String),
    /// It is given up.
    Dead(String),
}

macro_rules! take {
    ($lock:literal) => {
        concat!(
            "with chosen as materialized (select id from write_backs w where state = 'pending' and target = $5
                and (due_at <= $3 or taken_at > $6 or (attempts = 0 and due_at > $6)) and not exists (select 1 from write_backs before where before.case_id = w.case_id
                    and before.target = w.target and before.state = 'pending' and before.place < w.place)
                order by due_at, id limit $4 ",
            $lock,
            ") update write_backs set holder = $1, due_at = $2, taken_at = $3, attempts = attempts + 1
                where id in (select id from chosen) and state = 'pending'
                and (due_at <= $3 or taken_at > $6 or (attempts = 0 and due_at > $6))
                returning id, target, case_id, event, at, attempts, body, message_id"
        )
    };
}

impl Store {
    /// Takes what is due for one listener by moving its due time a lease ahead, the longest due first, and of one case
    /// only the oldest that was not told yet. What a clock put off that has been set back since is due now.
    pub async fn due_write_backs(
        &self,
        (target, holder): (&str, &str),
        now: Timestamp,
        lease_ms: i64,
        max: usize,
    ) -> Result<Vec<WriteBack>, StoreError> {
        let sql = match self.0.link.dialect {
            Dialect::Sqlite => take!(""),
            Dialect::Postgres => take!("for update skip locked"),
        };
        let query = sqlx::query(sql).bind(storable(holder)).bind(now.plus_ms(lease_ms).0);
        let query = query.bind(now.0).bind(max as i64).bind(storable(target));
        let query = query.bind(now.plus_ms(AHEAD_MS_MAX).0);
        let read = |row| {
            let columns = Columns::of(row, "write_backs");
            Ok(WriteBack {
                id: columns.text("id")?,
                target: columns.text("target")?,
                case: columns.id("case_id")?,
                kind: columns.text("event")?,
                at: columns.at("at")?,
                attempts: columns.int("attempts")?,
                body: columns.maybe_text("body")?,
                message: columns.maybe_id("message_id")?,
            })
        };
        self.write(query).await?.iter().map(read).collect()
    }

    /// Records how an attempt ended, unless somebody else has taken it over since.
    pub async fn told(&self, id: &str, holder: &str, told: &Told) -> Result<(), StoreError> {
        let (state, due_at, reason) = match told {
            Told::Done => ("done", None, None),
            Told::Later(due_at, why) => ("pending", Some(due_at.0), Some(storable(why))),
            Told::Dead(why) => ("dead", None, Some(storable(why))),
        };
        let sql = "update write_backs set state = $3, due_at = coalesce($4, due_at), reason = $5
            where id = $1 and holder = $2 and state = 'pending'";
        let query = sqlx::query(sql).bind(storable(id)).bind(storable(holder)).bind(state);
        self.write(query.bind(due_at).bind(reason)).await.map(drop)
    }

    /// How many are not told yet, and how many were given up.
    pub async fn untold(&self) -> Result<(i64, i64), StoreError> {
        let sql = "select (select count(*) from write_backs where state = 'pending') as pending,
            (select count(*) from write_backs where state = 'dead') as dead";
        let Some(row) = self.row(sqlx::query(sql)).await? else { return Ok((0, 0)) };
        let columns = Columns::of(&row, "write_backs");
        Ok((columns.int("pending")?, columns.int("dead")?))
    }
}

/// The rows that go with a unit: one for each listener and each thing in it that the listener wants.
pub(super) fn rows(unit: &Unit, listeners: &[Listener]) -> Vec<Vec<Value>> {
    if listeners.is_empty() {
        return Vec::new();
    }
    let case = unit.changes.iter().find_map(|change| match change {
        Change::NewCase(case) | Change::NewCaseOf { case, .. } | Change::Case(case)
            if case.id == unit.case =>
        {
            Some(case)
        }
        _ => None,
    });
    let mut rows = Vec::new();
    for (index, change) in unit.changes.iter().enumerate() {
        let place = case.map_or(0, |case| case.version * PLACES) + index as i64;
        for listener in listeners {
            rows.extend(told(change, case, listener).map(|told| row(unit, listener, place, &told)));
        }
    }
    rows
}

/// Something to tell.
struct Tell {
    /// Its place among the things of the case, as its id has it.
    name: String,
    kind: String,
    at: Timestamp,
    body: Option<String>,
    message: Option<String>,
}

/// What `listener` is told of a change.
fn told(change: &Change, case: Option<&Case>, listener: &Listener) -> Option<Tell> {
    match (change, &listener.wants) {
        (Change::Event(event), Wants::Topics(topics)) => {
            let topic = Topic::of_event(&event.kind).filter(|topic| topics.contains(topic))?;
            let body = case.map(|case| topic::of_event(topic, case, event).to_string());
            Some(Tell {
                name: event.seq.to_string(),
                kind: topic.as_str().to_owned(),
                at: event.at,
                body,
                message: None,
            })
        }
        (Change::Message(message), Wants::Topics(topics)) => {
            let topic = Topic::of_message(message).filter(|topic| topics.contains(topic))?;
            Some(Tell {
                name: format!("m{}", message.seq),
                kind: topic.as_str().to_owned(),
                at: message.at,
                body: Some(topic::of_message(case?, message).to_string()),
                message: Some(message.id.to_string()),
            })
        }
        (Change::Event(event), Wants::CasesOf(teams)) => {
            let team = case?.team.as_ref()?;
            let theirs = teams.is_empty() || teams.iter().any(|own| own == team.as_str());
            (theirs && of_a_desk(case?, event)).then(|| Tell {
                name: event.seq.to_string(),
                kind: event.kind.clone(),
                at: event.at,
                body: Some(event.body.clone()),
                message: None,
            })
        }
        _ => None,
    }
}

/// Whether a desk that has a case must hear of this: it is given to people, the customer writes, it is over.
fn of_a_desk(case: &Case, event: &Event) -> bool {
    let ends = [EventKind::HandedOff, EventKind::Resolved, EventKind::Returned];
    let over = ends.iter().any(|kind| kind.as_str() == event.kind);
    over || (event.kind == EventKind::Received.as_str() && case.state.with_people())
}

fn row(unit: &Unit, listener: &Listener, place: i64, told: &Tell) -> Vec<Value> {
    // The CRM knows its ids from before there were others.
    let whom = if listener.target == CRM { String::new() } else { format!("-{}", listener.target) };
    vec![
        Value::Text(storable(&format!("{}-{}{whom}", unit.case, told.name))),
        text(unit.case.as_str()),
        text(&told.kind),
        Value::Int(told.at.0),
        text("pending"),
        Value::Int(0),
        Value::Int(told.at.0),
        Value::Text(String::new()),
        text(&listener.target),
        Value::Int(place),
        maybe(told.body.as_deref()),
        maybe(told.message.as_deref()),
    ]
}

/// The listener that is the operator's CRM.
pub const CRM: &str = "crm";
