//! The articles of one language as bags of terms, with what is needed to read a query in that language.

use std::collections::HashMap;

use super::article::Article;
use super::sentences::sentences;
use super::spelling::Spelling;
use super::terms::{Words, words};

/// How much a corrected word counts beside one that was written right.
const CORRECTED_WEIGHT: f32 = 0.7;
/// How much the words of the first line count: a mail's subject, a chat's question before its details.
///
/// Measured on techqa: hit@1 .759 without, .775 with 1.6, .780 with 2, .749 with 3.
const FIRST_LINE_WEIGHT: f32 = 1.6;
/// How much each repetition of a word adds (techqa nDCG@10: .865 at 0, .868 at 0.25, .863 at 0.5).
const REPEATED_WEIGHT: f32 = 0.25;
/// Most different terms of a query that are searched; the rarest stay.
const QUERY_TERMS_MAX: usize = 64;

/// Terms with how often each occurs, ordered by term, and the number of all.
#[derive(Debug, Default, Clone)]
pub(super) struct Bag {
    terms: Vec<(u32, u16)>,
    pub(super) length: u32,
}

impl Bag {
    fn of(sequence: &[u32]) -> Self {
        let mut sorted = sequence.to_vec();
        sorted.sort_unstable();
        let mut terms: Vec<(u32, u16)> = Vec::new();
        for id in sorted {
            match terms.last_mut() {
                Some((last, count)) if *last == id => *count = count.saturating_add(1),
                _ => terms.push((id, 1)),
            }
        }
        terms.shrink_to_fit();
        Self { terms, length: sequence.len() as u32 }
    }

    /// How often a term occurs.
    pub(super) fn count(&self, id: u32) -> u16 {
        self.terms.binary_search_by_key(&id, |(term, _)| *term).map_or(0, |at| self.terms[at].1)
    }

    /// Every term once.
    fn ids(&self) -> impl Iterator<Item = u32> + '_ {
        self.terms.iter().map(|(id, _)| *id)
    }
}

/// One article as bags.
pub(super) struct Entry {
    /// Its place among all articles.
    pub(super) article: usize,
    pub(super) title: Bag,
    /// The title and every question, one by one.
    pub(super) asked: Vec<Bag>,
    /// Headings included, as they say what a passage is about.
    pub(super) passages: Vec<Bag>,
    /// The terms of each sentence of each passage, as [`sentences`] cuts them.
    pub(super) sentences: Vec<Vec<Box<[u32]>>>,
}

impl Entry {
    /// The share of a query's rarity in words that the article has anywhere.
    pub(super) fn coverage(&self, terms: &[QueryTerm]) -> f32 {
        let rarity = |term: &QueryTerm| term.idf * term.weight;
        let bags = || self.passages.iter().chain(&self.asked);
        let has = |term: &&QueryTerm| term.id.is_some_and(|id| bags().any(|bag| bag.count(id) > 0));
        let all: f32 = terms.iter().map(rarity).sum();
        terms.iter().filter(has).map(rarity).sum::<f32>() / all.max(f32::EPSILON)
    }
}

/// The fields of one article as terms with spaces between, for the index.
pub(super) struct Fields {
    pub(super) article: usize,
    pub(super) title: String,
    pub(super) questions: String,
    pub(super) body: String,
}

/// One word of a query, understood.
#[derive(Debug, Clone)]
pub(super) struct QueryTerm {
    /// Its number on the shelf; none when no article has it.
    pub(super) id: Option<u32>,
    pub(super) text: String,
    /// How rare it is, as BM25 counts it.
    pub(super) idf: f32,
    /// How often it was said, and less when its spelling was corrected.
    pub(super) weight: f32,
}

enum Reading {
    /// It says how something is asked.
    Function,
    /// An article has its term.
    Known(u32),
    /// No article has it, but something near.
    Meant(Vec<u32>),
    /// No article has it.
    Unknown(String),
}

/// The articles of one language.
pub(super) struct Shelf {
    language: Words,
    /// Every word that occurs with its term; none for function words.
    known: HashMap<String, Option<u32>>,
    ids: HashMap<String, u32>,
    texts: Vec<String>,
    /// In how many articles each term occurs.
    articles_with: Vec<u32>,
    spelling: Spelling,
    pub(super) entries: Vec<Entry>,
    pub(super) passage_length_mean: f32,
}

impl Shelf {
    /// Reads the articles of one language; each comes with its place among all.
    pub(super) fn new<'a>(
        code: &str,
        articles: impl Iterator<Item = (usize, &'a Article)>,
    ) -> (Self, Vec<Fields>) {
        let mut shelf = Self {
            language: Words::new(code),
            known: HashMap::new(),
            ids: HashMap::new(),
            texts: Vec::new(),
            articles_with: Vec::new(),
            spelling: Spelling::default(),
            entries: Vec::new(),
            passage_length_mean: 1.0,
        };
        let mut fields = Vec::new();
        for (at, article) in articles {
            let (entry, whole, text) = shelf.enter(at, article);
            for id in whole.ids() {
                shelf.articles_with[id as usize] += 1;
            }
            shelf.entries.push(entry);
            fields.push(text);
        }
        shelf.spelling.finish();
        let lengths = shelf.entries.iter().flat_map(|e| &e.passages).map(|p| p.length as f32);
        let count = lengths.clone().count().max(1);
        shelf.passage_length_mean = (lengths.sum::<f32>() / count as f32).max(1.0);
        (shelf, fields)
    }

    fn enter(&mut self, at: usize, article: &Article) -> (Entry, Bag, Fields) {
        let title = self.read(&article.title);
        let questions: Vec<_> = article.questions.iter().map(|q| self.read(q)).collect();
        let mut heading = "";
        let mut body = Vec::new();
        let mut passages = Vec::new();
        let mut said_by_sentence = Vec::new();
        for passage in &article.passages {
            let above = self.read(&passage.heading);
            let by_sentence: Vec<Box<[u32]>> =
                sentences(&passage.text).into_iter().map(|sentence| self.read(sentence).into()).collect();
            let said = by_sentence.concat();
            said_by_sentence.push(by_sentence);
            if passage.heading != heading {
                body.extend(&above);
                heading = &passage.heading;
            }
            body.extend(&said);
            passages.push(Bag::of(&[above, said].concat()));
        }
        let asked = questions.concat();
        let fields = Fields {
            article: at,
            title: self.spell_out(&title),
            questions: self.spell_out(&asked),
            body: self.spell_out(&body),
        };
        (
            Entry {
                article: at,
                title: Bag::of(&title),
                asked: [&title].into_iter().chain(&questions).map(|ids| Bag::of(ids)).collect(),
                passages,
                sentences: said_by_sentence,
            },
            Bag::of(&[title.as_slice(), &asked, &body].concat()),
            fields,
        )
    }

    fn read(&mut self, text: &str) -> Vec<u32> {
        let mut sequence = Vec::new();
        for word in words(text) {
            self.spelling.note(&word);
            if let Some(known) = self.known.get(&word) {
                sequence.extend(*known);
                continue;
            }
            let id = self.language.term(&word).map(|term| {
                let fresh = self.texts.len() as u32;
                *self.ids.entry(term).or_insert_with_key(|term| {
                    self.texts.push(term.clone());
                    self.articles_with.push(0);
                    fresh
                })
            });
            self.known.insert(word, id);
            sequence.extend(id);
        }
        sequence
    }

    fn spell_out(&self, sequence: &[u32]) -> String {
        let texts: Vec<&str> =
            sequence.iter().filter_map(|id| Some(self.texts.get(*id as usize)?.as_str())).collect();
        texts.join(" ")
    }

    /// Reads a query: each term once, words that do not occur corrected where something near does.
    pub(super) fn query(&self, text: &str) -> Vec<QueryTerm> {
        let first_line = text.trim_start().lines().next().map_or(0, |line| words(line).count());
        let mut terms: Vec<QueryTerm> = Vec::new();
        for (at, word) in words(text.trim_start()).enumerate() {
            let weight = if at < first_line { FIRST_LINE_WEIGHT } else { 1.0 };
            match self.read_word(&word) {
                Reading::Function => {}
                Reading::Known(id) => self.add(&mut terms, Some(id), "", weight),
                Reading::Meant(ids) => {
                    for id in ids {
                        self.add(&mut terms, Some(id), "", weight * CORRECTED_WEIGHT);
                    }
                }
                Reading::Unknown(term) => self.add(&mut terms, None, &term, weight),
            }
        }
        if terms.len() > QUERY_TERMS_MAX {
            terms.sort_by(|a, b| (b.idf * b.weight).total_cmp(&(a.idf * a.weight)));
            terms.truncate(QUERY_TERMS_MAX);
        }
        terms
    }

    fn add(&self, terms: &mut Vec<QueryTerm>, id: Option<u32>, unknown: &str, weight: f32) {
        let text = id.and_then(|id| self.texts.get(id as usize)).map_or(unknown, String::as_str);
        match terms.iter_mut().find(|term| term.id == id && term.text == text) {
            Some(term) => term.weight += weight * REPEATED_WEIGHT,
            None => terms.push(QueryTerm { id, text: text.to_owned(), idf: self.idf(id), weight }),
        }
    }

    fn read_word(&self, word: &str) -> Reading {
        match self.known.get(word) {
            Some(Some(id)) => return Reading::Known(*id),
            Some(None) => return Reading::Function,
            None => {}
        }
        let Some(term) = self.language.term(word) else { return Reading::Function };
        if let Some(id) = self.ids.get(&term) {
            return Reading::Known(*id);
        }
        let meant: Vec<u32> = self.spelling.meant(word).iter().filter_map(|w| *self.known.get(w)?).collect();
        if meant.is_empty() { Reading::Unknown(term) } else { Reading::Meant(meant) }
    }

    fn idf(&self, id: Option<u32>) -> f32 {
        let with = id.and_then(|id| self.articles_with.get(id as usize)).copied().unwrap_or(0) as f32;
        let all = self.entries.len() as f32;
        (1.0 + (all - with + 0.5) / (with + 0.5)).ln()
    }

    /// How much a query is like the title or one question of an article: the rarity of the terms they share, as a
    /// share of the rarity of all terms of both.
    pub(super) fn likeness(&self, entry: &Entry, terms: &[QueryTerm]) -> f32 {
        let said: f32 = terms.iter().map(|term| term.idf).sum();
        let like = |bag: &Bag| -> f32 {
            let shared: f32 =
                terms.iter().filter(|t| t.id.is_some_and(|id| bag.count(id) > 0)).map(|t| t.idf).sum();
            let asked: f32 = bag.ids().map(|id| self.idf(Some(id))).sum();
            shared / (said + asked - shared).max(f32::EPSILON)
        };
        entry.asked.iter().map(like).fold(0.0, f32::max)
    }

    /// One article by its place among all.
    pub(super) fn entry(&self, article: usize) -> Option<&Entry> {
        let at = self.entries.binary_search_by_key(&article, |entry| entry.article).ok()?;
        self.entries.get(at)
    }
}
