//! A text as a sparse vector: words, pairs of words, and pieces of words, weighted by how rare they are.

use std::collections::HashMap;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;

/// Texts are read up to this many characters; what follows adds nothing to what a message is about.
const CHARS_MAX: usize = 2000;

/// A kind of feature; each kind is normalised by itself, so that long words do not drown short ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// Stemmed words and pairs of neighbouring ones.
    Words,
    /// Pieces of 2 to 5 characters within words.
    Pieces,
}

/// How much each view counts in the whole vector.
const SHARE: [f32; 2] = [0.75, 0.66];

/// One number per feature, ascending by feature; of length one as a whole.
pub(super) type Sparse = Vec<(u32, f32)>;

/// The known features and how rare they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Vocabulary {
    /// Their hashes, ascending; where one stands is its number. A map would hold twice as much.
    keys: Vec<u64>,
    rarity: Vec<f32>,
    /// The rarity of a feature that was never seen.
    unseen: f32,
}

/// A text's features as hashes with their counts, by view; ascending, for sums that round the same every time.
pub(super) struct Counted {
    counts: [Vec<(u64, f32)>; 2],
}

/// Hashes with FNV-1a: stable between releases, so that a kept model still reads.
fn hash(view: View, parts: &[&str]) -> u64 {
    let mut state: u64 = 0xcbf2_9ce4_8422_2325 ^ (view as u64 + 1);
    for part in parts {
        for byte in part.bytes().chain([0]) {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    state
}

/// The words of a text: lower case, NFKC, letters and digits; digits count as their number of places.
pub(super) fn words(text: &str) -> Vec<String> {
    let text: String = text.chars().take(CHARS_MAX).nfkc().collect::<String>().to_lowercase();
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() {
            word.push(if c.is_ascii_digit() { '0' } else { c });
        } else if matches!(c, '\'' | '’') {
            // "don't" and "dont" are one word.
        } else if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c == '?' {
            words.push("?".to_owned());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Counts the features of a text.
pub(super) fn count(text: &str) -> Counted {
    let stemmer = Stemmer::create(Algorithm::English);
    let words = words(text);
    let mut keys = [Vec::new(), Vec::new()];
    let stems: Vec<_> = words.iter().map(|word| stemmer.stem(word)).collect();
    let mut add = |view: View, parts: &[&str]| keys[view as usize].push(hash(view, parts));
    for (at, stem) in stems.iter().enumerate() {
        add(View::Words, &[stem]);
        if let Some(next) = stems.get(at + 1) {
            add(View::Words, &[stem, next]);
        }
    }
    for word in &words {
        let padded: Vec<char> = [' '].into_iter().chain(word.chars()).chain([' ']).collect();
        for size in 2..=5 {
            for piece in padded.windows(size) {
                let piece: String = piece.iter().collect();
                add(View::Pieces, &[&piece]);
            }
        }
    }
    Counted { counts: keys.map(tally) }
}

/// How often each key stands in the list, ascending by key.
fn tally(mut keys: Vec<u64>) -> Vec<(u64, f32)> {
    keys.sort_unstable();
    keys.chunk_by(|a, b| a == b).filter_map(|same| Some((*same.first()?, same.len() as f32))).collect()
}

impl Vocabulary {
    /// Learns from counted texts which features there are; pieces must stand in two texts.
    pub(super) fn learn(texts: &[&Counted]) -> Self {
        let mut frequency: HashMap<u64, (u32, u32)> = HashMap::new();
        for text in texts {
            for (view, counts) in text.counts.iter().enumerate() {
                for (key, _) in counts {
                    let entry = frequency.entry(*key).or_insert((0, view as u32));
                    entry.0 += 1;
                }
            }
        }
        let total = texts.len() as f32;
        let mut known: Vec<(u64, u32)> = frequency
            .into_iter()
            .filter(|(_, (texts, view))| *view == View::Words as u32 || *texts > 1)
            .map(|(key, (texts, _))| (key, texts))
            .collect();
        known.sort_unstable();
        let rarity =
            known.iter().map(|(_, texts)| ((1.0 + total) / (1.0 + *texts as f32)).ln() + 1.0).collect();
        let keys = known.iter().map(|(key, _)| *key).collect();
        Self { keys, rarity, unseen: (1.0 + total).ln() + 1.0 }
    }

    /// How many features there are.
    pub(super) fn len(&self) -> usize {
        self.rarity.len()
    }

    /// The vector of a text, and the share of its weight that is known at all (0 to 1, words only).
    pub(super) fn vector(&self, text: &Counted) -> (Sparse, f32) {
        let mut vector = Sparse::new();
        let mut coverage = 0.0;
        for (view, counts) in text.counts.iter().enumerate() {
            let (mut known, mut all, from) = (0.0, 0.0, vector.len());
            for (key, count) in counts {
                let tf = 1.0 + count.ln();
                if let Ok(id) = self.keys.binary_search(key) {
                    let value = tf * self.rarity.get(id).copied().unwrap_or_default();
                    known += value * value;
                    vector.push((id as u32, value));
                } else {
                    all += (tf * self.unseen).powi(2);
                }
            }
            all += known;
            let scale = if known > 0.0 { SHARE[view] / known.sqrt() } else { 0.0 };
            for (_, value) in vector.iter_mut().skip(from) {
                *value *= scale;
            }
            if view == View::Words as usize && all > 0.0 {
                coverage = known / all;
            }
        }
        vector.sort_unstable_by_key(|(id, _)| *id);
        (vector, coverage)
    }

    /// The parts, for writing them down.
    pub(super) fn parts(&self) -> (&[u64], &[f32], f32) {
        (&self.keys, &self.rarity, self.unseen)
    }

    /// Puts written parts together again.
    pub(super) fn from_parts(keys: Vec<u64>, rarity: Vec<f32>, unseen: f32) -> Self {
        Self { keys, rarity, unseen }
    }
}
