//! The search index: one document per article with its title, its questions and its body as terms.
//!
//! Terms carry their language in front (`de:ruckgab`), so that one set of fields serves every language
//! and none finds what another says. How the articles were analysed is in [`super::shelf`]; this file is
//! the only one that names the index library's types. The index is derived: what does not match the
//! sources, or is damaged, is built again.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use tantivy::collector::TopDocs;
use tantivy::columnar::Column;
use tantivy::directory::{Directory, MmapDirectory, RamDirectory};
use tantivy::query::{Bm25StatisticsProvider, BooleanQuery, BoostQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions};
use tantivy::{DocAddress, ReloadPolicy, Searcher, TantivyDocument, Term};

use super::shelf::{Fields, QueryTerm};

/// Counted up when what is written changes, so that older folders are built again.
const FORMAT: u32 = 1;
/// Memory of the writer while it builds, bytes; it is gone afterwards.
const WRITER_BYTES: usize = 15_000_000;

/// Why there is no index.
#[derive(Debug, thiserror::Error)]
#[error("the search index cannot be built: {0}")]
pub(super) struct IndexError(#[from] tantivy::TantivyError);

/// How much a match in each field counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Boosts {
    pub(super) title: f32,
    pub(super) questions: f32,
    pub(super) body: f32,
}

/// An open index.
pub(super) struct Index {
    searcher: Searcher,
    fields: Schemed,
    /// The article of each document, by segment: opening a column costs more than a search.
    articles: Vec<Column<u64>>,
}

#[derive(Clone, Copy)]
struct Schemed {
    title: Field,
    questions: Field,
    body: Field,
    article: Field,
}

fn schema() -> (Schema, Schemed) {
    let mut builder = Schema::builder();
    // Terms arrive stemmed, with one space between: no other analysis, so nothing to register on open.
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("whitespace")
        .set_index_option(IndexRecordOption::WithFreqs);
    let text = TextOptions::default().set_indexing_options(indexing);
    let fields = Schemed {
        title: builder.add_text_field("title", text.clone()),
        questions: builder.add_text_field("questions", text.clone()),
        body: builder.add_text_field("body", text),
        article: builder.add_u64_field("article", NumericOptions::default().set_fast()),
    };
    (builder.build(), fields)
}

impl Index {
    /// Opens the index of `version` in `cache`, or builds it there, or in memory where that cannot be.
    ///
    /// The second value says why a cache that was asked for is not used.
    pub(super) fn open(
        cache: Option<&Path>,
        version: &str,
        shelves: &[(String, Vec<Fields>)],
    ) -> Result<(Self, Option<String>), IndexError> {
        let Some(cache) = cache else { return Ok((Self::build(RamDirectory::create(), shelves)?, None)) };
        let name = format!("index-{FORMAT}-{version}");
        let folder = cache.join(&name);
        let count = shelves.iter().map(|(_, fields)| fields.len() as u64).sum();
        if let Some(index) = Self::reopen(&folder, count) {
            return Ok((index, None));
        }
        match Self::build_in(cache, &folder, shelves) {
            Ok(index) => {
                remove_others(cache, &name);
                Ok((index, None))
            }
            Err(error) => Ok((Self::build(RamDirectory::create(), shelves)?, Some(error))),
        }
    }

    fn reopen(folder: &Path, count: u64) -> Option<Self> {
        let index = tantivy::Index::open_in_dir(folder).ok()?;
        let (schema, fields) = schema();
        let whole =
            index.schema() == schema && index.validate_checksum().is_ok_and(|damaged| damaged.is_empty());
        if !whole {
            return None;
        }
        let opened = Self::over(&index, fields).ok()?;
        (opened.searcher.num_docs() == count).then_some(opened)
    }

    /// Builds beside the place and moves it there whole, so that no other process reads half of it.
    fn build_in(cache: &Path, folder: &Path, shelves: &[(String, Vec<Fields>)]) -> Result<Self, String> {
        // Several knowledge bases of one process, and several processes, may build at the same time.
        static BUILDS: AtomicU32 = AtomicU32::new(0);
        let build = BUILDS.fetch_add(1, Ordering::Relaxed);
        let fresh = cache.join(format!("building-{}-{build}", std::process::id()));
        let text = |error: std::io::Error| error.to_string();
        let _ = std::fs::remove_dir_all(&fresh);
        std::fs::create_dir_all(&fresh).map_err(text)?;
        let directory = MmapDirectory::open(&fresh).map_err(|e| e.to_string())?;
        Self::build(directory, shelves).map_err(|e| e.to_string())?;
        let _ = std::fs::remove_dir_all(folder);
        if let Err(error) = std::fs::rename(&fresh, folder) {
            let _ = std::fs::remove_dir_all(&fresh);
            // Somebody else was quicker: the version in the name says that it is the same index.
            if !folder.is_dir() {
                return Err(text(error));
            }
        }
        let (_, fields) = schema();
        let index = tantivy::Index::open_in_dir(folder).map_err(|e| e.to_string())?;
        Self::over(&index, fields).map_err(|e| e.to_string())
    }

    fn build(
        directory: impl Into<Box<dyn Directory>>,
        shelves: &[(String, Vec<Fields>)],
    ) -> Result<Self, IndexError> {
        let (schema, at) = schema();
        let builder = tantivy::Index::builder().schema(schema);
        let mut writer = builder.single_segment_index_writer::<TantivyDocument>(directory, WRITER_BYTES)?;
        for (language, articles) in shelves {
            for fields in articles {
                let mut document = TantivyDocument::default();
                document.add_text(at.title, prefixed(language, &fields.title));
                document.add_text(at.questions, prefixed(language, &fields.questions));
                document.add_text(at.body, prefixed(language, &fields.body));
                document.add_u64(at.article, fields.article as u64);
                writer.add_document(document)?;
            }
        }
        let index = writer.finalize()?;
        Self::over(&index, at)
    }

    fn over(index: &tantivy::Index, fields: Schemed) -> Result<Self, IndexError> {
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let searcher = reader.searcher();
        let columns = searcher.segment_readers().iter().map(|segment| segment.fast_fields().u64("article"));
        let articles = columns.collect::<Result<_, _>>()?;
        Ok(Self { searcher, fields, articles })
    }

    /// The places of the articles that match best, with their scores, best first.
    pub(super) fn top(
        &self,
        language: &str,
        articles: usize,
        terms: &[QueryTerm],
        boosts: Boosts,
        limit: usize,
    ) -> Vec<(usize, f32)> {
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        for term in terms.iter().filter(|term| term.id.is_some()) {
            let text = format!("{language}:{}", term.text);
            let fields = [
                (self.fields.title, boosts.title),
                (self.fields.questions, boosts.questions),
                (self.fields.body, boosts.body),
            ];
            for (field, boost) in fields {
                let query = TermQuery::new(Term::from_field_text(field, &text), IndexRecordOption::WithFreqs);
                clauses
                    .push((Occur::Should, Box::new(BoostQuery::new(Box::new(query), boost * term.weight))));
            }
        }
        if clauses.is_empty() || limit == 0 {
            return Vec::new();
        }
        let statistics = OneLanguage { searcher: &self.searcher, articles: articles as u64 };
        let collector = TopDocs::with_limit(limit).order_by_score();
        let found = self.searcher.search_with_statistics_provider(
            &BooleanQuery::new(clauses),
            &collector,
            &statistics,
        );
        match found {
            Ok(found) => found.into_iter().filter_map(|(score, at)| Some((self.place(at)?, score))).collect(),
            Err(error) => {
                tracing::error!(error = %error, "knowledge.search_failed");
                Vec::new()
            }
        }
    }

    fn place(&self, at: DocAddress) -> Option<usize> {
        let column = self.articles.get(at.segment_ord as usize)?;
        usize::try_from(column.first(at.doc_id)?).ok()
    }
}

/// Rarity is counted among the articles of the query's language only.
struct OneLanguage<'a> {
    searcher: &'a Searcher,
    articles: u64,
}

impl Bm25StatisticsProvider for OneLanguage<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        let all = Bm25StatisticsProvider::total_num_docs(self.searcher)?.max(1);
        Ok(self.searcher.total_num_tokens(field)? * self.articles / all)
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        Ok(self.articles)
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        self.searcher.doc_freq(term)
    }
}

fn prefixed(language: &str, terms: &str) -> String {
    terms
        .split(' ')
        .filter(|t| !t.is_empty())
        .map(|term| format!("{language}:{term}"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Takes older indexes away; a process that still has one open keeps reading it.
fn remove_others(cache: &Path, keep: &str) {
    let Ok(entries) = std::fs::read_dir(cache) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("index-") && name != keep {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
