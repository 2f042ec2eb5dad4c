//! Figures in words, for a page and for a mail.

use super::measure::{Figure, Kind, Measure, Side};

/// Fewer than these are too few to make much of.
const FEW: i64 = 20;

/// How a figure has changed since the period before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// By how much, with its sign: `+3.1 points`.
    pub text: String,
    /// Whether that is better; none where neither way is, or nothing has changed.
    pub better: Option<bool>,
}

/// A whole number with its thousands apart: `1,120`.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('−');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time as people say it: `4 s`, `12 min`, `3.4 h`, `2.5 d`.
pub fn time(ms: f64) -> String {
    let with = |value: f64, unit: &str| {
        let text = if value < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") };
        format!("{} {unit}", text.strip_suffix(".0").unwrap_or(&text))
    };
    match ms / 1000.0 {
        seconds if seconds < 1.0 => format!("{ms:.0} ms"),
        seconds if seconds < 90.0 => with(seconds, "s"),
        seconds if seconds < 5400.0 => with(seconds / 60.0, "min"),
        seconds if seconds < 129_600.0 => with(seconds / 3600.0, "h"),
        seconds => with(seconds / 86_400.0, "d"),
    }
}

/// A share as per cent.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    let text = if value > 0.0 && value < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") };
    format!("{}%", text.strip_suffix(".0").unwrap_or(&text))
}

fn money(amount: f64, currency: &str) -> String {
    let text = if amount.abs() < 10.0 { format!("{amount:.3}") } else { format!("{amount:.0}") };
    format!("{currency} {text}")
}

impl Measure {
    /// What its denominator counts.
    fn base(self) -> &'static str {
        match self {
            Self::Automation | Self::Escalation => "requests",
            Self::Contained | Self::Confirmed | Self::Durable => "requests that have settled",
            Self::FirstContact => "matters brought for the first time",
            Self::EscalationRight => "handoffs that are over",
            Self::Reopen | Self::Returned => "cases that were resolved",
            Self::ServiceLevel => "answers that were due",
            Self::CsatAssistant | Self::CsatPeople => "asked",
            Self::Volume
            | Self::FirstResponse
            | Self::HandleAssistant
            | Self::HandlePeople
            | Self::Wait
            | Self::ResolutionTime
            | Self::Cost
            | Self::Gaps => "cases",
        }
    }

    /// Its value in words; a dash where there is none.
    pub fn say(self, figure: Figure, currency: &str) -> String {
        let Some(value) = figure.value else { return "–".to_owned() };
        match self.kind() {
            Kind::Count => grouped(figure.counted),
            Kind::Share => percent(value),
            Kind::Time => time(value),
            Kind::Score => format!("{value:.1} of 5"),
            Kind::Money => money(value, currency),
        }
    }

    /// Of how many it is said.
    pub fn say_of(self, figure: Figure, currency: &str) -> String {
        let (counted, of) = (grouped(figure.counted), grouped(figure.of));
        let base = if figure.of == 1 && self.base() == "cases" { "case" } else { self.base() };
        match (self.kind(), figure.second) {
            (Kind::Count, _) => String::new(),
            (Kind::Score, Some(rate)) => format!("{counted} of {of} asked answered, {}", percent(rate)),
            (Kind::Score, None) => "nobody was asked".to_owned(),
            (Kind::Share, _) => format!("{counted} of {of} {base}"),
            (Kind::Time, Some(ninth)) => format!("9 of 10 below {}, {of} {base}", time(ninth)),
            (Kind::Time, None) => format!("{of} {base}"),
            (Kind::Money, whole) => {
                format!("{} in all for {of} {base}", money(whole.unwrap_or_default(), currency))
            }
        }
    }

    /// Whether it rests on too few to make much of.
    pub fn few(self, figure: Figure) -> bool {
        let rests = if self.kind() == Kind::Score { figure.counted } else { figure.of };
        figure.value.is_some() && self.kind() != Kind::Count && rests < FEW
    }

    /// How it has changed; none where one of the two has no value.
    pub fn change(self, now: Figure, before: Figure) -> Option<Change> {
        let (new, old) = (now.value?, before.value?);
        let difference = new - old;
        let (text, still) = match self.kind() {
            Kind::Share => {
                let points = difference * 100.0;
                (format!("{points:+.1} points"), points.abs() < 0.05)
            }
            Kind::Score => (format!("{difference:+.1}"), difference.abs() < 0.05),
            Kind::Count | Kind::Time | Kind::Money => {
                if old <= 0.0 {
                    return None;
                }
                let share = difference / old * 100.0;
                (format!("{share:+.0}%"), share.abs() < 0.5)
            }
        };
        if still {
            return Some(Change { text: "unchanged".to_owned(), better: None });
        }
        let better = match self.better() {
            Side::More => Some(difference > 0.0),
            Side::Less => Some(difference < 0.0),
            Side::Neither => None,
        };
        Some(Change { text: text.replace('-', "−"), better })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_as_people_say_them() {
        assert_eq!(
            [grouped(0), grouped(999), grouped(1_234_567), grouped(-1000)],
            ["0", "999", "1,234,567", "−1,000"]
        );
        let times = [400.0, 4_200.0, 720_000.0, 12_240_000.0, 216_000_000.0].map(time);
        assert_eq!(times, ["400 ms", "4.2 s", "12 min", "3.4 h", "2.5 d"]);
        assert_eq!(
            [percent(0.0), percent(0.0123), percent(0.5), percent(1.0)],
            ["0%", "1.2%", "50%", "100%"]
        );
    }

    #[test]
    fn a_change_says_whether_it_is_better() {
        let figure = |value| Figure { value: Some(value), second: None, counted: 1, of: 2 };
        let change = |measure: Measure, now, before| measure.change(figure(now), figure(before)).unwrap();
        let told = change(Measure::Automation, 0.531, 0.5);
        assert_eq!((told.text.as_str(), told.better), ("+3.1 points", Some(true)));
        let told = change(Measure::FirstResponse, 1500.0, 1000.0);
        assert_eq!((told.text.as_str(), told.better), ("+50%", Some(false)));
        assert_eq!(change(Measure::Volume, 5.0, 10.0).better, None);
        assert_eq!(change(Measure::Durable, 0.5, 0.5).text, "unchanged");
        assert_eq!(Measure::Cost.change(figure(1.0), Figure::default()), None);
    }

    #[test]
    fn a_value_never_stands_without_what_it_is_of() {
        let figure = Figure { value: Some(0.5), second: Some(0.25), counted: 3, of: 6 };
        for measure in Measure::ALL.iter().copied().filter(|one| one.kind() != Kind::Count) {
            assert!(measure.say_of(figure, "EUR").contains('6'), "{measure:?}");
            assert!(measure.few(figure) && measure.say(Figure::default(), "EUR") == "–");
        }
    }
}
