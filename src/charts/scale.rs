//! Values to places: round steps, beginning at nothing.

/// Steps between the bottom and the top of a plot.
const STEPS: f64 = 4.0;

/// From nothing to a round number above everything shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    top: f64,
    step: f64,
}

impl Scale {
    /// For whole numbers up to `most`.
    pub(super) fn whole(most: f64) -> Self {
        let rough = (most / STEPS).max(1.0);
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power);
        let fits = |step: &f64| step * STEPS >= most && (step.fract() == 0.0);
        let step = step.into_iter().find(fits).unwrap_or(10.0 * power);
        Self { top: step * STEPS, step }
    }

    /// For shares: from none to all.
    pub(super) fn shares() -> Self {
        Self { top: 1.0, step: 0.25 }
    }

    /// How far up a value stands, 0 to 1.
    pub(super) fn share(&self, value: f64) -> f64 {
        (value / self.top).clamp(0.0, 1.0)
    }

    pub(super) fn ticks(&self) -> impl Iterator<Item = f64> + use<> {
        let step = self.step;
        (0..=STEPS as i32).map(move |nth| step * f64::from(nth))
    }
}

/// A number as it stands beside an axis: `1.5k`.
pub(super) fn short(value: f64) -> String {
    let (value, mark) = match value {
        value if value >= 1_000_000.0 => (value / 1_000_000.0, "M"),
        value if value >= 1_000.0 => (value / 1_000.0, "k"),
        value => (value, ""),
    };
    let text = format!("{value:.1}");
    format!("{}{mark}", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_hold_everything() {
        for (most, top) in [(0.0, 4.0), (3.0, 4.0), (5.0, 8.0), (37.0, 40.0), (101.0, 200.0), (999.0, 1000.0)]
        {
            let scale = Scale::whole(most);
            assert!((scale.top - top).abs() < 1e-9, "{most}: {scale:?}");
            assert_eq!(scale.ticks().count(), 5);
        }
        assert!((Scale::shares().share(2.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.0, 12.0, 1500.0, 20_000.0, 2_500_000.0].map(short), ["0", "12", "1.5k", "20k", "2.5M"]);
    }
}
