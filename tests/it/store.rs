//! The record, on SQLite and on PostgreSQL: every test runs on both.

pub(crate) mod accounts;
mod commit;
mod desks;
mod faults;
mod queries;
mod reach;
mod routing;
mod sign_ins;
pub(crate) mod things;
mod work;

use std::sync::Arc;

use firstline::store::Store;

use crate::support::database::{Database, POSTGRES, postgres_server};
use crate::{approvals, pipeline};

/// A test's record: the database and the store open on it.
pub(crate) struct Record {
    pub(crate) database: Database,
    pub(crate) store: Store,
}

/// Runs one test on SQLite and, as a test of its own, on PostgreSQL where a server is named.
macro_rules! on_both {
    ($($name:ident)*) => {
        /// The names of this file's tests.
        pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),*];

        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                crate::store::on_sqlite(super::$name).await;
            })*
        }

        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                crate::store::on_postgres(super::$name).await;
            })*
        }
    };
}
pub(crate) use on_both;

pub(crate) async fn on_sqlite<F: Future<Output = ()>>(test: fn(Arc<Record>) -> F) {
    on(Database::sqlite(), test).await;
}

pub(crate) async fn on_postgres<F: Future<Output = ()>>(test: fn(Arc<Record>) -> F) {
    if let Some(server) = postgres_server() {
        on(Database::postgres(&server).await, test).await;
    }
}

async fn on<F: Future<Output = ()>>(database: Database, test: fn(Arc<Record>) -> F) {
    let store = database.store().await;
    let record = Arc::new(Record { database, store });
    test(Arc::clone(&record)).await;
    let record = Arc::into_inner(record).expect("the test has ended");
    record.store.close().await;
    record.database.drop().await;
}

#[test]
fn says_how_many_postgres_tests_are_left_out() {
    let count: usize = [
        accounts::NAMES,
        commit::NAMES,
        desks::NAMES,
        faults::NAMES,
        queries::NAMES,
        reach::NAMES,
        routing::NAMES,
        sign_ins::NAMES,
        crate::sign_in::NAMES,
        crate::sign_in::provider::NAMES,
        work::NAMES,
        crate::attachments::NAMES,
        crate::crm::NAMES,
        crate::crm_asked::NAMES,
        crate::deliver::NAMES,
        crate::desks::NAMES,
        crate::desks::mail::NAMES,
        crate::email::NAMES,
        crate::erasure::NAMES,
        crate::faults::answers::NAMES,
        crate::faults::clocks::NAMES,
        crate::faults::merges::NAMES,
        crate::faults::sinks::NAMES,
        crate::faults::streams::NAMES,
        crate::files_out::NAMES,
        crate::identity::NAMES,
        crate::identity::codes::NAMES,
        crate::identity::merges::NAMES,
        crate::limits::NAMES,
        crate::measures::NAMES,
        crate::moving::NAMES,
        crate::ratings::NAMES,
        crate::weekly::NAMES,
        pipeline::NAMES,
        crate::routing::NAMES,
        crate::routing::crowd::NAMES,
        approvals::NAMES,
        crate::webhooks_out::NAMES,
        crate::who_may::NAMES,
        pipeline::which_case::NAMES,
    ]
    .iter()
    .map(|n| n.len())
    .sum();
    let count = count + faults::POSTGRES_ONLY;
    assert!(count > faults::POSTGRES_ONLY, "the lists are read");
    if postgres_server().is_none() {
        use std::io::Write as _;
        // Written to the handle itself: what `eprintln!` says is caught by the test runner and never seen.
        writeln!(std::io::stderr(), "{count} PostgreSQL tests left out: {POSTGRES} is not set").unwrap();
    }
}
