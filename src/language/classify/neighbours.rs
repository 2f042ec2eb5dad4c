//! How like a text is to the most similar example of every label.

use super::features::Sparse;

/// The examples by feature.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Neighbours {
    /// Where a feature's examples begin in `places` and `values`; one more entry than features.
    pub(super) starts: Vec<u32>,
    pub(super) places: Vec<u32>,
    pub(super) values: Vec<f32>,
    /// The label of each example.
    pub(super) labels_of: Vec<u32>,
}

/// A feature that more of the examples have than this share says little about likeness and costs most.
const COMMON_SHARE: f32 = 0.2;
/// … unless there are so few examples that it costs nothing.
const FEW: usize = 400;

impl Neighbours {
    pub(super) fn new(vectors: &[Sparse], labels_of: &[u32], features: usize) -> Self {
        let mut postings: Vec<Vec<(u32, f32)>> = vec![Vec::new(); features];
        for (place, vector) in vectors.iter().enumerate() {
            for (feature, value) in vector {
                postings[*feature as usize].push((place as u32, *value));
            }
        }
        let most =
            if vectors.len() <= FEW { usize::MAX } else { (vectors.len() as f32 * COMMON_SHARE) as usize };
        let mut index = Self { labels_of: labels_of.to_vec(), starts: vec![0], ..Self::default() };
        for posting in postings {
            if posting.len() <= most {
                for (place, value) in posting {
                    index.places.push(place);
                    index.values.push(value);
                }
            }
            index.starts.push(index.places.len() as u32);
        }
        index.places.shrink_to_fit();
        index.values.shrink_to_fit();
        index
    }

    /// Per label the likeness (0 to 1) of its most similar example.
    pub(super) fn nearest(&self, vector: &Sparse, labels: usize) -> Vec<f32> {
        let mut likeness = vec![0.0_f32; self.labels_of.len()];
        for (feature, value) in vector {
            let at = *feature as usize;
            let (Some(from), Some(to)) = (self.starts.get(at), self.starts.get(at + 1)) else { continue };
            let range = *from as usize..*to as usize;
            for (place, other) in self.places[range.clone()].iter().zip(&self.values[range]) {
                likeness[*place as usize] += value * other;
            }
        }
        let mut nearest = vec![0.0_f32; labels];
        for (like, label) in likeness.iter().zip(&self.labels_of) {
            let best = &mut nearest[*label as usize];
            *best = best.max(*like);
        }
        nearest
    }
}
