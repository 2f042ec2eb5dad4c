//! The writer: one task that commits units, those that wait at the same moment in one transaction.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row as _};
use tokio::sync::{mpsc, oneshot};

use super::announce::Announcements;
use super::cache::CaseFiles;
use super::connection::{Dialect, Link};
use super::rows::{Row, Rows};
use super::statements::{STATEMENTS, Slot, Statement};
use super::unit::{Change, CommitError, Refusal, Unit};

/// Rows per statement, most first; few sizes, so that the statements stay prepared.
const CHUNKS: [usize; 8] = [64, 32, 16, 8, 4, 3, 2, 1];

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
    texts: HashMap<(Slot, usize), Arc<str>>,
}

impl Writer {
    pub(super) fn new(
        link: Arc<Link>,
        files: Arc<CaseFiles>,
        announcements: Arc<Announcements>,
        batch_units_max: usize,
    ) -> Self {
        Self { link, files, announcements, batch_units_max: batch_units_max.max(1), texts: HashMap::new() }
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
    async fn attempt(&mut self, batch: &[Waiting]) -> Result<HashMap<usize, Refusal>, sqlx::Error> {
        let rows = Rows::of(batch.iter().map(|waiting| &waiting.unit))?;
        let link = Arc::clone(&self.link);
        let mut slot = link.lock().await;
        let result = match self.transact(link.connected(&mut slot).await?, rows).await {
            // The connection may have died while it was idle; nothing was sent yet, so once more on a new one. A lock
            // of SQLite was waited for already.
            Err(Failure::Begin(error))
                if link.dialect == Dialect::Postgres || error.as_database_error().is_none() =>
            {
                *slot = None;
                let rows = Rows::of(batch.iter().map(|waiting| &waiting.unit))?;
                self.transact(link.connected(&mut slot).await?, rows).await
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

    async fn transact(
        &mut self,
        connection: &mut AnyConnection,
        mut rows: Rows,
    ) -> Result<HashMap<usize, Refusal>, Failure> {
        let mut transaction =
            connection.begin_with(self.link.dialect.begin()).await.map_err(Failure::Begin)?;
        for statement in &STATEMENTS {
            let refused = self
                .store(&mut transaction, statement, rows.take(statement.slot))
                .await
                .map_err(Failure::Later)?;
            if !refused.is_empty() {
                transaction.rollback().await.map_err(Failure::Later)?;
                return Ok(refused);
            }
        }
        transaction.commit().await.map_err(Failure::Later)?;
        Ok(HashMap::new())
    }

    /// Stores the rows of one statement and returns the units whose rows it did not accept.
    async fn store(
        &mut self,
        connection: &mut AnyConnection,
        statement: &'static Statement,
        mut rows: Vec<Row>,
    ) -> Result<HashMap<usize, Refusal>, sqlx::Error> {
        let mut refused = HashMap::new();
        while !rows.is_empty() {
            let size = CHUNKS.into_iter().find(|size| *size <= rows.len()).unwrap_or(1);
            let rest = rows.split_off(size);
            let mut asked: Vec<(String, usize)> = Vec::new();
            let mut arguments = AnyArguments::default();
            let columns = rows.first().map_or(0, |row| row.values.len());
            for row in rows {
                if statement.guard.is_some() {
                    asked.push((row.key().to_owned(), row.unit));
                }
                for value in row.values {
                    value.bind(&mut arguments)?;
                }
            }
            let query = sqlx::query_with(AssertSqlSafe(self.text(statement, size, columns)), arguments);
            if let Some(refusal) = statement.guard {
                let returned: Vec<AnyRow> = query.fetch_all(&mut *connection).await?;
                let accepted = returned
                    .iter()
                    .map(|row| row.try_get::<String, _>(0))
                    .collect::<Result<HashSet<_>, _>>()?;
                refused.extend(
                    asked
                        .into_iter()
                        .filter(|(key, _)| !accepted.contains(key))
                        .map(|(_, unit)| (unit, refusal)),
                );
            } else {
                query.execute(&mut *connection).await?;
            }
            rows = rest;
        }
        Ok(refused)
    }

    /// The text of a statement for so many rows. Only the marks of the values differ between the databases:
    /// SQLite looks up numbered ones one by one (quadratic in their number), PostgreSQL knows no others.
    fn text(&mut self, statement: &Statement, rows: usize, columns: usize) -> Arc<str> {
        let dialect = self.link.dialect;
        let text = self.texts.entry((statement.slot, rows)).or_insert_with(|| {
            let mut text = statement.head.to_owned();
            for place in 0..rows * columns {
                text.push_str(match (place % columns, place) {
                    (0, 0) => "(",
                    (0, _) => "), (",
                    _ => ", ",
                });
                match dialect {
                    Dialect::Sqlite => text.push('?'),
                    Dialect::Postgres => _ = write!(text, "${}", place + 1),
                }
            }
            text.push(')');
            text.push_str(statement.tail);
            text.into()
        });
        Arc::clone(text)
    }
}

/// How far a transaction came that failed.
enum Failure {
    Begin(sqlx::Error),
    Later(sqlx::Error),
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
