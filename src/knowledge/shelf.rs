//! The articles of one language as bags of terms, with what is needed to read a query in that language.

use std::collections::HashMap;

use super::article::Article;
use super::spelling::Spelling;
use super::terms::{Words, words};

/// How much a corrected word counts beside one that was written right.
const CORRECTED_WEIGHT: f32 = 0.7;
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
    pub(super) fn ids(&self) -> impl Iterator<Item = u32> + '_ {
        self.terms.iter().map(|(id, _)| *id)
    }
}

/// Two neighbouring terms, whichever comes first.
pub(super) fn pair(a: u32, b: u32) -> u64 {
    (u64::from(a.min(b)) << 32) | u64::from(a.max(b))
}

/// One article as bags.
pub(super) struct Entry {
    /// Its place among all articles.
    pub(super) article: usize,
    pub(super) title: Bag,
    pub(super) questions: Vec<Bag>,
    /// Headings included, as they say what a passage is about.
    pub(super) passages: Vec<Bag>,
    pub(super) whole: Bag,
    /// Neighbouring terms, as [`pair`] names them, ordered.
    pub(super) pairs: Vec<u64>,
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
    pub(super) fn new<'a>(code: &str, articles: impl Iterator<Item = (usize, &'a Article)>) -> (Self, Vec<Fields>) {
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
            let (entry, text) = shelf.enter(at, article);
            for id in entry.whole.ids() {
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

    fn enter(&mut self, at: usize, article: &Article) -> (Entry, Fields) {
        let title = self.read(&article.title);
        let questions: Vec<_> = article.questions.iter().map(|q| self.read(q)).collect();
        let mut heading = "";
        let mut body = Vec::new();
        let mut passages = Vec::new();
        for passage in &article.passages {
            let above = self.read(&passage.heading);
            let said = self.read(&passage.text);
            if passage.heading != heading {
                body.extend(&above);
                heading = &passage.heading;
            }
            body.extend(&said);
            passages.push(Bag::of(&[above, said].concat()));
        }
        let asked = questions.concat();
        let whole = Bag::of(&[title.as_slice(), &asked, &body].concat());
        let neighbours = [&title, &body].into_iter().chain(&questions).flat_map(|s| s.windows(2));
        let mut pairs: Vec<u64> = neighbours.filter_map(|w| Some(pair(*w.first()?, *w.last()?))).collect();
        pairs.sort_unstable();
        pairs.dedup();
        let fields = Fields {
            article: at,
            title: self.spell_out(&title),
            questions: self.spell_out(&asked),
            body: self.spell_out(&body),
        };
        let questions = questions.iter().map(|q| Bag::of(q)).collect();
        (Entry { article: at, title: Bag::of(&title), questions, passages, whole, pairs }, fields)
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
        let texts: Vec<&str> = sequence.iter().filter_map(|id| Some(self.texts.get(*id as usize)?.as_str())).collect();
        texts.join(" ")
    }

    /// Reads a query: each term once, words that do not occur corrected where something near does.
    pub(super) fn query(&self, text: &str) -> (Vec<QueryTerm>, Vec<u64>) {
        let mut sequence: Vec<Option<u32>> = Vec::new();
        let mut terms: Vec<QueryTerm> = Vec::new();
        let rep = super::rank::env("REP", 0.25); let fl = super::rank::env("FL", 1.0); let nfirst = text.split('\n').next().map_or(0, |l| words(l).count());
        let mut add = |id: Option<u32>, text: &str, weight: f32| { sequence.push(id); match terms.iter_mut().find(|t| t.text == text) {
            Some(term) => term.weight += weight * rep,
            None => terms.push(QueryTerm { id, text: text.to_owned(), idf: self.idf(id), weight }),
        } };
        for (wi, word) in words(text).enumerate() {
            let w1 = if wi < nfirst { fl } else { 1.0 };
            let id = match self.known.get(&word) {
                Some(None) => continue,
                Some(known) => *known,
                None => match self.language.term(&word) {
                    None => continue,
                    Some(term) => match self.ids.get(&term) {
                        Some(id) => Some(*id),
                        None => {
                            let meant = self.spelling.meant(&word);
                            let ids: Vec<u32> = meant.iter().filter_map(|w| *self.known.get(w)?).collect();
                            if ids.is_empty() {
                                add(None, &term, w1);
                            }
                            for id in ids {
                                add(Some(id), self.texts.get(id as usize).map_or("", |t| t), CORRECTED_WEIGHT * w1);
                            }
                            continue;
                        }
                    },
                },
            };
            add(id, id.and_then(|id| self.texts.get(id as usize)).map_or("", |t| t), w1);
        }
        let mut pairs: Vec<u64> = sequence.windows(2).filter_map(|w| Some(pair((*w.first()?)?, (*w.last()?)?))).collect();
        pairs.sort_unstable();
        pairs.dedup();
        if terms.len() > QUERY_TERMS_MAX {
            terms.sort_by(|a, b| (b.idf * b.weight).total_cmp(&(a.idf * a.weight)));
            terms.truncate(QUERY_TERMS_MAX);
        }
        (terms, pairs)
    }

    fn idf(&self, id: Option<u32>) -> f32 {
        let with = id.and_then(|id| self.articles_with.get(id as usize)).copied().unwrap_or(0) as f32;
        let all = self.entries.len() as f32;
        (1.0 + (all - with + 0.5) / (with + 0.5)).ln()
    }

    /// The idf of a term that occurs.
    pub(super) fn idf_of(&self, id: u32) -> f32 {
        self.idf(Some(id))
    }

    /// The number of a word's term, if an article has it.
    pub(super) fn term_of(&self, word: &str) -> Option<u32> {
        match self.known.get(word) {
            Some(known) => *known,
            None => self.ids.get(&self.language.term(word)?).copied(),
        }
    }
}
