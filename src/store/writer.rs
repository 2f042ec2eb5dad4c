//! The writer: one task that commits units, those that wait at the same moment in one transaction.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

use sqlx::any::AnyArguments;
use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};
use tokio::sync::{mpsc, oneshot};

use super::announce::Announcements;
use super::cache::CaseFiles;
use super::connection::{Dialect, Link};
use super::people::PersonChange;
use super::rows::{Row, Rows};
use super::unit::{Change, CommitError, Refusal, Unit};
use super::write_backs::Listener;

/// What the writer is sent.
pub(super) enum Order {
    /// A unit, and where the answer goes.
    Commit(Waiting),
    /// Commit what waits, then end.
    Close,
}

/// A unit that waits.
pub(super) struct Waiting {
    pub(super) unit: Unit,
    pub(super) answer: oneshot::Sender<Result<(), CommitError>>,
}

/// The writer's own parts.
pub(super) struct Writer {
    pub(super) link: Arc<Link>,
    pub(super) files: Arc<CaseFiles>,
    pub(super) announcements: Arc<Announcements>,
    pub(super) batch_units_max: usize,
    /// Who is told what happens.
    pub(super) listeners: Vec<Listener>,
}

impl Writer {
    pub(super) fn new(
        link: Arc<Link>,
        files: Arc<CaseFiles>,
        announcements: Arc<Announcements>,
        batch_units_max: usize,
        listeners: Vec<Listener>,
    ) -> Self {
        Self { link, files, announcements, batch_units_max: batch_units_max.max(1), listeners }
    }

    /// Commits until the queue is closed and empty. Nothing cancels it, so no transaction is ever left half begun.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Order>) {
        let mut waiting = VecDeque::new();
        loop {
            if waiting.is_empty() {
                match queue.recv().await {
                    Some(Order::Commit(unit)) => waiting.push_back(unit),
                    Some(Order::Close) => queue.close(),
                    None => return,
                }
            }
            while waiting.len() < self.batch_units_max {
                match queue.try_recv() {
                    Ok(Order::Commit(unit)) => waiting.push_back(unit),
                    Ok(Order::Close) => queue.close(),
                    Err(_) => break,
                }
            }
            let batch = next_batch(&mut waiting, self.batch_units_max);
            self.commit(batch).await;
        }
    }

    /// Commits a batch; units that a rule refuses are answered and the rest is tried again without them.
    async fn commit(&mut self, mut batch: Vec<Waiting>) {
        while !batch.is_empty() {
            match self.attempt(&batch).await {
                Ok(refused) if refused.is_empty() => {
                    for waiting in batch {
                        self.files.committed(&waiting.unit);
                        self.announcements.committed(&waiting.unit);
                        answer(waiting, Ok(()));
                    }
                    return;
                }
                Ok(refused) => {
                    let mut kept = Vec::with_capacity(batch.len());
                    for (place, waiting) in batch.into_iter().enumerate() {
                        match refused.get(&place) {
                            Some(refusal) => answer(waiting, Err(CommitError::Refused(*refusal))),
                            None => kept.push(waiting),
                        }
                    }
                    batch = kept;
                }
                // Perhaps one unit breaks a constraint or two processes were in each other's way: the others shall not suffer.
                Err(error) if batch.len() > 1 && of_one_unit(&error) => {
                    for waiting in batch {
                        Box::pin(self.commit(vec![waiting])).await;
                    }
                    return;
                }
                Err(error) => {
                    tracing::error!(error = %error, units = batch.len(), "the database did not commit");
                    let error = Arc::new(error);
                    for waiting in batch {
                        let stale = is_unique_violation(&error);
                        let why = if stale {
                            Refusal::Stale.into()
                        } else {
                            CommitError::Database(Arc::clone(&error))
                        };
                        answer(waiting, Err(why));
                    }
                    return;
                }
            }
        }
    }

    /// One transaction. Returns the refused units by place; when there are any, nothing was committed.
    async fn attempt(&self, batch: &[Waiting]) -> Result<HashMap<usize, Refusal>, sqlx::Error> {
        let dialect = self.link.dialect;
        let rows = || Rows::of(batch.iter().map(|waiting| &waiting.unit), &self.listeners);
        let mut slot = self.link.lock().await;
        let connection = self.link.connected(&mut slot).await?;
        // A call to SQLite wakes a thread, twice, so a unit alone is one call. The statements of many are few for
        // each, and stay prepared one by one.
        if dialect == Dialect::Sqlite && batch.len() == 1 {
            match at_once(connection, rows()?).await {
                Ok(true) => return Ok(HashMap::new()),
                // Something is refused or breaks a constraint: one by one it is said what.
                Ok(false) => {}
                Err(error) => {
                    *slot = None;
                    if error.as_database_error().is_some() {
                        return Err(error);
                    }
                }
            }
        }
        let connection = self.link.connected(&mut slot).await?;
        let result = match one_by_one(connection, dialect, rows()?).await {
            // The connection may have died while it was idle; nothing was sent yet, so once more on a new one. A lock
            // of SQLite was waited for already.
            Err(Failure::Begin(error))
                if dialect == Dialect::Postgres || error.as_database_error().is_none() =>
            {
                *slot = None;
                one_by_one(self.link.connected(&mut slot).await?, dialect, rows()?).await
            }
            other => other,
        };
        if result.is_err() {
            *slot = None;
        }
        result.map_err(|failure| match failure {
            Failure::Begin(error) | Failure::Later(error) => error,
        })
    }
}

/// How far a transaction came that failed.
enum Failure {
    Begin(sqlx::Error),
    Later(sqlx::Error),
}

/// Stores the rows in one call: the whole transaction, with a check after each statement that may pass a row over.
/// `false` when it was rolled back because of a row.
async fn at_once(connection: &mut AnyConnection, rows: Rows) -> Result<bool, sqlx::Error> {
    let dialect = Dialect::Sqlite;
    let mut text = dialect.begin().to_owned();
    let mut arguments = AnyArguments::default();
    for (statement, rows) in rows.chunks() {
        text.push_str("; ");
        let count = rows.len();
        statement.write(&mut text, dialect, &rows);
        if statement.guard.is_some() {
            // What is no JSON is an error, and an error ends the call before its `commit`. A `String` takes every write.
            _ = write!(text, "; select json(iif(changes() = {count}, 'true', 'a row was passed over'))");
        }
        bind(rows, &mut arguments)?;
    }
    text.push_str("; commit");
    let Err(error) = sqlx::query_with(AssertSqlSafe(text), arguments).execute(&mut *connection).await else {
        return Ok(true);
    };
    let passed_over =
        error.as_database_error().is_some_and(|e| e.code().as_deref() == Some("1") || of_one_row(e));
    if !passed_over {
        return Err(error);
    }
    sqlx::query("rollback").execute(connection).await?;
    Ok(false)
}

/// Stores the rows in one transaction, a call per statement; the first with a refused row is the last.
async fn one_by_one(
    connection: &mut AnyConnection,
    dialect: Dialect,
    rows: Rows,
) -> Result<HashMap<usize, Refusal>, Failure> {
    sqlx::query(dialect.begin()).execute(&mut *connection).await.map_err(Failure::Begin)?;
    let later = Failure::Later;
    for (statement, rows) in rows.chunks() {
        let mut text = String::new();
        let mut arguments = AnyArguments::default();
        statement.write(&mut text, dialect, &rows);
        let Some(guard) = statement.guard else {
            bind(rows, &mut arguments).map_err(later)?;
            sqlx::query_with(AssertSqlSafe(text), arguments)
                .execute(&mut *connection)
                .await
                .map_err(later)?;
            continue;
        };
        _ = write!(text, " returning {}", guard.returning);
        let mut asked: HashMap<String, usize> =
            rows.iter().map(|row| (row.key().to_owned(), row.unit)).collect();
        bind(rows, &mut arguments).map_err(later)?;
        let query = sqlx::query_with(AssertSqlSafe(text), arguments);
        for row in query.fetch_all(&mut *connection).await.map_err(later)? {
            asked.remove(&row.try_get::<String, _>(0).map_err(later)?);
        }
        if !asked.is_empty() {
            sqlx::query("rollback").execute(connection).await.map_err(later)?;
            return Ok(asked.into_values().map(|unit| (unit, guard.refusal)).collect());
        }
    }
    sqlx::query("commit").execute(connection).await.map_err(later)?;
    Ok(HashMap::new())
}

fn bind(rows: Vec<Row>, arguments: &mut AnyArguments) -> Result<(), sqlx::Error> {
    rows.into_iter().flat_map(|row| row.values).try_for_each(|value| value.bind(arguments))
}

/// Whether the error may be the fault of one unit, or of another process at the same rows.
fn of_one_unit(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => of_one_row(error.as_ref()),
        error => matches!(error, sqlx::Error::Encode(_)),
    }
}

/// Whether a constraint or another process's row is in the way.
fn of_one_row(error: &dyn DatabaseError) -> bool {
    !matches!(error.kind(), ErrorKind::Other) || matches!(error.code().as_deref(), Some("40001" | "40P01"))
}

fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(DatabaseError::is_unique_violation)
}

fn answer(waiting: Waiting, result: Result<(), CommitError>) {
    // Whoever asked may have gone away; what was committed stays committed.
    _ = waiting.answer.send(result);
}

/// Takes the units that may share a transaction, in order. What touches a case, a customer's row or a
/// ledger key that the batch has already waits, and with it whatever follows for the same case.
fn next_batch(waiting: &mut VecDeque<Waiting>, units_max: usize) -> Vec<Waiting> {
    let mut batch = Vec::new();
    let mut later = VecDeque::new();
    let mut touched: HashSet<String> = HashSet::new();
    while let Some(unit) = waiting.pop_front() {
        if batch.len() == units_max {
            later.push_back(unit);
            break;
        }
        let own = touches(&unit.unit);
        let free = own.iter().all(|key| !touched.contains(key));
        touched.extend(own);
        if free { batch.push(unit) } else { later.push_back(unit) }
    }
    later.append(waiting);
    *waiting = later;
    batch
}

/// The rows of which a transaction may change each only once.
fn touches(unit: &Unit) -> Vec<String> {
    let mut keys = vec![format!("case {}", unit.case)];
    for change in &unit.changes {
        match change {
            Change::Customer(customer) => keys.push(format!("customer {}", customer.id)),
            Change::Person(PersonChange::Root { customer, .. }) => keys.push(format!("customer {customer}")),
            Change::Person(PersonChange::EndIdentity { identity, .. }) => {
                keys.push(format!("identity {identity}"));
            }
            Change::Case(case) | Change::NewCase(case) if case.id != unit.case => {
                keys.push(format!("case {}", case.id));
            }
            Change::SeenCase { case, .. } => keys.push(format!("case {case}")),
            Change::Heard(heard) => keys.push(format!("thread {} {}", heard.channel, heard.conversation)),
            Change::Claim(entry) => keys.push(format!("ledger {}", entry.key)),
            // Files are large, and a transaction is held in memory: one unit with files at a time.
            Change::Attachment(_) => keys.push("files".to_owned()),
            _ => {}
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::CaseId;

    fn waiting(case: &str) -> Waiting {
        Waiting {
            unit: Unit { case: CaseId::parse(case).unwrap(), changes: Vec::new() },
            answer: oneshot::channel().0,
        }
    }

    fn names(units: &[Waiting]) -> Vec<&str> {
        units.iter().map(|w| w.unit.case.as_str()).collect()
    }

    #[test]
    fn two_units_of_one_case_never_share_a_batch_and_keep_their_order() {
        let mut queue: VecDeque<_> = ["a", "b", "a", "c", "a", "b"].into_iter().map(waiting).collect();
        assert_eq!(names(&next_batch(&mut queue, 64)), ["a", "b", "c"]);
        assert_eq!(names(&next_batch(&mut queue, 64)), ["a", "b"]);
        assert_eq!(names(&next_batch(&mut queue, 64)), ["a"]);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_batch_is_never_larger_than_allowed() {
        let mut queue: VecDeque<_> = ["a", "b", "c"].into_iter().map(waiting).collect();
        assert_eq!(names(&next_batch(&mut queue, 2)), ["a", "b"]);
        assert_eq!(names(&next_batch(&mut queue, 2)), ["c"]);
    }
}
