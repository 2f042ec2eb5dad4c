//! One edition of the knowledge base: everything that was read at one time, indexed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use crate::domain::procedure::Procedure;

use super::answerable::answerable;
use super::article::{self, Article};
use super::index::Index;
use super::problem::Problem;
use super::rank::{Evidence, Found, rank};
use super::shelf::{QueryTerm, Shelf};
use super::snippet::snippet;
use super::source::{self, Origin, Source};
use super::{Hit, Limits, Search, procedure};

/// Titles searched for to see that the index serves.
const TITLES_TRIED_MAX: usize = 5;

/// Everything that serves at one time.
pub(super) struct Edition {
    pub(super) version: String,
    pub(super) procedures_version: String,
    pub(super) articles: Vec<Article>,
    pub(super) procedures: Arc<[Procedure]>,
    /// The files as they serve, for when one of them breaks later.
    files: Vec<Source>,
    places: HashMap<String, usize>,
    shelves: Vec<(String, Shelf)>,
    /// None when even one in memory could not be built: then nothing is found, and people take over.
    index: Option<Index>,
}

#[derive(Default)]
struct Reading {
    files: Vec<Source>,
    articles: Vec<Article>,
    procedures: Vec<Procedure>,
    problems: Vec<Problem>,
    /// Which file has each id.
    taken: BTreeMap<(Kind, String), String>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Article,
    Procedure,
}

impl Reading {
    fn claim(&mut self, kind: Kind, id: &str, file: &str) -> Result<(), Vec<Problem>> {
        if let Some(other) = self.taken.get(&(kind, id.to_owned())) {
            let message = format!("`{id}` is also the id of {other}");
            return Err(vec![Problem::new(file, None, message, "give one of them another id")]);
        }
        self.taken.insert((kind, id.to_owned()), file.to_owned());
        Ok(())
    }

    /// Reads one file as what its folder says it is.
    fn take(&mut self, source: &Source, limits: Limits) -> Result<(), Vec<Problem>> {
        if source.path.starts_with("procedures/") {
            let procedure = procedure::parse(&source.path, &source.text)?;
            self.claim(Kind::Procedure, procedure.id.as_str(), &source.path)?;
            self.procedures.push(procedure);
        } else {
            let article = article::parse(&source.path, &source.text, limits.passage_chars_max)?;
            self.claim(Kind::Article, &article.id, &source.path)?;
            self.articles.push(article);
        }
        self.files.push(source.clone());
        Ok(())
    }
}

impl Edition {
    /// Reads everything; a file that is broken serves as it did `before`, if it did.
    pub(super) fn read(
        origin: &Origin,
        cache: Option<&Path>,
        limits: Limits,
        before: Option<&Self>,
    ) -> (Self, Vec<Problem>) {
        let (sources, problems) = origin.read();
        let mut reading = Reading { problems, ..Reading::default() };
        let unread: BTreeSet<String> = reading.problems.iter().map(|p| p.file.clone()).collect();
        let old = |path: &str| before.and_then(|before| before.files.iter().find(|file| file.path == path));
        for source in &sources {
            if let Err(found) = reading.take(source, limits) {
                reading.problems.extend(found);
                // It was good before, so it is good now, unless another file has taken its id.
                let _ = old(&source.path).map(|source| reading.take(source, limits));
            }
        }
        for path in unread {
            let _ = old(&path).map(|source| reading.take(source, limits));
        }
        reading.missing_articles();
        Self::index(reading, cache)
    }

    fn index(reading: Reading, cache: Option<&Path>) -> (Self, Vec<Problem>) {
        let Reading { mut files, articles, procedures, mut problems, .. } = reading;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let version = source::version(&files);
        let only: Vec<Source> = files.iter().filter(|f| f.path.starts_with("procedures/")).cloned().collect();
        let languages: BTreeSet<&str> = articles.iter().map(|a| a.language.as_str()).collect();
        let mut shelves = Vec::new();
        let mut fields = Vec::new();
        for language in languages {
            let here = articles.iter().enumerate().filter(|(_, a)| a.language == language);
            let (shelf, texts) = Shelf::new(language, here);
            shelves.push((language.to_owned(), shelf));
            fields.push((language.to_owned(), texts));
        }
        let index = match Index::open(cache, &version, &fields) {
            Ok((index, unused)) => {
                if let Some(why) = unused {
                    tracing::warn!(error = %why, "knowledge.cache_unused");
                }
                Some(index)
            }
            Err(error) => {
                problems.push(Problem::new(
                    "articles",
                    None,
                    error.to_string(),
                    "free memory and start again",
                ));
                None
            }
        };
        let places = articles.iter().enumerate().map(|(at, article)| (article.id.clone(), at)).collect();
        let procedures_version = source::version(&only);
        let procedures = procedures.into();
        let edition =
            Self { version, procedures_version, articles, procedures, files, places, shelves, index };
        (edition, problems)
    }

    /// One article by its id.
    pub(super) fn article(&self, id: &str) -> Option<&Article> {
        self.articles.get(*self.places.get(id)?)
    }

    /// See [`super::Knowledge::serves`]. A title may be all function words, so a few are tried.
    pub(super) fn serves(&self, chars_max: usize) -> bool {
        let finds = |article: &Article| !self.search(&article.title, None, 1, chars_max).hits.is_empty();
        self.index.is_some()
            && (self.articles.is_empty() || self.articles.iter().take(TITLES_TRIED_MAX).any(finds))
    }

    #[cfg(test)]
    pub(super) fn lose_index(&mut self) {
        self.index = None;
    }

    /// See [`super::Knowledge::search`].
    pub(super) fn search(
        &self,
        query: &str,
        language: Option<&str>,
        limit: usize,
        chars_max: usize,
    ) -> Search {
        let query: Cow<'_, str> = match query.char_indices().nth(chars_max) {
            Some((end, _)) => Cow::Borrowed(query.get(..end).unwrap_or_default()),
            None => Cow::Borrowed(query),
        };
        let mut best: Option<(f32, Option<Evidence>)> = None;
        let mut found: Vec<(usize, Found)> = Vec::new();
        let mut asked: Vec<Vec<QueryTerm>> = Vec::new();
        for (at, (code, shelf)) in self.shelves.iter().enumerate() {
            let terms = shelf.query(&query);
            let wanted = language.is_none_or(|language| language.eq_ignore_ascii_case(code));
            if let Some(index) = self.index.as_ref().filter(|_| wanted) {
                let (here, evidence) = rank(index, code, shelf, &terms);
                let top = here.first().map_or(0.0, |first| first.score);
                if best.as_ref().is_none_or(|(score, _)| top > *score) {
                    best = Some((top, evidence));
                }
                found.extend(here.into_iter().map(|found| (at, found)));
            }
            asked.push(terms);
        }
        found.sort_by(|a, b| b.1.score.total_cmp(&a.1.score).then(a.1.article.cmp(&b.1.article)));
        let hits = found
            .iter()
            .take(limit)
            .filter_map(|(at, found)| self.hit(*at, asked.get(*at)?, *found))
            .collect();
        let answerable = answerable(best.and_then(|(_, evidence)| evidence));
        Search { answerable, hits, version: self.version.clone() }
    }

    fn hit(&self, place: usize, terms: &[QueryTerm], found: Found) -> Option<Hit> {
        let article = self.articles.get(found.article)?;
        let passage = article.passages.get(found.passage)?;
        let (_, bags) = self.shelves.get(place)?;
        let entry = bags.entry(found.article)?;
        let said = entry.sentences.get(found.passage)?;
        Some(Hit {
            article: article.id.clone(),
            title: article.title.clone(),
            score: found.score,
            coverage: entry.coverage(terms),
            likeness: bags.likeness(entry, terms),
            passage: passage.text.clone(),
            snippet: snippet(terms, &passage.text, said, |id| {
                found.passage == 0 && entry.title.count(id) > 0
            }),
            reviewed: article.reviewed,
        })
    }
}

impl Reading {
    /// A procedure that names an article nobody has keeps serving; its author is told.
    fn missing_articles(&mut self) {
        for procedure in &self.procedures {
            for id in procedure::articles_named(procedure) {
                if !self.taken.contains_key(&(Kind::Article, id.clone())) {
                    let message = format!("there is no article `{id}`");
                    self.problems.push(Problem::new(
                        &procedure.file,
                        None,
                        message,
                        "write it, or correct the id",
                    ));
                }
            }
        }
    }
}
