//! Linear scores for all labels at once.
//!
//! A softmax over the labels (multinomial logistic regression), learnt one example at a time with a
//! falling step. At every step a share of the example's features is dropped, so that no label hangs
//! on a single word (Wager, Wang, Liang: "Dropout Training as Adaptive Regularization", 2013).

use super::features::Sparse;

/// How the scores are learnt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Solver {
    /// Passes over the examples.
    pub(super) passes: usize,
    /// As many more passes as make this many steps, for few examples.
    pub(super) steps_min: usize,
    /// The first step; it falls to nothing in a straight line.
    pub(super) rate: f32,
    /// The share of features that is dropped at every step, 0 to less than 1.
    pub(super) dropped: f32,
}

/// The learnt weights as they are served: two bytes each, times the step of their feature.
/// (In one byte the memory halves again, but one message in a thousand changes sides.)
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Separators {
    pub(super) labels: usize,
    /// Per feature, what one step of its weights is worth.
    pub(super) steps: Vec<f32>,
    pub(super) weights: Vec<i16>,
    pub(super) bias: Vec<f32>,
}

/// Weights while they are learnt, by feature and label: `weights[feature * labels + label]`, with a bias per label.
struct Learnt {
    labels: usize,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

/// Log odds are brought to this size, which is that of a likeness (0 to 1) to which they are added.
const SCALE: f32 = 0.2;
/// A bias moves this much slower than a weight, so that frequent labels do not win by being frequent.
const BIAS_RATE: f32 = 0.1;

impl Separators {
    /// Learns the weights; the same examples in the same order give the same weights.
    pub(super) fn train(
        vectors: &[Sparse],
        labels_of: &[u32],
        labels: usize,
        features: usize,
        solver: Solver,
    ) -> Self {
        let mut model = Learnt { labels, weights: vec![0.0; features * labels], bias: vec![0.0; labels] };
        let mut shuffle = Shuffle(0x9e37_79b9_7f4a_7c15);
        let mut order: Vec<usize> = (0..vectors.len()).collect();
        let passes = solver.passes.max(solver.steps_min.div_ceil(order.len().max(1)));
        let steps = (passes * order.len()).max(1) as f32;
        let mut step = 0.0_f32;
        let mut kept = Sparse::new();
        for _ in 0..passes {
            for at in 0..order.len() {
                let with = at + shuffle.below(order.len() - at);
                order.swap(at, with);
            }
            for example in &order {
                kept.clear();
                for (feature, value) in &vectors[*example] {
                    if shuffle.share() >= solver.dropped {
                        kept.push((*feature, value / (1.0 - solver.dropped)));
                    }
                }
                model.learn(&kept, labels_of[*example], solver.rate * (1.0 - step / steps));
                step += 1.0;
            }
        }
        model.served()
    }

    /// The score of a text for every label.
    pub(super) fn scores(&self, vector: &Sparse) -> Vec<f32> {
        let mut scores = self.bias.clone();
        for (feature, value) in vector {
            let at = *feature as usize;
            let row = self.weights.get(at * self.labels..(at + 1) * self.labels);
            let (Some(row), Some(step)) = (row, self.steps.get(at)) else { continue };
            let value = value * step;
            for (score, weight) in scores.iter_mut().zip(row) {
                *score += value * f32::from(*weight);
            }
        }
        scores
    }
}

impl Learnt {
    /// The weights in the size and the form in which they are served.
    fn served(self) -> Separators {
        let mut weights = Vec::with_capacity(self.weights.len());
        let mut steps = Vec::with_capacity(self.weights.len() / self.labels.max(1));
        for row in self.weights.chunks(self.labels.max(1)) {
            let largest = row.iter().fold(0.0_f32, |most, weight| most.max(weight.abs()));
            let step = (largest / f32::from(i16::MAX)).max(f32::MIN_POSITIVE);
            weights.extend(row.iter().map(|weight| (weight / step).round() as i16));
            steps.push(step * SCALE);
        }
        let bias = self.bias.into_iter().map(|bias| bias * SCALE).collect();
        Separators { labels: self.labels, steps, weights, bias }
    }

    /// One step towards giving this example its label.
    fn learn(&mut self, vector: &Sparse, label: u32, rate: f32) {
        let mut errors = self.scores(vector);
        let top = errors.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for score in &mut errors {
            *score = (*score - top).exp();
        }
        let sum: f32 = errors.iter().sum();
        for share in &mut errors {
            *share /= sum;
        }
        errors[label as usize] -= 1.0;
        for (feature, value) in vector {
            let from = *feature as usize * self.labels;
            let Some(row) = self.weights.get_mut(from..from + self.labels) else { continue };
            for (weight, error) in row.iter_mut().zip(&errors) {
                *weight -= rate * value * error;
            }
        }
        for (bias, error) in self.bias.iter_mut().zip(&errors) {
            *bias -= BIAS_RATE * rate * error;
        }
    }

    fn scores(&self, vector: &Sparse) -> Vec<f32> {
        let mut scores = self.bias.clone();
        for (feature, value) in vector {
            let from = *feature as usize * self.labels;
            let Some(row) = self.weights.get(from..from + self.labels) else { continue };
            for (score, weight) in scores.iter_mut().zip(row) {
                *score += value * weight;
            }
        }
        scores
    }
}

/// A fixed sequence of pseudo-random numbers (xorshift), so that training is the same every time.
struct Shuffle(u64);

impl Shuffle {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// From 0 to less than 1.
    fn share(&mut self) -> f32 {
        (self.next() % (1 << 16)) as f32 / 65_536.0
    }
}
