//! Which of the articles that match answers best, and how good the evidence is.

use super::index::{Boosts, Index};
use super::shelf::{Bag, Entry, QueryTerm, Shelf};
pub fn env(name: &str, default: f32) -> f32 { std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default) }

/// How many articles of the index are looked at again.
const CANDIDATES: usize = 24;
const K1: f32 = 1.2;
const B: f32 = 0.75;

/// One article as found.
pub(super) struct Found {
    pub(super) article: usize,
    pub(super) score: f32,
    pub(super) passage: usize,
    pub(super) evidence: Evidence,
}

#[derive(Debug, Clone, Default)]
pub struct Evidence {
    pub features: Vec<(&'static str, f32)>,
}

pub(super) fn rank(index: &Index, language: &str, shelf: &Shelf, terms: &[QueryTerm], pairs: &[u64]) -> Vec<Found> {
    let boosts = Boosts { title: env("WT", 1.0), questions: env("WQ", 1.0), body: env("WB", 1.0) };
    let total: f32 = terms.iter().map(|t| t.idf * t.weight).sum::<f32>().max(1e-6);
    let oov: f32 = terms.iter().filter(|t| t.id.is_none()).map(|t| t.idf * t.weight).sum::<f32>();
    let (wp, wc, wqs) = (env("WP", 0.3), env("WC", 0.0), env("WQS", 0.0));
    let mut found: Vec<Found> = index
        .top(language, shelf.entries.len(), terms, boosts, CANDIDATES)
        .into_iter()
        .filter_map(|(article, bm25)| {
            let at = shelf.entries.binary_search_by_key(&article, |e| e.article).ok()?;
            let entry = shelf.entries.get(at)?;
            let (passage, passage_score) = best_passage(shelf, entry, terms);
            let best_passage = entry.passages.get(passage)?;
            let cover = covered(terms, |id| entry.whole.count(id) > 0) / total;
            let cover_p = covered(terms, |id| best_passage.count(id) > 0 || entry.title.count(id) > 0) / total;
            let cover_t = covered(terms, |id| entry.title.count(id) > 0) / total;
            let asked = entry.questions.iter().chain([&entry.title]).map(|q| likeness(shelf, terms, total, q)).fold(0.0, f32::max);
            let title_like = title_share(shelf, terms, &entry.title);
            let pw = |p: &u64| shelf.idf_of((*p >> 32) as u32).min(shelf.idf_of(*p as u32));
            let pairs_all: f32 = pairs.iter().map(pw).sum();
            let pair_score: f32 = pairs.iter().filter(|p| entry.pairs.binary_search(p).is_ok()).map(pw).sum();
            let score = env("WPAIR", 0.0) * pair_score + bm25 + wp * passage_score + (wc * cover + wqs * asked) * total;
            Some(Found {
                article,
                score,
                passage,
                evidence: Evidence { features: vec![
                    ("bm25", bm25), ("cover", cover), ("cover_p", cover_p), ("cover_t", cover_t), ("asked", asked), ("title_share", title_like),
                    ("ps_norm", passage_score / total), ("bm_norm", bm25 / total), ("total", total.ln()), ("n", (terms.len() as f32).ln()), ("oov", oov / total), ("pairs", pair_score / total), ("pairshare", pair_score / (pairs_all + 1e-6)),
                ] },
            })
        })
        .collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let second = found.get(1).map_or(0.0, |f| f.score);
    let mean = found.iter().skip(1).take(5).map(|f| f.score).sum::<f32>() / 5.0;
    if let Some(first) = found.first_mut() {
        let s = first.score;
        first.evidence.features.push(("margin", (s - second) / s));
        first.evidence.features.push(("margin5", (s - mean) / s));
        first.evidence.features.push(("score_norm", s / total));
        first.evidence.features.push(("lead", (s - second) / total));
    }
    found
}

fn covered(terms: &[QueryTerm], has: impl Fn(u32) -> bool) -> f32 {
    terms.iter().filter(|t| t.id.is_some_and(&has)).map(|t| t.idf * t.weight).sum()
}

/// Dice
fn likeness(shelf: &Shelf, terms: &[QueryTerm], total: f32, bag: &Bag) -> f32 {
    let shared = covered(terms, |id| bag.count(id) > 0);
    if shared <= 0.0 { return 0.0 }
    let own: f32 = bag.ids().map(|id| shelf.idf_of(id)).sum();
    2.0 * shared / (total + own).max(1e-6)
}

/// share of the title said in the query
fn title_share(shelf: &Shelf, terms: &[QueryTerm], bag: &Bag) -> f32 {
    let own: f32 = bag.ids().map(|id| shelf.idf_of(id)).sum();
    let shared: f32 = bag.ids().filter(|id| terms.iter().any(|t| t.id == Some(*id))).map(|id| shelf.idf_of(id)).sum();
    shared / own.max(1e-6)
}

fn best_passage(shelf: &Shelf, entry: &Entry, terms: &[QueryTerm]) -> (usize, f32) {
    let score = |bag: &Bag| -> f32 {
        let norm = K1 * (1.0 - B + B * bag.length as f32 / shelf.passage_length_mean);
        terms.iter().filter_map(|t| {
            let count = f32::from(bag.count(t.id?));
            Some(t.idf * t.weight * count * (K1 + 1.0) / (count + norm))
        }).sum()
    };
    let mut best = (0, 0.0);
    for (at, bag) in entry.passages.iter().enumerate() {
        let s = score(bag);
        if s > best.1 { best = (at, s); }
    }
    best
}
