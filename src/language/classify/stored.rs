//! A trained classifier as bytes, so that a start need not train again. Anything odd in them reads as nothing.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Classifier;
use super::confidence::{Judge, SIGNS};
use super::features::Vocabulary;
use super::linear::Separators;
use super::neighbours::Neighbours;

/// Changes with everything that is learnt or written differently.
const FORM: &str = "firstline classifier 4";

/// What stands before the numbers, as JSON on a line of its own.
#[derive(Serialize, Deserialize)]
struct Head {
    form: String,
    key: String,
    checksum: String,
    labels: Vec<String>,
    candidates_max: usize,
    features: usize,
    examples: usize,
    postings: usize,
    unseen: f32,
    judge: [f32; 3 * SIGNS + 2],
}

impl Classifier {
    /// The classifier as bytes, under a key that says what it was trained on.
    pub fn to_bytes(&self, key: &str) -> Vec<u8> {
        let mut body = Vec::new();
        let (keys, rarity, unseen) = self.vocabulary.parts();
        for key in keys {
            body.extend(key.to_le_bytes());
        }
        floats(&mut body, rarity);
        floats(&mut body, &self.separators.bias);
        floats(&mut body, &self.separators.steps);
        body.extend(self.separators.weights.iter().flat_map(|weight| weight.to_le_bytes()));
        let near = &self.neighbours;
        for numbers in [&near.starts, &near.places, &near.labels_of] {
            for number in numbers {
                body.extend(number.to_le_bytes());
            }
        }
        floats(&mut body, &near.values);
        let judge = &self.judge;
        let mut packed = [0.0; 3 * SIGNS + 2];
        let all = judge
            .mean
            .iter()
            .chain(&judge.scale)
            .chain(&judge.weights)
            .chain([&judge.bias, &judge.sharpness]);
        packed.iter_mut().zip(all).for_each(|(to, from)| *to = *from);
        let head = Head {
            form: FORM.to_owned(),
            key: key.to_owned(),
            checksum: hex::encode(Sha256::digest(&body)),
            labels: self.labels.clone(),
            candidates_max: self.candidates_max,
            features: keys.len(),
            examples: near.labels_of.len(),
            postings: near.places.len(),
            unseen,
            judge: packed,
        };
        let mut bytes = serde_json::to_vec(&head).unwrap_or_default();
        bytes.push(b'\n');
        bytes.append(&mut body);
        bytes
    }

    /// Reads a classifier that was written under the same key; anything else is `None`.
    pub fn from_bytes(bytes: &[u8], key: &str) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let head: Head = serde_json::from_slice(bytes.get(..end)?).ok()?;
        let body = bytes.get(end + 1..)?;
        if head.form != FORM || head.key != key || head.checksum != hex::encode(Sha256::digest(body)) {
            return None;
        }
        let mut reader = Reader(body);
        let labels = head.labels.len();
        let keys = reader.take(head.features, u64::from_le_bytes)?;
        let rarity = reader.take(head.features, f32::from_le_bytes)?;
        let bias = reader.take(labels, f32::from_le_bytes)?;
        let steps = reader.take(head.features, f32::from_le_bytes)?;
        let weights = reader.take(labels.checked_mul(head.features)?, i16::from_le_bytes)?;
        let starts = reader.take(head.features.checked_add(1)?, u32::from_le_bytes)?;
        let places = reader.take(head.postings, u32::from_le_bytes)?;
        let labels_of = reader.take(head.examples, u32::from_le_bytes)?;
        let values = reader.take(head.postings, f32::from_le_bytes)?;
        let piece = |at: usize| std::array::from_fn(|i| head.judge[at * SIGNS + i]);
        Some(Self {
            labels: head.labels,
            candidates_max: head.candidates_max,
            vocabulary: Vocabulary::from_parts(keys, rarity, head.unseen),
            separators: Separators { labels, steps, weights, bias },
            neighbours: Neighbours { starts, places, values, labels_of },
            judge: Judge {
                mean: piece(0),
                scale: piece(1),
                weights: piece(2),
                bias: head.judge[3 * SIGNS],
                sharpness: head.judge[3 * SIGNS + 1],
            },
        })
    }
}

fn floats(body: &mut Vec<u8>, values: &[f32]) {
    for value in values {
        body.extend(value.to_le_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// So many numbers of `N` bytes, in a list that has no room to spare.
    fn take<const N: usize, T>(&mut self, count: usize, number: fn([u8; N]) -> T) -> Option<Vec<T>> {
        let (head, rest) = self.0.split_at_checked(count.checked_mul(N)?)?;
        self.0 = rest;
        Some(head.as_chunks().0.iter().map(|bytes| number(*bytes)).collect())
    }
}
