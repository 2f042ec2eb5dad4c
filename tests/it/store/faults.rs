//! What goes wrong: a database that is newer, broken, read-only, locked or gone, and a process that ends.

use std::sync::Arc;

use firstline::store::{Change, CommitError, Store, StoreError};

use super::things::{NOW, case_id, first, message, next, unit};
use super::{Record, on_both};
use crate::support::database::{Database, postgres_server, settings};

on_both! {
    a_database_from_a_newer_version_is_refused
    migrating_again_changes_nothing
    a_failing_database_fails_the_commit_and_heals
    a_row_that_makes_no_sense_is_named
    closing_commits_what_waits_and_takes_nothing_more
    a_commit_that_nobody_waits_for_is_still_whole
    another_process_is_heard_after_a_refusal
}

async fn a_database_from_a_newer_version_is_refused(record: Arc<Record>) {
    record
        .database
        .run(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             select 9999, 'later', success, checksum, 0 from _sqlx_migrations where version = 1",
        )
        .await;
    let store = Store::open(&record.database.url(), &settings()).await.unwrap();
    let error = store.migrate().await.unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 9999, known } if known < 9999), "{error}");
    assert!(error.to_string().contains("start the newer version"), "{error}");
    store.close().await;
}

async fn migrating_again_changes_nothing(record: Arc<Record>) {
    record.store.commit(first("ann")).await.unwrap();
    record.store.migrate().await.unwrap();
    assert!(record.store.case_fresh(&case_id("ann")).await.unwrap().is_some());
    record.store.ready().await.unwrap();
}

async fn a_failing_database_fails_the_commit_and_heals(record: Arc<Record>) {
    let store = &record.store;
    store.commit(first("ann")).await.unwrap();
    record.database.run("alter table messages rename to elsewhere").await;
    let failed =
        futures_util::future::join_all([next("ann", 2), first("bob")].map(|u| store.commit(u))).await;
    assert!(failed.iter().all(|r| matches!(r, Err(CommitError::Database(_)))), "{failed:?}");
    assert!(store.transcript(&case_id("ann")).await.is_err());
    record.database.run("alter table elsewhere rename to messages").await;
    assert_eq!(store.case(&case_id("ann")).await.unwrap().unwrap().case.version, 1);
    store.commit(next("ann", 2)).await.unwrap();
    store.commit(first("bob")).await.unwrap();
    assert_eq!(store.case_fresh(&case_id("ann")).await.unwrap().unwrap().case.version, 2);
}

async fn a_row_that_makes_no_sense_is_named(record: Arc<Record>) {
    record.store.commit(first("ann")).await.unwrap();
    record.database.run("update cases set state = 'dreaming'").await;
    let error = record.store.case_fresh(&case_id("ann")).await.unwrap_err();
    assert!(error.to_string().contains("`cases.state`"), "{error}");
}

async fn closing_commits_what_waits_and_takes_nothing_more(record: Arc<Record>) {
    let store = Store::open(&record.database.url(), &settings()).await.unwrap();
    let other = store.clone();
    store.commit(first("ann")).await.unwrap();
    let waiting = (2..=30).map(|version| store.commit(next("ann", version)));
    let (results, ()) = tokio::join!(futures_util::future::join_all(waiting), other.close());
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert!(matches!(store.commit(first("bob")).await, Err(CommitError::Closed)));
    assert!(store.ready().await.is_err());
    assert_eq!(record.store.case_fresh(&case_id("ann")).await.unwrap().unwrap().case.version, 30);
}

async fn a_commit_that_nobody_waits_for_is_still_whole(record: Arc<Record>) {
    let store = &record.store;
    store.commit(first("ann")).await.unwrap();
    for version in 2..=20 {
        let mut commit = Box::pin(store.commit(next("ann", version)));
        // Asked once and dropped: the unit is with the writer, the answer is not waited for.
        assert!(futures_util::poll!(&mut commit).is_pending());
    }
    store.commit(next("ann", 21)).await.unwrap();
    assert!(store.transcript(&case_id("ann")).await.unwrap().iter().map(|m| m.seq).eq(1..=21));
}

async fn another_process_is_heard_after_a_refusal(record: Arc<Record>) {
    let store = &record.store;
    let other = Store::open(&record.database.url(), &settings()).await.unwrap();
    store.commit(first("ann")).await.unwrap();
    other.commit(next("ann", 2)).await.unwrap();
    assert_eq!(store.case(&case_id("ann")).await.unwrap().unwrap().case.version, 1);
    assert!(matches!(store.commit(next("ann", 2)).await, Err(CommitError::Refused(_))));
    assert_eq!(store.case_fresh(&case_id("ann")).await.unwrap().unwrap().case.version, 2);
    assert_eq!(store.case(&case_id("ann")).await.unwrap().unwrap().messages.len(), 2);
    store.commit(next("ann", 3)).await.unwrap();
    other.close().await;
}

/// How many of the tests here need PostgreSQL and have no counterpart on SQLite.
pub(super) const POSTGRES_ONLY: usize = 1;

#[tokio::test]
async fn a_postgres_connection_that_was_cut_is_made_again() {
    let Some(server) = postgres_server() else { return };
    let database = Database::postgres(&server).await;
    let store = database.store().await;
    for version in 1..=4 {
        store.commit(if version == 1 { first("ann") } else { next("ann", version) }).await.unwrap();
        assert_eq!(store.case_fresh(&case_id("ann")).await.unwrap().unwrap().case.version, version);
        database
            .run(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity
                 where application_name = current_setting('application_name') and pid <> pg_backend_pid()",
            )
            .await;
    }
    store.close().await;
    database.drop().await;
}

#[tokio::test]
async fn a_read_only_file_can_be_read_and_says_why_it_is_not_written() {
    let database = Database::sqlite();
    let store = database.store().await;
    store.commit(first("ann")).await.unwrap();
    store.close().await;
    let store = Store::open(&format!("{}?mode=ro", database.url()), &settings()).await.unwrap();
    assert!(store.case(&case_id("ann")).await.unwrap().is_some());
    let refused = store.commit(next("ann", 2)).await.unwrap_err();
    assert!(matches!(refused, CommitError::Database(_)), "{refused:?}");
    assert!(store.claim_turns("us", NOW, 1_000, 1).await.is_err());
    store.close().await;
    let empty = tempfile::NamedTempFile::new().unwrap();
    let error = Store::open(&format!("sqlite://{}?mode=ro", empty.path().display()), &settings()).await;
    let error = match error {
        Ok(store) => store.migrate().await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error, StoreError::Unwritable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let url = format!("sqlite://{}/data/record.db", file.path().display());
    let error = Store::open(&url, &settings()).await.err().unwrap();
    assert!(matches!(error, StoreError::Unwritable { .. }), "{error:?}");
    let folder = tempfile::tempdir().unwrap();
    let error =
        Store::open(&format!("sqlite://{}", folder.path().display()), &settings()).await.err().unwrap();
    assert!(matches!(error, StoreError::Unwritable { .. }), "{error:?}");
    assert!(error.to_string().contains("--database"));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_an_error_and_stays_as_it_was() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        "these are my holiday notes, and they are long enough to look like a header".repeat(9),
    )
    .unwrap();
    let before = std::fs::read(file.path()).unwrap();
    let opened = Store::open(&format!("sqlite://{}", file.path().display()), &settings()).await;
    assert!(matches!(opened.err(), Some(StoreError::Database(_))));
    assert_eq!(std::fs::read(file.path()).unwrap(), before);
}

#[tokio::test]
async fn a_locked_database_is_waited_for() {
    use sqlx::Connection;
    let database = Database::sqlite();
    let store = database.store().await;
    store.commit(first("ann")).await.unwrap();
    let mut other = sqlx::AnyConnection::connect(&database.url()).await.unwrap();
    let lock = other.begin_with("begin immediate").await.unwrap();
    let mut commit = Box::pin(store.commit(unit("bob", vec![Change::Message(Arc::new(message("bob", 1)))])));
    assert!(futures_util::poll!(&mut commit).is_pending());
    lock.rollback().await.unwrap();
    commit.await.unwrap();
}
