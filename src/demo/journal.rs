//! The shop's memory on disk: an append-only file of JSON lines, each on the disk before its call is answered.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::state::Call;

/// One line of the journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub(super) enum Record {
    /// The first line: all days of the shop count from this one.
    Opened { format: u32, opening_day: jiff::civil::Date },
    /// A write.
    Call(Box<Call>),
    /// A request that came again under its key and changed nothing.
    Repeat { key: String },
    /// What the CRM was told.
    Told { key: String, body: serde_json::Value },
}

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be opened, read or written.
    #[error(
        "the demo shop's journal {path}: {source}; make the file readable and writable, or remove it to start the shop anew"
    )]
    Io {
        /// The journal's path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error(
        "the demo shop's journal {0} is in use by another process; stop that one, or start with another data folder"
    )]
    InUse(PathBuf),
    /// A line that is not the last one cannot be read.
    #[error(
        "line {line} of the demo shop's journal {path} cannot be read: {reason}; remove the file to start the shop anew"
    )]
    Broken {
        /// The journal's path.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// An open journal; it holds a lock on the file until it is dropped or its process dies.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    /// The length of everything that is known to be whole.
    whole: u64,
}

impl Journal {
    /// Opens or creates the file, cuts off a last line that a crash left unfinished, and reads the rest.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Record>), JournalError> {
        let io = |source| JournalError::Io { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(io)?;
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(JournalError::InUse(path.to_owned())),
            Err(std::fs::TryLockError::Error(source)) => return Err(io(source)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let mut records = Vec::new();
        for (index, line) in bytes.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            let broken = |reason: serde_json::Error| JournalError::Broken {
                path: path.to_owned(),
                line: index + 1,
                reason: reason.to_string(),
            };
            records.push(serde_json::from_slice(line).map_err(broken)?);
        }
        if whole < bytes.len() {
            file.set_len(whole as u64).map_err(io)?;
            file.sync_all().map_err(io)?;
        }
        Ok((Self { file, whole: whole as u64 }, records))
    }

    /// Writes one record and waits until it is on the disk. After an error the record is not in the journal.
    pub(super) fn append(&mut self, record: &Record) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        // What an earlier failure may have left behind goes first, so that no line is ever glued to half of another.
        if self.file.seek(SeekFrom::End(0))? != self.whole {
            self.file.set_len(self.whole)?;
        }
        self.file.write_all(&line)?;
        self.file.sync_data()?;
        self.whole += line.len() as u64;
        Ok(())
    }
}
