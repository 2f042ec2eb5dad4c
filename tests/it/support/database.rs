//! A database for one test: a SQLite file, or a schema of its own on the PostgreSQL server, gone afterwards.

use firstline::store::{Settings, Store};
use sqlx::{Connection, Executor, Row as _};

/// The variable that names the PostgreSQL server.
pub(crate) const POSTGRES: &str = "TEST_POSTGRES_URL";

/// Where a test keeps its record.
pub(crate) enum Database {
    Sqlite(tempfile::TempDir),
    Postgres { server: String, schema: String },
}

/// The PostgreSQL server to test on, if one was named.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration to read it from")]
pub(crate) fn postgres_server() -> Option<String> {
    std::env::var(POSTGRES).ok().filter(|url| !url.is_empty())
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub(crate) async fn postgres(server: &str) -> Self {
        let schema = format!("firstline_{}", hex::encode(random()));
        run(server, &format!("create schema {schema}")).await;
        Self::Postgres { server: server.to_owned(), schema }
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite://{}/data/record.db", folder.path().display()),
            Self::Postgres { server, schema } => {
                let mark = if server.contains('?') { '&' } else { '?' };
                format!("{server}{mark}options[search_path]={schema}&application_name={schema}")
            }
        }
    }

    pub(crate) async fn store(&self) -> Store {
        let store = Store::open(&self.url(), &settings()).await.unwrap();
        store.migrate().await.unwrap();
        store
    }

    /// Runs a statement on a connection of its own, beside the store.
    pub(crate) async fn run(&self, sql: &str) {
        run(&self.url(), sql).await;
    }

    /// Every value of a query, as text, row by row.
    pub(crate) async fn read(&self, sql: &str) -> Vec<String> {
        sqlx::any::install_default_drivers();
        let mut connection = sqlx::AnyConnection::connect(&self.url()).await.unwrap();
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let value = |row: &sqlx::any::AnyRow, at: usize| {
            let number = |_| row.try_get::<Option<i64>, _>(at).unwrap().map(|number| number.to_string());
            row.try_get::<Option<String>, _>(at).unwrap_or_else(number).unwrap_or_default()
        };
        rows.iter().map(|row| (0..row.len()).map(|at| value(row, at)).collect::<Vec<_>>().join("|")).collect()
    }

    pub(crate) async fn drop(self) {
        if let Self::Postgres { server, schema } = self {
            run(&server, &format!("drop schema {schema} cascade")).await;
        }
    }
}

/// Small limits, so that a test reaches them.
pub(crate) fn settings() -> Settings {
    Settings {
        poll_ms: 100,
        batch_units_max: 64,
        queue_units_max: 1_000,
        readers_max: 4,
        cached_cases_max: 1_000,
        recent_messages_max: 60,
        recent_receipts_max: 20,
        listeners: Vec::new(),
    }
}

/// Runs a statement on a database, beside whoever else uses it.
pub(crate) async fn run(url: &str, sql: &str) {
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(url).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(sql.to_owned())).await.unwrap();
    connection.close().await.unwrap();
}

fn random() -> [u8; 8] {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}
