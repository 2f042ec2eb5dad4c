//! What an import found that somebody should look at, and the file it is written to.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Serialize;

/// What is the matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// The line was not taken.
    BadLine,
    /// One cell was not taken.
    Malformed,
    /// The id stands on two lines; the first one counts.
    SameExternalId,
    /// Somebody else has this address; they are kept apart.
    SameEmail,
    /// Somebody else has this number; they are kept apart.
    SamePhone,
    /// The customer is known with something else that was proven; it was left as it is.
    OtherData,
}

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// The line of the file, from 1.
    pub(super) line: u64,
    /// Whose line.
    pub(super) external_id: Option<String>,
    pub(super) kind: Kind,
    /// Which cell.
    pub(super) field: Option<&'static str>,
    /// The other line or customer.
    pub(super) other: Option<String>,
    /// What is the matter, in words.
    pub(super) message: String,
}

impl Finding {
    pub(super) fn bad_line(line: u64, message: String) -> Self {
        Self { line, external_id: None, kind: Kind::BadLine, field: None, other: None, message }
    }
}

/// The report, written as it grows.
pub(super) enum Report {
    Csv(Box<csv::Writer<BufWriter<File>>>),
    Json(BufWriter<File>, &'static str),
}

impl Report {
    /// Begins the file; JSON when its name says so.
    pub(super) fn create(path: &Path) -> std::io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("json")) {
            file.write_all(b"[")?;
            return Ok(Self::Json(file, "\n"));
        }
        Ok(Self::Csv(Box::new(csv::Writer::from_writer(file))))
    }

    /// Adds a finding.
    pub(super) fn add(&mut self, finding: &Finding) -> std::io::Result<()> {
        match self {
            Self::Csv(writer) => writer.serialize(finding).map_err(std::io::Error::other),
            Self::Json(file, before) => {
                write!(file, "{before}{}", serde_json::to_string(finding)?)?;
                *before = ",\n";
                Ok(())
            }
        }
    }

    /// Ends the file.
    pub(super) fn finish(self) -> std::io::Result<()> {
        match self {
            Self::Csv(mut writer) => writer.flush(),
            Self::Json(mut file, _) => {
                file.write_all(b"\n]\n")?;
                file.flush()
            }
        }
    }
}
