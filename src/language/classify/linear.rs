//! One linear separator per label, each against all the rest.
//!
//! L2-regularised squared-hinge support vector machine, solved in the dual one example at a time
//! (Hsieh, Chang, Lin, Keerthi, Sundararajan: "A Dual Coordinate Descent Method for Large-scale
//! Linear SVM", 2008).

use super::features::Sparse;

/// How a separator is trained.
#[derive(Debug, Clone, Copy)]
pub(super) struct Solver {
    /// How much a misplaced example costs.
    pub(super) cost: f32,
    /// Most passes over the examples.
    pub(super) passes_max: usize,
    /// A pass that moves no example by more than this is the last.
    pub(super) tolerance: f32,
}

/// Weights by feature and label: `weights[feature * labels + label]`, with a bias per label.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Separators {
    pub(super) labels: usize,
    pub(super) weights: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

impl Separators {
    /// Trains one separator per label on two threads.
    pub(super) fn train(
        vectors: &[&Sparse],
        labels_of: &[u32],
        labels: usize,
        features: usize,
        solver: Solver,
    ) -> Self {
        let halves: Vec<Vec<(Vec<f32>, f32)>> = std::thread::scope(|scope| {
            let middle = labels.div_ceil(2);
            let work = |range: std::ops::Range<usize>| {
                range
                    .map(|label| separate(vectors, labels_of, label as u32, features, solver))
                    .collect::<Vec<_>>()
            };
            let second = scope.spawn(move || work(middle..labels));
            let first = work(0..middle);
            vec![first, second.join().unwrap_or_default()]
        });
        let mut all = Self { labels, weights: vec![0.0; features * labels], bias: vec![0.0; labels] };
        for (label, (weights, bias)) in halves.into_iter().flatten().enumerate() {
            all.bias[label] = bias;
            for (feature, weight) in weights.into_iter().enumerate() {
                all.weights[feature * labels + label] = weight;
            }
        }
        all
    }

    /// The signed distance of a text to every label.
    pub(super) fn scores(&self, vector: &Sparse) -> Vec<f32> {
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
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

fn separate(
    vectors: &[&Sparse],
    labels_of: &[u32],
    label: u32,
    features: usize,
    solver: Solver,
) -> (Vec<f32>, f32) {
    let (mut weights, mut bias) = (vec![0.0_f32; features], 0.0_f32);
    let slack = 0.5 / solver.cost;
    let mut duals = vec![0.0_f32; vectors.len()];
    let squares: Vec<f32> =
        vectors.iter().map(|v| v.iter().map(|(_, x)| x * x).sum::<f32>() + 1.0 + slack).collect();
    let mut order: Vec<usize> = (0..vectors.len()).collect();
    let mut active = order.len();
    let mut shuffle = Shuffle(0x9e37_79b9_7f4a_7c15);
    for _ in 0..solver.passes_max {
        let mut moved = 0.0_f32;
        for at in 0..active {
            let with = at + shuffle.below(active - at);
            order.swap(at, with);
        }
        let mut at = 0;
        while at < active {
            let example = order[at];
            let side = if labels_of[example] == label { 1.0 } else { -1.0 };
            let vector = vectors[example];
            let score: f32 = vector.iter().map(|(f, x)| weights[*f as usize] * x).sum::<f32>() + bias;
            let gradient = side * score - 1.0 + duals[example] * slack;
            if duals[example] <= 0.0 && gradient > 0.05 {
                // Far on the right side: left alone until the end.
                active -= 1;
                order.swap(at, active);
                continue;
            }
            at += 1;
            let old = duals[example];
            let new = (old - gradient / squares[example]).max(0.0);
            let step = (new - old) * side;
            if step != 0.0 {
                duals[example] = new;
                for (f, x) in vector {
                    weights[*f as usize] += step * x;
                }
                bias += step;
                moved = moved.max(step.abs());
            }
        }
        if moved < solver.tolerance {
            if active == order.len() {
                break;
            }
            active = order.len();
        }
    }
    (weights, bias)
}
