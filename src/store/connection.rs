//! How the database is reached: the URL, the settings of a connection, and the one connection that writes.

use std::path::{Path, PathBuf};

use sqlx::any::{AnyArguments, AnyConnectOptions, AnyPoolOptions, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AnyPool, ConnectOptions, Connection};
use tokio::sync::{Mutex, MutexGuard};

use super::StoreError;

/// Which database answers. One query text serves both; what differs is named by the methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// Begins a transaction that writes. A deferred one of SQLite that reads first fails with BUSY at once.
    pub(super) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "begin immediate",
            Self::Postgres => "begin",
        }
    }

    /// The settings of the connection that writes. A lock is waited for 5 s on both. The log of SQLite is carried
    /// over every 10,000 pages (40 MB), because one commit in fifty would wait for it at the 1,000 of the default.
    fn setup(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "pragma busy_timeout = 5000; pragma journal_mode = wal; pragma synchronous = full;
                 pragma foreign_keys = on; pragma wal_autocheckpoint = 10000"
            }
            Self::Postgres => "set lock_timeout = '5s'",
        }
    }

    /// Everything that writes goes through one connection; the others cannot.
    fn setup_reader(self) -> &'static str {
        match self {
            Self::Sqlite => "pragma busy_timeout = 5000; pragma query_only = on",
            Self::Postgres => "set default_transaction_read_only = on",
        }
    }
}

/// Where the database is.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) dialect: Dialect,
    pub(super) options: AnyConnectOptions,
    /// The file of SQLite.
    pub(super) file: Option<PathBuf>,
}

/// Reads a database URL; a file of SQLite may be named relative to the current folder.
pub(super) fn address(url: &str) -> Result<Address, StoreError> {
    let (dialect, full, file) = match url.strip_prefix("sqlite:") {
        Some(rest) => {
            let (name, query) = rest.split_once('?').unwrap_or((rest, ""));
            let name = name.strip_prefix("//").unwrap_or(name);
            if name.is_empty() || name.contains(":memory:") || query.contains("mode=memory") {
                return Err(StoreError::Url(
                    "SQLite needs a file, for example `sqlite://data/firstline.db`".to_owned(),
                ));
            }
            let file = std::path::absolute(name).map_err(|e| StoreError::Url(e.to_string()))?;
            let query = if query.is_empty() { "mode=rwc" } else { query };
            (Dialect::Sqlite, format!("sqlite://{}?{query}", encoded(&file)), Some(file))
        }
        None if url.starts_with("postgres:") || url.starts_with("postgresql:") => {
            (Dialect::Postgres, url.to_owned(), None)
        }
        None => return Err(StoreError::Url("it begins with `sqlite:` or `postgres:`".to_owned())),
    };
    // The parser's message would repeat the URL, and with it a password.
    let options =
        full.parse::<AnyConnectOptions>().map_err(|_| StoreError::Url("it cannot be parsed".to_owned()))?;
    Ok(Address { dialect, options: options.disable_statement_logging(), file })
}

/// A path as it stands in a URL.
fn encoded(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.to_string_lossy().bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push_str(&hex::encode_upper([byte]));
        }
    }
    text
}

/// The pool of connections that only read.
pub(super) fn readers(address: &Address, readers_max: u32) -> AnyPool {
    let setup = address.dialect.setup_reader();
    AnyPoolOptions::new()
        .max_connections(readers_max.max(1))
        // Asking an idle connection whether it lives would double every read of SQLite; a dead one heals by one error.
        .test_before_acquire(address.dialect == Dialect::Postgres)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(setup).execute(connection).await?;
                Ok(())
            })
        })
        .connect_lazy_with(address.options.clone())
}

/// The one connection that writes; made when it is first needed and again after any error.
pub(super) struct Link {
    pub(super) dialect: Dialect,
    options: AnyConnectOptions,
    connection: Mutex<Option<AnyConnection>>,
}

impl Link {
    pub(super) fn new(address: &Address) -> Self {
        Self { dialect: address.dialect, options: address.options.clone(), connection: Mutex::new(None) }
    }

    /// Waits for its turn, first come first served.
    pub(super) async fn lock(&self) -> MutexGuard<'_, Option<AnyConnection>> {
        self.connection.lock().await
    }

    /// The connection in `slot`, connecting when there is none.
    pub(super) async fn connected<'c>(
        &self,
        slot: &'c mut Option<AnyConnection>,
    ) -> Result<&'c mut AnyConnection, sqlx::Error> {
        let connection = if let Some(connection) = slot.take() {
            connection
        } else {
            let mut connection = self.options.connect().await?;
            sqlx::raw_sql(self.dialect.setup()).execute(&mut connection).await?;
            connection
        };
        Ok(slot.insert(connection))
    }

    /// Runs one statement that writes, alone, and returns its rows.
    pub(super) async fn write(
        &self,
        query: Query<'_, Any, AnyArguments>,
    ) -> Result<Vec<AnyRow>, sqlx::Error> {
        let mut slot = self.lock().await;
        let connection = self.connected(&mut slot).await?;
        let result = query.fetch_all(connection).await;
        // A refusal by a constraint leaves the connection sound; after anything else a new one is safer.
        if result.as_ref().is_err_and(|e| !matches!(e, sqlx::Error::Database(_))) {
            *slot = None;
        }
        result
    }

    pub(super) async fn close(&self) {
        if let Some(connection) = self.lock().await.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the database connection did not close cleanly");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_odd_letters_stays_the_same_file() {
        let address = address("sqlite:///tmp/a b/ü#%.db").unwrap();
        assert_eq!(address.options.database_url.as_str(), "sqlite:///tmp/a%20b/%C3%BC%23%25.db?mode=rwc");
        assert_eq!(address.file, Some(PathBuf::from("/tmp/a b/ü#%.db")));
    }

    #[test]
    fn a_url_that_names_no_database_says_what_would() {
        for bad in ["", "mysql://x", "sqlite:", "sqlite::memory:", "sqlite://x?mode=memory"] {
            let error = address(bad).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains("sqlite:"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_parsed_does_not_show_its_password() {
        let error = address("postgres://user:hunter2@[::/x").err().map(|e| e.to_string()).unwrap_or_default();
        assert!(!error.contains("hunter2") && !error.is_empty());
    }
}
