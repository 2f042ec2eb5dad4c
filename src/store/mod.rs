//! All SQL: the record on SQLite or PostgreSQL, written by one task and read by anybody.
//!
//! Decisions go in as a [`Unit`] through [`Store::commit`]; everything else here reads, or changes one row
//! of something that is not a case (a lease, an account, a key).

mod account_log;
mod agents;
mod announce;
mod attachments;
mod cache;
mod cases;
mod challenges;
mod columns;
mod connection;
mod conversations;
mod customers;
mod desk_cases;
mod desktop;
mod draftbook;
mod events;
mod handoffs;
mod inbox;
mod keys;
mod known_people;
mod ledger;
mod messages;
mod model_calls;
mod order;
mod outbox;
mod people;
mod person;
mod presences;
mod provider_sign_ins;
mod ratings;
mod recount;
mod reports;
mod rollups;
mod routing;
mod rows;
mod second_factors;
mod sessions;
mod statements;
mod summaries;
mod tries;
mod turns;
pub mod unit;
mod webhooks;
mod words;
mod worklist;
mod write_backs;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::query::Query;
use sqlx::{Any, AnyPool, SqlSafeStr};
use tokio::sync::{OnceCell, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::domain::ids::CaseId;

use announce::Announcements;
use cache::{CaseFiles, Extent};
use connection::Link;
use writer::{Order, Waiting, Writer};

pub use account_log::AccountEntry;
pub use agents::AgentChange;
pub use announce::{Announcement, Subscription};
pub use attachments::StoredAttachment;
pub use cache::CaseFile;
pub use cases::{CaseFilter, Page, QuickCounts};
pub use challenges::{Challenge, CodesSent};
pub use desk_cases::{DeskCase, DeskState};
pub use desktop::{AgentDraft, Mention, SavedView, Upload, Watcher};
pub use draftbook::Draftbook;
pub use handoffs::QueuedCase;
pub use inbox::{Arrival, OpenCase};
pub use keys::ApiKey;
pub use known_people::{ASKED_MAX, Contact, Holder, KnownPerson};
pub use ledger::LedgerSums;
pub use model_calls::ModelTotals;
pub use order::QueueOrder;
pub use people::{Evidence, Match, PersonChange, TypedContact};
pub use person::Erased;
pub use presences::{Heard, PresenceChange};
pub use provider_sign_ins::ProviderRequest;
pub use recount::Recount;
pub use reports::{Backlog, By, CountedCase, Cut};
pub use rollups::Standing;
pub use routing::{Abilities, Held, Member, OpenOffer, WaitingCase};
pub use second_factors::SecondFactor;
pub use sessions::{AgentSession, Lasting, Proof, Session};
pub use summaries::DueSummary;
pub use unit::{Change, CommitError, Consent, Conversation, InboxEntry, Refusal, Unit};
pub use webhooks::{Notice, NoticeFilter};
pub use words::{FoundCases, SEARCH_WORDS_MAX, Sought, Unready};
pub use worklist::{Lane, WorkCounts, WorkLine, Worklist};
pub use write_backs::{CRM, Listener, Told, Wants, WriteBack};

/// The migrations, only ever added to; each works with the previous release still running.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "the record", include_str!("migrations/0001_record.sql")),
    (2, "chosen passwords", include_str!("migrations/0002_passwords.sql")),
    (3, "doubt", include_str!("migrations/0003_doubt.sql")),
    (4, "conversations", include_str!("migrations/0004_conversations.sql")),
    (5, "model calls", include_str!("migrations/0005_model_calls.sql")),
    (6, "channels", include_str!("migrations/0006_channels.sql")),
    (7, "identity", include_str!("migrations/0007_identity.sql")),
    (8, "the operator's CRM, files, erasure", include_str!("migrations/0008_crm.sql")),
    (9, "tries of what could be guessed", include_str!("migrations/0009_tries.sql")),
    (10, "offers to move", include_str!("migrations/0010_moves.sql")),
    (11, "who may do what", include_str!("migrations/0011_roles.sql")),
    (12, "routing", include_str!("migrations/0012_routing.sql")),
    (13, "the measures", include_str!("migrations/0013_measures.sql")),
    (15, "webhooks and other desks", include_str!("migrations/0015_webhooks.sql")),
    (14, "the console", include_str!("migrations/0014_console.sql")),
    (16, "ratings", include_str!("migrations/0016_ratings.sql")),
    (17, "clocks that are set back", include_str!("migrations/0017_clocks.sql")),
    (19, "the log of presence", include_str!("migrations/0019_presence_log.sql")),
    (20, "roll-ups by what they are of", include_str!("migrations/0020_rollups.sql")),
    (21, "what of a case comes first", include_str!("migrations/0021_write_backs.sql")),
];

/// What happened further ahead than this was written by a clock that has been set back since, and nobody shall wait for
/// that moment. Less is the difference between two machines.
const AHEAD_MS_MAX: i64 = 600_000;

/// The limits of the store.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How often work of other processes is looked for, in milliseconds.
    pub poll_ms: u64,
    /// Units that may share one transaction.
    pub batch_units_max: usize,
    /// Units that may wait; more wait outside.
    pub queue_units_max: usize,
    /// Connections that read.
    pub readers_max: u32,
    /// Case files kept in memory.
    pub cached_cases_max: u64,
    /// Messages in a case file.
    pub recent_messages_max: usize,
    /// Receipts in a case file.
    pub recent_receipts_max: usize,
    /// Who is told what happens.
    pub listeners: Vec<Listener>,
}

/// Why the record could not be read or opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database did not answer as it should.
    #[error("the database failed: {0}. Check that it is running and reachable, then try again")]
    Database(#[from] sqlx::Error),
    /// The URL names no database.
    #[error(
        "the database URL cannot be used: {0}. Write `sqlite://data/firstline.db` or `postgres://user@host/name`"
    )]
    Url(String),
    /// The database was written by a newer version of this program.
    #[error(
        "the database has schema version {found} and this program knows {known}: start the newer version that wrote it, or restore a backup"
    )]
    NewerSchema {
        /// Its version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// Nothing can be written there.
    #[error(
        "`{place}` cannot be written: {why}. Give this user the right to write there, or name another place with --database"
    )]
    Unwritable {
        /// The file or the database.
        place: String,
        /// What stands in the way.
        why: String,
    },
    /// A row does not mean anything.
    #[error(
        "`{what}` holds something this program did not write: restore the row from a backup, or start the version that wrote it"
    )]
    Corrupt {
        /// Table and column.
        what: String,
    },
    /// A page marker that this program did not give out.
    #[error("`cursor` is not one that was given out: start again without it")]
    Cursor,
}

/// The record. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    readers: AnyPool,
    link: Arc<Link>,
    place: String,
    files: Arc<CaseFiles>,
    announcements: Arc<Announcements>,
    queue: mpsc::Sender<Order>,
    writer: Mutex<Option<JoinHandle<()>>>,
    poll_ms: u64,
    /// Read once: it never changes.
    salt: OnceCell<String>,
}

impl Store {
    /// Opens `sqlite://path` (making the file and its folder) or `postgres://…`. Does not migrate.
    pub async fn open(url: &str, settings: &Settings) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let address = connection::address(url)?;
        let place = address
            .file
            .as_ref()
            .map_or_else(|| "the database".to_owned(), |file| file.display().to_string());
        if let Some(folder) = address.file.as_ref().and_then(|file| file.parent()) {
            tokio::fs::create_dir_all(folder).await.map_err(|e| StoreError::Unwritable {
                place: folder.display().to_string(),
                why: e.to_string(),
            })?;
        }
        let link = Arc::new(Link::new(&address));
        link.connected(&mut *link.lock().await).await.map_err(|e| unwritable(&place, e))?;
        let extent =
            Extent { messages_max: settings.recent_messages_max, receipts_max: settings.recent_receipts_max };
        let files = Arc::new(CaseFiles::new(settings.cached_cases_max, extent));
        let announcements = Arc::new(Announcements::default());
        let (queue, orders) = mpsc::channel(settings.queue_units_max.max(1));
        let writer = Writer::new(
            Arc::clone(&link),
            Arc::clone(&files),
            Arc::clone(&announcements),
            settings.batch_units_max,
            settings.listeners.clone(),
        );
        #[expect(clippy::disallowed_methods, reason = "the store's own task; `close` waits for it")]
        let task = tokio::spawn(writer.run(orders));
        Ok(Self(Arc::new(Inner {
            readers: connection::readers(&address, settings.readers_max),
            link,
            place,
            files,
            announcements,
            queue,
            writer: Mutex::new(Some(task)),
            poll_ms: settings.poll_ms,
            salt: OnceCell::new(),
        })))
    }

    /// Brings the schema up to date. Refuses a database from a newer version.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let known = MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or(0);
        let migrator = Migrator::with_migrations(
            MIGRATIONS
                .iter()
                .map(|(version, name, sql)| {
                    Migration::new(*version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
                })
                .collect(),
        );
        let mut slot = self.0.link.lock().await;
        let connection = self.0.link.connected(&mut slot).await?;
        let result = migrator.run(connection).await;
        if result.is_err() {
            *slot = None;
        }
        drop(slot);
        result.map_err(|error| match error {
            MigrateError::VersionMissing(found) => StoreError::NewerSchema { found, known },
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                unwritable(&self.0.place, error)
            }
            other => StoreError::Database(sqlx::Error::Migrate(Box::new(other))),
        })?;
        self.make_salt().await
    }

    /// Commits a unit, with whatever else waits at this moment. When it returns `Ok` the unit is durable, the case
    /// file knows it and it was announced. Giving up the wait does not undo it.
    pub async fn commit(&self, unit: Unit) -> Result<(), CommitError> {
        let (answer, answered) = oneshot::channel();
        let order = Order::Commit(Waiting { unit, answer });
        self.0.queue.send(order).await.map_err(|_| CommitError::Closed)?;
        answered.await.unwrap_or(Err(CommitError::Closed))
    }

    /// Listens to the commits about a case from now on.
    pub fn subscribe(&self, case: &CaseId) -> Subscription {
        self.0.announcements.subscribe(case)
    }

    /// Tells the listeners of a case something that is not in the record: that somebody is writing.
    pub fn announce(&self, case: &CaseId, announcement: Announcement) {
        self.0.announcements.announce(case, announcement);
    }

    /// How often to look for work of other processes, in milliseconds.
    pub fn poll_ms(&self) -> u64 {
        self.0.poll_ms
    }

    /// Whether the record can be read and the writer lives.
    pub async fn ready(&self) -> Result<(), StoreError> {
        if self.0.queue.is_closed() {
            return Err(StoreError::Database(sqlx::Error::PoolClosed));
        }
        self.rows(sqlx::query("select version from cases limit 1")).await.map(drop)
    }

    /// Commits what waits, then closes the database. Every other clone is closed with it.
    pub async fn close(self) {
        // A closed queue means that it was closed before.
        _ = self.0.queue.send(Order::Close).await;
        let task = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(error = %error, "the writer of the store did not end by itself");
        }
        self.0.readers.close().await;
        self.0.link.close().await;
    }

    /// Reads all rows.
    async fn rows(&self, query: Query<'_, Any, AnyArguments>) -> Result<Vec<AnyRow>, StoreError> {
        Ok(query.fetch_all(&self.0.readers).await?)
    }

    /// Reads one row, if there is one.
    async fn row(&self, query: Query<'_, Any, AnyArguments>) -> Result<Option<AnyRow>, StoreError> {
        Ok(query.fetch_optional(&self.0.readers).await?)
    }

    /// Runs one statement that writes, outside any unit.
    async fn write(&self, query: Query<'_, Any, AnyArguments>) -> Result<Vec<AnyRow>, StoreError> {
        Ok(self.0.link.write(query).await?)
    }
}

/// Says that a place cannot be written where that is what the error means.
fn unwritable(place: &str, error: sqlx::Error) -> StoreError {
    // SQLite's extended codes have the plain one in their low byte: 8 read-only, 14 cannot open, 13 full.
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .and_then(|code| code.parse::<i32>().ok());
    match code.map(|code| code & 0xff) {
        Some(8 | 13 | 14) => StoreError::Unwritable { place: place.to_owned(), why: error.to_string() },
        _ => StoreError::Database(error),
    }
}
