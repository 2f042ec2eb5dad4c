//! Where knowledge comes from: a folder on disk, or files embedded in the binary.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::problem::Problem;

/// Largest file that is read, bytes.
pub const FILE_BYTES_MAX: u64 = 4 << 20;
/// Deepest folder that is entered below the knowledge folder.
const DEPTH_MAX: usize = 16;

/// One file: its path below the knowledge folder, with `/`, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// For example `articles/returns/how-to-return.md`.
    pub path: String,
    /// The whole file.
    pub text: Cow<'static, str>,
}

/// Where the files are.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A folder that holds `articles/` and `procedures/`, either of which may be absent.
    Folder(PathBuf),
    /// Files that are already in memory.
    Embedded(Vec<Source>),
}

impl Origin {
    /// Every Markdown file, ordered by path; what cannot be read is a problem.
    pub(super) fn read(&self) -> (Vec<Source>, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut sources = match self {
            Self::Embedded(sources) => sources.clone(),
            Self::Folder(root) => {
                let mut sources = Vec::new();
                for part in ["articles", "procedures"] {
                    walk(root, &root.join(part), 0, &mut sources, &mut problems);
                }
                sources
            }
        };
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        (sources, problems)
    }
}

fn walk(root: &Path, folder: &Path, depth: usize, sources: &mut Vec<Source>, problems: &mut Vec<Problem>) {
    let name = |path: &Path| {
        let below = path.strip_prefix(root).unwrap_or(path);
        below.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => {
            let message = format!("the folder cannot be read: {error}");
            problems.push(Problem::new(&name(folder), None, message, "check its permissions"));
            return;
        }
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            if depth < DEPTH_MAX {
                walk(root, &path, depth + 1, sources, problems);
            }
        } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("md")) {
            match read_file(&path) {
                Ok(text) => sources.push(Source { path: name(&path), text: Cow::Owned(text) }),
                Err(message) => {
                    problems.push(Problem::new(&name(&path), None, message, "save it as UTF-8 text"));
                }
            }
        }
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|e| format!("the file cannot be read: {e}"))?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("the file has {size} bytes, more than {FILE_BYTES_MAX}"));
    }
    let bytes = std::fs::read(path).map_err(|e| format!("the file cannot be read: {e}"))?;
    String::from_utf8(bytes).map_err(|_| "the file is not UTF-8".to_owned())
}

/// The version of a set of sources: the first 16 hexadecimal digits of a hash of all of them.
pub(super) fn version(sources: &[Source]) -> String {
    let mut hash = Sha256::new();
    for source in sources {
        // Lengths first, so that no two different sets of files read the same.
        hash.update((source.path.len() as u64).to_le_bytes());
        hash.update(source.path.as_bytes());
        hash.update((source.text.len() as u64).to_le_bytes());
        hash.update(source.text.as_bytes());
    }
    hex::encode(hash.finalize()).chars().take(16).collect()
}
