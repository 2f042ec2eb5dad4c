//! Knowledge: articles and procedures read from files, and one search over the articles for every channel.
//!
//! [`Knowledge`] is a handle; what it serves is an edition that is replaced whole when files change. A file
//! that breaks is reported and its last good text keeps serving; nothing one file says takes the rest down.

mod answerable;
mod article;
mod edition;
mod front;
mod index;
mod line;
mod markdown;
mod problem;
mod procedure;
mod rank;
mod sentences;
mod shelf;
mod snippet;
mod source;
mod spelling;
mod terms;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::procedure::Procedure;

pub use article::Article;
pub use line::search_line;
pub use markdown::Passage;
pub use problem::Problem;
pub use source::{FILE_BYTES_MAX, Origin, Source};
pub use watch::{Watch, WatchError};

use edition::Edition;

/// What is bounded here.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest passage, characters.
    pub passage_chars_max: usize,
    /// Longest query, characters; the rest is cut.
    pub query_chars_max: usize,
}

impl From<&crate::config::Knowledge> for Limits {
    fn from(settings: &crate::config::Knowledge) -> Self {
        Self { passage_chars_max: settings.passage_chars_max, query_chars_max: settings.query_chars_max }
    }
}

/// One article that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Its id.
    pub article: String,
    /// Its title.
    pub title: String,
    /// Higher is better; comparable within one search only.
    pub score: f32,
    /// Share of the question that the article has, its words weighted by rarity, 0 to 1.
    pub coverage: f32,
    /// How much the question is like the title or one of the article's own questions, 0 to 1.
    pub likeness: f32,
    /// Its best passage, whole.
    pub passage: String,
    /// The sentences of the passage that answer.
    pub snippet: String,
    /// When a person last checked the article.
    pub reviewed: Option<jiff::civil::Date>,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// Probability that the first hit holds the answer, 0 to 1.
    pub answerable: f32,
    /// Best first, one per article.
    pub hits: Vec<Hit>,
    /// The version of the knowledge that was searched.
    pub version: String,
}

/// The knowledge base; clones share it.
#[derive(Clone)]
pub struct Knowledge {
    shared: Arc<Shared>,
}

struct Shared {
    origin: Origin,
    cache: Option<PathBuf>,
    limits: Limits,
    present: RwLock<Arc<Edition>>,
}

impl std::fmt::Debug for Knowledge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Knowledge").field("version", &self.version()).finish_non_exhaustive()
    }
}

impl Knowledge {
    /// Reads everything; what is wrong is listed and left out, the rest serves.
    ///
    /// The search index is kept in `cache` where that can be written, else in memory.
    pub fn open(origin: Origin, cache: Option<&Path>, limits: Limits) -> (Self, Vec<Problem>) {
        let (edition, problems) = Edition::read(&origin, cache, limits, None);
        let present = RwLock::new(Arc::new(edition));
        (
            Self { shared: Arc::new(Shared { origin, cache: cache.map(Path::to_owned), limits, present }) },
            problems,
        )
    }

    /// Finds the articles that answer, in one language, or in every one when it is not known.
    pub fn search(&self, query: &str, language: Option<&str>, limit: usize) -> Search {
        self.edition().search(query, language, limit, self.shared.limits.query_chars_max)
    }

    /// One article by its id.
    pub fn article(&self, id: &str) -> Option<Article> {
        self.edition().article(id).cloned()
    }

    /// Every procedure, ordered by file.
    pub fn procedures(&self) -> Arc<[Procedure]> {
        self.edition().procedures.clone()
    }

    /// The version of all that serves: equal files, equal version, on every machine.
    pub fn version(&self) -> String {
        self.edition().version.clone()
    }

    /// The version of the procedures alone, for what is learnt from them.
    pub fn procedures_version(&self) -> String {
        self.edition().procedures_version.clone()
    }

    /// How many articles serve.
    pub fn articles_count(&self) -> usize {
        self.edition().articles.len()
    }

    /// Whether the index is loaded and finds what is known to be there.
    pub fn serves(&self) -> bool {
        self.edition().serves(self.shared.limits.query_chars_max)
    }

    /// Reads everything again and serves it from then on; returns what is wrong.
    ///
    /// A file that has broken since keeps serving as it was.
    pub fn reload(&self) -> Vec<Problem> {
        let shared = &self.shared;
        let before = self.edition();
        let (edition, problems) =
            Edition::read(&shared.origin, shared.cache.as_deref(), shared.limits, Some(&before));
        *shared.present.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(edition);
        problems
    }

    /// Reloads whenever files change, until the watch is dropped; none where files cannot change.
    pub fn watch(&self) -> Result<Option<Watch>, WatchError> {
        watch::start(self)
    }

    fn origin(&self) -> &Origin {
        &self.shared.origin
    }

    fn edition(&self) -> Arc<Edition> {
        self.shared.present.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests;
