//! What a score is worth: a probability that the best label is right and the message in scope at all.

/// What tells a message in scope from one that is not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Signs(pub(super) [f32; SIGNS]);

/// How many signs there are.
pub(super) const SIGNS: usize = 6;

impl Signs {
    /// Reads the signs off the scores of all labels, the likeness to their nearest examples and the known share.
    pub(super) fn read(scores: &[f32], near: &[f32], coverage: f32) -> Self {
        let (mut first, mut second, mut at) = (f32::NEG_INFINITY, f32::NEG_INFINITY, 0);
        for (label, score) in scores.iter().enumerate() {
            if *score > first {
                second = first;
                (first, at) = (*score, label);
            } else if *score > second {
                second = *score;
            }
        }
        let first = if first.is_finite() { first } else { -1.0 };
        let second = if second.is_finite() { second } else { first - 1.0 };
        let nearest = near.iter().copied().fold(0.0_f32, f32::max);
        let own = near.get(at).copied().unwrap_or_default();
        let spread =
            scores.iter().filter(|s| s.is_finite()).map(|s| (2.0 * (s - first)).exp()).sum::<f32>().ln();
        Self([first, first - second, nearest, own, coverage, spread])
    }
}

/// A logistic model over the signs, and the sharpness of the shares between labels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judge {
    pub(super) mean: [f32; SIGNS],
    pub(super) scale: [f32; SIGNS],
    pub(super) weights: [f32; SIGNS],
    pub(super) bias: f32,
    pub(super) sharpness: f32,
}

/// A left-out message: its signs, its scores, and its label where the round knew that label.
pub(super) type Judged = (Signs, Vec<f32>, Option<u32>);

impl Judge {
    /// Learns from left-out messages; with too few it stays careful.
    pub(super) fn learn(judged: &[Judged]) -> Self {
        let mut judge = Self {
            mean: [0.0; SIGNS],
            scale: [1.0; SIGNS],
            weights: [1.0, 0.5, 2.0, 1.0, 1.0, 0.0],
            bias: -1.0,
            sharpness: 4.0,
        };
        if judged.len() < 20 {
            return judge;
        }
        let total = judged.len() as f32;
        for at in 0..SIGNS {
            let mean = judged.iter().map(|(signs, ..)| signs.0[at]).sum::<f32>() / total;
            let spread = judged.iter().map(|(signs, ..)| (signs.0[at] - mean).powi(2)).sum::<f32>() / total;
            judge.mean[at] = mean;
            judge.scale[at] = spread.sqrt().max(1e-4);
        }
        let rows: Vec<([f32; SIGNS], f32)> = judged
            .iter()
            .map(|(signs, scores, label)| {
                let right = label.is_some_and(|label| best(scores) == Some(label as usize));
                (judge.standard(signs), if right { 1.0 } else { 0.0 })
            })
            .collect();
        judge.fit(&rows);
        judge.sharpness = sharpness(judged);
        judge
    }

    fn standard(&self, signs: &Signs) -> [f32; SIGNS] {
        std::array::from_fn(|at| (signs.0[at] - self.mean[at]) / self.scale[at])
    }

    /// Regularised logistic regression by gradient descent; a few hundred steps over six numbers.
    fn fit(&mut self, rows: &[([f32; SIGNS], f32)]) {
        self.weights = [0.0; SIGNS];
        self.bias = 0.0;
        let total = rows.len() as f32;
        for step in 0..600 {
            let rate = 1.5 / (1.0 + step as f32 / 200.0);
            let (mut gradient, mut bias) = ([0.0_f32; SIGNS], 0.0);
            for (x, y) in rows {
                let error = logistic(self.bias + dot(&self.weights, x)) - y;
                for (g, x) in gradient.iter_mut().zip(x) {
                    *g += error * x;
                }
                bias += error;
            }
            for (weight, g) in self.weights.iter_mut().zip(gradient) {
                *weight -= rate * (g / total + 1e-4 * *weight);
            }
            self.bias -= rate * bias / total;
        }
    }

    /// The probability that the best label is right and the message in scope at all.
    pub(super) fn probability(&self, signs: &Signs) -> f32 {
        logistic(self.bias + dot(&self.weights, &self.standard(signs)))
    }

    /// How the labels share what is in scope; they make one together.
    pub(super) fn shares(&self, scores: &[f32]) -> Vec<f32> {
        let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let raw: Vec<f32> = scores.iter().map(|score| (self.sharpness * (score - top)).exp()).collect();
        let sum: f32 = raw.iter().sum();
        raw.into_iter().map(|share| share / sum.max(1e-9)).collect()
    }
}

fn best(scores: &[f32]) -> Option<usize> {
    (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]))
}

fn dot(a: &[f32; SIGNS], b: &[f32; SIGNS]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// The sharpness under which the true labels of known messages are most likely.
fn sharpness(judged: &[Judged]) -> f32 {
    let loss = |sharp: f32| -> f32 {
        let known = judged.iter().filter_map(|(_, scores, label)| Some((scores, (*label)? as usize)));
        known
            .map(|(scores, label)| {
                let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f32 = scores.iter().map(|score| (sharp * (score - top)).exp()).sum();
                sum.ln() - sharp * (scores[label] - top)
            })
            .sum()
    };
    let grid = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    grid.into_iter().min_by(|a, b| loss(*a).total_cmp(&loss(*b))).unwrap_or(4.0)
}
