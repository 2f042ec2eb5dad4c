//! The writer: one task that commits units, those that wait at the same moment in one transaction.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use sqlx::any::AnyArguments;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};
use tokio::sync::{mpsc, oneshot};

use super::announce::Announcements;
use super::cache::CaseFiles;
use super::connection::{Dialect, Link};
use super::rows::{Row, Rows};
use super::statements::Statement;
use super::unit::{Change, CommitError, Refusal, Unit};

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
}

impl Writer {
    pub(super) fn new(
        link: Arc<Link>,
        files: Arc<CaseFiles>,
        announcements: Arc<Announcements>,
        batch_units_max: usize,
    ) -> Self {
        Self { link, files, announcements, batch_units_max: batch_units_max.max(1) }
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
        let rows = || Rows::of(batch.iter().map(|waiting| &waiting.unit));
        // A call to SQLite wakes a thread, so a unit alone has few of them. The statements of many are few for each,
        // and stay prepared one by one.
        let few = dialect == Dialect::Sqlite && batch.len() == 1;
        let mut slot = self.link.lock().await;
        let mut result =
            transact(self.link.connected(&mut slot).await?, calls(dialect, rows()?, few)?).await;
        let again = result.as_ref().is_err_and(|failure| match failure {
            // The connection may have died while it was idle. A lock of SQLite was waited for already.
            Failure::Begin(error) if dialect == Dialect::Postgres || error.as_database_error().is_none() => true,
            // What comes after a refused row may break a constraint; one by one it is not reached.
            Failure::Begin(error) | Failure::Later(error) => few && error.as_database_error().is_some(),
        });
        if again {
            *slot = None;
            let connection = self.link.connected(&mut slot).await?;
            result = transact(connection, calls(dialect, rows()?, false)?).await;
        }
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
    /// Its first call.
    Begin(sqlx::Error),
    Later(sqlx::Error),
}

/// What is sent to the database at once.
#[derive(Default)]
struct Call {
    text: String,
    arguments: AnyArguments,
    /// Rows that may be passed over: the statement, the row's key, and its unit and refusal.
    asked: HashMap<(usize, String), (usize, Refusal)>,
}

/// The calls of a transaction: one per statement, or as few as can be: what may be refused, then the rest.
fn calls(dialect: Dialect, rows: Rows, few: bool) -> Result<Vec<Call>, sqlx::Error> {
    let chunks: Vec<_> = rows.chunks().collect();
    let sure = chunks.iter().rposition(|(statement, _)| statement.guard.is_some()).map_or(0, |last| last + 1);
    let mut call = Call::default();
    let mut calls = Vec::new();
    call.say(dialect.begin());
    for (place, (statement, rows)) in chunks.into_iter().enumerate() {
        if !few || place == sure {
            calls.push(std::mem::take(&mut call));
        }
        call.store(dialect, statement, rows)?;
    }
    if !few {
        calls.push(std::mem::take(&mut call));
    }
    call.say("commit");
    calls.push(call);
    Ok(calls)
}

/// Makes the calls; the first with a refused row is the last, and nothing is kept.
async fn transact(
    connection: &mut AnyConnection,
    calls: Vec<Call>,
) -> Result<HashMap<usize, Refusal>, Failure> {
    for (place, call) in calls.into_iter().enumerate() {
        let made = call.run(connection).await;
        let refused = made.map_err(|e| if place == 0 { Failure::Begin(e) } else { Failure::Later(e) })?;
        if !refused.is_empty() {
            sqlx::query("rollback").execute(connection).await.map_err(Failure::Later)?;
            return Ok(refused);
        }
    }
    Ok(HashMap::new())
}

impl Call {
    fn say(&mut self, words: &str) {
        if !self.text.is_empty() {
            self.text.push_str("; ");
        }
        self.text.push_str(words);
    }

    fn store(&mut self, dialect: Dialect, statement: &Statement, rows: Vec<Row>) -> Result<(), sqlx::Error> {
        let columns = rows.first().map_or(0, |row| row.values.len());
        self.say(statement.head);
        statement.finish(&mut self.text, dialect, rows.len(), columns);
        for row in rows {
            if let Some(guard) = statement.guard {
                let key = (statement.slot as usize, row.key().to_owned());
                self.asked.insert(key, (row.unit, guard.refusal));
            }
            for value in row.values {
                value.bind(&mut self.arguments)?;
            }
        }
        Ok(())
    }

    /// The units whose rows were passed over.
    async fn run(mut self, connection: &mut AnyConnection) -> Result<HashMap<usize, Refusal>, sqlx::Error> {
        let query = sqlx::query_with(AssertSqlSafe(self.text), self.arguments);
        for row in query.fetch_all(connection).await? {
            let place: i64 = row.try_get(1)?;
            self.asked.remove(&(place as usize, row.try_get(0)?));
        }
        Ok(self.asked.into_values().collect())
    }
}

/// Whether the error may be the fault of one unit, or of another process at the same rows.
fn of_one_unit(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return matches!(error, sqlx::Error::Encode(_)) };
    !matches!(error.kind(), sqlx::error::ErrorKind::Other)
        || matches!(error.code().as_deref(), Some("40001" | "40P01"))
}

fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
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
            Change::Case(case) | Change::NewCase(case) if case.id != unit.case => {
                keys.push(format!("case {}", case.id));
            }
            Change::Claim(entry) => keys.push(format!("ledger {}", entry.key)),
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
